// SPDX-License-Identifier: BSD-2-Clause
/* Frames that the host does not take or does not give back, one by one, and the limits of everything:
 * frame numbers, the guest's size, its reserve, what a host may ask for. */
#include "base/bits.h"
#include "base/err.h"
#include "tests/host/vmware_life.h"

static struct vmware_rig r;

/* About the page: another one may do. */
static const uint32_t of_the_page[] = {2, 3, 4, 5};
/* Neither about the page nor one that has a meaning of its own. */
static const uint32_t plain[] = {8, 9, 100, 0x03000000, 0x03000001, 0x80000000};

static struct vmware_counters counters(void)
{
    return vmware_rig_status(&r).count;
}

/* ---- classic: R-W-18, R-W-19 ---- */

static void refuse_in_one_cycle(unsigned times, uint32_t status)
{
    life_classic(&r, 4096);
    life_fault(&r, VH_LOCK, 0, times, status);
    life_cycle_to(&r, 200);
    bool is_over = times >= 16;
    assert_int_equal(vmware_rig_size(&r), is_over ? 0 : 200);
    assert_int_equal(r.host.calls[VH_LOCK], is_over ? 16 : 200 + times);
    assert_int_equal(counters().nosleep_alloc.total, is_over ? 16 : 200 + times);
    assert_int_equal(counters().refused[0], is_over ? 16 : times);
    assert_int_equal(counters().refused_free[0], is_over ? 16 : times);
    assert_int_equal(counters().freed[0], 0);
    vmware_rig_cycles(&r, 2);
    assert_int_equal(vmware_rig_size(&r), 200);
    vmware_rig_end(&r);
}

static void sixteen_refusals_end_a_classic_cycle(void **state)
{
    static const unsigned times[] = {1, 15, 16, 17};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(times); i++) {
        for (unsigned k = 0; k < ARRAY_LEN(of_the_page); k++)
            refuse_in_one_cycle(times[i], of_the_page[k]);
        refuse_in_one_cycle(times[i], 9);
        refuse_in_one_cycle(times[i], 0x03000000);
    }
}

/* Frames that are never taken: the others are, whatever the order. */
static void pinned_frames_stay_outside(void **state)
{
    (void)state;
    life_classic(&r, 1024);
    for (unsigned i = 0; i < 1024; i += 100)
        r.host.pinned[i] = true;
    vmware_host_target(&r.host, 1000);
    vmware_rig_cycles(&r, 3);
    assert_int_equal(vmware_rig_size(&r), 1000);
    assert_int_equal(counters().refused[0], counters().refused_free[0]);
    vmware_rig_end(&r);
}

static void NOTNEEDED_frees_at_once_and_ends_the_cycle(void **state)
{
    (void)state;
    for (unsigned policy = 0; policy < 2; policy++) {
        vmware_rig_init(&r, VH_CAP_BASIC, 4096);
        r.opts.policy = policy ? VMWARE_POLICY_CLASSIC : VMWARE_POLICY_MODERN;
        life_start(&r);
        life_fault(&r, VH_LOCK, 10, 1, VH_PPN_NOTNEEDED);
        life_cycle_to(&r, 200);
        assert_int_equal(vmware_rig_size(&r), 10);
        assert_int_equal(r.host.calls[VH_LOCK], 11);
        assert_int_equal(counters().refused[0], 1);
        assert_int_equal(counters().refused_free[0], 0);
        vmware_rig_cycle(&r);
        assert_int_equal(vmware_rig_size(&r), 200);
        vmware_rig_end(&r);
    }
}

/* ---- modern, singly ---- */

static void a_page_that_is_refused_does_not_end_a_modern_cycle(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(of_the_page); i++) {
        life_modern(&r, VH_CAP_BASIC, 4096);
        life_fault(&r, VH_LOCK, 5, 15, of_the_page[i]);
        life_cycle_to(&r, 200);
        assert_int_equal(vmware_rig_size(&r), 200);
        assert_int_equal(counters().refused[0], 15);
        assert_int_equal(counters().refused_free[0], 15);
        vmware_rig_end(&r);

        life_modern(&r, VH_CAP_BASIC, 4096);
        life_fault(&r, VH_LOCK, 5, VH_EVERY, of_the_page[i]);
        life_cycle_to(&r, 200);
        assert_int_equal(vmware_rig_size(&r), 5);
        assert_int_equal(r.host.calls[VH_LOCK], 21);
        vmware_rig_end(&r);
    }
}

static void any_other_refusal_ends_it(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(plain); i++) {
        life_modern(&r, VH_CAP_BASIC, 4096);
        life_fault(&r, VH_LOCK, 5, 1, plain[i]);
        life_cycle_to(&r, 200);
        assert_int_equal(vmware_rig_size(&r), 5);
        assert_int_equal(r.host.calls[VH_LOCK], 6);
        vmware_rig_cycle(&r);
        assert_int_equal(vmware_rig_size(&r), 200);
        vmware_rig_end(&r);
    }
}

/* CMD_INVALID: the command is not used again before the next START. */
static void a_command_that_is_not_known_is_left_alone(void **state)
{
    (void)state;
    for (unsigned policy = 0; policy < 2; policy++) {
        vmware_rig_init(&r, VH_CAP_BASIC, 4096);
        r.opts.policy = policy ? VMWARE_POLICY_CLASSIC : VMWARE_POLICY_MODERN;
        life_start(&r);
        life_fault(&r, VH_LOCK, 5, VH_EVERY, VH_CMD_INVALID);
        life_cycle_to(&r, 200);
        assert_int_equal(vmware_rig_size(&r), 5);
        vmware_rig_cycles(&r, 20);
        assert_int_equal(r.host.calls[VH_LOCK], 6);
        vmware_host_no_faults(&r.host);
        vmware_rig_cycle(&r);
        assert_int_equal(r.host.calls[VH_LOCK], 6);
        vmware_host_reset(&r.host);
        vmware_rig_cycles(&r, 2);
        assert_int_equal(vmware_rig_size(&r), 200);
        vmware_rig_end(&r);
    }
}

/* The other direction goes on: what is in the balloon can come back, or more go in. */
static void the_other_command_is_still_used(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        bool is_lock = i < 2;

        vmware_rig_init(&r, VH_CAP_BASIC, 4096);
        r.opts.policy = i & 1 ? VMWARE_POLICY_CLASSIC : VMWARE_POLICY_MODERN;
        life_start(&r);
        life_cycle_to(&r, 2000);
        life_fault(&r, is_lock ? VH_LOCK : VH_UNLOCK, 0, VH_EVERY, VH_CMD_INVALID);
        life_cycle_to(&r, is_lock ? 3000 : 0);
        assert_int_equal(vmware_rig_size(&r), 2000);
        vmware_host_mark(&r.host);
        life_cycle_to(&r, is_lock ? 0 : 3000);
        vmware_rig_cycle(&r);
        assert_int_equal(vmware_rig_size(&r), is_lock ? 0 : 3000);
        assert_int_equal(vmware_rig_status(&r).is_reset_due, false);
        vmware_rig_end(&r);
    }
}

/* ---- unlock ---- */

static const uint32_t unlock_refusals[] = {1, 2,   3,          5,          6,  8,
                                           9, 100, 0x03000000, 0x80000000, ~0u};

static void a_frame_that_is_not_given_back_stays(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * ARRAY_LEN(unlock_refusals); i++) {
        vmware_rig_init(&r, VH_CAP_BASIC, 4096);
        r.opts.policy = i & 1 ? VMWARE_POLICY_CLASSIC : VMWARE_POLICY_MODERN;
        life_start(&r);
        life_cycle_to(&r, 2000);
        life_fault(&r, VH_UNLOCK, 3, 1, unlock_refusals[i / 2]);
        life_cycle_to(&r, 0);
        assert_in_range(vmware_rig_size(&r), 1, 1997); /* one of them is in it */
        assert_int_equal(vmware_rig_status(&r).is_reset_due, false);
        vmware_host_no_faults(&r.host);
        vmware_rig_cycles(&r, 2);
        if (unlock_refusals[i / 2] != VH_CMD_INVALID)
            assert_int_equal(vmware_rig_size(&r), 0);
        vmware_rig_end(&r);
    }
}

/* The host does not hold it: both sides agree again when the guest takes it as its own. */
static void a_frame_the_host_does_not_hold_is_ours(void **state)
{
    (void)state;
    for (unsigned policy = 0; policy < 2; policy++) {
        vmware_rig_init(&r, VH_CAP_BASIC, 4096);
        r.opts.policy = policy ? VMWARE_POLICY_CLASSIC : VMWARE_POLICY_MODERN;
        life_start(&r);
        life_cycle_to(&r, 2000);
        life_fault(&r, VH_UNLOCK, 3, 16, VH_PPN_UNLOCKED);
        life_cycle_to(&r, 1000);
        assert_int_equal(counters().unlock_stale, 16);
        assert_false(vmware_rig_status(&r).is_reset_due);
        vmware_rig_cycles(&r, 2);
        assert_int_equal(vmware_rig_size(&r), policy ? 1000 : 1511);
        vmware_rig_end(&r);
    }
}

static void too_many_of_these_ask_for_a_new_session(void **state)
{
    (void)state;
    life_classic(&r, 4096);
    life_cycle_to(&r, 200);
    life_fault(&r, VH_UNLOCK, 0, 17, VH_PPN_UNLOCKED);
    life_cycle_to(&r, 100);
    assert_int_equal(counters().unlock_stale, 17);
    assert_true(vmware_rig_status(&r).is_reset_due);
    vmware_host_mark(&r.host);
    vmware_rig_cycle(&r);
    assert_int_equal(r.host.trace[r.host.trace_from].cmd, VH_START);
    assert_int_equal(vmware_rig_size(&r), 100);
    vmware_rig_end(&r);
}

/* Frames that the host says it holds already: too many in a session, and it is begun anew. */
static void too_many_locked_already(void **state)
{
    (void)state;
    life_classic(&r, 4096);
    vmware_host_target(&r.host, 200);
    life_fault(&r, VH_LOCK, 0, 10, VH_PPN_LOCKED);
    vmware_rig_cycle(&r);
    assert_false(vmware_rig_status(&r).is_reset_due);
    assert_int_equal(vmware_rig_size(&r), 200);
    vmware_host_target(&r.host, 400);
    life_fault(&r, VH_LOCK, 0, 7, VH_PPN_LOCKED);
    vmware_rig_cycle(&r);
    assert_true(vmware_rig_status(&r).is_reset_due);
    vmware_host_mark(&r.host);
    vmware_rig_cycle(&r);
    assert_int_equal(r.host.trace[r.host.trace_from].cmd, VH_START);
    vmware_rig_cycle(&r);
    assert_int_equal(vmware_rig_size(&r), 400);
    vmware_rig_end(&r);
}

/* ---- limits ---- */

static uint64_t total_frames;

static void big_stats(void *ctx, struct mem_stats *out)
{
    (void)ctx;
    *out = (struct mem_stats){.total_bytes = total_frames << FRAME_SHIFT,
                              .free_bytes = r.guest.free << FRAME_SHIFT,
                              .available_bytes = r.guest.free << FRAME_SHIFT};
}

/* R-W-13, R-L-14: in 32 bits a limit that does not fit is not sent, never cut. */
static void a_limit_above_32_bits(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        uint32_t offers = i < 2 ? VH_CAP_BASIC : i < 4 ? 0x0E : 0x2E;

        vmware_rig_init(&r, offers, 4096);
        r.opts.policy = i < 2 ? VMWARE_POLICY_CLASSIC : VMWARE_POLICY_MODERN;
        r.hal.hal.mem_stats = big_stats;
        total_frames = i & 1 ? UINT64_C(0x100000001) : 0xFFFFFFFF;
        vmware_host_target(&r.host, 100);
        life_start(&r);
        vmware_rig_cycles(&r, 3);
        bool is_sent = i >= 4 || !(i & 1);
        assert_int_equal(r.host.calls[VH_GET_TARGET], is_sent ? 4 : 0);
        assert_int_equal(counters().command[VMWARE_CMD_GET_TARGET].total,
                         is_sent ? 4 : 0);
        assert_int_equal(r.host.limit, is_sent ? total_frames : 0);
        assert_int_equal(vmware_rig_size(&r) > 0, is_sent);
        assert_int_equal(r.hal.log_lines[LOG_ERROR], is_sent ? 0 : 1); /* once */
        vmware_rig_end(&r);
    }
}

/* R-W-13: the limit is read again in each cycle. */
static void the_limit_is_read_again(void **state)
{
    (void)state;
    life_classic(&r, 4096);
    assert_int_equal(r.host.limit, 4096);
    r.hal.hal.mem_stats = big_stats;
    total_frames = 5000;
    vmware_rig_cycle(&r);
    assert_int_equal(r.host.limit, 5000);
    vmware_rig_end(&r);
}

/* R-W-16: the last frames below 2^32 and the first above, in single commands. */
static void frames_above_32_bits_are_not_locked_singly(void **state)
{
    (void)state;
    for (unsigned policy = 0; policy < 2; policy++) {
        vmware_rig_init_at(&r, VH_CAP_BASIC | VH_CAP_64, UINT64_C(0x100000000) - 512,
                           2048);
        r.opts.policy = policy ? VMWARE_POLICY_CLASSIC : VMWARE_POLICY_MODERN;
        life_start(&r);
        vmware_host_target(&r.host, 1000);
        vmware_rig_cycles(&r, 5);
        assert_int_equal(vmware_rig_size(&r), 512);
        for (uint64_t i = 512; i < 2048; i++)
            assert_int_equal(r.guest.owner[i], FRAME_FREE);
        assert_int_equal(r.host.failed[VH_LOCK], 0);
        vmware_rig_end(&r);
    }
}

/* R-W-15 and the reserves: free memory only down to twice the reserve, made memory down to it. */
static void the_reserve_is_left(void **state)
{
    (void)state;
    for (unsigned policy = 0; policy < 2; policy++) {
        vmware_rig_init(&r, VH_CAP_BASIC, 4096);
        r.opts.policy = policy ? VMWARE_POLICY_CLASSIC : VMWARE_POLICY_MODERN;
        r.guest.reserve = 300;
        life_start(&r);
        vmware_host_target(&r.host, 4096);
        vmware_rig_cycle(&r);
        if (policy) { /* classic: 3496 of free memory; then the failed turn and 300 more */
            assert_int_equal(counters().nosleep_alloc.total, 3497);
            assert_int_equal(vmware_rig_size(&r), 3496);
            vmware_rig_cycle(&r);
        }

        assert_int_equal(vmware_rig_status(&r).target_frames, 3796);
        assert_int_equal(vmware_rig_size(&r), 3796);
        vmware_rig_cycles(&r, 5);
        assert_int_equal(vmware_rig_size(&r), 3796);
        vmware_rig_end(&r);
    }
}

/* What no guest can give: it gives what it can, and says so. */
static void targets_beyond_all_bounds(void **state)
{
    static const uint64_t targets[] = {4097, 0xFFFFFFFF, UINT64_C(1) << 40, UINT64_MAX};

    (void)state;
    for (unsigned i = 0; i < 2 * ARRAY_LEN(targets); i++) {
        uint64_t target = targets[i / 2];

        vmware_rig_init(&r, i & 1 ? VH_CAPS_ALL : VH_CAP_BASIC, 4096);
        r.guest.reserve = 512;
        life_start(&r);
        vmware_rig_reach(&r, target);
        struct vmware_balloon_status s = vmware_rig_status(&r);
        assert_int_equal(s.wish_frames, i & 1 ? target : (uint32_t)target);
        assert_true(s.target_frames <= 4096);
        assert_int_equal(s.size_frames, min_u64(s.wish_frames, 3584));
        vmware_rig_reach(&r, 0);
        assert_int_equal(vmware_rig_size(&r), 0);
        vmware_rig_end(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sixteen_refusals_end_a_classic_cycle),
        cmocka_unit_test(pinned_frames_stay_outside),
        cmocka_unit_test(NOTNEEDED_frees_at_once_and_ends_the_cycle),
        cmocka_unit_test(a_page_that_is_refused_does_not_end_a_modern_cycle),
        cmocka_unit_test(any_other_refusal_ends_it),
        cmocka_unit_test(a_command_that_is_not_known_is_left_alone),
        cmocka_unit_test(the_other_command_is_still_used),
        cmocka_unit_test(a_frame_that_is_not_given_back_stays),
        cmocka_unit_test(a_frame_the_host_does_not_hold_is_ours),
        cmocka_unit_test(too_many_of_these_ask_for_a_new_session),
        cmocka_unit_test(too_many_locked_already),
        cmocka_unit_test(a_limit_above_32_bits),
        cmocka_unit_test(the_limit_is_read_again),
        cmocka_unit_test(frames_above_32_bits_are_not_locked_singly),
        cmocka_unit_test(the_reserve_is_left),
        cmocka_unit_test(targets_beyond_all_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
