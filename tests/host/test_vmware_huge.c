// SPDX-License-Identifier: BSD-2-Clause
/* Groups of 512 frames: how many, what is done with those the host does not take, and the way back. */
#include "base/bits.h"
#include "base/err.h"
#include "tests/host/vmware_life.h"

static struct vmware_rig r;

#define HUGE (VH_CAP_BASIC | VH_CAP_BATCH | VH_CAP_BATCH_2M)

static struct vmware_counters counters(void)
{
    return vmware_rig_status(&r).count;
}

static uint64_t huge_frames(void)
{
    return vmware_rig_status(&r).huge_frames;
}

/* R-L-04: rounded up to whole groups, in as few calls as there are batches. */
static void as_many_groups_as_are_needed(void **state)
{
    static const uint64_t targets[] = {1, 511, 512, 513, 1500, 20480};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(targets); i++) {
        uint64_t frames = align_up(targets[i], BLOCK_FRAMES);

        life_modern(&r, HUGE, 32768);
        life_cycle_to(&r, targets[i]);
        assert_int_equal(vmware_rig_size(&r), frames);
        assert_int_equal(huge_frames(), frames);
        assert_int_equal(r.host.calls[VH_BATCH_2M_LOCK], 1);
        assert_int_equal(r.host.entries[VH_BATCH_2M_LOCK], frames / BLOCK_FRAMES);
        /* And there it stays: less than 512 too many. */
        vmware_rig_cycles(&r, 10);
        assert_int_equal(life_calls(&r) - r.host.calls[VH_GET_TARGET], 3);
        vmware_rig_end(&r);
    }
}

/* R-L-11: small pages first; rounded up to whole groups, so up to 511 fewer remain. */
static void the_way_back(void **state)
{
    (void)state;
    life_modern(&r, HUGE, 8192);
    /* 4 groups and 512 single frames. */
    life_cycle_to(&r, 2048);
    guest_use(&r.guest, 6144);
    for (unsigned i = 0; i < 8192; i += 2) /* no whole group is free any more */
        if (r.guest.owner[i] == FRAME_USED) {
            r.guest.owner[i] = FRAME_FREE;
            r.guest.free++;
        }
    r.guest.first_free = 0;
    life_cycle_to(&r, 2560);
    assert_int_equal(vmware_rig_size(&r), 2560);
    assert_int_equal(huge_frames(), 2048);
    vmware_host_mark(&r.host);
    life_cycle_to(&r, 1000);
    assert_trace(&r, "GET_TARGET 8192 =0/1000; B_UNLOCK x512 =0; 2M_UNLOCK x3 =0;");
    assert_int_equal(vmware_rig_size(&r), 512);
    /* No ping-pong, though 488 are missing: that is made up for, and kept. */
    vmware_rig_cycle(&r);
    assert_in_range(vmware_rig_size(&r), 1000, 1023 + 488);
    uint64_t size = vmware_rig_size(&r);
    vmware_host_mark(&r.host);
    vmware_rig_cycles(&r, 2);
    assert_trace(&r, "GET_TARGET 8192 =0/1000; GET_TARGET 8192 =0/1000;");
    assert_int_equal(vmware_rig_size(&r), size);
    vmware_rig_end(&r);
}

/* R-L-07, R-L-09, D-L-03: groups are refused, their frames are not. */
static void all_groups_are_refused(void **state)
{
    (void)state;
    life_modern(&r, HUGE, 32768);
    memset(r.host.pinned_group, true, sizeof(r.host.pinned_group));
    life_cycle_to(&r, 20480);
    assert_int_equal(vmware_rig_size(&r), 20480);
    assert_int_equal(huge_frames(), 0);
    assert_true(counters().refused[1] >= 16);
    assert_true(counters().split_groups >= 16);
    assert_int_equal(r.host.calls[VH_BATCH_2M_LOCK], 1); /* one switch a cycle */
    vmware_host_mark(&r.host);
    life_cycle_to(&r, 0);
    assert_int_equal(vmware_rig_size(&r), 0);
    assert_int_equal(r.host.calls[VH_BATCH_2M_UNLOCK], 0);
    vmware_rig_end(&r);
}

/* One bad frame in a group spoils the group, not the other 511. */
static void one_frame_of_a_group_is_pinned(void **state)
{
    (void)state;
    life_modern(&r, HUGE, 8192);
    r.host.pinned[700] = true;
    life_cycle_to(&r, 4096);
    vmware_rig_cycle(&r);
    assert_in_range(vmware_rig_size(&r), 4096, 4607);
    vmware_rig_reach(&r, 8191);
    assert_int_equal(vmware_rig_size(&r), 8191);
    assert_int_equal(huge_frames(), 8192 - 512);
    assert_false(r.host.locked[700]);
    vmware_rig_end(&r);
}

static void few_refused_groups_do_not_switch(void **state)
{
    (void)state;
    life_modern(&r, HUGE, 32768);
    for (unsigned i = 0; i < 15; i++)
        r.host.pinned_group[i] = true;
    life_cycle_to(&r, 16384);
    vmware_rig_cycles(&r, 3);
    assert_in_range(vmware_rig_size(&r), 16384, 16384 + 511);
    assert_true(huge_frames() >= 16384 - 512);
    vmware_rig_end(&r);
}

/* What is left of split groups at the end goes back, every frame of it. */
static void what_is_left_of_a_group_goes_back(void **state)
{
    (void)state;
    life_modern(&r, HUGE, 16 * 512);
    memset(r.host.pinned_group, true, sizeof(r.host.pinned_group));
    life_cycle_to(&r, 10);
    vmware_rig_cycles(&r, 2);
    assert_int_equal(vmware_rig_size(&r), 10);
    assert_int_equal(r.guest.free, 16 * 512 - 10);
    vmware_rig_end(&r);
}

static void each_status_of_a_group(void **state)
{
    (void)state;
    for (uint32_t status = 1; status < 32; status++) {
        if (status == VH_RESET)
            continue;
        for (unsigned all = 0; all < 2; all++) {
            life_modern(&r, HUGE, 16384);
            life_entry(&r, VH_BATCH_2M_LOCK, all ? VH_EACH : 3, 1, status);
            life_cycle_to(&r, 8192);
            vmware_rig_check(&r);
            if (status == VH_PPN_NOTNEEDED) {
                assert_int_equal(vmware_rig_size(&r), all ? 0 : 8192 - 512);
                assert_int_equal(counters().refused_free[1], 0);
            }
            vmware_rig_reach(&r, 8192);
            assert_in_range(vmware_rig_size(&r), 8192, 8192 + 511);
            vmware_rig_end(&r);
        }
    }
}

static void each_status_of_a_group_on_the_way_back(void **state)
{
    (void)state;
    for (uint32_t status = 1; status < 32; status++) {
        if (status == VH_RESET)
            continue;
        life_modern(&r, HUGE, 16384);
        life_cycle_to(&r, 8192);
        life_entry(&r, VH_BATCH_2M_UNLOCK, 3, 1, status);
        life_cycle_to(&r, 0);
        assert_true(vmware_rig_size(&r) == 0 || vmware_rig_size(&r) == 512);
        if (status == VH_PPN_UNLOCKED)
            assert_in_range(counters().unlock_stale, 1, 512);
        vmware_rig_cycle(&r);
        assert_int_equal(vmware_rig_size(&r), 0);
        vmware_rig_end(&r);
    }
}

/* The command as a whole. */
static void a_2M_batch_that_fails_ends_the_cycle(void **state)
{
    static const uint32_t failures[] = {5, 8, 9, 0x03000000, 0x80000000};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(failures); i++) {
        life_modern(&r, HUGE, 16384);
        life_fault(&r, VH_BATCH_2M_LOCK, 0, 1, failures[i]);
        life_cycle_to(&r, 8192);
        assert_int_equal(vmware_rig_size(&r), 0);
        assert_int_equal(r.host.calls[VH_BATCH_2M_LOCK], 1);
        assert_int_equal(r.host.calls[VH_BATCH_LOCK], 0);
        vmware_rig_cycle(&r);
        assert_int_equal(vmware_rig_size(&r), 8192);
        life_fault(&r, VH_BATCH_2M_UNLOCK, 0, 1, failures[i]);
        life_cycle_to(&r, 0);
        assert_int_equal(vmware_rig_size(&r), 8192);
        vmware_rig_cycle(&r);
        assert_int_equal(vmware_rig_size(&r), 0);
        vmware_rig_end(&r);
    }
}

/* The 2 MiB command turns out to be unknown: frames do it, at the latest after the next START. */
static void a_2M_command_that_is_not_known(void **state)
{
    (void)state;
    life_modern(&r, HUGE, 16384);
    life_fault(&r, VH_BATCH_2M_LOCK, 0, VH_EVERY, VH_CMD_INVALID);
    vmware_host_target(&r.host, 5000);
    vmware_rig_cycles(&r, 20);
    assert_in_range(r.host.calls[VH_BATCH_2M_LOCK], 1, 2);
    vmware_host_reset(&r.host);
    vmware_rig_cycles(&r, 3);
    assert_int_equal(vmware_rig_size(&r), 5000);
    assert_in_range(r.host.calls[VH_BATCH_2M_LOCK], 1, 2);
    vmware_rig_end(&r);
}

/* R-L-07: no whole group is to be had; frames are. */
static void memory_in_pieces(void **state)
{
    (void)state;
    life_modern(&r, HUGE, 16384);
    guest_use(&r.guest, 16384);
    for (unsigned i = 0; i < 16384; i++)
        if (i % 512) { /* one frame of each group is in use */
            r.guest.owner[i] = FRAME_FREE;
            r.guest.free++;
        }
    r.guest.first_free = 0;
    life_cycle_to(&r, 10000);
    assert_int_equal(vmware_rig_size(&r), 10000);
    assert_int_equal(huge_frames(), 0);
    assert_int_equal(r.host.calls[VH_BATCH_2M_LOCK], 0);
    assert_int_equal(r.host.calls[VH_BATCH_LOCK], 20);
    /* Groups are used again as soon as there are some. */
    guest_unuse(&r.guest, 16384);
    life_cycle_to(&r, 0);
    life_cycle_to(&r, 10000);
    assert_int_equal(huge_frames(), 12 * 512); /* those that never went */
    vmware_rig_end(&r);
}

static uint64_t held_from(uint64_t at, uint64_t past)
{
    uint64_t held = 0;

    for (; at < past; at++)
        held += r.guest.owner[at] == FRAME_DRIVER;
    return held;
}

/* 8 blocks that were used, of which each keeps one frame, 4 that are free again, and 20 never used. */
static void begin_mixed(void)
{
    life_modern(&r, HUGE, 32 * 512);
    guest_use(&r.guest, 12 * 512);
    for (unsigned i = 0; i < 12 * 512; i++)
        if (i % 512 || i >= 8 * 512) {
            r.guest.owner[i] = FRAME_FREE;
            r.guest.free++;
        }
    r.guest.first_free = 0;
}

/* R-X-02, R-X-03: what the host has no backing for gives it nothing, in whatever size it comes. */
static void touched_frames_go_before_untouched_groups(void **state)
{
    const uint64_t pieces = 8 * 511, whole = 4 * 512;

    (void)state;
    begin_mixed();
    life_cycle_to(&r, whole);
    assert_int_equal(huge_frames(), whole);
    assert_int_equal(held_from(8 * 512, 12 * 512), whole);
    life_cycle_to(&r, whole + pieces);
    assert_int_equal(vmware_rig_size(&r), whole + pieces);
    assert_int_equal(held_from(0, 8 * 512), pieces);
    life_cycle_to(&r, whole + pieces + 1024);
    assert_int_equal(huge_frames(), whole + 1024);
    vmware_rig_end(&r);
}

/* Frames in pieces that the host never takes do not keep it from the rest. */
static void pinned_pieces_do_not_hold_up_groups(void **state)
{
    (void)state;
    begin_mixed();
    for (unsigned i = 0; i < 8 * 512; i++)
        r.host.pinned[i] = true;
    life_cycle_to(&r, 8192);
    assert_int_equal(vmware_rig_size(&r), 8192);
    assert_int_equal(huge_frames(), 8192);
    vmware_rig_end(&r);
}

/* Whole blocks, of either kind: one command for each kind and GiB. */
static void two_kinds_of_groups_are_two_commands(void **state)
{
    (void)state;
    life_modern(&r, HUGE, 16384);
    guest_use(&r.guest, 8192);
    guest_unuse(&r.guest, 8192);
    vmware_host_mark(&r.host);
    life_cycle_to(&r, 15360);
    assert_trace(&r, "GET_TARGET 16384 =0/15360; 2M_LOCK x16 =0; 2M_LOCK x14 =0;");
    vmware_rig_end(&r);
}

/* The last bit comes as frames when no group fits above the reserve. */
static void the_reserve_cuts_a_group(void **state)
{
    (void)state;
    life_modern(&r, HUGE, 8192);
    r.guest.reserve = 700;
    vmware_host_target(&r.host, 8192);
    vmware_rig_cycles(&r, 2);
    assert_int_equal(vmware_rig_size(&r), 8192 - 700);
    assert_int_equal(huge_frames(), 14 * 512);
    vmware_rig_end(&r);
}

/* Both sizes in one balloon: popping counts frames, D-O-01. */
static void a_reset_with_both_sizes(void **state)
{
    (void)state;
    life_modern(&r, HUGE, 8192);
    r.guest.reserve = 700;
    vmware_host_target(&r.host, 8192);
    vmware_rig_cycles(&r, 2);
    uint64_t size = vmware_rig_size(&r);
    vmware_host_target(&r.host, 0);
    vmware_host_reset(&r.host);
    vmware_rig_cycle(&r);
    vmware_rig_cycle(&r);
    assert_int_equal(vmware_rig_size(&r), 0);
    assert_int_equal(r.guest.free, 8192);
    assert_int_equal(counters().popped_frames, size);
    vmware_rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_groups_as_are_needed),
        cmocka_unit_test(the_way_back),
        cmocka_unit_test(all_groups_are_refused),
        cmocka_unit_test(one_frame_of_a_group_is_pinned),
        cmocka_unit_test(few_refused_groups_do_not_switch),
        cmocka_unit_test(what_is_left_of_a_group_goes_back),
        cmocka_unit_test(each_status_of_a_group),
        cmocka_unit_test(each_status_of_a_group_on_the_way_back),
        cmocka_unit_test(a_2M_batch_that_fails_ends_the_cycle),
        cmocka_unit_test(a_2M_command_that_is_not_known),
        cmocka_unit_test(memory_in_pieces),
        cmocka_unit_test(touched_frames_go_before_untouched_groups),
        cmocka_unit_test(pinned_pieces_do_not_hold_up_groups),
        cmocka_unit_test(two_kinds_of_groups_are_two_commands),
        cmocka_unit_test(the_reserve_cuts_a_group),
        cmocka_unit_test(a_reset_with_both_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
