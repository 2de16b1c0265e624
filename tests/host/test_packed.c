// SPDX-License-Identifier: BSD-2-Clause
/*
 * The packed ring (drivers/virtio/queue/packed.c) with a device that obeys: what it writes to memory,
 * wrap counters, sizes of every kind, notification decisions. What does not depend on the format is
 * in test_ring_mixes.
 */
#include "tests/host/ring.h"

#define EVENT_DESC (2u << 16)

/* As virtio 1.3, 2.8.13 lays a descriptor out. */
struct raw {
    uint64_t addr;
    uint32_t len;
    uint16_t id, flags;
};

static struct raw raw_at(struct ring *t, uint16_t place)
{
    struct raw raw;

    memcpy(&raw, virtio_model_desc(&t->rig.model, 0, place), sizeof(raw));
    return raw;
}

static void complete_all(struct ring *t)
{
    struct virtio_chain chain;

    while (virtio_model_pop(&t->rig.model, 0, &chain))
        virtio_model_push(&t->rig.model, 0, chain.head, 0);
}

static void pop_all(struct ring *t)
{
    uint32_t written;
    unsigned id;

    while (pop(t, &id, &written) == 0)
        ;
    assert_false(vq_is_broken(t->q));
}

static void descriptors_look_as_the_standard_says(void **state)
{
    struct raw first, second;
    struct ring t;

    (void)state;
    ring_start_sized(&t, WITHOUT_EVENT | PACKED, 3);
    assert_int_equal(add(&t, 0, 1, 1), 0);
    first = raw_at(&t, 0);
    second = raw_at(&t, 1);
    assert_int_equal(first.addr, t.buf.addr);
    assert_int_equal(first.len, 16);
    assert_int_equal(first.flags, 0x0081); /* AVAIL, NEXT */
    assert_int_equal(second.addr, t.buf.addr + 16);
    assert_int_equal(second.flags, 0x0082); /* AVAIL, WRITE */
    assert_int_equal(second.id, first.id);
    assert_int_equal(raw_at(&t, 2).flags, 0);

    complete_all(&t);
    pop_all(&t);
    assert_int_equal(add(&t, 0, 1, 1),
                     0); /* around the end: the counter toggles between them */
    assert_int_equal(raw_at(&t, 2).flags, 0x0081);
    assert_int_equal(raw_at(&t, 0).flags, 0x8002);
    complete_all(&t);
    pop_all(&t);
    assert_int_equal(add(&t, 0, 1, 0), 0);
    assert_int_equal(raw_at(&t, 1).flags, 0x8000);
    ring_end(&t);
}

static void tables_look_as_the_standard_says(void **state)
{
    struct raw head, *table;
    struct ring t;

    (void)state;
    ring_start(&t, WITH_INDIRECT | PACKED);
    assert_int_equal(add(&t, 0, 1, 2), 0);
    assert_int_equal(vq_free_entries(t.q), SIZE - 1);
    head = raw_at(&t, 0);
    assert_int_equal(head.len, 48);
    assert_int_equal(head.flags, 0x0084); /* AVAIL, INDIRECT */
    table = hal_model_dma(&t.rig.hal, head.addr, head.len);
    assert_non_null(table);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(table[i].addr, t.buf.addr + 16 * i);
        assert_int_equal(table[i].len, 16);
        assert_int_equal(table[i].id, 0);
        assert_int_equal(table[i].flags, i < 1 ? 0 : 2);
    }
    ring_end(&t);
}

/* Sizes of any kind; singles and chains several times around. */
static void any_size_works(void **state)
{
    static const uint16_t sizes[] = {1,   2,   3,    4,    5,     7,    24,
                                     100, 255, 1000, 4097, 32767, 32768};

    (void)state;
    for (unsigned s = 0; s < ARRAY_LEN(sizes); s++) {
        unsigned longest = sizes[s] > 128 ? 1 : sizes[s] < 3 ? sizes[s] : 3;
        struct ring t;

        ring_start_sized(&t, WITH_EVENT | PACKED, sizes[s]);
        for (unsigned round = 0; round < 5u * sizes[s] + 7; round++) {
            struct virtio_chain chain;
            uint32_t written;
            unsigned id;

            assert_int_equal(add(&t, round % 64, 1 + round % longest, 0), 0);
            assert_true(vq_kick(t.q));
            assert_true(virtio_model_pop(&t.rig.model, 0, &chain));
            assert_int_equal(chain.n, 1 + round % longest);
            assert_false(virtio_model_pop(&t.rig.model, 0, &chain));
            virtio_model_push(&t.rig.model, 0, chain.head, 0);
            assert_int_equal(pop(&t, &id, &written), 0);
            assert_int_equal(id, round % 64);
            assert_int_equal(pop(&t, &id, &written), -EAGAIN);
        }
        assert_int_equal(vq_free_entries(t.q), sizes[s]);
        ring_end(&t);
    }
}

/* All of a ring is filled, in every position of the turn. */
static void full_rings_of_any_size(void **state)
{
    (void)state;
    for (uint16_t size = 1; size <= 9; size++) {
        struct ring t;

        ring_start_sized(&t, WITH_EVENT | PACKED, size);
        for (unsigned turn = 0; turn < 3u * size; turn++) {
            for (unsigned i = 0; i < size; i++)
                assert_int_equal(add(&t, i, 1, 0), 0);
            assert_int_equal(add(&t, 9, 1, 0), -ENOSPC);
            assert_true(vq_kick(t.q));
            complete_all(&t);
            for (unsigned i = 0; i < size; i++) {
                uint32_t written;
                unsigned id;

                assert_int_equal(pop(&t, &id, &written), 0);
                assert_int_equal(id, i);
            }
            assert_int_equal(add(&t, 0, 1, 0), 0); /* the next turn begins one further */
            complete_all(&t);
            pop_all(&t);
        }
        ring_end(&t);
    }
}

static void sizes_are_for_the_format(void **state)
{
    struct virtio_queue_opts opts = {.max_size = 24};
    struct virtio_rig r;

    (void)state;
    for (unsigned packed = 0; packed < 2; packed++) {
        uint64_t features = WITHOUT_EVENT | (packed ? PACKED : 0);

        rig_init(&r, features);
        assert_int_equal(rig_open(&r), 0);
        assert_int_equal(rig_negotiate(&r, features, 1, &opts), 0);
        assert_int_equal(vq_size(r.dev.queues[0]), packed ? 24 : 16);
        assert_int_equal(rig_end(&r), 0);

        rig_init(&r, features);
        r.model.queues[0].max = r.model.queues[0].size = 100;
        assert_int_equal(rig_open(&r), 0);
        assert_int_equal(rig_negotiate(&r, features, 1, &opts), packed ? 0 : -EPROTO);
        assert_int_equal(r.dev.errors.queue_bad_size, packed ? 0 : 1);
        assert_int_equal(rig_end(&r), 0);
    }
}

/* The device's completions overwrite descriptors of buffers that are still with it. */
static void completions_come_back_in_any_order(void **state)
{
    static const unsigned orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                          {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    struct ring t;

    (void)state;
    ring_start_sized(&t, WITHOUT_EVENT | PACKED, 7);
    for (unsigned round = 0; round < 600; round++) {
        struct virtio_chain chains[3];
        const unsigned *order = orders[round % 6];
        uint32_t written;
        unsigned id;

        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(add(&t, i, 1, (i + round) % 3), 0);
            assert_true(virtio_model_pop(&t.rig.model, 0, &chains[i]));
        }
        for (unsigned i = 0; i < 3; i++)
            virtio_model_push(&t.rig.model, 0, chains[order[i]].head, order[i]);
        for (unsigned i = 0; i < 3; i++) {
            unsigned room = 16 * ((order[i] + round) % 3);

            assert_int_equal(pop(&t, &id, &written), 0);
            assert_int_equal(id, order[i]);
            assert_int_equal(written, order[i] < room ? order[i] : room);
        }
        assert_int_equal(vq_free_entries(t.q), 7);
    }
    ring_end(&t);
}

/* ---- doorbells ---- */

static void doorbell_without_event_idx(void **state)
{
    struct ring t;

    (void)state;
    ring_start(&t, WITHOUT_EVENT | PACKED);
    assert_false(vq_kick(t.q)); /* nothing new */
    assert_int_equal(add(&t, 0, 1, 0), 0);
    assert_true(vq_kick(t.q));
    assert_false(vq_kick(t.q));
    virtio_model_no_notify(&t.rig.model, 0, true);
    assert_int_equal(add(&t, 1, 1, 0), 0);
    assert_false(vq_kick(t.q));
    virtio_model_no_notify(&t.rig.model, 0, false);
    assert_int_equal(add(&t, 2, 1, 0), 0);
    assert_true(vq_kick(t.q));
    assert_int_equal(t.rig.model.queues[0].kicks, 2);
    assert_int_equal(vq_stats(t.q)->kicks_skipped, 1);
    ring_end(&t);
}

/* A position that counts without end, as an event structure has it. */
static uint32_t event_at(unsigned size, int position)
{
    unsigned turned = (unsigned)(position + 4 * (int)size);

    return EVENT_DESC | turned % size | (turned / size % 2 == 0 ? 0x8000u : 0);
}

/* The rule against its meaning: a doorbell iff the position was passed since the last decision. */
static void doorbell_at_a_position(unsigned size, unsigned start, unsigned added)
{
    for (int event = -(int)size + 1; event < (int)size; event++) {
        struct ring t;

        ring_start_sized(&t, WITH_EVENT | PACKED, (uint16_t)size);
        for (unsigned i = 0; i < start; i++) {
            assert_int_equal(add(&t, 0, 1, 0), 0);
            vq_kick(t.q);
            complete_all(&t);
            pop_all(&t);
        }
        for (unsigned left = added; left > 0;) { /* chains count by their descriptors */
            unsigned n = left % 3 ? 1 : 3;

            assert_int_equal(add(&t, 0, n, 0), 0);
            left -= n;
        }
        virtio_model_set_device_event(&t.rig.model, 0,
                                      event_at(size, (int)start + event));
        assert_int_equal(vq_kick(t.q), event >= 0 && event < (int)added);
        assert_int_equal(vq_errors(t.q)->event_nonsense, 0);
        ring_end(&t);
    }
}

static void doorbell_with_event_idx(void **state)
{
    static const unsigned sizes[] = {1, 3, 8};

    (void)state;
    for (unsigned s = 0; s < ARRAY_LEN(sizes); s++)
        for (unsigned start = 0; start <= 2 * sizes[s]; start++)
            for (unsigned added = 1; added <= sizes[s]; added++)
                doorbell_at_a_position(sizes[s], start, added);
}

/* After more than a turn nobody can tell whether a place was passed or is ahead: a doorbell. */
static void more_than_a_turn_without_a_doorbell(void **state)
{
    struct ring t;

    (void)state;
    ring_start(&t, WITH_EVENT | PACKED);
    for (unsigned i = 0; i < 3 * SIZE; i++) {
        assert_int_equal(add(&t, 0, 1, 0), 0);
        complete_all(&t);
        pop_all(&t);
    }
    virtio_model_set_device_event(&t.rig.model, 0, event_at(SIZE, SIZE));
    assert_true(vq_kick(t.q));
    ring_end(&t);
}

/* ---- interrupts ---- */

static void event_structure_says_what_is_wanted(void **state)
{
    struct ring t;

    (void)state;
    ring_start_sized(&t, WITH_EVENT | PACKED, 3);
    assert_int_equal(virtio_model_driver_event(&t.rig.model, 0) >> 16, 1);
    for (unsigned i = 0; i < 7; i++) {
        assert_false(vq_enable_events(t.q));
        assert_int_equal(virtio_model_driver_event(&t.rig.model, 0), event_at(3, (int)i));
        assert_int_equal(add(&t, 0, 1, 0), 0);
        complete_all(&t);
        assert_true(vq_enable_events(t.q));
        pop_all(&t);
        assert_int_equal(virtio_model_driver_event(&t.rig.model, 0),
                         event_at(3, (int)i + 1));
        vq_disable_events(t.q);
        assert_int_equal(virtio_model_driver_event(&t.rig.model, 0) >> 16, 1);
    }
    ring_end(&t);

    ring_start(&t, WITHOUT_EVENT | PACKED);
    vq_enable_events(t.q);
    assert_int_equal(virtio_model_driver_event(&t.rig.model, 0) >> 16, 0);
    ring_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors_look_as_the_standard_says),
        cmocka_unit_test(tables_look_as_the_standard_says),
        cmocka_unit_test(any_size_works),
        cmocka_unit_test(full_rings_of_any_size),
        cmocka_unit_test(sizes_are_for_the_format),
        cmocka_unit_test(completions_come_back_in_any_order),
        cmocka_unit_test(doorbell_without_event_idx),
        cmocka_unit_test(doorbell_with_event_idx),
        cmocka_unit_test(more_than_a_turn_without_a_doorbell),
        cmocka_unit_test(event_structure_says_what_is_wanted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
