// SPDX-License-Identifier: BSD-2-Clause
/* Ballooned frames that move out of a block for others, R-L-16: the old one is unlocked before the new one is
 * locked, and whatever the host says to either, every frame has one owner. */
#include "base/bits.h"
#include "base/err.h"
#include "tests/host/vmware_life.h"

static struct vmware_rig r;

#define BLOCKS 8
#define FRAMES (BLOCKS * BLOCK_FRAMES)
#define HELD   200u /* of block 2 */
#define SIZE   1000u

static const uint32_t levels[] = {0, VH_CAP_BASIC, VH_CAP_BASIC | VH_CAP_BATCH};

static void use(uint64_t at, bool is_used)
{
    r.guest.free -= r.guest.owner[at] == FRAME_FREE;
    r.guest.owner[at] = is_used ? FRAME_USED : FRAME_FREE;
    r.guest.free += !is_used;
    r.guest.first_free = 0;
}

/* Of the balloon 200 frames are in block 2 and 200 in each of 3 to 6; block 1 has room for 256. */
static void begin(unsigned level)
{
    if (level == 0)
        vmware_rig_init_classic(&r, FRAMES);
    else
        vmware_rig_init(&r, levels[level], FRAMES);
    for (uint64_t at = 0; at < FRAMES; at++) {
        uint64_t block = at / BLOCK_FRAMES;

        use(at, block < 2 || block > 6 || at % BLOCK_FRAMES >= HELD);
    }
    vmware_host_target(&r.host, SIZE);
    life_start(&r);
    assert_int_equal(vmware_rig_size(&r), SIZE);
    for (uint64_t at = BLOCK_FRAMES; at < 3 * BLOCK_FRAMES; at++)
        if (r.guest.owner[at] == FRAME_USED && (at >= 2 * BLOCK_FRAMES || at % 2))
            use(at, false);
    r.host.is_lenient = true; /* it is one short again and again */
    vmware_host_mark(&r.host);
}

/* Until the moving is over, one way or the other. */
static void empty(unsigned block)
{
    assert_int_equal(vmware_balloon_empty(r.vb, guest_block(&r.guest, block)), 0);
    for (unsigned n = 0; vmware_rig_status(&r).is_emptying; n++) {
        assert_true(n < 1000);
        vmware_rig_run(&r, 10 * NS_PER_MS);
    }
    vmware_rig_check(&r);
}

static unsigned unlock_cmd(unsigned level)
{
    return level == 2 ? VH_BATCH_UNLOCK : VH_UNLOCK;
}

static unsigned lock_cmd(unsigned level)
{
    return level == 2 ? VH_BATCH_LOCK : VH_LOCK;
}

static void frames_move_out_of_a_block(void **state)
{
    (void)state;
    for (unsigned level = 0; level < ARRAY_LEN(levels); level++) {
        begin(level);
        empty(2);
        assert_int_equal(guest_held_in(&r.guest, 2), 0);
        assert_int_equal(guest_held_in(&r.guest, 1), HELD);
        assert_int_equal(vmware_rig_size(&r), SIZE);
        assert_int_equal(vmware_rig_status(&r).count.moved, HELD);
        assert_int_equal(r.host.locked_frames, SIZE);
        vmware_rig_end(&r);
    }
}

/* The other way round a host may answer NOTNEEDED. */
static void the_old_one_is_unlocked_first(void **state)
{
    uint64_t unlocked[2] = {0, 0}; /* and locked: running sums */

    (void)state;
    for (unsigned level = 0; level < ARRAY_LEN(levels); level++) {
        begin(level);
        r.host.takes_no_surplus = true;
        empty(2);
        assert_int_equal(r.host.failed[lock_cmd(level)], 0);
        unlocked[0] = unlocked[1] = 0;
        for (uint64_t i = r.host.trace_from; i < r.host.trace_count; i++) {
            const struct vh_call *c = &r.host.trace[i % VH_TRACE];
            uint64_t count = level == 2 ? c->arg2 : 1;

            unlocked[0] += c->cmd == unlock_cmd(level) ? count : 0;
            unlocked[1] += c->cmd == lock_cmd(level) ? count : 0;
            assert_true(unlocked[1] <= unlocked[0]);
        }
        assert_int_equal(unlocked[0], HELD);
        assert_int_equal(unlocked[1], HELD);
        vmware_rig_end(&r);
    }
}

/* The old one stays locked: it stays where it is, and the balloon as large as it is. */
static void the_old_one_is_refused(void **state)
{
    static const uint32_t statuses[] = {2, 5, 6, 8, 9};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(levels) * ARRAY_LEN(statuses); i++) {
        unsigned level = i % ARRAY_LEN(levels);
        uint32_t status = statuses[i / ARRAY_LEN(levels)];

        begin(level);
        if (level == 2)
            life_entry(&r, VH_BATCH_UNLOCK, 3, 1, status);
        else
            life_fault(&r, VH_UNLOCK, 3, 1, status);
        empty(2);
        assert_int_equal(vmware_rig_size(&r), SIZE);
        assert_int_equal(guest_held_in(&r.guest, 1) + guest_held_in(&r.guest, 2), HELD);
        assert_true(guest_held_in(&r.guest, 2) >= 1);
        vmware_rig_end(&r);
    }
}

/* The new one is refused: the old one is ours again all the same, and the balloon is one short for now. */
static void the_new_one_is_refused(void **state)
{
    static const uint32_t statuses[] = {2, 5, 8, 9};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(levels) * ARRAY_LEN(statuses); i++) {
        unsigned level = i % ARRAY_LEN(levels);
        uint32_t status = statuses[i / ARRAY_LEN(levels)];

        begin(level);
        if (level == 2)
            life_entry(&r, VH_BATCH_LOCK, 3, 1, status);
        else
            life_fault(&r, VH_LOCK, 3, 1, status);
        empty(2);
        assert_in_range(vmware_rig_size(&r), SIZE - 1, SIZE); /* or made up for already */
        assert_int_equal(vmware_rig_status(&r).count.refused[0], 1);
        vmware_rig_cycles(&r, 3);
        assert_int_equal(vmware_rig_size(&r), SIZE);
        vmware_rig_end(&r);
    }
}

static void RESET_in_the_middle(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * ARRAY_LEN(levels); i++) {
        unsigned level = i / 2;
        unsigned cmd = i & 1 ? lock_cmd(level) : unlock_cmd(level);

        begin(level);
        life_fault(&r, (uint16_t)cmd, level == 2 ? 0 : 7, 1, VH_RESET);
        empty(2);
        if (vmware_rig_status(&r).is_reset_due)
            assert_int_equal(vmware_balloon_empty(r.vb, guest_block(&r.guest, 3)),
                             -EBUSY);
        vmware_rig_reach(&r, SIZE);
        assert_int_equal(vmware_rig_size(&r), SIZE);
        vmware_rig_end(&r);
    }
}

/* What has left the balloon by then is the OS's, and no frame is locked in a session that is gone. */
static void RESET_in_an_entry(void **state)
{
    (void)state;
    begin(2);
    life_entry(&r, VH_BATCH_UNLOCK, 3, 1, VH_RESET);
    empty(2);
    assert_true(vmware_rig_status(&r).is_reset_due);
    assert_int_equal(vmware_rig_size(&r), SIZE - (HELD - 1));
    assert_int_equal(guest_held_in(&r.guest, 1), 0);
    assert_int_equal(r.host.calls[VH_BATCH_UNLOCK], 1);
    vmware_rig_reach(&r, SIZE);
    assert_int_equal(vmware_rig_size(&r), SIZE);
    vmware_rig_end(&r);
}

/* Before it begins, a cycle learns that LOCK is not known: single frames move no more, and with batches a new
 * session is due. */
static void LOCK_turns_out_not_to_be_known(void **state)
{
    (void)state;
    for (unsigned level = 0; level < ARRAY_LEN(levels); level++) {
        begin(level);
        life_fault(&r, (uint16_t)lock_cmd(level), 0, 1, VH_CMD_INVALID);
        vmware_host_target(&r.host, SIZE + 1);
        r.hal.now_ns += NS_PER_S; /* the cycle is due */
        empty(2);
        assert_int_equal(vmware_rig_status(&r).count.moved, 0);
        assert_int_equal(guest_held_in(&r.guest, 2), HELD);
        assert_int_equal(vmware_rig_status(&r).is_reset_due, level == 2);
        vmware_rig_end(&r);
    }
}

static void one_block_at_a_time(void **state)
{
    (void)state;
    begin(0);
    assert_int_equal(vmware_balloon_empty(r.vb, guest_block(&r.guest, 2)), 0);
    assert_int_equal(vmware_balloon_empty(r.vb, guest_block(&r.guest, 3)), -EBUSY);
    vmware_rig_run(&r, 2 * NS_PER_S);
    assert_false(vmware_rig_status(&r).is_emptying);
    assert_int_equal(vmware_balloon_empty(r.vb, guest_block(&r.guest, 3)), 0);
    vmware_rig_run(&r, 2 * NS_PER_S);
    vmware_rig_end(&r);
}

static void nothing_to_move_or_nowhere_to_go(void **state)
{
    (void)state;
    for (unsigned level = 0; level < ARRAY_LEN(levels); level++) {
        begin(level);
        empty(0); /* no frame of it is in the balloon */
        assert_int_equal(vmware_rig_status(&r).count.moved, 0);
        /* No frame in pieces of another block. */
        for (uint64_t at = 0; at < 2 * BLOCK_FRAMES; at++)
            if (r.guest.owner[at] == FRAME_FREE)
                use(at, true);
        for (uint64_t at = 2 * BLOCK_FRAMES; at < FRAMES; at++)
            if (r.guest.owner[at] == FRAME_FREE)
                use(at, true);
        empty(2);
        assert_int_equal(guest_held_in(&r.guest, 2), HELD);
        assert_int_equal(vmware_rig_size(&r), SIZE);
        assert_int_equal(vmware_rig_status(&r).count.moved, 0);
        vmware_rig_end(&r);
    }
}

/* Groups of 2 MiB do not move. */
static void groups_stay(void **state)
{
    (void)state;
    life_modern(&r, VH_CAPS_ALL, FRAMES);
    life_cycle_to(&r, 3 * BLOCK_FRAMES);
    vmware_host_mark(&r.host);
    if (vmware_balloon_empty(r.vb, guest_block(&r.guest, 1)) == 0)
        vmware_rig_run(&r, 50 * NS_PER_MS);
    assert_false(vmware_rig_status(&r).is_emptying);
    assert_trace(&r, "");
    assert_int_equal(vmware_rig_status(&r).huge_frames, 3 * BLOCK_FRAMES);
    vmware_rig_end(&r);
}

/* Sleep, the end, a smaller target: whatever comes in between. */
static void moving_is_interrupted(void **state)
{
    (void)state;
    for (unsigned level = 0; level < ARRAY_LEN(levels); level++)
        for (unsigned steps = 1; steps < 8; steps++)
            for (unsigned how = 0; how < 4; how++) {
                begin(level);
                assert_int_equal(vmware_balloon_empty(r.vb, guest_block(&r.guest, 2)), 0);
                for (unsigned i = r.steps + steps; r.steps < i;)
                    vmware_rig_run(&r, 20 * NS_PER_US);
                if (how == 0) {
                    vmware_balloon_suspend(r.vb);
                    assert_int_equal(r.guest.driver, vmware_rig_size(&r));
                    vmware_rig_run(&r, 5 * NS_PER_S);
                    vmware_balloon_resume(r.vb);
                } else if (how == 1) {
                    vmware_host_reset(&r.host);
                } else if (how == 2) {
                    vmware_host_target(&r.host, 0);
                }
                if (how < 3)
                    vmware_rig_run(&r, 5 * NS_PER_S);
                vmware_rig_end(&r);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_move_out_of_a_block),
        cmocka_unit_test(the_old_one_is_unlocked_first),
        cmocka_unit_test(the_old_one_is_refused),
        cmocka_unit_test(the_new_one_is_refused),
        cmocka_unit_test(RESET_in_the_middle),
        cmocka_unit_test(RESET_in_an_entry),
        cmocka_unit_test(LOCK_turns_out_not_to_be_known),
        cmocka_unit_test(one_block_at_a_time),
        cmocka_unit_test(nothing_to_move_or_nowhere_to_go),
        cmocka_unit_test(groups_stay),
        cmocka_unit_test(moving_is_interrupted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
