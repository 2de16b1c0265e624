// SPDX-License-Identifier: BSD-2-Clause
/*
 * The split ring (drivers/virtio/queue/split.c, vq.c) with a device that obeys: order and contents of
 * what it sees, notification decisions, interrupt wishes, indirect tables.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "tests/host/ring.h"

/* ---- a device that obeys ---- */

static void pieces_arrive_in_order(void **state)
{
    struct virtio_chain chain;
    struct ring t;

    (void)state;
    ring_start(&t, WITHOUT_EVENT);
    assert_int_equal(add(&t, 0, 2, 3), 0);
    assert_int_equal(vq_free_entries(t.q), SIZE - 5);
    assert_int_equal(vq_in_flight(t.q), 1);
    assert_true(virtio_model_pop(&t.rig.model, 0, &chain));
    assert_int_equal(chain.n, 5);
    assert_int_equal(chain.n_out, 2);
    for (unsigned i = 0; i < 5; i++) {
        assert_true(chain.segs[i].addr == t.buf.addr + 16 * i);
        assert_int_equal(chain.segs[i].len, 16);
    }
    assert_false(virtio_model_pop(&t.rig.model, 0, &chain));
    ring_end(&t);
}

static void completions_come_back_in_any_order(void **state)
{
    struct virtio_chain chains[3];
    struct ring t;
    uint32_t written;
    unsigned id;

    (void)state;
    ring_start(&t, WITHOUT_EVENT);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(add(&t, i, 1, 1), 0);
        assert_true(virtio_model_pop(&t.rig.model, 0, &chains[i]));
    }
    assert_int_equal(pop(&t, &id, &written), -EAGAIN);
    for (unsigned i = 0; i < 3; i++) {
        unsigned pick = 2 - i;

        virtio_model_push(&t.rig.model, 0, chains[pick].head, pick);
        assert_true(vq_has_used(t.q));
        assert_int_equal(pop(&t, &id, &written), 0);
        assert_int_equal(id, pick);
        assert_int_equal(written, pick);
    }
    assert_int_equal(vq_free_entries(t.q), SIZE);
    assert_int_equal(vq_in_flight(t.q), 0);
    ring_end(&t);
}

/* Indices are free-running 16-bit numbers: go around more than once, mixed lengths. */
static void indices_wrap(void **state)
{
    struct ring t;

    (void)state;
    ring_start(&t, WITH_EVENT);
    for (unsigned round = 0; round < 70000; round++) {
        struct virtio_chain chain;
        uint32_t written;
        unsigned id;

        assert_int_equal(add(&t, round % 64, 1 + round % 3, round % 2), 0);
        vq_kick(t.q);
        assert_true(virtio_model_pop(&t.rig.model, 0, &chain));
        assert_int_equal(chain.n, 1 + round % 3 + round % 2);
        virtio_model_push(&t.rig.model, 0, chain.head, 0);
        assert_int_equal(pop(&t, &id, &written), 0);
        assert_int_equal(id, round % 64);
    }
    assert_int_equal(vq_free_entries(t.q), SIZE);
    assert_int_equal(vq_stats(t.q)->popped, 70000);
    ring_end(&t);
}

static void full_ring_refuses_and_recovers(void **state)
{
    struct virtio_chain chain;
    struct ring t;
    uint32_t written;
    unsigned id;

    (void)state;
    ring_start(&t, WITHOUT_EVENT);
    for (unsigned i = 0; i < SIZE; i++)
        assert_int_equal(add(&t, i, 1, 0), 0);
    assert_int_equal(add(&t, 9, 1, 0), -ENOSPC);
    assert_int_equal(vq_stats(t.q)->ring_full, 1);
    assert_true(virtio_model_pop(&t.rig.model, 0, &chain));
    virtio_model_push(&t.rig.model, 0, chain.head, 0);
    assert_int_equal(pop(&t, &id, &written), 0);
    assert_int_equal(add(&t, 9, 1, 1), -ENOSPC); /* one entry is free, two are needed */
    assert_int_equal(add(&t, 9, 1, 0), 0);
    ring_end(&t);
}

static void bad_arguments_are_refused(void **state)
{
    struct vq_seg empty = {.addr = 4096};
    struct vq_seg seg;
    struct ring t;

    (void)state;
    ring_start(&t, WITHOUT_EVENT);
    seg = (struct vq_seg){.addr = t.buf.addr, .len = 1};
    assert_int_equal(vq_add(t.q, &seg, 0, 0, &t), -EINVAL);
    assert_int_equal(vq_add(t.q, &seg, 1, 0, NULL), -EINVAL);
    assert_int_equal(vq_add(t.q, &empty, 1, 0, &t), -EINVAL);
    assert_int_equal(add(&t, 0, SIZE, 1), -EINVAL);
    assert_int_equal(vq_add(t.q, &seg, UINT32_MAX, 2, &t),
                     -EINVAL); /* the sum wraps to 1 */
    assert_int_equal(vq_free_entries(t.q), SIZE);
    ring_end(&t);
}

static void indirect_takes_one_entry(void **state)
{
    struct virtio_chain chain;
    struct ring t;
    uint32_t written;
    unsigned id;

    (void)state;
    ring_start(&t, WITH_INDIRECT);
    assert_int_equal(add(&t, 0, 1, 3), 0);
    assert_int_equal(vq_free_entries(t.q), SIZE - 1);
    assert_int_equal(add(&t, 1, 4, 0), 0);
    assert_int_equal(vq_free_entries(t.q), SIZE - 2);
    assert_int_equal(add(&t, 2, 1, 1), 0); /* both tables are in use: direct */
    assert_int_equal(vq_free_entries(t.q), SIZE - 4);
    assert_int_equal(add(&t, 3, 1, 0), 0); /* one piece needs no table */
    assert_int_equal(vq_free_entries(t.q), SIZE - 5);

    assert_true(virtio_model_pop(&t.rig.model, 0, &chain));
    assert_int_equal(chain.n, 4);
    assert_int_equal(chain.n_out, 1);
    assert_true(chain.segs[3].addr == t.buf.addr + 48);
    virtio_model_push(&t.rig.model, 0, chain.head, 48);
    assert_int_equal(pop(&t, &id, &written), 0);
    assert_int_equal(id, 0);
    assert_int_equal(written, 48);
    assert_int_equal(vq_free_entries(t.q), SIZE - 4);

    assert_int_equal(add(&t, 4, 2, 2), 0); /* the table is free again */
    assert_int_equal(vq_free_entries(t.q), SIZE - 5);
    while (virtio_model_pop(&t.rig.model, 0, &chain))
        virtio_model_push(&t.rig.model, 0, chain.head, 0);
    for (unsigned i = 1; i < 5; i++) {
        assert_int_equal(pop(&t, &id, &written), 0);
        assert_int_equal(id, i);
    }
    assert_int_equal(vq_free_entries(t.q), SIZE);
    ring_end(&t);
}

static void longer_than_a_table_goes_direct(void **state)
{
    struct virtio_chain chain;
    struct ring t;

    (void)state;
    ring_start(&t, WITH_INDIRECT);
    assert_int_equal(add(&t, 0, 5, 1), 0);
    assert_int_equal(vq_free_entries(t.q), SIZE - 6);
    assert_true(virtio_model_pop(&t.rig.model, 0, &chain));
    assert_int_equal(chain.n, 6);
    ring_end(&t);
}

/* ---- doorbells, R-T-25 ---- */

static void doorbell_without_event_idx(void **state)
{
    struct ring t;

    (void)state;
    ring_start(&t, WITHOUT_EVENT);
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
    assert_int_equal(vq_stats(t.q)->kicks, 2);
    assert_int_equal(vq_stats(t.q)->kicks_skipped, 1);
    ring_end(&t);
}

/* The rule against its meaning: a doorbell iff the event index was passed since the last decision. */
static void doorbell_with_event_idx(void **state)
{
    (void)state;
    for (unsigned start = 0; start < 3; start++) {
        for (unsigned added = 1; added <= SIZE; added++) {
            for (int event = -3; event <= (int)SIZE; event++) {
                struct virtio_chain chain;
                struct ring t;
                uint32_t written;
                unsigned id;

                ring_start(&t, WITH_EVENT);
                for (unsigned i = 0; i < start; i++) {
                    assert_int_equal(add(&t, 0, 1, 0), 0);
                    vq_kick(t.q);
                    assert_true(virtio_model_pop(&t.rig.model, 0, &chain));
                    virtio_model_push(&t.rig.model, 0, chain.head, 0);
                    assert_int_equal(pop(&t, &id, &written), 0);
                }
                for (unsigned i = 0; i < added; i++)
                    assert_int_equal(add(&t, i, 1, 0), 0);
                virtio_model_set_avail_event(&t.rig.model, 0,
                                             (uint16_t)((int)start + event));
                assert_int_equal(vq_kick(t.q), event >= 0 && event < (int)added);
                assert_int_equal(vq_errors(t.q)->event_nonsense, 0);
                ring_end(&t);
            }
        }
    }
}

/* With EVENT_IDX the flag word of the used ring means nothing. */
static void used_flags_are_ignored_with_event_idx(void **state)
{
    struct ring t;

    (void)state;
    ring_start(&t, WITH_EVENT);
    virtio_model_no_notify(&t.rig.model, 0, true);
    assert_int_equal(add(&t, 0, 1, 0), 0);
    assert_true(vq_kick(t.q));
    ring_end(&t);
}

/* ---- interrupts, R-T-27 ---- */

static void complete_one(struct ring *t, unsigned id)
{
    struct virtio_chain chain;

    assert_int_equal(add(t, id, 1, 0), 0);
    vq_kick(t->q);
    assert_true(virtio_model_pop(&t->rig.model, 0, &chain));
    virtio_model_push(&t->rig.model, 0, chain.head, 0);
}

static void interrupts_only_when_asked_for(void **state)
{
    static const uint64_t features[] = {WITH_EVENT, WITHOUT_EVENT};

    (void)state;
    for (unsigned f = 0; f < ARRAY_LEN(features); f++) {
        struct virtio_model_queue *seen;
        struct ring t;
        uint32_t written;
        unsigned id;

        ring_start(&t, features[f]);
        seen = &t.rig.model.queues[0];
        complete_one(&t, 0);
        assert_int_equal(seen->interrupts, 0); /* a new queue wants none */
        assert_true(vq_enable_events(t.q));    /* one was waiting already */
        assert_int_equal(pop(&t, &id, &written), 0);
        assert_int_equal(pop(&t, &id, &written), -EAGAIN);
        for (unsigned i = 1; i <= 3; i++) {
            complete_one(&t, i);
            assert_int_equal(seen->interrupts, i); /* the last -EAGAIN asked for it */
            assert_int_equal(pop(&t, &id, &written), 0);
            assert_int_equal(pop(&t, &id, &written), -EAGAIN);
        }
        assert_false(vq_enable_events(t.q));
        vq_disable_events(t.q);
        complete_one(&t, 4);
        assert_int_equal(seen->interrupts, 3);
        assert_int_equal(pop(&t, &id, &written), 0);
        ring_end(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_arrive_in_order),
        cmocka_unit_test(completions_come_back_in_any_order),
        cmocka_unit_test(indices_wrap),
        cmocka_unit_test(full_ring_refuses_and_recovers),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(indirect_takes_one_entry),
        cmocka_unit_test(longer_than_a_table_goes_direct),
        cmocka_unit_test(doorbell_without_event_idx),
        cmocka_unit_test(doorbell_with_event_idx),
        cmocka_unit_test(used_flags_are_ignored_with_event_idx),
        cmocka_unit_test(interrupts_only_when_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
