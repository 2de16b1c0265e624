// SPDX-License-Identifier: BSD-2-Clause
/* Free page reporting: what is freed leaves after the delay and comes back usable, what is busy stays. */
#include "tests/host/report_rig.h"

static void what_is_freed_leaves_after_the_delay(void **state)
{
    (void)state;
    start();
    touch(FRAMES / 2);
    balloon_rig_run(&r, DELAY_NS - NS_PER_MS);
    assert_int_equal(r.host.requests[HOST_REPORT], 0);
    balloon_rig_run(&r, 5 * NS_PER_MS);
    assert_int_equal(r.host.pages[HOST_REPORT], FRAMES / 2);
    assert_int_equal(reported_blocks(), BLOCKS / 2);
    assert_int_equal(touched_frames(), 0);
    assert_int_equal(r.guest.free, FRAMES);
    assert_true(r.host.longest_report > 1 && r.host.longest_report <= 32);
    assert_int_equal(balloon_rig_status(&r).freed_reports, r.host.requests[HOST_REPORT]);
    balloon_rig_check(&r);
    balloon_rig_end(&r);
}

static void (*give_as_ever)(void *ctx, pfn_t first, unsigned order, enum run_state state);

/* The allocator tells of everything that becomes free, also of what the balloon itself gives it. */
static void give_and_tell(void *ctx, pfn_t first, unsigned order, enum run_state state)
{
    give_as_ever(ctx, first, order, state);
    virtio_balloon_memory_freed(r.vb);
}

static void what_the_balloon_gives_is_no_news(void **state)
{
    (void)state;
    start();
    give_as_ever = r.v.hal.hal.run_give;
    r.v.hal.hal.run_give = give_and_tell;
    balloon_rig_target(&r, 10 * BLOCK_FRAMES);
    balloon_rig_settle(&r);
    balloon_rig_target(&r, 0);
    balloon_rig_settle(&r);
    assert_int_equal(reported_blocks(), 0);
    balloon_rig_check(&r);
    balloon_rig_end(&r);
}

static void nothing_runs_where_nothing_is_freed(void **state)
{
    (void)state;
    start();
    touch(FRAMES / 2);
    balloon_rig_run(
        &r, 2 * NS_PER_S); /* that long it is seen whether reports are regretted */
    unsigned looks = r.guest.idle_looks;
    balloon_rig_run(&r, 100 * NS_PER_S);
    assert_int_equal(r.guest.idle_looks, looks);
    /* A free that makes no block whole is a look and no more. */
    for (unsigned i = 0; i < 10; i++) {
        free_frames(0);
        balloon_rig_run(&r, NS_PER_S);
    }
    assert_int_equal(r.guest.idle_looks, looks + 10);
    balloon_rig_end(&r);
}

static void it_is_off_where_it_cannot_or_shall_not_be(void **state)
{
    (void)state;
    start_with(0, 0);
    touch(FRAMES);
    balloon_rig_run(&r, NS_PER_S);
    assert_int_equal(r.host.requests[HOST_REPORT], 0);
    assert_int_equal(r.guest.idle_looks, 0);
    balloon_rig_end(&r);
    balloon_rig_init(&r, BALLOON_FEATURES, FRAMES); /* no such queue */
    r.opts.report_delay_ns = DELAY_NS;
    assert_int_equal(balloon_rig_attach(&r), 0);
    touch(FRAMES);
    balloon_rig_run(&r, NS_PER_S);
    assert_int_equal(r.guest.idle_looks, 0);
    balloon_rig_end(&r);
}

static void a_batch_is_as_long_as_is_set(void **state)
{
    (void)state;
    for (unsigned batch = 0; batch <= 40; batch += 8) {
        balloon_rig_init(&r, BALLOON_FEATURES | BIT64(VIRTIO_BALLOON_F_REPORTING),
                         2 * FRAMES);
        r.opts.report_delay_ns = DELAY_NS;
        r.opts.report_batch = batch;
        r.host.request_ns = NS_PER_US;
        assert_int_equal(balloon_rig_attach(&r), 0);
        balloon_rig_settle(&r);
        for (unsigned i = 0; i < 20; i++) {
            touch(2 * FRAMES);
            balloon_rig_run(&r, NS_PER_S);
        }
        unsigned longest = batch < 1 ? 1 : batch < 32 ? batch : 32;
        assert_int_equal(r.host.longest_report, longest);
        balloon_rig_end(&r);
    }
}

/* Freed and taken again within the delay, for ever: the host hears nothing, but of what is left over. */
static void what_comes_and_goes_is_left_alone(void **state)
{
    (void)state;
    start();
    guest_use(&r.guest, FRAMES / 2);
    for (unsigned i = 0; i < 1000; i++) {
        free_frames(FRAMES / 2);
        balloon_rig_run(&r, 2 * NS_PER_MS);
        guest_use(&r.guest, FRAMES / 2);
        balloon_rig_run(&r, NS_PER_MS);
    }
    assert_int_equal(r.host.requests[HOST_REPORT], 0);
    free_frames(FRAMES / 4);
    for (unsigned i = 0; i < 10; i++) {
        free_frames(FRAMES / 4);
        balloon_rig_run(&r, 2 * NS_PER_MS);
        guest_use(&r.guest, FRAMES / 4);
        balloon_rig_run(&r, NS_PER_MS);
    }
    assert_true(reported_blocks() >= BLOCKS / 4);
    balloon_rig_check(&r);
    balloon_rig_end(&r);
}

/* A guest that frees all the time and a host that is slow about it: a burst, then once a second. */
static void a_guest_that_frees_without_rest_is_not_slowed_down(void **state)
{
    (void)state;
    start();
    r.host.request_ns = 2 * NS_PER_MS;
    for (unsigned i = 0; i < 3000; i++) {
        touch_other(FRAMES);
        balloon_rig_run(&r, 20 * NS_PER_MS);
    }
    uint64_t burst = NS_PER_S / r.host.request_ns;
    assert_true(r.host.requests[HOST_REPORT] > burst);
    assert_true(r.host.requests[HOST_REPORT] < burst + 62 * BLOCKS);
    balloon_rig_end(&r);
}

static uint64_t delay_ns(void)
{
    return balloon_rig_status(&r).report_delay_ns;
}

/* It wants back what it freed just after that was reported. */
static void what_is_taken_back_soon_is_left_alone(void **state)
{
    (void)state;
    start();
    assert_int_equal(delay_ns(), DELAY_NS);
    for (unsigned i = 0; i < 100; i++) {
        touch(FRAMES / 2);
        balloon_rig_run(&r, 50 * NS_PER_MS);
    }
    /* Reported after 10, 20 and 40 ms, and never again. */
    assert_int_equal(delay_ns(), 8 * DELAY_NS);
    assert_int_equal(reported_blocks(), 3 * BLOCKS / 2);
    assert_int_equal(balloon_rig_status(&r).refaults, 3 * FRAMES / 2);
    /* Each second of rest halves the delay. */
    guest_use(&r.guest, FRAMES / 2);
    balloon_rig_run(&r, 3 * NS_PER_S / 2);
    free_frames(FRAMES / 2);
    assert_int_equal(delay_ns(), 4 * DELAY_NS);
    guest_use(&r.guest, FRAMES / 2);
    balloon_rig_run(&r, 1000 * NS_PER_S);
    free_frames(FRAMES / 2);
    assert_int_equal(delay_ns(), DELAY_NS);
    balloon_rig_end(&r);
}

static void the_delay_grows_to_2_s_or_what_is_set(void **state)
{
    (void)state;
    for (uint64_t set = DELAY_NS; set <= 10 * NS_PER_S; set *= 10) {
        start_with(0, set);
        uint64_t most = set > 2 * NS_PER_S ? set : 2 * NS_PER_S;
        for (unsigned i = 0; i < 30; i++) {
            touch(FRAMES / 2);
            balloon_rig_run(&r, 2 * most);
            guest_use(&r.guest, FRAMES / 2);
            assert_true(delay_ns() <= most);
            free_frames(FRAMES / 2);
        }
        assert_int_equal(delay_ns(), set > 2 * NS_PER_S ? set : delay_ns());
        balloon_rig_end(&r);
    }
}

/* The longer delay does not outlive its reason, though something is freed all the time. */
/* Not the first of them: work that does not change would pay for each try. */
static void a_row_of_reports_that_nobody_regrets_shortens_it(void **state)
{
    (void)state;
    start();
    for (unsigned i = 0; i < 10; i++) {
        touch(FRAMES / 2);
        balloon_rig_run(&r, 50 * NS_PER_MS);
    }
    uint64_t grown = delay_ns();
    assert_true(grown > 4 * DELAY_NS);
    for (unsigned i = 0; i < 400; i++) {
        if (i == 20) /* 4 s: two or three verdicts */
            assert_int_equal(delay_ns(), grown);
        touch_other(BLOCK_FRAMES);
        balloon_rig_run(&r, 200 * NS_PER_MS);
    }
    assert_int_equal(delay_ns(), DELAY_NS);
    balloon_rig_end(&r);
}

static void the_reserve_is_not_lent(void **state)
{
    (void)state;
    start();
    r.guest.reserve = 4 * BLOCK_FRAMES;
    guest_use(&r.guest, FRAMES);
    r.host.is_slow = true;
    free_frames(6 * BLOCK_FRAMES);
    balloon_rig_run(&r, 2 * DELAY_NS);
    assert_int_equal(r.guest.driver, BLOCK_FRAMES); /* half of what is beyond it */
    r.host.is_slow = false;
    balloon_rig_answer(&r);
    balloon_rig_run(&r, NS_PER_S);
    balloon_rig_check(&r);
    balloon_rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_freed_leaves_after_the_delay),
        cmocka_unit_test(what_the_balloon_gives_is_no_news),
        cmocka_unit_test(nothing_runs_where_nothing_is_freed),
        cmocka_unit_test(it_is_off_where_it_cannot_or_shall_not_be),
        cmocka_unit_test(a_batch_is_as_long_as_is_set),
        cmocka_unit_test(what_comes_and_goes_is_left_alone),
        cmocka_unit_test(a_guest_that_frees_without_rest_is_not_slowed_down),
        cmocka_unit_test(what_is_taken_back_soon_is_left_alone),
        cmocka_unit_test(the_delay_grows_to_2_s_or_what_is_set),
        cmocka_unit_test(a_row_of_reports_that_nobody_regrets_shortens_it),
        cmocka_unit_test(the_reserve_is_not_lent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
