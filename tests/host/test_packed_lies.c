// SPDX-License-Identifier: BSD-2-Clause
/* The packed ring with a device that lies: the lies of R-H-01..05 that only this ring
 * knows; test_ring_lies.c has the others. */
#include "tests/host/ring.h"

#define EVENT_DESC 2u

/* One completion more than there are buffers, at once and later. */
static void completion_with_nothing_in_flight(void **state)
{
    (void)state;
    for (unsigned late = 0; late < 2; late++) {
        struct ring t;
        uint32_t written;
        unsigned id;

        ring_with_history(&t, WITH_EVENT | PACKED);
        virtio_model_push(&t.rig.model, 0, 3, 0);
        virtio_model_push(&t.rig.model, 0, 2, 0);
        if (!late)
            virtio_model_push(&t.rig.model, 0, 3, 0);
        assert_int_equal(pop(&t, &id, &written), 0);
        assert_int_equal(pop(&t, &id, &written), 0);
        if (late) {
            assert_int_equal(pop(&t, &id, &written), -EAGAIN);
            assert_false(vq_has_used(t.q));
            virtio_model_push(&t.rig.model, 0, 3, 0);
        }
        expect_broken(&t, &vq_errors(t.q)->idx_jump);
    }
}

/* All places claim to be used: the first is a completion, the chain behind it was written to. */
static void everything_is_marked_used(void **state)
{
    struct ring t;
    uint32_t written;
    unsigned id;

    (void)state;
    ring_with_history(&t, WITH_EVENT | PACKED);
    virtio_model_jump(&t.rig.model, 0, SIZE);
    assert_int_equal(pop(&t, &id, &written), 0);
    assert_int_equal(id, 0);
    expect_broken(&t, &vq_errors(t.q)->desc_overwritten);
}

/* Flags that are neither what we wrote nor a completion: wrong wrap counters, stray bits. */
static void wrap_bits_make_no_sense(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 18; i++) {
        uint16_t flip = (uint16_t)(i < 16 ? 1u << i : i == 16 ? 0x8080u : 0xFFFFu);
        struct ring t;
        uint16_t *flags;

        if (flip == 0x8000) /* that is a completion */
            continue;
        ring_with_history(&t, WITH_EVENT | PACKED);
        flags = virtio_model_used_flags(&t.rig.model, 0);
        *flags = (uint16_t)(*flags ^ flip);
        assert_true(vq_has_used(t.q));
        expect_broken(&t, &vq_errors(t.q)->wrap_bits);
    }
}

/* The same in the turn of the other wrap counter. */
static void wrap_bits_of_another_turn(void **state)
{
    for (unsigned value = 0; value < 4; value++) {
        uint16_t flags = (uint16_t)((value & 1) << 7 | (value & 2) << 14);
        struct virtio_chain chain;
        struct ring t;
        uint32_t written;
        unsigned id;
        int err;

        (void)state;
        ring_start(&t, WITHOUT_EVENT | PACKED);
        for (unsigned i = 0; i < SIZE; i++) {
            assert_int_equal(add(&t, 0, 1, 0), 0);
            assert_true(virtio_model_pop(&t.rig.model, 0, &chain));
            virtio_model_push(&t.rig.model, 0, chain.head, 0);
            assert_int_equal(pop(&t, &id, &written), 0);
        }
        assert_int_equal(add(&t, 0, 1, 0), 0);
        *virtio_model_used_flags(&t.rig.model, 0) = flags;
        err = pop(&t, &id, &written);
        assert_int_equal(err, flags == 0 ? 0 : flags == 0x8000 ? -EAGAIN : -EPROTO);
        assert_int_equal(vq_errors(t.q)->wrap_bits, err == -EPROTO);
        ring_end(&t);
    }
}

/* Each byte of a place that the device only skips. */
static void descriptor_is_overwritten(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 16; byte++) {
        struct ring t;
        uint32_t written;
        unsigned id;

        ring_with_history(&t, WITH_EVENT | PACKED);
        virtio_model_push(&t.rig.model, 0, 3, 0);
        virtio_model_desc(&t.rig.model, 0, 6)[byte] ^= 0x55;
        virtio_model_push(&t.rig.model, 0, 2, 0);
        assert_int_equal(pop(&t, &id, &written), 0);
        expect_broken(&t, &vq_errors(t.q)->desc_overwritten);
    }
}

/* What we read of a descriptor are id, length and flags of a completion: the rest may hold anything. */
static void other_descriptors_do_not_matter(void **state)
{
    struct virtio_chain chain;
    struct ring t;
    uint32_t written;
    unsigned id;

    (void)state;
    ring_start(&t, WITH_EVENT | PACKED);
    for (unsigned i = 0; i < 20; i++) {
        uint64_t wild = UINT64_MAX;
        uint16_t place = (uint16_t)(i % SIZE);

        assert_int_equal(add(&t, i, 1, 0), 0);
        assert_true(virtio_model_pop(&t.rig.model, 0, &chain));
        memcpy(virtio_model_desc(&t.rig.model, 0, place), &wild, sizeof(wild));
        virtio_model_push(&t.rig.model, 0, chain.head, 0);
        assert_int_equal(pop(&t, &id, &written), 0);
        assert_int_equal(id, i);
    }
    ring_end(&t);
}

static void our_event_structure_is_overwritten(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 4; byte++) {
        struct ring t;
        uint8_t *event;

        ring_with_history(&t, WITH_EVENT | PACKED);
        event = hal_model_dma(&t.rig.hal, t.rig.model.queues[0].driver, 4);
        virtio_model_push(&t.rig.model, 0, 3, 0);
        event[byte] ^= 0x55;
        expect_broken(&t, &vq_errors(t.q)->avail_overwritten);
    }
}

/* Without WRITE in the completion its length counts where something was writable: QEMU 7.2 never sets it. */
static void length_without_write(void **state)
{
    struct ring t;
    uint32_t written;
    uint16_t *flags;
    unsigned id;

    (void)state;
    ring_with_history(&t, WITH_EVENT | PACKED);
    flags = virtio_model_used_flags(&t.rig.model, 0);
    virtio_model_push(&t.rig.model, 0, 2, 12);
    *flags &= (uint16_t)~2u;
    assert_int_equal(pop(&t, &id, &written), 0);
    assert_int_equal(written, 12);
    flags = virtio_model_used_flags(&t.rig.model, 0);
    virtio_model_push(&t.rig.model, 0, 3, 12); /* only read by the device */
    *flags &= (uint16_t)~2u;
    assert_int_equal(pop(&t, &id, &written), 0);
    assert_int_equal(written, 0);
    assert_int_equal(vq_lies(t.q), 0);
    ring_end(&t);
}

static void event_structure_makes_no_sense(void **state)
{
    static const struct {
        uint64_t features;
        uint32_t event;
    } lies[] = {
        {WITH_EVENT, 3u << 16},
        {WITH_EVENT, UINT32_MAX},
        {WITH_EVENT, 0x8001u << 16},
        {WITH_EVENT, EVENT_DESC << 16 | SIZE},
        {WITH_EVENT, EVENT_DESC << 16 | 0xFFFF},
        {WITHOUT_EVENT, EVENT_DESC << 16},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(lies); i++) {
        struct ring t;

        ring_start(&t, lies[i].features | PACKED);
        assert_int_equal(add(&t, 0, 1, 0), 0);
        virtio_model_set_device_event(&t.rig.model, 0, lies[i].event);
        assert_true(vq_kick(t.q)); /* a lost doorbell would hang both sides */
        assert_int_equal(vq_errors(t.q)->event_nonsense, 1);
        assert_false(vq_is_broken(t.q));
        ring_end(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(completion_with_nothing_in_flight),
        cmocka_unit_test(everything_is_marked_used),
        cmocka_unit_test(wrap_bits_make_no_sense),
        cmocka_unit_test(wrap_bits_of_another_turn),
        cmocka_unit_test(descriptor_is_overwritten),
        cmocka_unit_test(other_descriptors_do_not_matter),
        cmocka_unit_test(our_event_structure_is_overwritten),
        cmocka_unit_test(length_without_write),
        cmocka_unit_test(event_structure_makes_no_sense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
