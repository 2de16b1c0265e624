// SPDX-License-Identifier: BSD-2-Clause
/* A device that takes its time for a reset: it holds nobody up, neither the task nor a call for memory, and the resets of
 * one start have one deadline (R-T-02, R-H-12). */
#include "tests/model/balloon_host.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct balloon_rig r;

static void start(void)
{
    balloon_rig_init(&r, BALLOON_FEATURES, 8192);
    assert_int_equal(balloon_rig_attach(&r), 0);
    balloon_rig_settle(&r);
}

/* A new start of a device whose every reset takes so long. */
static void restart_slowly(unsigned reset_ms)
{
    r.v.model.lies.reset_polls = reset_ms;
    r.v.hal.relax_ns = NS_PER_MS;
    virtio_model_need_reset(&r.v.model);
    r.longest_step_ns = 0;
    balloon_rig_run(&r, 10 * NS_PER_S);
}

/* Its offer names queues that it does not have, and it insists on bit 33: four attempts at each start, and three
 * resets between them, which are waited for. */
static void slow_resets_of_one_start_have_one_deadline(void **state)
{
    (void)state;
    for (unsigned reset_ms = 300; reset_ms <= 600; reset_ms += 300) {
        balloon_rig_init(&r, BALLOON_FEATURES | BIT64(VIRTIO_F_ACCESS_PLATFORM), 8192);
        r.v.model.insists = BIT64(VIRTIO_F_ACCESS_PLATFORM);
        assert_int_equal(balloon_rig_attach(&r), 0);
        for (unsigned i = 2; i < VIRTIO_MODEL_QUEUES; i++)
            r.v.model.queues[i].max = 0;
        restart_slowly(reset_ms);
        assert_in_range(r.longest_step_ns, 900 * NS_PER_MS, 1002 * NS_PER_MS);
        if (reset_ms == 300)
            balloon_rig_end(&r);
    }
    assert_int_equal(balloon_rig_status(&r).state, VIRTIO_BALLOON_DEAD);
    virtio_balloon_destroy(r.vb);
    r.vb = NULL;
    rig_end(&r.v);
}

static void the_reset_of_a_failed_start_holds_nobody_up(void **state)
{
    (void)state;
    start();
    r.v.model.lies.ok_needs_reset = true;
    restart_slowly(600);
    assert_true(balloon_rig_status(&r).restart_failures > 0);
    assert_true(r.longest_step_ns < 2 * NS_PER_MS);
    balloon_rig_end(&r);
}

static void a_slow_reset_is_waited_for_in_steps(void **state)
{
    (void)state;
    start();
    balloon_rig_target(&r, 300);
    balloon_rig_settle(&r);
    r.v.model.lies.reset_polls = 20;
    virtio_model_need_reset(&r.v.model);
    balloon_rig_run(&r, 5 * NS_PER_MS);
    assert_int_equal(balloon_rig_status(&r).state, VIRTIO_BALLOON_RESETTING);
    balloon_rig_run(&r, 2 * NS_PER_S);
    assert_int_equal(r.host.actual, 300);
    r.v.model.lies.reset_polls = 0;
    balloon_rig_end(&r);
}

static void an_oom_call_does_not_wait_for_a_reset_that_brings_nothing(void **state)
{
    (void)state;
    start();
    r.v.model.lies.ok_needs_reset = true;
    r.v.model.lies.reset_polls = 600;
    virtio_model_need_reset(&r.v.model);
    while (balloon_rig_status(&r).restart_failures == 0)
        balloon_rig_run(&r, NS_PER_MS);
    assert_int_equal(balloon_rig_status(&r).state, VIRTIO_BALLOON_RESETTING);
    uint64_t before = r.v.hal.now_ns;
    assert_int_equal(virtio_balloon_oom(r.vb, 512), 0);
    assert_true(r.v.hal.now_ns - before < NS_PER_MS);
    balloon_rig_end(&r);
}

/* A device that takes its time for the reset before a new start does not hold up the other tasks. */
static void a_slow_reset_before_a_start_holds_nobody_up(void **state)
{
    (void)state;
    start();
    virtio_model_need_reset(&r.v.model);
    balloon_rig_run(&r, 20 * NS_PER_MS);
    assert_int_equal(balloon_rig_status(&r).state, VIRTIO_BALLOON_RESTING);
    r.v.model.lies.reset_polls = 100;
    r.v.hal.now_ns += NS_PER_S;
    uint64_t before = r.v.hal.now_ns;
    virtio_balloon_step(r.vb);
    assert_true(r.v.hal.now_ns - before < NS_PER_MS);
    assert_int_equal(balloon_rig_status(&r).state, VIRTIO_BALLOON_RESTING);
    balloon_rig_run(&r, NS_PER_S);
    assert_int_equal(balloon_rig_status(&r).state, VIRTIO_BALLOON_LIVE);
    balloon_rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_reset_is_waited_for_in_steps),
        cmocka_unit_test(slow_resets_of_one_start_have_one_deadline),
        cmocka_unit_test(the_reset_of_a_failed_start_holds_nobody_up),
        cmocka_unit_test(an_oom_call_does_not_wait_for_a_reset_that_brings_nothing),
        cmocka_unit_test(a_slow_reset_before_a_start_holds_nobody_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
