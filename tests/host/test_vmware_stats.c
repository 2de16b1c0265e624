// SPDX-License-Identifier: BSD-2-Clause
/* What the VMware balloon counts, against what its host saw and what must add up. */
#include "base/bits.h"
#include "base/err.h"
#include "tests/host/vmware_life.h"

static struct vmware_rig r;

/* R-W-31: each command that was sent, each that failed; SUCCESS_WITH_CAPABILITIES of START did not. */
static void check_commands(const struct vmware_counters *c)
{
    for (unsigned cmd = 0; cmd < VH_CMDS; cmd++) {
        assert_int_equal(c->command[cmd].total, r.host.calls[cmd]);
        assert_int_equal(c->command[cmd].failed, r.host.failed[cmd]);
    }
}

/* Pages that were taken are in the balloon, were given back, or were refused; by size. */
static void check_pages(const struct vmware_balloon_status *s, uint64_t at_once)
{
    const struct vmware_counters *c = &s->count;
    uint64_t taken = 0, freed = 0, refused = 0, refused_free = 0;

    for (unsigned size = 0; size < VMWARE_SIZES; size++) {
        uint64_t frames = size ? BLOCK_FRAMES : 1;

        taken += (c->alloc[size].total - c->alloc[size].failed) * frames;
        freed += c->freed[size] * frames;
        refused += c->refused[size] * frames;
        refused_free += c->refused_free[size] * frames;
    }
    assert_int_equal(s->refused_frames, 0);
    assert_int_equal(taken, s->size_frames + freed + refused);
    assert_int_equal(refused, refused_free + at_once);
    assert_true(c->popped_frames <= freed);
}

static void check_all(uint64_t at_once)
{
    struct vmware_balloon_status s = vmware_rig_status(&r);

    check_commands(&s.count);
    check_pages(&s, at_once);
}

static void a_quiet_life(void **state)
{
    (void)state;
    for (unsigned level = 0; level < ARRAY_LEN(life_levels); level++) {
        life_start_at(&r, level, 8192);
        check_all(0);
        for (unsigned i = 0; i < 30; i++) {
            life_cycle_to(&r, (i * 2731) % 8000);
            check_all(0);
        }
        vmware_rig_end(&r);
    }
}

/* Refusals of every kind; those that free at once are told apart (5.7, errAlloc and errFree). */
static void a_life_of_refusals(void **state)
{
    static const uint32_t statuses[] = {2, 3, 4, 5, 8, 9, 0x03000000, 0x80000000, 6, 7};

    (void)state;
    for (unsigned level = 0; level < 3; level++)
        for (unsigned i = 0; i < ARRAY_LEN(statuses); i++) {
            bool is_at_once = statuses[i] == 6 || statuses[i] == 7;
            unsigned cmd = level == 2 ? VH_BATCH_LOCK : VH_LOCK;

            life_start_at(&r, level, 8192);
            life_cycle_to(&r, 1024);
            if (level == 2 && statuses[i] < 9)
                life_entry(&r, (uint16_t)cmd, 4, 1, statuses[i]);
            else
                life_fault(&r, (uint16_t)cmd, 4, 1, statuses[i]);
            life_cycle_to(&r, 3000);
            struct vmware_counters c = vmware_rig_status(&r).count;
            uint64_t refused = c.refused[0];
            /* RESET to one entry is RESET to the batch. */
            if (r.host.hits && level < 2)
                assert_int_equal(refused, 1);
            check_all(is_at_once ? refused : 0);
            vmware_rig_cycles(&r, 3);
            check_all(is_at_once ? refused : 0);
            vmware_rig_end(&r);
        }
}

/* A group that is refused is one page refused, and one released when it is split; its frames count anew. */
static void groups_that_are_split_add_up(void **state)
{
    uint64_t splits = 0;

    (void)state;
    for (unsigned pinned = 1; pinned < 40; pinned++) {
        life_start_at(&r, 3, 16384);
        for (unsigned i = 0; i < pinned && i < 32; i++)
            r.host.pinned_group[i] = i % 3 != 0;
        for (unsigned i = 0; i < pinned; i++)
            r.host.pinned[i * 401] = true;
        for (unsigned i = 0; i < 6; i++) {
            life_cycle_to(&r, 1000 + 2000 * i);
            check_all(0);
        }
        splits += vmware_rig_status(&r).count.split_groups;
        vmware_rig_reach(&r, 0);
        check_all(0);
        vmware_rig_end(&r);
    }
    assert_true(splits > 20);
}

/* 3.8: lock N - failed = pages ever locked; size = locked - unlocked - popped - those the host lost. */
static void single_commands_add_up(void **state)
{
    (void)state;
    random_seed();
    for (unsigned level = 0; level < 2; level++) {
        life_start_at(&r, level, 4096);
        for (unsigned i = 0; i < 200; i++) {
            if (rand() % 4 == 0)
                life_fault(&r, VH_LOCK, (unsigned)rand() % 100, 1, 5);
            if (rand() % 8 == 0)
                life_fault(&r, VH_UNLOCK, (unsigned)rand() % 100, 1, 4);
            if (rand() % 8 == 0)
                vmware_host_reset(&r.host);
            life_cycle_to(&r, (uint64_t)rand() % 4000);
            vmware_host_no_faults(&r.host);
            struct vmware_balloon_status s = vmware_rig_status(&r);
            const struct vmware_tally *lock = &s.count.command[VMWARE_CMD_LOCK];
            const struct vmware_tally *unlock = &s.count.command[VMWARE_CMD_UNLOCK];
            assert_int_equal(s.size_frames, lock->total - lock->failed -
                                                (unlock->total - unlock->failed) -
                                                s.count.popped_frames -
                                                s.count.unlock_stale);
            /* primFree: by unlocking, popping, and what the host did not hold. */
            assert_int_equal(s.count.freed[0], unlock->total - unlock->failed +
                                                   s.count.popped_frames +
                                                   s.count.unlock_stale);
        }
        vmware_rig_end(&r);
    }
}

/* R-W-08: cycles, also those that could do nothing. */
static void every_cycle_is_counted(void **state)
{
    (void)state;
    for (unsigned level = 0; level < ARRAY_LEN(life_levels); level++) {
        life_start_at(&r, level, 4096);
        assert_int_equal(vmware_rig_status(&r).count.timer, 1);
        vmware_host_reset(&r.host);
        life_fault(&r, VH_START, 0, 3, VH_BUSY);
        vmware_rig_cycles(&r, 8);
        assert_int_equal(vmware_rig_status(&r).count.timer, 9);
        vmware_rig_end(&r);
    }
}

/* R-W-14: each attempt, each that failed; only classic tells the two kinds apart. */
static void allocations_are_counted(void **state)
{
    (void)state;
    for (unsigned level = 0; level < ARRAY_LEN(life_levels); level++) {
        life_start_at(&r, level, 4096);
        life_cycle_to(&r, 1024);
        struct vmware_counters c = vmware_rig_status(&r).count;
        if (life_levels[level] & VH_CAP_BATCH_2M) {
            assert_int_equal(c.alloc[1].total, 2);
            assert_int_equal(c.alloc[0].total, 0);
        } else {
            assert_int_equal(c.alloc[0].total, 1024);
            assert_int_equal(c.alloc[1].total, 0);
        }
        if (level == 0)
            assert_int_equal(c.nosleep_alloc.total, 1024);
        guest_use(&r.guest, 100);
        life_cycle_to(&r, 4096);
        c = vmware_rig_status(&r).count;
        assert_true(c.alloc[0].failed >= 1);
        if (level == 0)
            assert_int_equal(c.alloc[0].total,
                             c.nosleep_alloc.total + c.cansleep_alloc.total);
        vmware_rig_end(&r);
    }
}

/* What is shown is what is. */
static void the_status_is_true(void **state)
{
    (void)state;
    for (unsigned level = 0; level < ARRAY_LEN(life_levels); level++) {
        life_start_at(&r, level, 4096);
        life_cycle_to(&r, 1024);
        struct vmware_balloon_status s = vmware_rig_status(&r);
        assert_int_equal(s.wish_frames, 1024);
        assert_int_equal(s.target_frames, 1024);
        assert_int_equal(s.size_frames, 1024);
        assert_int_equal(s.limit_frames, 4096);
        assert_int_equal(s.policy, level ? VMWARE_POLICY_MODERN : VMWARE_POLICY_CLASSIC);
        assert_int_equal(s.wished_caps, level ? 0x3E : 0x02);
        assert_int_equal(s.caps, level ? life_levels[level] : 0x02);
        assert_int_equal(s.last_start, life_levels[level] > 2 ? VH_WITH_CAPS : 0);
        assert_int_equal(s.huge_frames, life_levels[level] & VH_CAP_BATCH_2M ? 1024 : 0);
        assert_false(s.is_moving);
        assert_false(s.is_reset_due);
        assert_true(s.set_bytes > 0);
        uint64_t page = s.caps & VH_CAP_BATCH ? FRAME_SIZE : 0;
        assert_in_range(s.all_bytes - s.set_bytes - page, 30 * KIB, 40 * KIB);
        vmware_rig_end(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quiet_life),
        cmocka_unit_test(a_life_of_refusals),
        cmocka_unit_test(groups_that_are_split_add_up),
        cmocka_unit_test(single_commands_add_up),
        cmocka_unit_test(every_cycle_is_counted),
        cmocka_unit_test(allocations_are_counted),
        cmocka_unit_test(the_status_is_true),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
