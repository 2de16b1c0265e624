// SPDX-License-Identifier: BSD-2-Clause
/* The classic policy to the page: cycles, rates, slow cycles, and what stands on the wire. */
#include "base/bits.h"
#include "base/err.h"
#include "tests/host/vmware_life.h"

static struct vmware_rig r;

static uint32_t rate_alloc(void)
{
    return vmware_rig_status(&r).rate_alloc;
}

static uint32_t rate_free(void)
{
    return vmware_rig_status(&r).rate_free;
}

/* ---- golden traces ---- */

static void inflate_by_2(void **state)
{
    (void)state;
    life_classic(&r, 4096);
    vmware_host_mark(&r.host);
    life_cycle_to(&r, 2);
    assert_trace(&r, "GET_TARGET 4096 =0/2; LOCK 0 =0; LOCK 1 =0;");
    assert_int_equal(vmware_rig_size(&r), 2);
    vmware_rig_end(&r);
}

static void refused_then_taken(void **state)
{
    (void)state;
    life_classic(&r, 4096);
    vmware_host_mark(&r.host);
    life_fault(&r, VH_LOCK, 0, 1, VH_PPN_PINNED);
    life_cycle_to(&r, 1);
    assert_trace(&r, "GET_TARGET 4096 =0/1; LOCK 0 =5; LOCK 1 =0;");
    assert_int_equal(r.guest.owner[0], FRAME_FREE); /* at the end */
    assert_int_equal(r.guest.owner[1], FRAME_DRIVER);
    vmware_rig_end(&r);
}

static void reset_in_a_lock(void **state)
{
    (void)state;
    life_classic(&r, 4096);
    vmware_host_mark(&r.host);
    life_fault(&r, VH_LOCK, 1, 1, VH_RESET);
    life_cycle_to(&r, 2);
    assert_trace(&r, "GET_TARGET 4096 =0/2; LOCK 0 =0; LOCK 1 =7;");
    assert_int_equal(r.guest.owner[1], FRAME_FREE); /* at once */
    assert_true(vmware_rig_status(&r).is_reset_due);
    vmware_host_mark(&r.host);
    vmware_rig_cycle(&r);
    assert_trace(&r, "START 2 =0; GUEST_ID 1 =0; GET_TARGET 4096 =0/2; LOCK 0 =0; "
                     "LOCK 1 =0;");
    assert_int_equal(vmware_rig_status(&r).count.popped_frames, 1);
    assert_int_equal(vmware_rig_size(&r), 2);
    vmware_rig_end(&r);
}

static void start_fails_in_a_reset(void **state)
{
    (void)state;
    life_classic(&r, 4096);
    life_cycle_to(&r, 2);
    vmware_host_reset(&r.host);
    vmware_host_mark(&r.host);
    vmware_rig_cycle(&r);
    assert_trace(&r, "GET_TARGET 4096 =7;");
    life_fault(&r, VH_START, 0, 2, VH_BUSY);
    for (unsigned i = 0; i < 2; i++) {
        vmware_host_mark(&r.host);
        vmware_rig_cycle(&r);
        assert_trace(&r, "START 2 =8;");
        assert_int_equal(r.guest.driver, 0);
    }
    vmware_host_mark(&r.host);
    vmware_rig_cycle(&r);
    assert_trace(&r, "START 2 =0; GUEST_ID 1 =0; GET_TARGET 4096 =0/2; LOCK 0 =0; "
                     "LOCK 1 =0;");
    vmware_rig_end(&r);
}

/* The page that was refused is not the first of the next cycle, or it would bar the way (D-W-04). */
static void deflate_error(void **state)
{
    (void)state;
    life_classic(&r, 4096);
    life_cycle_to(&r, 2);
    life_fault(&r, VH_UNLOCK, 0, 1, VH_BUSY);
    vmware_host_mark(&r.host);
    life_cycle_to(&r, 0);
    assert_trace(&r, "GET_TARGET 4096 =0/0; UNLOCK 1 =8;");
    assert_int_equal(rate_free(), 8192);
    assert_int_equal(vmware_rig_size(&r), 2);
    vmware_host_mark(&r.host);
    vmware_rig_cycle(&r);
    assert_trace(&r, "GET_TARGET 4096 =0/0; UNLOCK 0 =0; UNLOCK 1 =0;");
    assert_int_equal(rate_free(), 8208);
    vmware_rig_end(&r);
}

/* R-W-25. */
static void the_last_locked_goes_first(void **state)
{
    (void)state;
    life_classic(&r, 4096);
    life_cycle_to(&r, 3);
    vmware_host_mark(&r.host);
    life_cycle_to(&r, 1);
    assert_trace(&r, "GET_TARGET 4096 =0/1; UNLOCK 2 =0; UNLOCK 1 =0;");
    vmware_rig_end(&r);
}

static void exit_says_START(void **state)
{
    (void)state;
    life_classic(&r, 4096);
    life_cycle_to(&r, 5);
    vmware_host_mark(&r.host);
    vmware_rig_detach(&r);
    vmware_rig_run(&r, NS_PER_S);
    assert_trace(&r, "START 2 =0;");
    assert_int_equal(r.guest.driver, 0);
    vmware_rig_end(&r);
}

/* ---- cycles ---- */

/* R-W-21: rate + 1 pages. */
static void plenty_of_memory(void **state)
{
    static const uint64_t sizes[] = {16385, 32770, 49155, 50000, 50000};

    (void)state;
    life_classic(&r, 60000);
    vmware_host_target(&r.host, 50000);
    life_expect_sizes(&r, sizes, ARRAY_LEN(sizes));
    assert_int_equal(rate_alloc(), 2048);
    assert_int_equal(vmware_rig_status(&r).count.nosleep_alloc.total, 50000);
    assert_int_equal(vmware_rig_status(&r).count.cansleep_alloc.total, 0);
    vmware_rig_end(&r);
}

/* R-W-21, R-W-22: the failed turn is lost, three slow cycles follow. */
static void memory_that_must_be_made(void **state)
{
    static const uint64_t sizes[] = {4097, 6146, 8195, 24580};

    (void)state;
    life_classic(&r, 60000);
    life_leave(&r, 100, true);
    life_cycle_to(&r, 50000);
    struct vmware_balloon_status s = vmware_rig_status(&r);
    assert_int_equal(s.size_frames, 2048);
    assert_int_equal(s.slow_cycles, 4);
    assert_int_equal(s.count.nosleep_alloc.total, 101);
    assert_int_equal(s.count.nosleep_alloc.failed, 1);
    assert_int_equal(s.count.cansleep_alloc.total, 1948);
    assert_int_equal(s.count.cansleep_alloc.failed, 0);
    life_relax(&r);
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
        vmware_rig_cycle(&r);
        assert_int_equal(vmware_rig_size(&r), sizes[i]);
        assert_int_equal(vmware_rig_status(&r).slow_cycles, 3 - i);
    }
    vmware_rig_end(&r);
}

static void memory_that_cannot_be_had(void **state)
{
    static const uint32_t rates[] = {1024, 512, 512};

    (void)state;
    life_classic(&r, 4096);
    life_leave(&r, 100, false);
    vmware_host_target(&r.host, 4000);
    for (unsigned i = 0; i < ARRAY_LEN(rates); i++) {
        vmware_rig_cycle(&r);
        assert_int_equal(vmware_rig_size(&r), 100);
        assert_int_equal(rate_alloc(), rates[i]);
    }
    assert_int_equal(vmware_rig_status(&r).count.cansleep_alloc.failed, 3);
    assert_int_equal(vmware_rig_status(&r).count.nosleep_alloc.failed, 3);
    vmware_rig_end(&r);
}

/* R-W-21: out of free memory late in a fast cycle ends it; nothing is made for it. */
static void free_memory_ends_late(void **state)
{
    (void)state;
    life_classic(&r, 60000);
    life_leave(&r, 5000, true);
    life_cycle_to(&r, 50000);
    assert_int_equal(vmware_rig_size(&r), 5000);
    assert_int_equal(vmware_rig_status(&r).slow_cycles, 4);
    assert_int_equal(rate_alloc(), 2048);
    assert_int_equal(vmware_rig_status(&r).count.cansleep_alloc.total, 0);
    vmware_rig_end(&r);
}

/* The failed turn counts towards a goal that is nearer than the rate: one short, D-W-06. */
static void a_lost_turn_of_the_goal(void **state)
{
    (void)state;
    life_classic(&r, 4096);
    life_leave(&r, 100, true);
    life_cycle_to(&r, 1000);
    assert_int_equal(vmware_rig_size(&r), 999);
    vmware_rig_end(&r);
}

/* Both rates at their minima; nothing slow about the next cycle, the balloon empty. */
static void start_at_512(uint64_t frames)
{
    life_classic(&r, frames);
    life_leave(&r, 0, false);
    life_cycle_to(&r, 100);
    vmware_rig_cycle(&r);
    life_relax(&r);
    vmware_host_target(&r.host, 0);
    vmware_rig_cycles(&r, 4);
    assert_int_equal(rate_alloc(), 512);
    assert_int_equal(vmware_rig_status(&r).slow_cycles, 0);
}

/* R-W-23. */
static void full_cycles_raise_the_rate(void **state)
{
    static const uint32_t rates[] = {1024, 1280, 1472, 1648, 1792, 1936, 2048, 2048};

    (void)state;
    start_at_512(40000);
    for (unsigned i = 0; i < ARRAY_LEN(rates); i++) {
        life_cycle_to(&r, 40000);
        assert_int_equal(vmware_rig_size(&r), 16385);
        assert_int_equal(rate_alloc(), rates[i]);
        life_cycle_to(&r, 0);
        vmware_rig_cycle(&r);
        assert_int_equal(vmware_rig_size(&r), 0);
    }
    vmware_rig_end(&r);
}

static void slow_cycles_raise_the_rate_slowly(void **state)
{
    (void)state;
    start_at_512(8192);
    for (unsigned i = 1; i <= 97; i++) {
        uint32_t rate = rate_alloc();

        life_leave(&r, 0, true);
        life_cycle_to(&r, 8000);
        assert_int_equal(vmware_rig_size(&r), rate); /* the first turn is lost */
        assert_int_equal(rate_alloc(), min_u64(512 + 16 * i, 2048));
        life_cycle_to(&r, 0);
        assert_int_equal(vmware_rig_size(&r), 0);
        life_relax(&r);
    }
    assert_int_equal(rate_alloc(), 2048);
    vmware_rig_end(&r);
}

/* R-W-25 to R-W-27. */
static void deflating_has_a_rate(void **state)
{
    (void)state;
    life_classic(&r, 40000);
    vmware_host_target(&r.host, 20000);
    vmware_rig_cycles(&r, 2);
    assert_int_equal(vmware_rig_size(&r), 20000);
    life_cycle_to(&r, 0);
    assert_int_equal(vmware_rig_size(&r), 3616);
    assert_int_equal(rate_free(), 16384);
    vmware_rig_cycle(&r);
    assert_int_equal(vmware_rig_size(&r), 0);
    vmware_rig_end(&r);
}

static void a_refused_unlock_halves_the_rate(void **state)
{
    static const uint32_t rates[] = {8192, 4096, 2048, 1024, 512, 512};

    (void)state;
    life_classic(&r, 8192);
    life_cycle_to(&r, 4000);
    vmware_host_target(&r.host, 1000);
    life_fault(&r, VH_UNLOCK, 0, ARRAY_LEN(rates), VH_PPN_PINNED);
    for (unsigned i = 0; i < ARRAY_LEN(rates); i++) {
        vmware_rig_cycle(&r);
        assert_int_equal(rate_free(), rates[i]);
        assert_int_equal(vmware_rig_size(&r), 4000);
        assert_int_equal(r.host.calls[VH_UNLOCK], i + 1); /* the cycle ended with it */
    }
    vmware_rig_cycle(&r);
    assert_int_equal(vmware_rig_size(&r), 3488);
    assert_int_equal(rate_free(), 528);
    vmware_rig_cycle(&r);
    assert_int_equal(vmware_rig_size(&r), 2960);
    assert_int_equal(rate_free(), 544);
    vmware_rig_end(&r);
}

/* An error after some pages: those stay freed, and the rate does not rise besides. */
static void an_error_in_the_middle_of_deflating(void **state)
{
    (void)state;
    life_classic(&r, 8192);
    life_cycle_to(&r, 4000);
    life_fault(&r, VH_UNLOCK, 100, 1, VH_BUSY);
    life_cycle_to(&r, 0);
    assert_int_equal(vmware_rig_size(&r), 3900);
    assert_int_equal(rate_free(), 8192);
    vmware_rig_end(&r);
}

/* ---- targets ---- */

/* R-W-12: only GET_TARGET counts, and the goal stays for the cycle. */
static void lower_the_target(void *ctx)
{
    struct vmware_rig *rig = ctx;

    if (rig->host.calls[VH_LOCK] == 10)
        rig->host.target = 5;
}

static void the_goal_is_fixed_for_a_cycle(void **state)
{
    (void)state;
    life_classic(&r, 4096);
    r.host.before = lower_the_target;
    life_cycle_to(&r, 1000);
    assert_int_equal(vmware_rig_size(&r), 1000);
    assert_int_equal(vmware_rig_status(&r).wish_frames, 1000);
    vmware_rig_cycle(&r);
    assert_int_equal(vmware_rig_size(&r), 5);
    vmware_rig_end(&r);
}

static void a_failed_GET_TARGET_skips_the_cycle(void **state)
{
    (void)state;
    life_classic(&r, 4096);
    life_cycle_to(&r, 100);
    life_fault(&r, VH_GET_TARGET, 0, 1, VH_BUSY);
    vmware_host_mark(&r.host);
    life_cycle_to(&r, 200);
    assert_trace(&r, "GET_TARGET 4096 =8;");
    assert_int_equal(vmware_rig_size(&r), 100);
    assert_int_equal(vmware_rig_status(&r).wish_frames, 100);
    vmware_rig_cycle(&r);
    assert_int_equal(vmware_rig_size(&r), 200);
    vmware_rig_end(&r);
}

static void equal_is_nothing_to_do(void **state)
{
    (void)state;
    life_classic(&r, 4096);
    life_cycle_to(&r, 100);
    vmware_host_mark(&r.host);
    vmware_rig_cycle(&r);
    assert_trace(&r, "GET_TARGET 4096 =0/100;");
    vmware_rig_end(&r);
}

/* No slack: up and down by one frame. */
static void flapping_by_1(void **state)
{
    (void)state;
    life_classic(&r, 4096);
    for (unsigned i = 0; i < 50; i++) {
        life_cycle_to(&r, 1000 + i % 2);
        assert_int_equal(vmware_rig_size(&r), 1000 + i % 2);
    }
    assert_int_equal(r.host.calls[VH_LOCK], 1025);
    vmware_rig_end(&r);
}

/* ---- time ---- */

/* When the target was asked for last. */
static uint64_t asked_at(void)
{
    uint64_t i = r.host.trace_count;

    while (r.host.trace[--i % VH_TRACE].cmd != VH_GET_TARGET)
        ;
    return r.host.trace[i % VH_TRACE].at_ns;
}

/* R-W-08: a second from the end of one cycle to the start of the next. */
static void a_cycle_each_second(void **state)
{
    (void)state;
    vmware_rig_init_classic(&r, 40000);
    r.opts.period_ns = 10 * NS_PER_MS; /* modern's business */
    life_start(&r);
    vmware_host_target(&r.host, 2000);
    for (unsigned i = 1; i < 5; i++) {
        uint64_t end = r.hal.now_ns;

        vmware_rig_cycle(&r);
        assert_in_range(asked_at() - end, NS_PER_S, NS_PER_S + NS_PER_MS);
    }
    vmware_rig_end(&r);
}

static void a_late_cycle_is_one_cycle(void **state)
{
    (void)state;
    life_classic(&r, 4096);
    uint64_t cycles = vmware_rig_status(&r).count.timer;
    r.hal.now_ns += 10 * NS_PER_S;
    vmware_rig_run(&r, 500 * NS_PER_MS);
    assert_int_equal(vmware_rig_status(&r).count.timer, cycles + 1);
    vmware_rig_end(&r);
}

/* A wake before its time begins no cycle. */
static void an_early_wake_is_harmless(void **state)
{
    (void)state;
    life_classic(&r, 4096);
    uint64_t cycles = vmware_rig_status(&r).count.timer;
    for (unsigned i = 0; i < 100; i++) {
        r.hal.wakes++;
        vmware_rig_run(&r, NS_PER_MS);
    }
    assert_int_equal(vmware_rig_status(&r).count.timer, cycles);
    vmware_rig_run(&r, NS_PER_S);
    assert_int_equal(vmware_rig_status(&r).count.timer, cycles + 1);
    vmware_rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inflate_by_2),
        cmocka_unit_test(refused_then_taken),
        cmocka_unit_test(reset_in_a_lock),
        cmocka_unit_test(start_fails_in_a_reset),
        cmocka_unit_test(deflate_error),
        cmocka_unit_test(the_last_locked_goes_first),
        cmocka_unit_test(exit_says_START),
        cmocka_unit_test(plenty_of_memory),
        cmocka_unit_test(memory_that_must_be_made),
        cmocka_unit_test(memory_that_cannot_be_had),
        cmocka_unit_test(free_memory_ends_late),
        cmocka_unit_test(a_lost_turn_of_the_goal),
        cmocka_unit_test(full_cycles_raise_the_rate),
        cmocka_unit_test(slow_cycles_raise_the_rate_slowly),
        cmocka_unit_test(deflating_has_a_rate),
        cmocka_unit_test(a_refused_unlock_halves_the_rate),
        cmocka_unit_test(an_error_in_the_middle_of_deflating),
        cmocka_unit_test(the_goal_is_fixed_for_a_cycle),
        cmocka_unit_test(a_failed_GET_TARGET_skips_the_cycle),
        cmocka_unit_test(equal_is_nothing_to_do),
        cmocka_unit_test(flapping_by_1),
        cmocka_unit_test(a_cycle_each_second),
        cmocka_unit_test(a_late_cycle_is_one_cycle),
        cmocka_unit_test(an_early_wake_is_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
