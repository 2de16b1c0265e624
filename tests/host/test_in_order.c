// SPDX-License-Identifier: BSD-2-Clause
/*
 * IN_ORDER on both rings: one used entry stands for a batch of buffers, which come back one by one and
 * in order. That a split ring is filled in ring order is what the model insists on.
 */
#include "tests/host/ring.h"

#define FORMATS 4u

/* Both formats, with indirect tables and without. */
static uint64_t format(unsigned i)
{
    return WITH_EVENT | IN_ORDER | (i & 1 ? PACKED : 0) |
           (i & 2 ? BIT64(VIRTIO_F_INDIRECT_DESC) : 0);
}

static void add_and_take(struct ring *t, struct virtio_chain *chains, unsigned first,
                         unsigned n)
{
    for (unsigned i = first; i < first + n; i++) {
        assert_int_equal(add(t, i, 1, i % 2), 0);
        assert_true(virtio_model_pop(&t->rig.model, 0, &chains[i]));
    }
}

static void expect(struct ring *t, unsigned expected, uint32_t bytes)
{
    uint32_t written;
    unsigned id;

    assert_true(vq_has_used(t->q));
    assert_int_equal(pop(t, &id, &written), 0);
    assert_int_equal(id, expected);
    assert_int_equal(written, bytes);
}

static void expect_none(struct ring *t)
{
    uint32_t written;
    unsigned id;

    assert_false(vq_has_used(t->q));
    assert_int_equal(pop(t, &id, &written), -EAGAIN);
}

static void a_batch_comes_back_one_by_one(void **state)
{
    (void)state;
    for (unsigned f = 0; f < FORMATS; f++) {
        struct virtio_chain chains[5];
        struct ring t;

        ring_start(&t, format(f));
        add_and_take(&t, chains, 0, 5);
        virtio_model_push_batch(&t.rig.model, 0, chains, 4, 7);
        expect(&t, 0, 0);
        expect(&t, 1, 16); /* skipped: counts as used completely */
        expect(&t, 2, 0);
        assert_true(vq_enable_events(t.q)); /* one of the batch is left */
        expect(&t, 3, 7);                   /* the last has its own length */
        expect_none(&t);
        virtio_model_push(&t.rig.model, 0, chains[4].head, 0);
        expect(&t, 4, 0);
        expect_none(&t);
        assert_int_equal(vq_free_entries(t.q), SIZE);
        assert_int_equal(vq_in_flight(t.q), 0);
        ring_end(&t);
    }
}

/* Batches of every length, several waiting, many times around; entries are used again within one. */
static void batches_follow_each_other(void **state)
{
    (void)state;
    for (unsigned f = 0; f < FORMATS; f++) {
        struct virtio_chain chains[4];
        struct ring t;

        ring_start(&t, format(f));
        add_and_take(&t, chains, 0, 4);
        for (unsigned round = 0; round < 1000; round++) {
            unsigned first = 1 + round % 4;

            virtio_model_push_batch(&t.rig.model, 0, chains, first, 16);
            if (first < 4)
                virtio_model_push_batch(&t.rig.model, 0, chains + first, 4 - first, 16);
            for (unsigned i = 0; i < 4; i++) {
                expect(&t, i, i % 2 ? 16 : 0);
                assert_int_equal(add(&t, i, 1, i % 2), 0);
            }
            expect_none(&t);
            for (unsigned i = 0; i < 4; i++)
                assert_true(virtio_model_pop(&t.rig.model, 0, &chains[i]));
        }
        assert_int_equal(vq_stats(t.q)->popped, 4000);
        ring_end(&t);
    }
}

static void a_whole_ring_is_a_batch(void **state)
{
    (void)state;
    for (unsigned f = 0; f < FORMATS; f++) {
        struct ring t;

        ring_start(&t, format(f));
        for (unsigned round = 0; round < 20; round++) {
            struct virtio_chain chains[SIZE + 1];

            add_and_take(&t, chains, 0, 1); /* move the beginning on */
            virtio_model_push_batch(&t.rig.model, 0, chains, 1, 0);
            expect(&t, 0, 0);
            for (unsigned i = 0; i < SIZE; i++) {
                assert_int_equal(add(&t, i, 1, 0), 0);
                assert_true(virtio_model_pop(&t.rig.model, 0, &chains[i]));
            }
            assert_int_equal(add(&t, 9, 1, 0), -ENOSPC);
            virtio_model_push_batch(&t.rig.model, 0, chains, SIZE, 0);
            for (unsigned i = 0; i < SIZE; i++)
                expect(&t, i, 0);
            expect_none(&t);
        }
        ring_end(&t);
    }
}

static void an_interrupt_per_batch(void **state)
{
    (void)state;
    for (unsigned f = 0; f < FORMATS; f++) {
        struct virtio_chain chains[6];
        struct ring t;

        ring_start(&t, format(f));
        assert_false(vq_enable_events(t.q));
        for (unsigned round = 1; round < 50; round++) {
            add_and_take(&t, chains, 0, 3);
            virtio_model_push_batch(&t.rig.model, 0, chains, 3, 0);
            assert_int_equal(t.rig.model.queues[0].interrupts, round);
            for (unsigned i = 0; i < 2; i++)
                expect(&t, i, i % 2 ? 16 : 0);
            expect(&t, 2, 0);
            expect_none(&t); /* this asks for the next one */
        }
        ring_end(&t);
    }
}

/* ---- lies ---- */

static void an_old_id_is_a_lie(void **state)
{
    (void)state;
    for (unsigned f = 0; f < FORMATS; f++) {
        struct virtio_chain chains[3];
        struct ring t;

        ring_start(&t, format(f));
        add_and_take(&t, chains, 0, 3);
        virtio_model_push_batch(&t.rig.model, 0, chains, 2, 0);
        expect(&t, 0, 0);
        expect(&t, 1, 0);
        virtio_model_push(&t.rig.model, 0, chains[0].head, 0); /* the third is due */
        expect_broken(&t, &vq_errors(t.q)->id_replayed);
    }
}

/* Split: the index moves by one, but the id is that of a later buffer. In a packed ring the same
 * completion is a batch by definition. */
static void a_later_id_is_a_lie(void **state)
{
    (void)state;
    for (unsigned later = 1; later < 3; later++) {
        struct virtio_chain chains[3];
        struct ring t;

        ring_start(&t, format(0));
        add_and_take(&t, chains, 0, 3);
        virtio_model_push(&t.rig.model, 0, chains[later].head, 0);
        if (later == 2)
            virtio_model_jump(&t.rig.model, 0, 1); /* still one too few */
        expect_broken(&t, &vq_errors(t.q)->id_order);
    }
}

/* Split: a batch is taken, and the index has moved on over an element that was not written. */
static void the_index_moves_beyond_the_batch(void **state)
{
    struct virtio_chain chains[5];
    struct ring t;

    (void)state;
    ring_start(&t, format(0));
    add_and_take(&t, chains, 0, 5);
    virtio_model_push_batch(&t.rig.model, 0, chains, 2, 0);
    virtio_model_jump(&t.rig.model, 0, 1); /* element {0, 0}: id 0 is done */
    expect(&t, 0, 0);
    expect(&t, 1, 0);
    expect_broken(&t, &vq_errors(t.q)->id_replayed);
}

/* Every skipped buffer's descriptors are ours, also in a batch. */
static void descriptors_of_a_batch_are_checked(void **state)
{
    (void)state;
    for (unsigned f = 0; f < FORMATS; f++) {
        struct virtio_chain chains[4];
        struct ring t;

        ring_start(&t, format(f));
        for (unsigned i = 0; i < 4; i++) {
            assert_int_equal(add(&t, i, 1, 0), 0);
            assert_true(virtio_model_pop(&t.rig.model, 0, &chains[i]));
        }
        virtio_model_desc(&t.rig.model, 0, 2)[0] ^= 1;
        virtio_model_push_batch(&t.rig.model, 0, chains, 4, 0);
        expect(&t, 0, 0);
        expect(&t, 1, 0);
        expect_broken(&t, &vq_errors(t.q)->desc_overwritten);
    }
}

/* Without IN_ORDER nobody believes in a batch: one element is one buffer. */
static void no_batches_without_in_order(void **state)
{
    (void)state;
    for (unsigned packed = 0; packed < 2; packed++) {
        struct virtio_chain chains[3];
        struct ring t;
        uint32_t written;
        unsigned id;

        ring_start(&t, WITH_EVENT | (packed ? PACKED : 0));
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(add(&t, i, 1, 0), 0);
            assert_true(virtio_model_pop(&t.rig.model, 0, &chains[i]));
        }
        virtio_model_push_batch(&t.rig.model, 0, chains, 3, 0);
        assert_int_equal(pop(&t, &id, &written), 0);
        assert_int_equal(id, 2);
        if (packed) {
            assert_int_equal(pop(&t, &id, &written), -EAGAIN);
        } else {
            assert_int_equal(pop(&t, &id, &written), 0); /* unwritten elements say id 0 */
            assert_int_equal(id, 0);
            assert_int_equal(pop(&t, &id, &written), -EPROTO);
            assert_int_equal(vq_errors(t.q)->id_replayed, 1);
        }
        ring_end(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_comes_back_one_by_one),
        cmocka_unit_test(batches_follow_each_other),
        cmocka_unit_test(a_whole_ring_is_a_batch),
        cmocka_unit_test(an_interrupt_per_batch),
        cmocka_unit_test(an_old_id_is_a_lie),
        cmocka_unit_test(a_later_id_is_a_lie),
        cmocka_unit_test(the_index_moves_beyond_the_batch),
        cmocka_unit_test(descriptors_of_a_batch_are_checked),
        cmocka_unit_test(no_batches_without_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
