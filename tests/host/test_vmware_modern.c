// SPDX-License-Identifier: BSD-2-Clause
/* The modern policy: no rates, each answer's target, slack against oscillation, polls that never stop. */
#include "base/bits.h"
#include "base/err.h"
#include "tests/host/vmware_life.h"

static struct vmware_rig r;

#define BATCHED (VH_CAP_BASIC | VH_CAP_BATCH)
#define HUGE    (BATCHED | VH_CAP_BATCH_2M)

static const uint32_t levels[] = {VH_CAP_BASIC, BATCHED, HUGE, HUGE | VH_CAP_64,
                                  VH_CAPS_ALL};

/* R-L-03. */
static void one_cycle_is_enough(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(levels); i++) {
        life_modern(&r, levels[i], 51200);
        life_cycle_to(&r, 50176); /* 98 groups */
        assert_int_equal(vmware_rig_size(&r), 50176);
        life_cycle_to(&r, 0);
        assert_int_equal(vmware_rig_size(&r), 0);
        vmware_rig_end(&r);
    }
}

/* R-L-04: the calls there are, and no others. */
static void chunks_are_as_large_as_possible(void **state)
{
    (void)state;
    life_modern(&r, BATCHED, 4096);
    vmware_host_mark(&r.host);
    life_cycle_to(&r, 1030);
    assert_trace(&r, "GET_TARGET 4096 =0/1030; B_LOCK x512 =0; B_LOCK x512 =0; "
                     "B_LOCK x6 =0;");
    vmware_host_mark(&r.host);
    life_cycle_to(&r, 0);
    assert_trace(&r, "GET_TARGET 4096 =0/0; B_UNLOCK x512 =0; B_UNLOCK x512 =0; "
                     "B_UNLOCK x6 =0;");
    vmware_rig_end(&r);
}

static void a_cycle_is_cut_into_steps(void **state)
{
    (void)state;
    life_modern(&r, VH_CAP_BASIC, 4096);
    unsigned steps = r.steps;
    life_cycle_to(&r, 3200);
    assert_true(r.steps - steps >= 100); /* 32 single commands each */
    vmware_rig_end(&r);
}

/* ---- whose target counts ---- */

static uint64_t change_at, change_to;
static unsigned change_cmd;

static void change_target(void *ctx)
{
    struct vmware_rig *rig = ctx;

    if (rig->host.calls[change_cmd] == change_at)
        rig->host.target = change_to;
}

static void change(unsigned cmd, uint64_t at, uint64_t to)
{
    change_cmd = cmd;
    change_at = at;
    change_to = to;
    r.host.before = change_target;
}

/* R-L-05: every answer's, within a cycle. */
static void a_target_that_moves_in_a_cycle(void **state)
{
    (void)state;
    /* Lower while it rises. */
    life_modern(&r, BATCHED, 8192);
    change(VH_BATCH_LOCK, 2, 1300);
    life_cycle_to(&r, 5000);
    assert_int_equal(vmware_rig_size(&r), 1536);
    assert_int_equal(vmware_rig_status(&r).wish_frames, 1300);
    vmware_rig_end(&r);
    /* Higher while it rises. */
    life_modern(&r, BATCHED, 8192);
    change(VH_BATCH_LOCK, 2, 7000);
    life_cycle_to(&r, 5000);
    assert_int_equal(vmware_rig_size(&r), 7000);
    vmware_rig_end(&r);
    /* Higher while it falls: it stops. */
    life_modern(&r, BATCHED, 8192);
    life_cycle_to(&r, 7000);
    change(VH_BATCH_UNLOCK, 2, 6000);
    life_cycle_to(&r, 0);
    assert_in_range(vmware_rig_size(&r), 5464, 6000);
    r.host.before = NULL;
    vmware_rig_cycle(&r);
    assert_int_equal(vmware_rig_size(&r), 6000);
    vmware_rig_end(&r);
}

/* A host that answers START with capabilities is no old one, also if they are the basic commands alone. */
static void a_target_that_moves_in_a_cycle_of_single_commands(void **state)
{
    (void)state;
    life_modern(&r, VH_CAPS_ALL, 8192);
    life_caps(&r, VH_CAP_BASIC);
    vmware_host_reset(&r.host);
    vmware_rig_cycles(&r, 2);
    assert_int_equal(vmware_rig_status(&r).caps, VH_CAP_BASIC);
    change(VH_LOCK, 10, 5);
    life_cycle_to(&r, 3000);
    assert_int_equal(vmware_rig_status(&r).wish_frames, 5);
    assert_in_range(vmware_rig_size(&r), 5, 5 + 511);
    vmware_rig_end(&r);
}

/* An old host's LOCK says nothing about the target. */
static void in_a_basic_session_GET_TARGET_alone_counts(void **state)
{
    (void)state;
    life_modern(&r, VH_CAP_BASIC, 8192);
    change(VH_LOCK, 10, 5);
    life_cycle_to(&r, 3000);
    assert_int_equal(vmware_rig_size(&r), 3000);
    assert_int_equal(vmware_rig_status(&r).wish_frames, 3000);
    vmware_rig_cycle(&r);
    assert_int_equal(vmware_rig_size(&r), 516); /* and then slack */
    vmware_rig_end(&r);
}

/* Nothing in the registers after a failure, and nothing of GUEST_ID and DOORBELL_SET ever. */
static void garbage_is_no_target(void **state)
{
    static const uint32_t failures[] = {1, 2, 8, 9, 0x03000000, 0x80000000, ~0u};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(failures); i++) {
        life_modern(&r, VH_CAPS_ALL, 8192);
        assert_int_equal(vmware_rig_status(&r).wish_frames, 0);
        life_cycle_to(&r, 1024);
        life_fault(&r, VH_GET_TARGET, 0, 1, failures[i]);
        life_cycle_to(&r, 2048);
        assert_int_equal(vmware_rig_status(&r).wish_frames, 1024);
        assert_int_equal(vmware_rig_size(&r), 1024);
        life_fault(&r, VH_BATCH_2M_LOCK, 0, 1, failures[i]);
        vmware_rig_cycle(&r);
        assert_int_equal(vmware_rig_status(&r).wish_frames, 2048);
        vmware_host_no_faults(&r.host);
        vmware_rig_end(&r);
    }
}

/* ---- slack ---- */

/* R-L-06: less than 512 too many are kept, unless the target is 0; singly, one is enough to be there. */
static void slack(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        life_modern(&r, levels[i], 8192);
        life_cycle_to(&r, 1000);
        life_cycle_to(&r, 999);
        assert_int_equal(vmware_rig_size(&r), 1000);
        life_cycle_to(&r, 489); /* 511 too many */
        assert_int_equal(vmware_rig_size(&r), 1000);
        life_cycle_to(&r, 488);
        assert_int_equal(vmware_rig_size(&r), i ? 488 : 999);
        life_cycle_to(&r, 488);
        assert_int_equal(vmware_rig_size(&r), i ? 488 : 999);
        life_cycle_to(&r, 0);
        assert_int_equal(vmware_rig_size(&r), 0);
        vmware_rig_end(&r);
    }
}

/* A host that cannot decide. */
static void flapping(void **state)
{
    static const uint64_t by[] = {1, 511, 512, 513};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(by) * ARRAY_LEN(levels); i++) {
        uint64_t step = by[i % ARRAY_LEN(by)];

        life_modern(&r, levels[i / ARRAY_LEN(by)], 8192);
        life_cycle_to(&r, 4096);
        for (unsigned k = 0; k < 20; k++)
            life_cycle_to(&r, 4096 - (k & 1 ? 0 : step));
        uint64_t moves = life_calls(&r) - r.host.calls[VH_GET_TARGET];
        for (unsigned k = 0; k < 20; k++)
            life_cycle_to(&r, 4096 - (k & 1 ? 0 : step));
        assert_int_equal(vmware_rig_size(&r), 4096);
        if (step < 512)
            assert_int_equal(life_calls(&r) - r.host.calls[VH_GET_TARGET], moves);
        vmware_rig_end(&r);
    }
}

/* ---- batches that fail as a whole ---- */

/* R-L-08. */
static void a_batch_that_fails_ends_the_cycle(void **state)
{
    static const uint32_t failures[] = {5, 8, 9, 100, 0x03000000, 0x80000000};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(failures); i++) {
        life_modern(&r, BATCHED, 8192);
        life_fault(&r, VH_BATCH_LOCK, 1, 1, failures[i]);
        life_cycle_to(&r, 2000);
        assert_int_equal(vmware_rig_size(&r), 512);
        assert_int_equal(r.host.calls[VH_BATCH_LOCK], 2);
        assert_int_equal(vmware_rig_status(&r).count.refused[0], 512);
        vmware_rig_cycle(&r);
        assert_int_equal(vmware_rig_size(&r), 2000);
        /* On the way back the pages stay. */
        life_fault(&r, VH_BATCH_UNLOCK, 1, 1, failures[i]);
        life_cycle_to(&r, 0);
        assert_in_range(vmware_rig_size(&r), 1, 1488);
        vmware_host_no_faults(&r.host);
        vmware_rig_cycle(&r);
        assert_int_equal(vmware_rig_size(&r), 0);
        vmware_rig_end(&r);
    }
}

/* ---- short of memory ---- */

static void what_cannot_be_had_is_asked_for_again(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(levels); i++) {
        life_modern(&r, levels[i], 8192);
        guest_use(&r.guest, 4096);
        life_cycle_to(&r, 8192);
        assert_int_equal(vmware_rig_size(&r), 4096);
        guest_unuse(&r.guest, 4096);
        vmware_rig_cycles(&r, 2);
        assert_int_equal(vmware_rig_size(&r), 8192);
        vmware_rig_end(&r);
    }
}

/* For hours: some polls, no work, no lines. */
static void a_target_out_of_reach_costs_little(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(levels); i++) {
        life_modern(&r, levels[i], 4096);
        r.guest.reserve = 100;
        vmware_host_target(&r.host, 1 << 20);
        vmware_rig_cycles(&r, 3);
        assert_int_equal(vmware_rig_size(&r), 3996);
        uint64_t calls = life_calls(&r), lines = life_log_lines(&r);
        unsigned steps = r.steps;
        vmware_rig_run(&r, 600 * NS_PER_S);
        assert_in_range(life_calls(&r) - calls, 5900, 6100);
        assert_in_range(r.steps - steps, 1, 14000);
        assert_true(life_log_lines(&r) - lines <= 10);
        vmware_rig_check(&r);
        vmware_rig_end(&r);
    }
}

static void caches_are_dropped_for_the_balloon(void **state)
{
    (void)state;
    life_modern(&r, BATCHED, 8192);
    r.guest.cache = guest_use(&r.guest, 6000);
    vmware_host_target(&r.host, 8000);
    vmware_rig_cycles(&r, 2);
    assert_int_equal(vmware_rig_size(&r), 8000);
    vmware_rig_end(&r);
}

static int (*run_take_of_model)(void *ctx, unsigned order, struct run_want want,
                                pfn_t *out, enum run_state *state);
static uint64_t droppings; /* calls that dropped caches */

static int count_droppings(void *ctx, unsigned order, struct run_want want, pfn_t *out,
                           enum run_state *state)
{
    uint64_t cache = r.guest.cache;
    int err = run_take_of_model(ctx, order, want, out, state);

    droppings += r.guest.cache != cache;
    return err;
}

/* An app builds a cache of a few frames again and again, and the host wants more than there is: the app
 * keeps it for a second. */
static void caches_are_dropped_once_a_second(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(levels); i++) {
        life_modern(&r, levels[i], 4096);
        guest_use(&r.guest, 1000);
        r.guest.reserve = 100;
        vmware_host_target(&r.host, 4096);
        vmware_rig_cycles(&r, 3);
        assert_int_equal(vmware_rig_size(&r), 2996);
        run_take_of_model = r.hal.hal.run_take;
        r.hal.hal.run_take = count_droppings;
        droppings = 0;
        for (unsigned k = 0; k < 100; k++) { /* 10 s */
            r.guest.cache = 1 + k % 7;
            vmware_rig_run(&r, 100 * NS_PER_MS);
        }
        assert_in_range(droppings, 9, 11 * 7); /* a frame a call */
        assert_in_range(vmware_rig_size(&r), 2996 + 9, 2996 + 11 * 7);
        vmware_rig_end(&r);
    }
}

/* ---- time ---- */

static void the_period_can_be_set(void **state)
{
    static const uint64_t periods_ms[] = {0, 20, 1000};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(periods_ms); i++) {
        uint64_t period = periods_ms[i] ? periods_ms[i] : 100;

        vmware_rig_init(&r, VH_CAPS_ALL, 4096);
        r.opts.period_ns = periods_ms[i] * NS_PER_MS;
        life_start(&r);
        uint64_t cycles = vmware_rig_status(&r).count.timer;
        vmware_rig_run(&r, 20 * NS_PER_S);
        assert_in_range(vmware_rig_status(&r).count.timer - cycles, 20000 / period - 20,
                        20000 / period + 1);
        vmware_rig_end(&r);
    }
}

static void target_0_for_ever(void **state)
{
    (void)state;
    life_modern(&r, VH_CAPS_ALL, 4096);
    uint64_t lines = life_log_lines(&r);
    vmware_rig_run(&r, 3600 * NS_PER_S);
    assert_int_equal(life_log_lines(&r), lines);
    assert_int_equal(life_calls(&r), r.host.calls[VH_GET_TARGET] + 3);
    vmware_rig_end(&r);
}

/* ---- out of memory, R-L-17 ---- */

static void memory_is_taken_back_only_where_that_is_allowed(void **state)
{
    (void)state;
    life_modern(&r, VH_CAPS_ALL, 8192);
    life_cycle_to(&r, 4096);
    vmware_host_mark(&r.host);
    assert_int_equal(vmware_balloon_oom(r.vb, 100), 0);
    assert_trace(&r, "");
    vmware_rig_end(&r);
}

static void memory_is_taken_back(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= ARRAY_LEN(levels); i++) {
        bool is_classic = i == ARRAY_LEN(levels);

        vmware_rig_init(&r, is_classic ? VH_CAP_BASIC : levels[i], 8192);
        r.opts.policy = is_classic ? VMWARE_POLICY_CLASSIC : VMWARE_POLICY_MODERN;
        r.opts.shrink = true;
        life_start(&r);
        life_cycle_to(&r, 4096);
        r.host.is_lenient = true;
        uint64_t got = vmware_balloon_oom(r.vb, 100);
        assert_in_range(got, 100, 512);
        assert_int_equal(vmware_rig_size(&r), 4096 - got);
        assert_int_equal(vmware_rig_status(&r).count.shrinks, 1);
        assert_int_equal(vmware_rig_status(&r).count.shrink_frames, got);
        vmware_rig_check(&r);
        /* Nothing goes for 5 s, though the host wants it. */
        vmware_rig_run(&r, 4900 * NS_PER_MS);
        assert_int_equal(vmware_rig_size(&r), 4096 - got);
        vmware_rig_run(&r, is_classic ? NS_PER_S + NS_PER_S / 2 : 300 * NS_PER_MS);
        assert_int_equal(vmware_rig_size(&r), 4096);
        /* Not while a reset is due. */
        vmware_host_reset(&r.host);
        life_fault(&r, VH_START, 0, VH_EVERY, VH_BUSY);
        vmware_rig_cycle(&r);
        vmware_host_mark(&r.host);
        assert_int_equal(vmware_balloon_oom(r.vb, 100), 0);
        assert_trace(&r, "");
        vmware_host_no_faults(&r.host);
        vmware_rig_end(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_cycle_is_enough),
        cmocka_unit_test(chunks_are_as_large_as_possible),
        cmocka_unit_test(a_cycle_is_cut_into_steps),
        cmocka_unit_test(a_target_that_moves_in_a_cycle),
        cmocka_unit_test(a_target_that_moves_in_a_cycle_of_single_commands),
        cmocka_unit_test(in_a_basic_session_GET_TARGET_alone_counts),
        cmocka_unit_test(garbage_is_no_target),
        cmocka_unit_test(slack),
        cmocka_unit_test(flapping),
        cmocka_unit_test(a_batch_that_fails_ends_the_cycle),
        cmocka_unit_test(what_cannot_be_had_is_asked_for_again),
        cmocka_unit_test(a_target_out_of_reach_costs_little),
        cmocka_unit_test(caches_are_dropped_for_the_balloon),
        cmocka_unit_test(caches_are_dropped_once_a_second),
        cmocka_unit_test(the_period_can_be_set),
        cmocka_unit_test(target_0_for_ever),
        cmocka_unit_test(memory_is_taken_back_only_where_that_is_allowed),
        cmocka_unit_test(memory_is_taken_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
