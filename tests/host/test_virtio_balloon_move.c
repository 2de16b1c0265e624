// SPDX-License-Identifier: BSD-2-Clause
/* Ballooned frames that move out of a block (R-V-45): new ones first, and nobody sees the balloon change. */
#include "base/err.h"
#include "tests/model/balloon_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define BLOCKS 8
#define FRAMES (BLOCKS * BLOCK_FRAMES)
#define HELD   200u /* of block 2, usually */
#define SIZE   (4 * 256u)

static struct balloon_rig r;

static void use(uint64_t at, bool is_used)
{
    r.guest.free -= r.guest.owner[at] == FRAME_FREE;
    r.guest.owner[at] = is_used ? FRAME_USED : FRAME_FREE;
    r.guest.free += !is_used;
    r.guest.first_free = 0; /* looked for again */
}

/* Block 1 has room for what block 2 holds of the balloon, whose other frames are in 3 to 6. */
static void scatter(uint64_t held)
{
    for (uint64_t at = 0; at < FRAMES; at++) {
        uint64_t block = at / BLOCK_FRAMES, i = at % BLOCK_FRAMES;
        bool is_ballooned =
            (block == 2 && i * held / BLOCK_FRAMES != (i + 1) * held / BLOCK_FRAMES) ||
            (block > 2 && block < 7 && i < (SIZE - held) / 4);

        use(at, !is_ballooned);
    }
    balloon_rig_target(&r, SIZE);
    balloon_rig_settle(&r);
    assert_int_equal(r.host.actual, SIZE);
    for (uint64_t at = 0; at < FRAMES; at++) {
        uint64_t block = at / BLOCK_FRAMES;

        if ((block == 2 || (block == 1 && at % 2)) && r.guest.owner[at] == FRAME_USED)
            use(at, false);
    }
    balloon_rig_check(&r);
}

static void begin_on(enum rig_kind kind, uint64_t features, unsigned inflight,
                     uint64_t held)
{
    balloon_rig_init_on(&r, kind, BALLOON_FEATURES | features, FRAMES);
    if (inflight)
        r.opts.inflight = inflight;
    assert_int_equal(balloon_rig_attach(&r), 0);
    scatter(held);
}

static void begin(void)
{
    begin_on(RIG_PCI_MODERN, 0, 0, HELD);
}

static uint64_t told_in(unsigned block)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < BLOCK_FRAMES; i++)
        count += r.guest.host_has[block * BLOCK_FRAMES + i];
    return count;
}

static void a_block_becomes_whole_and_nobody_sees_it(void **state)
{
    (void)state;
    for (enum rig_kind kind = 0; kind < RIG_KINDS; kind++) {
        begin_on(kind, 0, 0, HELD);
        unsigned writes = r.host.actual_writes;
        uint64_t free = r.guest.free;

        assert_int_equal(guest_held_in(&r.guest, 2), HELD);
        assert_int_equal(virtio_balloon_empty(r.vb, guest_block(&r.guest, 2)), 0);
        assert_true(balloon_rig_status(&r).is_emptying);
        balloon_rig_settle(&r);
        assert_false(balloon_rig_status(&r).is_emptying);
        assert_int_equal(guest_held_in(&r.guest, 2), 0);
        assert_int_equal(told_in(2), 0);
        assert_int_equal(guest_held_in(&r.guest, 1), HELD);
        assert_int_equal(told_in(1), HELD);
        assert_int_equal(balloon_rig_status(&r).core.moved, HELD);
        assert_int_equal(r.host.actual_writes, writes);
        assert_int_equal(r.host.actual, SIZE);
        assert_int_equal(r.guest.free, free);
        balloon_rig_check(&r);
        balloon_rig_end(&r);
    }
}

/* Begin, and let a host that answers when it is told to have the first request, or both. */
static void go_half_way(unsigned answers)
{
    r.host.is_slow = true;
    assert_int_equal(virtio_balloon_empty(r.vb, guest_block(&r.guest, 2)), 0);
    balloon_rig_run(&r, NS_PER_MS);
    for (; answers > 0; answers--) {
        balloon_rig_answer(&r);
        balloon_rig_run(&r, NS_PER_MS);
    }
}

/* The host never has fewer frames than it was told, nor is `actual` written. */
static void the_new_ones_are_told_first(void **state)
{
    (void)state;
    begin();
    uint32_t inflated = r.host.requests[HOST_INFLATE];
    uint32_t deflated = r.host.requests[HOST_DEFLATE];
    unsigned writes = r.host.actual_writes;

    go_half_way(0);
    assert_int_equal(r.host.kept_count[HOST_INFLATE], 1);
    assert_int_equal(r.host.kept_count[HOST_DEFLATE], 0);
    assert_int_equal(balloon_rig_status(&r).size_pages, SIZE);
    assert_int_equal(balloon_rig_status(&r).in_flight_frames, 2 * HELD);
    assert_int_equal(r.guest.told, SIZE);
    assert_false(balloon_rig_status(&r).is_moving); /* it is at its target */
    balloon_rig_check(&r);
    balloon_rig_answer(&r);
    balloon_rig_run(&r, NS_PER_MS);
    assert_int_equal(r.host.kept_count[HOST_DEFLATE], 1);
    assert_int_equal(balloon_rig_status(&r).size_pages, SIZE);
    assert_int_equal(balloon_rig_status(&r).in_flight_frames, HELD);
    assert_int_equal(r.guest.told, SIZE + HELD);
    balloon_rig_check(&r);
    balloon_rig_answer(&r);
    balloon_rig_run(&r, NS_PER_MS);
    assert_false(balloon_rig_status(&r).is_emptying);
    assert_int_equal(r.guest.told, SIZE);
    assert_int_equal(r.host.requests[HOST_INFLATE], inflated + 1);
    assert_int_equal(r.host.requests[HOST_DEFLATE], deflated + 1);
    assert_int_equal(r.host.actual_writes, writes);
    balloon_rig_end(&r);
}

/* More than a request holds, more than there is room for, whole, none of it, already busy. */
static void what_can_be_moved_is(void **state)
{
    (void)state;
    begin();
    /* Of the 256 free ones of block 1 the first block takes 200, the second the rest, the third none. */
    assert_int_equal(virtio_balloon_empty(r.vb, guest_block(&r.guest, 2)), 0);
    assert_int_equal(virtio_balloon_empty(r.vb, guest_block(&r.guest, 3)), -EBUSY);
    balloon_rig_settle(&r);
    assert_int_equal(virtio_balloon_empty(r.vb, guest_block(&r.guest, 3)), 0);
    balloon_rig_settle(&r);
    assert_int_equal(balloon_rig_status(&r).core.moved, 256);
    assert_int_equal(guest_held_in(&r.guest, 3), (SIZE - HELD) / 4 - 56);
    assert_int_equal(virtio_balloon_empty(r.vb, guest_block(&r.guest, 4)), 0);
    balloon_rig_settle(&r);
    assert_int_equal(virtio_balloon_empty(r.vb, guest_block(&r.guest, 7)),
                     0); /* none there */
    balloon_rig_settle(&r);
    assert_int_equal(balloon_rig_status(&r).core.moved, 256 + 56);
    assert_false(balloon_rig_status(&r).is_emptying);
    balloon_rig_check(&r);
    balloon_rig_end(&r);
}

static void more_than_a_request_takes_two(void **state)
{
    (void)state;
    begin_on(RIG_PCI_MODERN, 0, 0, 300);
    uint32_t inflated = r.host.requests[HOST_INFLATE];

    for (uint64_t at = BLOCK_FRAMES; at < 3 * BLOCK_FRAMES; at++)
        if (r.guest.owner[at] != FRAME_DRIVER)
            use(at, at >= 2 * BLOCK_FRAMES - 1); /* room in 1, none in 2 */
    assert_int_equal(virtio_balloon_empty(r.vb, guest_block(&r.guest, 2)), 0);
    balloon_rig_settle(&r);
    assert_int_equal(guest_held_in(&r.guest, 2), 0);
    assert_int_equal(guest_held_in(&r.guest, 1), 300);
    assert_int_equal(r.host.requests[HOST_INFLATE], inflated + 2);
    balloon_rig_check(&r);
    balloon_rig_end(&r);
}

static void a_new_target_waits_for_nothing(void **state)
{
    static const uint32_t targets[] = {0, 100, SIZE - 1, SIZE + 30, FRAMES};

    (void)state;
    for (unsigned phase = 0; phase < 2; phase++)
        for (unsigned i = 0; i < ARRAY_LEN(targets); i++) {
            begin_on(RIG_PCI_MODERN, 0, 4, HELD);
            go_half_way(phase);
            unsigned deflates = r.host.kept_count[HOST_DEFLATE];
            unsigned inflates = r.host.kept_count[HOST_INFLATE];

            balloon_rig_target(&r, targets[i]);
            balloon_rig_run(&r, NS_PER_MS);
            if (targets[i] < SIZE)
                assert_true(r.host.kept_count[HOST_DEFLATE] > deflates);
            else
                assert_true(r.host.kept_count[HOST_INFLATE] > inflates);
            balloon_rig_check(&r);
            r.host.is_slow = false;
            balloon_rig_answer(&r);
            balloon_rig_settle(&r);
            balloon_rig_check(&r);
            if (targets[i] <= SIZE + 30)
                assert_int_equal(r.host.actual, targets[i]);
            else
                assert_int_equal(r.guest.free, 0); /* all there is */
            balloon_rig_end(&r);
        }
}

/* A new target fills a small ring between the two halves; the second waits for room, and the balloon ends. */
static void a_full_deflate_queue_makes_the_old_ones_wait(void **state)
{
    (void)state;
    for (uint16_t entries = 1; entries <= 2; entries++) {
        balloon_rig_init_on(&r, RIG_PCI_MODERN, BALLOON_FEATURES, FRAMES);
        r.v.model.queues[1].max = r.v.model.queues[1].size = entries;
        r.opts.inflight = 4;
        assert_int_equal(balloon_rig_attach(&r), 0);
        scatter(HELD);
        go_half_way(0);
        balloon_rig_target(&r, 0);
        balloon_rig_run(&r, NS_PER_MS);
        assert_int_equal(r.host.kept_count[HOST_DEFLATE], entries);
        assert_true(balloon_rig_answer_any(&r, HOST_INFLATE));
        balloon_rig_run(&r, NS_PER_MS);
        assert_int_equal(r.host.kept_count[HOST_DEFLATE], entries);
        balloon_rig_check(&r);
        r.host.is_slow = false;
        balloon_rig_answer(&r);
        balloon_rig_settle(&r);
        balloon_rig_check(&r);
        assert_false(balloon_rig_status(&r).is_emptying);
        assert_int_equal(r.host.actual, 0);
        assert_int_equal(r.guest.driver, 0);
        balloon_rig_end(&r);
    }
}

static void a_reset_ends_it_in_any_phase(void **state)
{
    (void)state;
    for (unsigned phase = 0; phase < 3; phase++) {
        begin();
        go_half_way(phase);
        virtio_model_need_reset(&r.v.model);
        r.host.is_slow = false;
        balloon_rig_run(&r, NS_PER_S);
        balloon_rig_settle(&r);
        balloon_rig_check(&r);
        assert_false(balloon_rig_status(&r).is_emptying);
        assert_int_equal(balloon_rig_status(&r).broken, 1);
        assert_int_equal(r.host.actual, SIZE); /* met again by the new start */
        balloon_rig_end(&r);
    }
}

static void so_does_detaching(void **state)
{
    (void)state;
    for (unsigned phase = 0; phase < 3; phase++) {
        begin();
        go_half_way(phase);
        virtio_balloon_detach(r.vb);
        balloon_rig_run(&r, NS_PER_MS);
        balloon_rig_check(&r);
        r.host.is_slow = false;
        for (unsigned i = 0; i < 8; i++) {
            balloon_rig_answer(&r);
            balloon_rig_run(&r, NS_PER_MS);
        }
        assert_int_equal(balloon_rig_status(&r).state, VIRTIO_BALLOON_OFF);
        assert_int_equal(balloon_rig_status(&r).broken, 0);
        assert_int_equal(r.guest.driver, 0);
        balloon_rig_end(&r);
    }
}

static void and_being_pulled_out(void **state)
{
    (void)state;
    for (unsigned phase = 0; phase < 3; phase++) {
        begin();
        go_half_way(phase);
        virtio_balloon_remove(r.vb);
        virtio_model_status_write(&r.v.model, 0);
        assert_int_equal(r.guest.driver, 0);
        assert_int_equal(r.guest.accounted, 0);
        assert_int_equal(virtio_balloon_empty(r.vb, guest_block(&r.guest, 2)), -EBUSY);
        virtio_balloon_destroy(r.vb);
        r.vb = NULL;
        balloon_rig_end(&r);
    }
}

/* A device that does not even reset keeps the new frames, which it was told of; the old ones are ours. */
static void a_dead_device_keeps_what_it_was_told(void **state)
{
    (void)state;
    begin();
    go_half_way(0);
    r.v.model.lies.reset_hangs = true;
    balloon_rig_run(&r, 20 * NS_PER_S);
    assert_int_equal(balloon_rig_status(&r).state, VIRTIO_BALLOON_DEAD);
    assert_int_equal(balloon_rig_status(&r).quarantined_frames, HELD);
    assert_int_equal(r.guest.driver, HELD);
    assert_int_equal(guest_held_in(&r.guest, 1), HELD);
    assert_int_equal(r.guest.accounted, 0);
    virtio_balloon_destroy(r.vb);
    r.vb = NULL;
    r.v.model.lies.reset_hangs = false;
    assert_int_equal(r.v.hal.mem_live, 0);
    assert_true(rig_end(&r.v) > 0); /* its rings stay with it */
}

/* A shortage in the middle of it, with one request for everything. */
static void a_shortage_is_served_meanwhile(void **state)
{
    (void)state;
    for (unsigned early = 0; early < 2; early++)
        for (unsigned phase = 0; phase < 2; phase++) {
            begin_on(RIG_PCI_MODERN, BIT64(VIRTIO_BALLOON_F_DEFLATE_ON_OOM), 1, HELD);
            r.host.is_slow = true;
            go_half_way(phase);
            r.host.is_slow = false;
            balloon_rig_answer(&r);
            assert_true(virtio_balloon_oom(r.vb, 300) >= 300);
            balloon_rig_check(&r);
            balloon_rig_settle(&r);
            balloon_rig_check(&r);
            assert_false(balloon_rig_status(&r).is_emptying);
            balloon_rig_end(&r);
        }
}

/* Whichever frame cannot be had: as many are moved as there are. */
static void frames_that_cannot_be_had_are_not_needed(void **state)
{
    (void)state;
    for (uint64_t fail_at = 1; fail_at <= HELD + 1; fail_at += 7) {
        begin();
        r.guest.takes = 0;
        r.guest.take_fail_at = fail_at;
        assert_int_equal(virtio_balloon_empty(r.vb, guest_block(&r.guest, 2)), 0);
        balloon_rig_settle(&r);
        balloon_rig_check(&r);
        assert_int_equal(balloon_rig_status(&r).core.moved, fail_at == 1 ? 0 : HELD);
        assert_int_equal(r.host.actual, SIZE);
        balloon_rig_end(&r);
    }
}

/* Without memory for the page set nothing moves, and nothing is lost. */
static void memory_for_the_set_may_be_missing(void **state)
{
    (void)state;
    for (unsigned fail = 1; fail < 4; fail++) {
        begin();
        r.v.hal.fail_at = r.v.hal.allocs + fail;
        assert_int_equal(virtio_balloon_empty(r.vb, guest_block(&r.guest, 2)), 0);
        balloon_rig_settle(&r);
        balloon_rig_check(&r);
        assert_int_equal(r.host.actual, SIZE);
        r.v.hal.fail_at = 0;
        balloon_rig_end(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_becomes_whole_and_nobody_sees_it),
        cmocka_unit_test(the_new_ones_are_told_first),
        cmocka_unit_test(what_can_be_moved_is),
        cmocka_unit_test(more_than_a_request_takes_two),
        cmocka_unit_test(a_new_target_waits_for_nothing),
        cmocka_unit_test(a_full_deflate_queue_makes_the_old_ones_wait),
        cmocka_unit_test(a_reset_ends_it_in_any_phase),
        cmocka_unit_test(so_does_detaching),
        cmocka_unit_test(and_being_pulled_out),
        cmocka_unit_test(a_dead_device_keeps_what_it_was_told),
        cmocka_unit_test(a_shortage_is_served_meanwhile),
        cmocka_unit_test(frames_that_cannot_be_had_are_not_needed),
        cmocka_unit_test(memory_for_the_set_may_be_missing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
