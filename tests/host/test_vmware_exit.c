// SPDX-License-Identifier: BSD-2-Clause
/* The end of a VMware balloon, and its sleep: orderly, in the middle of anything, on a host that fails. */
#include "base/bits.h"
#include "base/err.h"
#include "tests/host/vmware_life.h"

static struct vmware_rig r;

static enum vmware_balloon_state state_now(void)
{
    return vmware_rig_status(&r).state;
}

/* ---- exit ---- */

/* R-W-07, R-L-19, golden trace 9. */
static void the_last_words(void **state)
{
    static const char *const words[] = {
        "START 2 =0;",
        "START 2 =0;", /* as a host of protocol 2 knows it */
        "START 0 =3000000/0;",
        "START 0 =3000000/0;",
        "DOORBELL_SET ffffffff =0; START 0 =3000000/0;",
    };

    (void)state;
    for (unsigned level = 0; level < ARRAY_LEN(life_levels); level++) {
        life_start_at(&r, level, 8192);
        life_cycle_to(&r, 5120);
        vmware_host_mark(&r.host);
        vmware_rig_detach(&r);
        assert_int_equal(state_now(), VMWARE_BALLOON_DETACHING);
        vmware_rig_detach(&r); /* no effect */
        vmware_rig_run(&r, NS_PER_S);
        assert_trace(&r, words[level]);
        assert_int_equal(state_now(), VMWARE_BALLOON_OFF);
        assert_int_equal(r.host.calls[VH_UNLOCK] + r.host.calls[VH_BATCH_UNLOCK] +
                             r.host.calls[VH_BATCH_2M_UNLOCK],
                         0);
        assert_int_equal(r.guest.free, 8192);
        assert_int_equal(vmware_rig_status(&r).count.popped_frames, 5120);
        assert_int_equal(vmware_rig_status(&r).refused_frames, 0);
        vmware_rig_detach(&r); /* no effect */
        vmware_balloon_ring(r.vb);
        assert_int_equal(vmware_balloon_oom(r.vb, 100), 0);
        vmware_rig_run(&r, 10 * NS_PER_S);
        assert_trace(&r, words[level]);
        vmware_rig_end(&r);
    }
}

static void START_fails_at_the_end(void **state)
{
    static const uint32_t failures[] = {1, 7, 8, 9, 0x80000000, ~0u};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(failures) * ARRAY_LEN(life_levels); i++) {
        life_start_at(&r, i % ARRAY_LEN(life_levels), 4096);
        life_cycle_to(&r, 1024);
        life_fault(&r, VH_ANY, 0, VH_EVERY, failures[i / ARRAY_LEN(life_levels)]);
        vmware_rig_detach(&r);
        vmware_rig_run(&r, 2 * NS_PER_S);
        assert_int_equal(state_now(), VMWARE_BALLOON_OFF);
        assert_int_equal(r.guest.free, 4096);
        vmware_rig_end(&r);
    }
}

static unsigned stop_after;

static void stop_here(struct vmware_rig *rig)
{
    if (rig->steps != stop_after)
        return;
    vmware_rig_detach(rig);
    rig->host.is_over = true; /* D-O-02: nothing runs any more */
}

/* Detach after each step of a life, cycles in the middle of their work among them. */
static void detach_at_any_time(void **state)
{
    (void)state;
    for (unsigned level = 0; level < ARRAY_LEN(life_levels); level++)
        for (stop_after = 1; stop_after < 40; stop_after++) {
            life_start_at(&r, level, 4096);
            r.steps = 0;
            r.each_step = stop_here;
            r.host.pinned[3] = r.host.pinned_group[1] = true;
            vmware_host_target(&r.host, 300 + 50 * stop_after);
            vmware_rig_run(&r, 2500 * NS_PER_MS);
            vmware_host_target(&r.host, 0);
            vmware_rig_run(&r, 60 * NS_PER_S);
            assert_int_equal(state_now(), VMWARE_BALLOON_OFF);
            assert_int_equal(r.guest.free, 4096);
            vmware_rig_end(&r);
        }
}

/* While a reset is due, or START keeps failing. */
static void detach_in_a_reset(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * ARRAY_LEN(life_levels); i++) {
        life_start_at(&r, i / 2, 4096);
        life_cycle_to(&r, 1024);
        vmware_host_reset(&r.host);
        life_fault(&r, VH_START, 0, VH_EVERY, VH_BUSY);
        vmware_rig_cycles(&r, 1 + i % 2);
        vmware_host_no_faults(&r.host);
        vmware_host_mark(&r.host);
        vmware_rig_end(&r);
        assert_int_equal(r.host.trace[r.host.trace_from].cmd, VH_START);
    }
}

/* A second life of the same host. */
static void attach_again(void **state)
{
    (void)state;
    for (unsigned level = 0; level < ARRAY_LEN(life_levels); level++) {
        life_start_at(&r, level, 4096);
        for (unsigned i = 0; i < 5; i++) {
            life_cycle_to(&r, 1024);
            assert_int_equal(vmware_rig_size(&r), 1024);
            vmware_rig_detach(&r);
            vmware_rig_run(&r, NS_PER_S);
            vmware_balloon_destroy(r.vb);
            life_start(&r);
        }
        vmware_rig_end(&r);
    }
}

/* ---- sleep, R-W-09 ---- */

static void asleep_it_keeps_its_frames_and_is_silent(void **state)
{
    (void)state;
    for (unsigned level = 0; level < ARRAY_LEN(life_levels); level++) {
        life_start_at(&r, level, 4096);
        life_cycle_to(&r, 1024);
        vmware_balloon_suspend(r.vb);
        assert_int_equal(state_now(), VMWARE_BALLOON_ASLEEP);
        vmware_host_mark(&r.host);
        vmware_host_target(&r.host, 2048); /* rings where there is a bell */
        vmware_balloon_ring(r.vb);
        vmware_rig_run(&r, 1000 * NS_PER_S);
        assert_trace(&r, "");
        assert_int_equal(vmware_balloon_oom(r.vb, 100), 0);
        assert_trace(&r, "");
        assert_int_equal(vmware_rig_size(&r), 1024);
        assert_int_equal(r.guest.driver, 1024);
        uint64_t before = r.hal.now_ns;
        vmware_balloon_resume(r.vb);
        vmware_rig_cycle(&r);
        assert_true(r.hal.now_ns - before < 10 * NS_PER_MS); /* at once */
        assert_int_equal(state_now(), VMWARE_BALLOON_LIVE);
        assert_int_equal(vmware_rig_size(&r), 2048);
        assert_int_equal(r.host.calls[VH_START], 1);
        vmware_rig_end(&r);
    }
}

/* Its device was reset in the sleep: it is made anew before anything else is said. */
static void the_doorbell_is_set_again_after_a_sleep(void **state)
{
    (void)state;
    life_modern(&r, VH_CAPS_ALL, 4096);
    vmware_balloon_suspend(r.vb);
    vmware_balloon_resume(r.vb);
    vmware_host_mark(&r.host);
    vmware_rig_cycle(&r);
    assert_trace(&r, "DOORBELL_SET 1234 =0; GET_TARGET 4096 =0/0;");
    assert_int_equal(r.bells, 2);
    assert_int_equal(r.host.doorbell_resource, 1025);
    vmware_host_target(&r.host, 1024); /* rings */
    assert_int_equal(vmware_rig_status(&r).count.doorbells, 1);
    vmware_host_mark(&r.host);
    vmware_rig_cycle(&r); /* once is enough */
    assert_trace(&r, "GET_TARGET 4096 =0/1024; 2M_LOCK x2 =0;");
    vmware_rig_end(&r);
}

/* And if that fails, the host hears that there is none: it would ring the old one. The next wake tries again. */
static void a_doorbell_lost_in_a_sleep_is_unset(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        life_modern(&r, VH_CAPS_ALL, 4096);
        vmware_balloon_suspend(r.vb);
        r.bell_fails = i == 0;
        if (i == 1)
            life_fault(&r, VH_DOORBELL_SET, 0, 1, VH_BUSY);
        unsigned warnings = r.hal.log_lines[LOG_WARN];
        vmware_balloon_resume(r.vb);
        vmware_host_mark(&r.host);
        vmware_rig_cycles(&r, 3);
        assert_trace(&r, i == 0 ? "DOORBELL_SET ffffffff =0; GET_TARGET 4096 =0/0; "
                                  "GET_TARGET 4096 =0/0; GET_TARGET 4096 =0/0;"
                                : "DOORBELL_SET 1234 =8; DOORBELL_SET ffffffff =0; "
                                  "GET_TARGET 4096 =0/0; GET_TARGET 4096 =0/0; "
                                  "GET_TARGET 4096 =0/0;");
        assert_false(r.host.has_doorbell);
        assert_int_equal(r.hal.log_lines[LOG_WARN], warnings + 1);
        r.bell_fails = false;
        vmware_balloon_suspend(r.vb);
        vmware_balloon_resume(r.vb);
        vmware_rig_cycle(&r);
        assert_true(r.host.has_doorbell && vmware_rig_status(&r).has_doorbell);
        vmware_rig_end(&r);
    }
}

/* A new session knows of no bell: none is unset in it (D-L-04). */
static void the_host_forgot_the_doorbell_in_the_sleep(void **state)
{
    (void)state;
    life_modern(&r, VH_CAPS_ALL, 4096);
    vmware_balloon_suspend(r.vb);
    vmware_host_reset(&r.host);
    r.bell_fails = true;
    vmware_balloon_resume(r.vb);
    vmware_host_mark(&r.host);
    vmware_rig_cycles(&r, 2);
    assert_trace(&r, "DOORBELL_SET ffffffff =7; START 3e =3000000/3e; GUEST_ID 1 =0; "
                     "GET_TARGET 4096 =0/0;");
    vmware_rig_end(&r);
}

/* The host lost everything meanwhile: it says so, and that is all it takes. */
static void the_host_forgot_while_we_slept(void **state)
{
    (void)state;
    for (unsigned level = 0; level < ARRAY_LEN(life_levels); level++) {
        life_start_at(&r, level, 4096);
        life_cycle_to(&r, 1024);
        vmware_balloon_suspend(r.vb);
        vmware_rig_run(&r, 10 * NS_PER_S);
        vmware_host_reset(&r.host);
        vmware_balloon_resume(r.vb);
        vmware_rig_cycles(&r, 3);
        assert_int_equal(vmware_rig_status(&r).count.popped_frames, 1024);
        assert_int_equal(vmware_rig_size(&r), 1024);
        vmware_rig_end(&r);
    }
}

static void sleep_here(struct vmware_rig *rig)
{
    if (rig->steps != stop_after)
        return;
    vmware_balloon_suspend(rig->vb);
    vmware_rig_check(rig);
    model_equal(vmware_rig_status(rig).state, VMWARE_BALLOON_ASLEEP);
    model_equal(vmware_rig_status(rig).refused_frames, 0);
    vmware_host_mark(&rig->host);
}

/* In the middle of a cycle: it ends there, and every frame has a place. */
static void sleep_at_any_time(void **state)
{
    (void)state;
    for (unsigned level = 0; level < ARRAY_LEN(life_levels); level++)
        for (stop_after = 1; stop_after < 40; stop_after++) {
            life_start_at(&r, level, 4096);
            r.steps = 0;
            r.each_step = sleep_here;
            r.host.pinned[3] = r.host.pinned_group[1] = true;
            vmware_host_target(&r.host, 300 + 50 * stop_after);
            while (state_now() != VMWARE_BALLOON_ASLEEP)
                vmware_rig_run(&r, 100 * NS_PER_MS);
            vmware_rig_run(&r, 10 * NS_PER_S);
            assert_trace(&r, "");
            vmware_balloon_resume(r.vb);
            vmware_rig_reach(&r, 1024);
            if (level == 0)
                assert_int_equal(vmware_rig_size(&r), 1024);
            else
                assert_in_range(vmware_rig_size(&r), 1024, 1535);
            vmware_rig_end(&r);
        }
}

static void a_sleeper_may_be_detached(void **state)
{
    (void)state;
    for (unsigned level = 0; level < ARRAY_LEN(life_levels); level++) {
        life_start_at(&r, level, 4096);
        life_cycle_to(&r, 1024);
        vmware_balloon_suspend(r.vb);
        vmware_balloon_suspend(r.vb); /* once more is nothing */
        assert_int_equal(state_now(), VMWARE_BALLOON_ASLEEP);
        vmware_rig_detach(&r);
        vmware_rig_run(&r, NS_PER_S);
        assert_int_equal(state_now(), VMWARE_BALLOON_OFF);
        vmware_balloon_suspend(r.vb);
        vmware_balloon_resume(r.vb);
        assert_int_equal(state_now(), VMWARE_BALLOON_OFF);
        vmware_rig_end(&r);
    }
}

static void resume_without_sleep_is_nothing(void **state)
{
    (void)state;
    life_modern(&r, VH_CAPS_ALL, 4096);
    vmware_host_mark(&r.host);
    vmware_balloon_resume(r.vb);
    vmware_rig_run(&r, 10 * NS_PER_MS);
    assert_trace(&r, "");
    vmware_rig_end(&r);
}

/* Before there is a session at all. */
static void sleep_while_START_fails(void **state)
{
    (void)state;
    vmware_rig_init(&r, VH_CAPS_ALL, 4096);
    life_fault(&r, VH_START, 0, VH_EVERY, VH_BUSY);
    assert_int_equal(vmware_rig_attach(&r), 0);
    vmware_rig_run(&r, 3 * NS_PER_S);
    vmware_balloon_suspend(r.vb);
    vmware_host_mark(&r.host);
    vmware_rig_run(&r, 30 * NS_PER_S);
    assert_trace(&r, "");
    vmware_host_no_faults(&r.host);
    vmware_balloon_resume(r.vb);
    vmware_rig_reach(&r, 1024);
    assert_int_equal(vmware_rig_size(&r), 1024);
    vmware_rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_words),
        cmocka_unit_test(START_fails_at_the_end),
        cmocka_unit_test(detach_at_any_time),
        cmocka_unit_test(detach_in_a_reset),
        cmocka_unit_test(attach_again),
        cmocka_unit_test(asleep_it_keeps_its_frames_and_is_silent),
        cmocka_unit_test(the_doorbell_is_set_again_after_a_sleep),
        cmocka_unit_test(a_doorbell_lost_in_a_sleep_is_unset),
        cmocka_unit_test(the_host_forgot_the_doorbell_in_the_sleep),
        cmocka_unit_test(the_host_forgot_while_we_slept),
        cmocka_unit_test(sleep_at_any_time),
        cmocka_unit_test(a_sleeper_may_be_detached),
        cmocka_unit_test(resume_without_sleep_is_nothing),
        cmocka_unit_test(sleep_while_START_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
