// SPDX-License-Identifier: BSD-2-Clause
/* The balloon's core: blocks that are the guest's before the host is told (R-V-32), and reports first. */
#include "tests/host/core_rig.h"

static void start_early(uint64_t frames)
{
    start(frames, 0);
    r.b.early_return = true;
    r.guest.may_owe = true;
    go_to(frames / 2);
}

static void whole_blocks_are_the_guests_before_the_host_is_told(void **state)
{
    (void)state;
    start_early(8192);
    balloon_set_target(&r.b, 1000);
    assert_true(step());
    assert_int_equal(r.guest.free, 8192 - 1024);
    assert_int_equal(balloon_size(&r.b), 4096);
    assert_int_equal(balloon_owed(&r.b), 3072);
    assert_int_equal(r.guest.accounted, 1024);
    /* Frames in pieces are the guest's when the request is made. */
    struct balloon_plan plan = balloon_plan(&r.b, 0);
    assert_int_equal(plan.action, BALLOON_DEFLATE);
    assert_int_equal(plan.frames, 24);
    balloon_choose_deflate(&r.b, &r.batch, plan.frames);
    assert_int_equal(r.guest.free, 8192 - 1000);
    assert_int_equal(balloon_owed(&r.b), 3096);
    balloon_deflated(&r.b, &r.batch);
    assert_int_equal(balloon_owed(&r.b), 3072);
    assert_int_equal(balloon_size(&r.b), 4072);
    /* The host hears of a block at a time. */
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(balloon_plan(&r.b, 0).action, BALLOON_TELL);
        assert_true(step());
    }
    assert_int_equal(balloon_plan(&r.b, 0).action, BALLOON_IDLE);
    assert_int_equal(balloon_size(&r.b), 1000);
    stop();
}

static void a_reversed_target_takes_unused_blocks_back_and_tells_the_others(void **state)
{
    (void)state;
    start_early(8192);
    balloon_set_target(&r.b, 0);
    while (balloon_plan(&r.b, 0).action == BALLOON_RETURN)
        step();
    assert_int_equal(balloon_owed(&r.b), 4096);
    /* Block 0 is in use, block 1 was in use meanwhile, block 2 is being told. */
    guest_use(&r.guest, 1024);
    for (unsigned i = 512; i < 1024; i++)
        r.guest.owner[i] = FRAME_FREE;
    r.guest.free += 512;
    balloon_set_target(&r.b, 4096);
    struct balloon_plan plan = balloon_plan(&r.b, 0);
    assert_int_equal(plan.action, BALLOON_CANCEL);
    assert_int_equal(balloon_cancel_blocks(&r.b, plan.frames), 6 * BLOCK_FRAMES);
    assert_int_equal(r.b.held.frames, 6 * BLOCK_FRAMES);
    assert_int_equal(balloon_cancel_blocks(&r.b, plan.frames), 0);
    assert_int_equal(balloon_plan(&r.b, 0).action, BALLOON_TELL);
    balloon_choose_owed(&r.b, &r.batch);
    balloon_deflated(&r.b, &r.batch);
    balloon_choose_owed(&r.b, &r.batch);
    /* Not before the last is acknowledged does anything go in. */
    assert_int_equal(balloon_plan(&r.b, 0).action, BALLOON_BUSY);
    balloon_deflated(&r.b, &r.batch);
    assert_int_equal(balloon_plan(&r.b, 0).action, BALLOON_INFLATE);
    go_to(4096);
    assert_int_equal(r.b.count.cancelled, 6 * BLOCK_FRAMES);
    stop();
}

static void what_is_owed_at_the_end_stays_the_guests(void **state)
{
    (void)state;
    start_early(8192);
    balloon_set_target(&r.b, 100);
    while (balloon_plan(&r.b, 0).action == BALLOON_RETURN)
        step();
    balloon_choose_owed(&r.b, &r.batch);
    balloon_drop_deflate(&r.b, &r.batch);
    stop();
}

static void start_reporting(uint64_t touched)
{
    start(8192, 0);
    r.b.report_first = true;
    guest_unuse(&r.guest, guest_use(&r.guest, touched));
}

static void all_reports_come_before_the_first_request(void **state)
{
    (void)state;
    start_reporting(5 * BLOCK_FRAMES + 40);
    balloon_set_target(&r.b, 7 * BLOCK_FRAMES + 100);
    assert_true(step());
    assert_int_equal(r.b.held.blocks[PAGE_ABSENT], 4);
    assert_true(step());
    assert_int_equal(r.b.held.blocks[PAGE_ABSENT], 5);
    assert_int_equal(balloon_size(&r.b), 0);
    assert_int_equal(balloon_in_flight(&r.b), 5 * BLOCK_FRAMES);
    balloon_choose_inflate(&r.b, &r.batch, BLOCK_FRAMES, 0);
    assert_true(r.batch.is_absent);
    assert_int_equal(r.batch.runs[0].first.n, 0);
    balloon_inflated(&r.b, &r.batch);
    go_to(7 * BLOCK_FRAMES + 100);
    assert_int_equal(r.b.count.reported, 5 * BLOCK_FRAMES);
    assert_int_equal(r.b.held.blocks[PAGE_ABSENT], 0);
    stop();
}

static void no_more_is_reported_than_is_wanted(void **state)
{
    (void)state;
    start_reporting(6 * BLOCK_FRAMES);
    balloon_set_target(&r.b, 2 * BLOCK_FRAMES + 511);
    assert_int_equal(balloon_choose_report(&r.b, &r.report, BALLOON_REPORTS,
                                           balloon_plan(&r.b, 0).frames),
                     2 * BLOCK_FRAMES);
    assert_int_equal(balloon_plan(&r.b, 0).action, BALLOON_INFLATE);
    balloon_reported(&r.b, &r.report);
    go_to(2 * BLOCK_FRAMES + 511);
    stop();
}

static void absent_blocks_go_back_when_they_are_not_wanted(void **state)
{
    (void)state;
    start_reporting(6 * BLOCK_FRAMES);
    balloon_set_target(&r.b, 6 * BLOCK_FRAMES);
    assert_true(step()); /* four are absent */
    balloon_choose_report(&r.b, &r.report, 4, 2 * BLOCK_FRAMES);
    balloon_set_target(&r.b, 3 * BLOCK_FRAMES + 1);
    /* Two are with the host; of the four three are too many. */
    struct balloon_plan plan = balloon_plan(&r.b, 0);
    assert_int_equal(plan.action, BALLOON_RELEASE);
    assert_int_equal(plan.frames, 3 * BLOCK_FRAMES);
    assert_true(step());
    assert_int_equal(r.guest.free, 8192 - 3 * BLOCK_FRAMES);
    assert_false(r.guest.touched[0]); /* no backing any more */
    balloon_set_target(&r.b, 0);
    assert_true(step());
    assert_int_equal(balloon_plan(&r.b, 0).action, BALLOON_BUSY);
    balloon_reported(&r.b, &r.report);
    go_to(0);
    assert_int_equal(r.guest.free, 8192);
    stop();
}

static void out_of_memory_takes_absent_blocks_first(void **state)
{
    (void)state;
    start_reporting(6 * BLOCK_FRAMES);
    balloon_set_target(&r.b, 6 * BLOCK_FRAMES);
    assert_true(step());
    assert_int_equal(balloon_oom_begin(&r.b, 700), 2 * BLOCK_FRAMES);
    balloon_oom_end(&r.b, 700, r.hal.now_ns);
    /* And while the guest is in need none of them goes in. */
    assert_true(step());
    assert_int_equal(balloon_plan(&r.b, r.hal.now_ns).action, BALLOON_WAIT);
    assert_int_equal(r.guest.free, 8192);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_blocks_are_the_guests_before_the_host_is_told),
        cmocka_unit_test(a_reversed_target_takes_unused_blocks_back_and_tells_the_others),
        cmocka_unit_test(what_is_owed_at_the_end_stays_the_guests),
        cmocka_unit_test(all_reports_come_before_the_first_request),
        cmocka_unit_test(no_more_is_reported_than_is_wanted),
        cmocka_unit_test(absent_blocks_go_back_when_they_are_not_wanted),
        cmocka_unit_test(out_of_memory_takes_absent_blocks_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
