// SPDX-License-Identifier: BSD-2-Clause
/* The split ring with a device that lies: each lie of R-H-01..05 breaks it by its own counter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "tests/host/ring.h"

/* Two buffers are with the device: id 0 alone, and the chain 1 -> 2. Entry 3 was used before. */
static void ring_with_history(struct ring *t, uint64_t features)
{
    struct virtio_chain chain;
    uint32_t written;
    unsigned id;

    ring_start(t, features);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(add(t, i, 1, 0), 0);
    while (virtio_model_pop(&t->rig.model, 0, &chain))
        virtio_model_push(&t->rig.model, 0, chain.head, 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pop(t, &id, &written), 0);
    /* Freed last, taken first: entries 3, then 2 and 1. */
    assert_int_equal(add(t, 0, 1, 0), 0);
    assert_int_equal(add(t, 1, 1, 1), 0);
    assert_true(virtio_model_pop(&t->rig.model, 0, &chain));
    assert_int_equal(chain.head, 3);
    assert_true(virtio_model_pop(&t->rig.model, 0, &chain));
    assert_int_equal(chain.head, 2);
}

static void id_beyond_the_ring(void **state)
{
    static const uint32_t ids[] = {SIZE, SIZE + 3, 0x10003, UINT32_MAX};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(ids); i++) {
        struct ring t;

        ring_with_history(&t, WITH_EVENT);
        virtio_model_push(&t.rig.model, 0, ids[i], 0);
        expect_broken(&t, &vq_errors(t.q)->id_range);
    }
}

static void id_never_posted(void **state)
{
    struct ring t;

    (void)state;
    ring_with_history(&t, WITH_EVENT);
    virtio_model_push(&t.rig.model, 0, 7, 0);
    expect_broken(&t, &vq_errors(t.q)->id_not_posted);
}

static void id_completed_before(void **state)
{
    struct ring t;

    (void)state;
    ring_with_history(&t, WITH_EVENT);
    virtio_model_push(&t.rig.model, 0, 0, 0);
    expect_broken(&t, &vq_errors(t.q)->id_replayed);
}

static void id_completed_twice_at_once(void **state)
{
    struct ring t;
    uint32_t written;
    unsigned id;

    (void)state;
    ring_with_history(&t, WITH_EVENT);
    virtio_model_push(&t.rig.model, 0, 3, 0);
    virtio_model_push(&t.rig.model, 0, 3, 0);
    assert_int_equal(pop(&t, &id, &written), 0);
    expect_broken(&t, &vq_errors(t.q)->id_replayed);
}

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

static void used_index_moves_with_nothing_in_flight(void **state)
{
    struct ring t;

    (void)state;
    ring_start(&t, WITHOUT_EVENT);
    virtio_model_jump(&t.rig.model, 0, 1);
    expect_broken(&t, &vq_errors(t.q)->idx_jump);
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

static void written_length_is_clamped(void **state)
{
    static const uint32_t lengths[] = {17, 4096, 0x80000000, UINT32_MAX};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
        struct ring t;
        uint32_t written;
        unsigned id;

        ring_with_history(&t, WITH_EVENT);
        virtio_model_push(&t.rig.model, 0, 2, lengths[i]);
        assert_int_equal(pop(&t, &id, &written), 0);
        assert_int_equal(written, 16); /* the writable piece of 1 + 1 */
        virtio_model_push(&t.rig.model, 0, 3, 4);
        assert_int_equal(pop(&t, &id, &written), 0);
        assert_int_equal(written, 0); /* nothing was writable */
        assert_int_equal(vq_errors(t.q)->len_clamped, 2);
        assert_false(vq_is_broken(t.q));
        ring_end(&t);
    }
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

/* Random truths and lies: nothing but 0, -EAGAIN and -EPROTO comes out, and a token comes back once. */
static void random_device(void **state)
{
    unsigned seed = 20261122;
    const char *given = getenv("TEST_SEED");

    (void)state;
    if (given)
        seed = (unsigned)strtoul(given, NULL, 0);
    print_message("TEST_SEED=%u\n", seed);
    srandom(seed);
    for (unsigned run = 0; run < 300; run++) {
        bool out[64] = {false};
        struct ring t;

        ring_start(&t, run % 2 ? WITH_EVENT | WITH_INDIRECT : WITHOUT_EVENT);
        for (unsigned step = 0; step < 200; step++) {
            struct virtio_chain chain;
            unsigned id = (unsigned)random() % 64;
            uint32_t written;
            int err;

            if (!out[id] &&
                add(&t, id, 1 + (unsigned)random() % 2, (unsigned)random() % 3) == 0)
                out[id] = true;
            vq_kick(t.q);
            if (virtio_model_pop(&t.rig.model, 0, &chain))
                virtio_model_push(&t.rig.model, 0,
                                  random() % 50 ? chain.head
                                                : (uint32_t)random() % (2 * SIZE),
                                  (uint32_t)random());
            if (random() % 200 == 0)
                virtio_model_jump(&t.rig.model, 0, (uint16_t)random());
            err = pop(&t, &id, &written);
            assert_true(err == 0 || err == -EAGAIN || err == -EPROTO);
            if (err == 0) {
                assert_true(out[id]);
                assert_in_range(written, 0, 32);
                out[id] = false;
            }
        }
        assert_true(vq_in_flight(t.q) <= SIZE);
        ring_end(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(id_beyond_the_ring),
        cmocka_unit_test(id_never_posted),
        cmocka_unit_test(id_completed_before),
        cmocka_unit_test(id_completed_twice_at_once),
        cmocka_unit_test(id_inside_a_chain),
        cmocka_unit_test(used_index_jumps),
        cmocka_unit_test(used_index_moves_with_nothing_in_flight),
        cmocka_unit_test(descriptor_is_overwritten),
        cmocka_unit_test(overwritten_free_descriptors_do_not_matter),
        cmocka_unit_test(available_index_is_overwritten),
        cmocka_unit_test(written_length_is_clamped),
        cmocka_unit_test(event_index_out_of_reach),
        cmocka_unit_test(stale_event_index_is_no_lie),
        cmocka_unit_test(random_device),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
