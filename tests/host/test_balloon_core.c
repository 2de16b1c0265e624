// SPDX-License-Identifier: BSD-2-Clause
/* The balloon's core without a device: target arithmetic, choice of frames, retry and pause, statistics. */
#include "tests/host/core_rig.h"

static void the_target_is_clamped_to_ram_less_the_reserve(void **state)
{
    (void)state;
    start(4096, 96);
    assert_true(balloon_set_target(&r.b, UINT32_MAX));
    assert_int_equal(r.b.wish, UINT32_MAX);
    assert_int_equal(r.b.target, 4000);
    assert_false(balloon_set_target(&r.b, UINT32_MAX));
    assert_true(balloon_set_target(&r.b, 5));
    assert_int_equal(r.b.target, 5);
    stop();
}

static void a_reserve_larger_than_ram_leaves_nothing(void **state)
{
    (void)state;
    start(64, 100);
    balloon_set_target(&r.b, 10);
    assert_int_equal(r.b.target, 0);
    assert_int_equal(balloon_plan(&r.b, 0).action, BALLOON_IDLE);
    stop();
}

static void a_request_is_a_block_or_256_frames(void **state)
{
    (void)state;
    start(4096, 0);
    balloon_set_target(&r.b, 1300);
    assert_int_equal(balloon_plan(&r.b, 0).action, BALLOON_INFLATE);
    assert_int_equal(balloon_choose_inflate(&r.b, &r.batch, 1300, 0), BLOCK_FRAMES);
    balloon_inflated(&r.b, &r.batch);
    go_to(1300);
    assert_int_equal(r.b.count.inflate_requests, 4); /* 512, 512, 256, 20 */
    balloon_set_target(&r.b, 0);
    assert_int_equal(balloon_plan(&r.b, 0).action, BALLOON_DEFLATE);
    go_to(0);
    assert_int_equal(r.b.count.deflate_requests, 4);
    stop();
}

static void a_block_comes_and_goes_whole(void **state)
{
    (void)state;
    start(4096, 0);
    go_to(1024);
    assert_int_equal(r.b.held.blocks[PAGE_HELD], 2);
    assert_int_equal(r.b.count.inflate_requests, 2);
    unsigned bytes = (unsigned)r.b.held.bytes;
    balloon_set_target(&r.b, 512);
    assert_true(step());
    assert_int_equal(r.guest.driver, 512);
    assert_true(r.b.held.bytes <= bytes);
    stop();
}

static void an_odd_target_leaves_later_blocks_whole(void **state)
{
    (void)state;
    start(8192, 0);
    go_to(4099);
    go_to(2050);
    go_to(4097);
    /* Odd frames are in one block at each end, not smeared over all. */
    assert_true(r.b.held.in_parts <= 2);
    assert_true(r.b.held.blocks[PAGE_HELD] >= 6);
    go_to(0);
    stop();
}

static void touched_blocks_then_touched_frames_then_the_rest(void **state)
{
    (void)state;
    start(4096, 0);
    /* Block 0 in use but for one touched frame, block 1 touched and free. */
    guest_use(&r.guest, 1024);
    for (unsigned i = 512; i < 1024; i++)
        r.guest.owner[i] = FRAME_FREE;
    r.guest.owner[3] = FRAME_FREE;
    r.guest.free += 513;
    balloon_set_target(&r.b, 1600);
    assert_int_equal(balloon_choose_inflate(&r.b, &r.batch, 1600, 0), BLOCK_FRAMES);
    assert_int_equal(r.batch.runs[0].first.n, 512);
    assert_false(r.batch.is_absent);
    balloon_inflated(&r.b, &r.batch);
    /* A block is a request of its own. */
    assert_int_equal(balloon_choose_inflate(&r.b, &r.batch, 1088, 0), 1);
    assert_int_equal(r.batch.runs[0].first.n, 3);
    balloon_inflated(&r.b, &r.batch);
    assert_int_equal(balloon_choose_inflate(&r.b, &r.batch, 1087, 0), BLOCK_FRAMES);
    assert_true(r.batch.is_absent);
    balloon_inflated(&r.b, &r.batch);
    assert_int_equal(r.b.count.take_failures, 0);
    stop();
}

static void no_memory_for_the_set_is_a_shortage_and_no_leak(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 12; n++) {
        start(4096, 0);
        r.hal.fail_at = r.hal.allocs + n;
        balloon_set_target(&r.b, 700);
        while (step())
            ;
        r.hal.now_ns += NS_PER_S;
        go_to(700);
        assert_int_equal(balloon_size(&r.b), 700);
        stop();
    }
}

static void no_frames_at_any_call_is_a_shortage_and_no_leak(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 60; n++) {
        start(2048, 0);
        r.guest.take_fail_at = n;
        balloon_set_target(&r.b, 700);
        while (step())
            ;
        r.hal.now_ns += NS_PER_S;
        go_to(700);
        assert_int_equal(balloon_size(&r.b), 700);
        stop();
    }
}

static void back_off_doubles_up_to_five_seconds(void **state)
{
    uint64_t now = 0, delay = PACING_RETRY_MIN_NS;
    struct balloon_pacing p;

    (void)state;
    pacing_init(&p);
    for (unsigned i = 0; i < 10; i++) {
        pacing_back_off(&p, now);
        assert_int_equal(p.retry_at_ns - now, delay);
        delay = delay * 2 < PACING_RETRY_MAX_NS ? delay * 2 : PACING_RETRY_MAX_NS;
        now = p.retry_at_ns;
    }
    pacing_progress(&p);
    pacing_back_off(&p, now);
    assert_int_equal(p.retry_at_ns - now, PACING_RETRY_MIN_NS);
    pacing_retry_now(&p);
    assert_int_equal(p.retry_at_ns, 0);
}

static void pauses_double_on_repetition_up_to_a_minute(void **state)
{
    static const unsigned seconds[] = {5, 10, 20, 40, 60, 60};
    uint64_t now = 0;

    (void)state;
    start(4096, 0);
    for (unsigned i = 0; i < ARRAY_LEN(seconds); i++) {
        pacing_pause(&r.b.pacing, 256, now);
        pacing_pause(&r.b.pacing, 256, now + 1); /* the same shortage */
        assert_int_equal(r.b.pacing.pause_ns, seconds[i] * NS_PER_S);
        assert_int_equal(pacing_inflate_at(&r.b.pacing, &r.hal.hal, 1000, now + 2),
                         now + 1 + seconds[i] * NS_PER_S);
        now = r.b.pacing.pause_until_ns;
        assert_true(pacing_inflate_at(&r.b.pacing, &r.hal.hal, 1000, now) <= now);
    }
    /* After a quiet minute it begins at the shortest again. */
    pacing_pause(&r.b.pacing, 256, now + 61 * NS_PER_S);
    assert_int_equal(r.b.pacing.pause_ns, 5 * NS_PER_S);
    stop();
}

/* 1000 frames were given back; 999 are free above the reserve of 96, and stay so. */
static void a_pause_ends_though_a_frame_does_not_come_back(void **state)
{
    uint64_t now;

    (void)state;
    start(96 + 999, 96);
    pacing_pause(&r.b.pacing, 1000, 1);
    now = r.b.pacing.pause_until_ns;
    assert_true(pacing_inflate_at(&r.b.pacing, &r.hal.hal, 1000, now) > now);
    /* All that is wanted meanwhile is there. */
    pacing_retry_now(&r.b.pacing);
    assert_true(pacing_inflate_at(&r.b.pacing, &r.hal.hal, 999, now) <= now);

    pacing_pause(&r.b.pacing, 1000, now);
    now = r.b.pacing.pause_until_ns + PACING_PAUSE_MAX_NS;
    assert_true(pacing_inflate_at(&r.b.pacing, &r.hal.hal, 1000, now - 1) > now - 1);
    pacing_retry_now(&r.b.pacing);
    assert_true(pacing_inflate_at(&r.b.pacing, &r.hal.hal, 1000, now) <= now);
    stop();
}

static void statistics_have_a_fixed_set_of_tags(void **state)
{
    struct balloon_stat stats[BALLOON_STATS_FULL];

    (void)state;
    start(4096, 100);
    go_to(1000);
    assert_int_equal(balloon_stats_sample(&r.b, 0, false, stats), BALLOON_STATS_FULL);
    for (unsigned i = 0; i < BALLOON_STATS_FULL; i++)
        assert_int_equal(stats[i].tag, i);
    assert_int_equal(stats[BALLOON_STAT_FREE].value, 3096 << FRAME_SHIFT);
    assert_int_equal(stats[BALLOON_STAT_TOTAL].value, 3096 << FRAME_SHIFT);
    assert_int_equal(stats[BALLOON_STAT_AVAILABLE].value, 2996 << FRAME_SHIFT);
    balloon_return_all(&r.b);
    r.b.is_reclaimable = true;
    go_to(500);
    go_to(1000);
    balloon_stats_sample(&r.b, 0, true, stats);
    assert_int_equal(stats[BALLOON_STAT_TOTAL].value, 4096 << FRAME_SHIFT);
    stop();
}

static void a_random_walk_loses_no_frame(void **state)
{
    (void)state;
    random_seed();
    start(16384, 128);
    r.b.early_return = r.guest.may_owe = rand() % 2;
    r.b.report_first = rand() % 2;
    for (unsigned n = 0; n < 400; n++) {
        unsigned what = (unsigned)rand() % 8;

        if (what < 5)
            balloon_set_target(&r.b, (uint64_t)rand() % 20000);
        else if (what == 5)
            guest_use(&r.guest, (uint64_t)rand() % 3000);
        else if (what == 6)
            guest_unuse(&r.guest, (uint64_t)rand() % 4000);
        else
            balloon_oom_end(&r.b, balloon_oom_begin(&r.b, (uint64_t)rand() % 2000),
                            r.hal.now_ns);
        for (int i = rand() % 70; i > 0 && step(); i--)
            ;
        if (rand() % 4 == 0)
            balloon_settle(&r.b); /* everything is acknowledged */
        r.hal.now_ns += (uint64_t)rand() % NS_PER_S;
        guest_check(&r.guest);
        assert_int_equal(r.guest.driver, r.b.held.frames + balloon_in_flight(&r.b));
    }
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_target_is_clamped_to_ram_less_the_reserve),
        cmocka_unit_test(a_reserve_larger_than_ram_leaves_nothing),
        cmocka_unit_test(a_request_is_a_block_or_256_frames),
        cmocka_unit_test(a_block_comes_and_goes_whole),
        cmocka_unit_test(an_odd_target_leaves_later_blocks_whole),
        cmocka_unit_test(touched_blocks_then_touched_frames_then_the_rest),
        cmocka_unit_test(no_memory_for_the_set_is_a_shortage_and_no_leak),
        cmocka_unit_test(no_frames_at_any_call_is_a_shortage_and_no_leak),
        cmocka_unit_test(back_off_doubles_up_to_five_seconds),
        cmocka_unit_test(pauses_double_on_repetition_up_to_a_minute),
        cmocka_unit_test(a_pause_ends_though_a_frame_does_not_come_back),
        cmocka_unit_test(statistics_have_a_fixed_set_of_tags),
        cmocka_unit_test(a_random_walk_loses_no_frame),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
