// SPDX-License-Identifier: BSD-2-Clause
/* What makes the virtio balloon fast: several requests at once, wide ones, memory that is usable before the
 * host was told, blocks that are reported before they are inflated; and that work behind one doorbell is
 * bounded. */
#include "base/err.h"
#include "tests/model/balloon_host.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct balloon_rig r;

static void prepare(uint64_t extra_features, uint64_t frames)
{
    balloon_rig_init(&r, BALLOON_FEATURES | extra_features, frames);
    r.opts.inflight = 4;
    r.opts.wide = VIRTIO_BALLOON_WIDE_AUTO;
    r.opts.early_return = true;
}

static void start(uint64_t extra_features, uint64_t frames)
{
    prepare(extra_features, frames);
    assert_int_equal(balloon_rig_attach(&r), 0);
    balloon_rig_settle(&r);
}

static void go_to(uint32_t pages)
{
    balloon_rig_target(&r, pages);
    balloon_rig_settle(&r);
    balloon_rig_check(&r);
    assert_int_equal(r.host.actual, pages);
}

static void touch(uint64_t frames)
{
    guest_unuse(&r.guest, guest_use(&r.guest, frames));
}

/* ---- requests ---- */

static void a_block_is_one_element_where_tables_are_taken(void **state)
{
    (void)state;
    start(0, 8192);
    assert_true(balloon_rig_status(&r).is_wide);
    go_to(4096 + 100);
    assert_int_equal(r.host.requests[HOST_INFLATE], 9);
    assert_int_equal(r.host.wide, 8);
    assert_int_equal(r.host.descending, 0);
    go_to(0);
    assert_int_equal(r.host.requests[HOST_DEFLATE], 9);
    assert_int_equal(r.host.wide, 16);
    balloon_rig_end(&r);
}

static void a_block_is_two_elements_where_they_are_not(void **state)
{
    (void)state;
    prepare(0, 8192);
    r.v.model.offered &= ~BIT64(VIRTIO_F_INDIRECT_DESC);
    r.opts.wide = VIRTIO_BALLOON_WIDE_AUTO;
    assert_int_equal(balloon_rig_attach(&r), 0);
    r.host.is_narrow = true;
    go_to(4096);
    assert_int_equal(r.host.requests[HOST_INFLATE], 16);
    balloon_rig_end(&r);
    /* Unless it is asked for: then without a table. */
    prepare(0, 8192);
    r.v.model.offered &= ~BIT64(VIRTIO_F_INDIRECT_DESC);
    r.opts.wide = VIRTIO_BALLOON_WIDE_ON;
    assert_int_equal(balloon_rig_attach(&r), 0);
    go_to(4096);
    assert_int_equal(r.host.requests[HOST_INFLATE], 8);
    balloon_rig_end(&r);
}

/* The shortest rings there are: one entry holds half a block at a time. */
static void a_ring_of_one_entry_is_enough(void **state)
{
    (void)state;
    for (unsigned entries = 1; entries <= 4; entries *= 2) {
        prepare(BIT64(VIRTIO_BALLOON_F_REPORTING), 8192);
        if (entries == 1)
            r.v.model.offered &= ~BIT64(VIRTIO_F_INDIRECT_DESC);
        for (unsigned i = 0; i < 4; i++)
            r.v.model.queues[i].max = r.v.model.queues[i].size = (uint16_t)entries;
        assert_int_equal(balloon_rig_attach(&r), 0);
        touch(8192);
        go_to(5000);
        assert_true(r.host.longest_report <= entries);
        go_to(17);
        balloon_rig_end(&r);
    }
}

/* No element is longer than the ring it is put into: both rings decide. */
static void a_short_ring_for_one_way_is_enough(void **state)
{
    (void)state;
    for (unsigned queue = 0; queue < 2; queue++) {
        prepare(0, 8192);
        r.v.model.queues[queue].max = r.v.model.queues[queue].size = 1;
        assert_int_equal(balloon_rig_attach(&r), 0);
        go_to(5000);
        go_to(17);
        assert_int_equal(r.host.wide, 0);
        balloon_rig_end(&r);
    }
}

/* Without tables a block takes two entries; where one is left it waits, and what is open is no failure. */
static void a_block_waits_for_room_for_all_of_it(void **state)
{
    (void)state;
    prepare(0, 8192);
    r.v.model.offered &= ~BIT64(VIRTIO_F_INDIRECT_DESC);
    r.v.model.queues[0].max = r.v.model.queues[0].size = 4;
    r.opts.wide = VIRTIO_BALLOON_WIDE_ON;
    r.opts.inflight = 3;
    r.host.is_slow = true;
    assert_int_equal(balloon_rig_attach(&r), 0);
    balloon_rig_target(&r, 100);
    balloon_rig_run(&r, 20 * NS_PER_MS);
    balloon_rig_target(&r, 100 + 3 * BLOCK_FRAMES);
    balloon_rig_run(&r, 20 * NS_PER_MS);
    assert_int_equal(r.host.kept_count[HOST_INFLATE], 2);
    assert_int_equal(balloon_rig_status(&r).in_flight_pages, 100 + 2 * BLOCK_FRAMES);
    while (balloon_rig_answer_any(&r, HOST_INFLATE)) {
        balloon_rig_run(&r, NS_PER_MS);
        balloon_rig_check(&r);
    }
    assert_int_equal(r.host.actual, 100 + 3 * BLOCK_FRAMES);
    assert_int_equal(r.host.requests[HOST_INFLATE], 4);
    assert_int_equal(balloon_rig_status(&r).resets, 0);
    balloon_rig_end(&r);
}

static void as_many_requests_are_open_as_is_set(void **state)
{
    (void)state;
    for (unsigned inflight = 1; inflight <= 9; inflight++) {
        prepare(0, 16384);
        r.opts.inflight = inflight;
        r.host.is_slow = true;
        assert_int_equal(balloon_rig_attach(&r), 0);
        balloon_rig_target(&r, 8192);
        balloon_rig_run(&r, 20 * NS_PER_MS);
        unsigned open = inflight < 8 ? inflight : 8;
        assert_int_equal(r.host.kept_count[HOST_INFLATE], open);
        assert_int_equal(balloon_rig_status(&r).in_flight_pages, open * 512);
        assert_int_equal(r.host.actual, 0); /* nothing is acknowledged */
        /* The last one is answered first. */
        balloon_rig_answer_any(&r, (open - 1) * HOST_KINDS);
        balloon_rig_run(&r, 20 * NS_PER_MS);
        assert_int_equal(r.host.actual, 512);
        assert_int_equal(r.host.kept_count[HOST_INFLATE], open);
        balloon_rig_check(&r);
        balloon_rig_end(&r);
    }
}

static void several_requests_share_a_doorbell_when_the_host_is_quick(void **state)
{
    (void)state;
    start(0, 32768);
    r.host.request_ns = 50 * NS_PER_US;
    go_to(8192);
    unsigned before = r.v.model.queues[0].kicks;
    go_to(24576);
    assert_true(r.v.model.queues[0].kicks - before <= 9); /* 32 requests */
    /* And none does when it is slow: 2 ms a doorbell are enough. */
    r.host.request_ns = 3 * NS_PER_MS;
    go_to(0);
    before = r.v.model.queues[0].kicks;
    unsigned requests = r.host.requests[HOST_INFLATE];
    go_to(24576);
    assert_true(r.v.model.queues[0].kicks - before + 8 >=
                r.host.requests[HOST_INFLATE] - requests);
    balloon_rig_end(&r);
}

/* ---- early return ---- */

static void blocks_are_usable_at_once_and_told_later(void **state)
{
    (void)state;
    start(0, 16384);
    go_to(12288 + 100);
    r.host.is_slow = true;
    balloon_rig_target(&r, 1000);
    balloon_rig_run(&r, NS_PER_MS);
    assert_true(r.guest.free >= 16384 - 1000 - 512);
    struct virtio_balloon_status status = balloon_rig_status(&r);
    assert_int_equal(status.returns, 1);
    assert_int_equal(status.return_frames, 22 * BLOCK_FRAMES);
    assert_true(status.return_first_ns <= status.return_all_ns);
    assert_true(status.return_all_ns < NS_PER_MS);
    assert_true(status.owed_frames >= 22 * BLOCK_FRAMES);
    assert_int_equal(r.host.actual, 12288 + 100);
    balloon_rig_check(&r);
    /* The guest uses it all before the host heard a word. */
    guest_use(&r.guest, r.guest.free);
    for (unsigned i = 0; i < 40; i++) {
        balloon_rig_answer_any(&r, i);
        balloon_rig_run(&r, NS_PER_MS);
        balloon_rig_check(&r);
    }
    r.host.is_slow = false;
    balloon_rig_settle(&r);
    assert_int_equal(r.host.actual, 1000);
    assert_int_equal(balloon_rig_status(&r).owed_frames, 0);
    balloon_rig_end(&r);
}

/* All that is missing is with the host in one report: nothing else is done before its answer. */
static void a_report_of_everything_is_waited_for(void **state)
{
    (void)state;
    start(BIT64(VIRTIO_BALLOON_F_REPORTING), 8192);
    touch(8192);
    r.host.is_slow = true;
    balloon_rig_target(&r, BLOCK_FRAMES);
    balloon_rig_run(&r, 5 * NS_PER_MS);
    assert_int_equal(r.host.kept_count[HOST_REPORT], 1);
    assert_int_equal(r.host.requests[HOST_INFLATE], 0);
    r.host.is_slow = false;
    balloon_rig_answer(&r);
    balloon_rig_settle(&r);
    assert_int_equal(r.host.actual, BLOCK_FRAMES);
    balloon_rig_end(&r);
}

static void a_host_that_must_be_told_is_told_first(void **state)
{
    (void)state;
    start(BIT64(VIRTIO_BALLOON_F_MUST_TELL_HOST), 16384);
    assert_false(balloon_rig_status(&r).is_early);
    go_to(8192);
    r.host.is_slow = true;
    balloon_rig_target(&r, 0);
    balloon_rig_run(&r, 10 * NS_PER_MS);
    assert_int_equal(r.guest.free, 8192);
    balloon_rig_answer(&r);
    balloon_rig_run(&r, 10 * NS_PER_MS);
    assert_int_equal(r.guest.free, 8192 + 4 * 512);
    balloon_rig_end(&r);
}

static void a_reversed_target_costs_the_host_nothing(void **state)
{
    (void)state;
    start(0, 16384);
    go_to(8192);
    r.host.is_slow = true;
    balloon_rig_target(&r, 0);
    balloon_rig_run(&r, NS_PER_MS);
    assert_int_equal(r.guest.free, 16384);
    balloon_rig_target(&r, 8192);
    balloon_rig_run(&r, NS_PER_MS);
    /* All are back but the four that the host is being told about. */
    struct virtio_balloon_status status = balloon_rig_status(&r);
    assert_int_equal(status.core.cancelled, 12 * BLOCK_FRAMES);
    assert_int_equal(status.held_frames, 12 * BLOCK_FRAMES);
    assert_int_equal(r.host.kept_count[HOST_INFLATE], 0);
    r.host.is_slow = false;
    balloon_rig_answer(&r);
    balloon_rig_settle(&r);
    assert_int_equal(r.host.actual, 8192);
    assert_int_equal(r.host.pages[HOST_DEFLATE], 4 * 512);
    balloon_rig_end(&r);
}

static void out_of_memory_needs_no_answer(void **state)
{
    (void)state;
    start(BIT64(VIRTIO_BALLOON_F_DEFLATE_ON_OOM), 16384);
    go_to(8192);
    guest_use(&r.guest, r.guest.free);
    r.host.is_slow = true;
    uint64_t begin = r.v.hal.now_ns;
    assert_int_equal(virtio_balloon_oom(r.vb, 1100), 1280);
    assert_int_equal(r.guest.free, 1280);
    assert_true(r.v.hal.now_ns - begin < NS_PER_MS);
    balloon_rig_check(&r);
    /* What is not in use stays the guest's while it is in need. */
    balloon_rig_run(&r, 100 * NS_PER_MS);
    assert_int_equal(r.guest.free, 1280);
    r.host.is_slow = false;
    balloon_rig_answer(&r);
    balloon_rig_settle(&r);
    assert_int_equal(r.host.actual, 8192 - 1280);
    balloon_rig_end(&r);
}

static void a_detach_settles_what_is_owed(void **state)
{
    (void)state;
    start(0, 16384);
    go_to(8192);
    r.host.is_slow = true;
    virtio_balloon_detach(r.vb);
    balloon_rig_run(&r, NS_PER_MS);
    assert_int_equal(r.guest.free, 16384);
    assert_int_equal(balloon_rig_status(&r).state, VIRTIO_BALLOON_DETACHING);
    while (r.host.kept_count[HOST_DEFLATE]) {
        balloon_rig_answer(&r);
        balloon_rig_run(&r, 10 * NS_PER_MS);
    }
    assert_int_equal(r.host.pages[HOST_DEFLATE], 8192);
    assert_int_equal(balloon_rig_status(&r).state, VIRTIO_BALLOON_OFF);
    balloon_rig_end(&r);
}

/* ---- report first ---- */

static void touched_blocks_are_reported_before_anything_is_inflated(void **state)
{
    (void)state;
    start(BIT64(VIRTIO_BALLOON_F_REPORTING), 16384);
    touch(16384);
    r.host.request_ns = 0;
    balloon_rig_target(&r, 12000);
    while (r.host.requests[HOST_INFLATE] == 0)
        balloon_rig_run(&r, 20 * NS_PER_US);
    assert_int_equal(r.host.pages[HOST_REPORT], 23 * 512);
    balloon_rig_settle(&r);
    balloon_rig_check(&r);
    assert_int_equal(r.host.actual, 12000);
    assert_int_equal(balloon_rig_status(&r).core.reported, 23 * BLOCK_FRAMES);
    balloon_rig_end(&r);
}

static void reports_grow_with_the_speed_of_the_host(void **state)
{
    (void)state;
    start(BIT64(VIRTIO_BALLOON_F_REPORTING), 32768);
    r.host.request_ns = 20 * NS_PER_US;
    for (unsigned i = 0; i < 4; i++) {
        touch(32768);
        go_to(32000);
        go_to(0);
    }
    assert_true(r.host.longest_report > 16);
    r.host.request_ns = 20 * NS_PER_MS;
    for (unsigned i = 0; i < 3; i++) {
        touch(32768);
        go_to(32000);
        go_to(0);
    }
    r.host.longest_report = 0;
    touch(32768);
    go_to(32000);
    assert_true(r.host.longest_report <= 3);
    balloon_rig_end(&r);
}

static void a_reversed_target_gives_reported_blocks_back_untold(void **state)
{
    (void)state;
    start(BIT64(VIRTIO_BALLOON_F_REPORTING), 16384);
    touch(16384);
    r.host.is_slow = true;
    balloon_rig_target(&r, 16000);
    balloon_rig_run(&r, 10 * NS_PER_MS);
    assert_int_equal(r.host.kept_count[HOST_REPORT], 1);
    balloon_rig_answer(&r);
    balloon_rig_run(&r, 10 * NS_PER_MS);
    uint64_t absent = balloon_rig_status(&r).absent_frames;
    assert_true(absent > 0);
    balloon_rig_target(&r, 0);
    balloon_rig_run(&r, 10 * NS_PER_MS);
    assert_int_equal(balloon_rig_status(&r).absent_frames, 0);
    assert_int_equal(balloon_rig_status(&r).core.released, absent);
    r.host.is_slow = false;
    balloon_rig_answer(&r);
    balloon_rig_settle(&r);
    assert_int_equal(r.guest.free, 16384);
    assert_int_equal(r.host.requests[HOST_INFLATE], 0);
    assert_int_equal(r.host.actual, 0);
    balloon_rig_end(&r);
}

static void a_reset_in_the_middle_of_a_report_loses_nothing(void **state)
{
    (void)state;
    start(BIT64(VIRTIO_BALLOON_F_REPORTING), 16384);
    touch(16384);
    r.host.is_slow = true;
    balloon_rig_target(&r, 12000);
    balloon_rig_run(&r, 10 * NS_PER_MS);
    assert_int_equal(r.host.kept_count[HOST_REPORT], 1);
    virtio_model_need_reset(&r.v.model);
    balloon_rig_run(&r, 10 * NS_PER_MS);
    assert_int_equal(r.guest.free, 16384);
    r.host.is_slow = false;
    balloon_rig_run(&r, 2 * NS_PER_S);
    assert_int_equal(r.host.actual, 12000);
    balloon_rig_end(&r);
}

/* A device that does not even reset may still drop what it was told to. */
static void a_dead_device_keeps_the_open_report(void **state)
{
    (void)state;
    start(BIT64(VIRTIO_BALLOON_F_REPORTING), 16384);
    touch(16384);
    r.host.is_slow = true;
    balloon_rig_target(&r, 12000);
    balloon_rig_run(&r, 10 * NS_PER_MS);
    uint64_t reporting = balloon_rig_status(&r).in_flight_frames;
    assert_true(reporting > 0);
    r.v.model.lies.reset_hangs = true;
    virtio_model_need_reset(&r.v.model);
    balloon_rig_run(&r, 3 * NS_PER_S);
    struct virtio_balloon_status status = balloon_rig_status(&r);
    assert_int_equal(status.state, VIRTIO_BALLOON_DEAD);
    assert_int_equal(status.quarantined_frames, reporting);
    assert_int_equal(r.guest.driver, reporting);
    virtio_balloon_destroy(r.vb);
    r.vb = NULL;
    rig_end(&r.v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_is_one_element_where_tables_are_taken),
        cmocka_unit_test(a_block_is_two_elements_where_they_are_not),
        cmocka_unit_test(a_ring_of_one_entry_is_enough),
        cmocka_unit_test(a_short_ring_for_one_way_is_enough),
        cmocka_unit_test(a_block_waits_for_room_for_all_of_it),
        cmocka_unit_test(as_many_requests_are_open_as_is_set),
        cmocka_unit_test(several_requests_share_a_doorbell_when_the_host_is_quick),
        cmocka_unit_test(blocks_are_usable_at_once_and_told_later),
        cmocka_unit_test(a_report_of_everything_is_waited_for),
        cmocka_unit_test(a_host_that_must_be_told_is_told_first),
        cmocka_unit_test(a_reversed_target_costs_the_host_nothing),
        cmocka_unit_test(out_of_memory_needs_no_answer),
        cmocka_unit_test(a_detach_settles_what_is_owed),
        cmocka_unit_test(touched_blocks_are_reported_before_anything_is_inflated),
        cmocka_unit_test(reports_grow_with_the_speed_of_the_host),
        cmocka_unit_test(a_reversed_target_gives_reported_blocks_back_untold),
        cmocka_unit_test(a_reset_in_the_middle_of_a_report_loses_nothing),
        cmocka_unit_test(a_dead_device_keeps_the_open_report),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
