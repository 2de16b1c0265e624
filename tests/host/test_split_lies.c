// SPDX-License-Identifier: BSD-2-Clause
/* The split ring with a device that lies: the lies of R-H-01..05 that only this ring
 * knows; test_ring_lies.c has the others. */
#include "tests/host/ring.h"

static void id_inside_a_chain(void **state)
{
    struct ring t;

    (void)state;
    ring_with_history(&t, WITH_EVENT);
    virtio_model_push(&t.rig.model, 0, 1, 0);
    expect_broken(&t, &vq_errors(t.q)->id_mid_chain);
}

static void used_index_jumps(void **state)
{
    static const uint16_t jumps[] = {3,      SIZE,   SIZE + 1,
                                     0x7FFF, 0x8000, 0xFFFF}; /* 0xFFFF: back */

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(jumps); i++) {
        struct ring t;

        ring_with_history(&t, WITH_EVENT);
        virtio_model_jump(&t.rig.model, 0, jumps[i]);
        expect_broken(&t, &vq_errors(t.q)->idx_jump);
    }
}

/* Each byte of a posted descriptor, of a head and of a chained one. */
static void descriptor_is_overwritten(void **state)
{
    (void)state;
    for (uint16_t id = 1; id <= 2; id++) {
        for (unsigned byte = 0; byte < 16; byte++) {
            struct ring t;

            ring_with_history(&t, WITH_EVENT);
            virtio_model_desc(&t.rig.model, 0, id)[byte] ^= 0x55;
            virtio_model_push(&t.rig.model, 0, 2, 0);
            expect_broken(&t, &vq_errors(t.q)->desc_overwritten);
        }
    }
}

/* A descriptor nobody posted may hold anything: it is written before it is used. */
static void overwritten_free_descriptors_do_not_matter(void **state)
{
    struct virtio_chain chain;
    struct ring t;
    uint32_t written;
    unsigned id;

    (void)state;
    ring_start(&t, WITH_EVENT);
    for (uint16_t i = 0; i < SIZE; i++)
        memset(virtio_model_desc(&t.rig.model, 0, i), 0xFF, 16);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(add(&t, i, 2, 2), 0);
        assert_true(virtio_model_pop(&t.rig.model, 0, &chain));
        assert_int_equal(chain.n, 4);
        virtio_model_push(&t.rig.model, 0, chain.head, 0);
        assert_int_equal(pop(&t, &id, &written), 0);
        assert_int_equal(id, i);
    }
    ring_end(&t);
}

static void available_index_is_overwritten(void **state)
{
    struct ring t;
    uint16_t *idx;

    (void)state;
    ring_with_history(&t, WITH_EVENT);
    idx = hal_model_dma(&t.rig.hal, t.rig.model.queues[0].driver + 2, 2);
    *idx = (uint16_t)(*idx + 4);
    virtio_model_push(&t.rig.model, 0, 3, 0);
    expect_broken(&t, &vq_errors(t.q)->avail_overwritten);
}

static void event_index_out_of_reach(void **state)
{
    static const uint16_t ahead[] = {SIZE + 1, 1000, 0x7FFF};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(ahead); i++) {
        struct ring t;

        ring_start(&t, WITH_EVENT);
        assert_int_equal(add(&t, 0, 1, 0), 0);
        virtio_model_set_avail_event(&t.rig.model, 0, (uint16_t)(1 + ahead[i]));
        assert_true(
            vq_kick(t.q)); /* refused as a wish: a lost doorbell would hang both sides */
        assert_int_equal(vq_errors(t.q)->event_nonsense, 1);
        assert_false(vq_is_broken(t.q));
        ring_end(&t);
    }
}

static void stale_event_index_is_no_lie(void **state)
{
    struct ring t;

    (void)state;
    ring_start(&t, WITH_EVENT);
    assert_int_equal(add(&t, 0, 1, 0), 0);
    virtio_model_set_avail_event(&t.rig.model, 0, (uint16_t)(1 - 0x7000));
    assert_false(vq_kick(t.q));
    assert_int_equal(vq_errors(t.q)->event_nonsense, 0);
    ring_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(id_inside_a_chain),
        cmocka_unit_test(used_index_jumps),
        cmocka_unit_test(descriptor_is_overwritten),
        cmocka_unit_test(overwritten_free_descriptors_do_not_matter),
        cmocka_unit_test(available_index_is_overwritten),
        cmocka_unit_test(event_index_out_of_reach),
        cmocka_unit_test(stale_event_index_is_no_lie),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
