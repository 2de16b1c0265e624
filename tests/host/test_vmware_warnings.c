// SPDX-License-Identifier: BSD-2-Clause
/* What a host does wrong in a session is in the log: once, in words that say what comes of it, and in the status
 * where it lasts. A host that does it again and again does not fill the log. */
#include "base/bits.h"
#include "tests/host/vmware_life.h"

static struct vmware_rig r;

#define BATCHED (VH_CAP_BASIC | VH_CAP_BATCH)
#define HUGE    (BATCHED | VH_CAP_BATCH_2M)

static unsigned warnings(void)
{
    return r.hal.log_lines[LOG_WARN];
}

static const struct {
    const char *text; /* behind the module's name */
    uint32_t offers;
    uint16_t cmd;
    uint32_t times, status;
    bool of_entries;
} cases[] = {
    {"the host does not know LOCK: nothing goes into the balloon in this session",
     VH_CAP_BASIC, VH_LOCK, VH_EVERY, VH_CMD_INVALID, false},
    {"the host does not know UNLOCK: nothing comes out of the balloon in this session",
     VH_CAP_BASIC, VH_UNLOCK, VH_EVERY, VH_CMD_INVALID, false},
    {"the host does not know batches of 4 KiB pages: a new session without them", BATCHED,
     VH_BATCH_LOCK, VH_EVERY, VH_CMD_INVALID, false},
    {"the host does not know batches of 4 KiB pages: a new session without them", BATCHED,
     VH_BATCH_UNLOCK, VH_EVERY, VH_CMD_INVALID, false},
    {"the host does not know batches of 2 MiB pages: a new session without them", HUGE,
     VH_BATCH_2M_LOCK, VH_EVERY, VH_CMD_INVALID, false},
    {"the host does not know batches of 2 MiB pages: a new session without them", HUGE,
     VH_BATCH_2M_UNLOCK, VH_EVERY, VH_CMD_INVALID, false},
    {"the host refuses the batch page: replaced", BATCHED, VH_BATCH_UNLOCK, 2,
     VH_PPN_INVALID, false},
    {"the host does not hold 17 pages of the balloon: beginning anew", VH_CAP_BASIC,
     VH_UNLOCK, 17, VH_PPN_UNLOCKED, false},
    {"no answer to 3 LOCKs in a row: beginning anew", VH_CAP_BASIC, VH_LOCK, 3,
     VH_ALL_ONES, false},
    {"the host has refused 16 pages of 4 KiB: no more in this cycle", VH_CAP_BASIC, VH_LOCK, 16,
     VH_PPN_PINNED, false},
    {"the host has refused 512 pages of 4 KiB: no more in this cycle", BATCHED, VH_BATCH_LOCK, 1,
     VH_PPN_PINNED, true},
};

/* Up and down and up, each far enough. */
static void up_and_down(void)
{
    static const uint64_t targets[] = {1536, 0, 1024, 0};

    for (unsigned i = 0; i < 4 * ARRAY_LEN(targets); i++)
        life_cycle_to(&r, targets[i / 4]);
}

static void each_is_said_once(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        life_modern(&r, cases[i].offers, 4096);
        vmware_host_fault(
            &r.host,
            (struct vh_fault){.cmd = cases[i].cmd,
                              .times = cases[i].times,
                              .status = cases[i].status,
                              .entry = cases[i].of_entries ? VH_EACH : VH_WHOLE});
        up_and_down();
        assert_true(r.host.hits > 0);
        assert_int_equal(warnings(), 1);
        assert_string_equal(r.hal.last_line + strlen("vmware-balloon: "), cases[i].text);
        vmware_rig_end(&r);
    }
}

static void frames_that_it_has_locked(void **state)
{
    (void)state;
    life_modern(&r, VH_CAP_BASIC, 4096);
    life_fault(&r, VH_LOCK, 0, 10, VH_PPN_LOCKED);
    life_cycle_to(&r, 200);
    assert_int_equal(warnings(), 1);
    assert_last_line(&r, "the host has locked a frame that is not in the balloon");
    life_fault(&r, VH_LOCK, 0, 7, VH_PPN_LOCKED);
    life_cycle_to(&r, 400);
    assert_int_equal(warnings(), 2);
    assert_last_line(&r, "the host has locked 17 frames that are not in the balloon: "
                         "beginning anew");
    vmware_rig_end(&r);
}

static void no_other_batch_page(void **state)
{
    (void)state;
    life_modern(&r, BATCHED, 4096);
    life_cycle_to(&r, 10); /* memory for the set */
    life_fault(&r, VH_BATCH_LOCK, 0, VH_EVERY, VH_PPN_INVALID);
    r.hal.fail_at = r.hal.allocs + 1;
    life_cycle_to(&r, 20);
    assert_int_equal(warnings(), 1);
    assert_string_equal(
        r.hal.last_line,
        "vmware-balloon: the host refuses the batch page: kept, there is no memory for another");
    vmware_rig_end(&r);
}

/* A session that knows no LOCK, and then another: what the status says, and when it is said again. */
static void a_command_that_is_not_known(uint16_t cmd)
{
    life_modern(&r, VH_CAP_BASIC, 4096);
    life_fault(&r, cmd, 0, 2, VH_CMD_INVALID);
    for (unsigned i = 1; i <= 2; i++) {
        life_cycle_to(&r, 1536);
        life_cycle_to(&r, 0);
        assert_int_equal(vmware_rig_status(&r).no_lock, cmd == VH_LOCK);
        assert_int_equal(vmware_rig_status(&r).no_unlock, cmd == VH_UNLOCK);
        assert_int_equal(warnings(), i);
        vmware_rig_run(&r, 60 * NS_PER_S);
        assert_int_equal(warnings(), i);
        vmware_host_reset(&r.host);
        vmware_rig_cycles(&r, 2);
    }
    assert_false(vmware_rig_status(&r).no_lock || vmware_rig_status(&r).no_unlock);
    vmware_rig_end(&r);
}

static void the_status_says_what_is_not_known(void **state)
{
    (void)state;
    a_command_that_is_not_known(VH_LOCK);
    a_command_that_is_not_known(VH_UNLOCK);
}

/* Ten sessions a second, each with the same fault: a line a minute. */
static void many_sessions_do_not_fill_the_log(void **state)
{
    (void)state;
    life_modern(&r, VH_CAP_BASIC, 4096);
    life_fault(&r, VH_LOCK, 0, VH_EVERY, VH_CMD_INVALID);
    uint64_t began_ns = r.hal.now_ns;

    while (r.hal.now_ns - began_ns < 600 * NS_PER_S) {
        life_cycle_to(&r, 1000);
        vmware_host_reset(&r.host);
        vmware_rig_cycle(&r);
    }
    assert_true(vmware_rig_status(&r).count.resets > 1000);
    assert_in_range(warnings(), 9, 11);
    vmware_rig_end(&r);
}

/* Told in one session, and 30 s later, in the next, too early to be told again. That session lasts: a minute after the
 * first time it is. */
static void what_lasts_is_told_in_the_next_session(void **state)
{
    (void)state;
    life_modern(&r, VH_CAP_BASIC, 4096);
    life_fault(&r, VH_LOCK, 0, VH_EVERY, VH_PPN_PINNED);
    life_cycle_to(&r, 200);
    assert_int_equal(warnings(), 1);
    vmware_rig_run(&r, 30 * NS_PER_S);
    vmware_host_reset(&r.host);
    vmware_rig_run(&r, 20 * NS_PER_S);
    assert_int_equal(warnings(), 1);
    vmware_rig_run(&r, 30 * NS_PER_S);
    assert_int_equal(warnings(), 2);
    vmware_rig_run(&r, 600 * NS_PER_S);
    assert_int_equal(warnings(), 2);
    vmware_rig_end(&r);
}

/* Another cause is another line, however soon. */
static void each_kind_has_its_own_time(void **state)
{
    (void)state;
    life_modern(&r, VH_CAP_BASIC, 4096);
    life_cycle_to(&r, 100);
    life_fault(&r, VH_UNLOCK, 0, 17, VH_PPN_UNLOCKED);
    life_cycle_to(&r, 0);
    assert_last_line(&r, "the host does not hold 17 pages of the balloon: beginning anew");
    vmware_rig_cycles(&r, 2);
    life_fault(&r, VH_LOCK, 0, 3, VH_ALL_ONES);
    life_cycle_to(&r, 100);
    vmware_rig_cycles(&r, 5);
    assert_last_line(&r, "no answer to 3 LOCKs in a row: beginning anew");
    assert_int_equal(warnings(), 2);
    vmware_rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_said_once),
        cmocka_unit_test(frames_that_it_has_locked),
        cmocka_unit_test(no_other_batch_page),
        cmocka_unit_test(the_status_says_what_is_not_known),
        cmocka_unit_test(many_sessions_do_not_fill_the_log),
        cmocka_unit_test(what_lasts_is_told_in_the_next_session),
        cmocka_unit_test(each_kind_has_its_own_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
