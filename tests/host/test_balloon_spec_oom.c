// SPDX-License-Identifier: BSD-2-Clause
/* The balloon's out-of-memory path by its rules alone (R-V-41..43, R-X-06, R-X-07), like its neighbour
 * test_balloon_spec: any size, slow and silent hosts, a guest that is stopped meanwhile. */
#include "tests/model/balloon_host.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define OOM BIT64(VIRTIO_BALLOON_F_DEFLATE_ON_OOM)

static struct balloon_rig r;

static void start(void)
{
    balloon_rig_init(&r, BALLOON_FEATURES | OOM, 8192);
    assert_int_equal(balloon_rig_attach(&r), 0);
    balloon_rig_settle(&r);
}

static void go_to(uint32_t pages)
{
    balloon_rig_target(&r, pages);
    balloon_rig_settle(&r);
    balloon_rig_check(&r);
    assert_int_equal(r.host.actual, pages);
}

static enum virtio_balloon_state state_now(void)
{
    return balloon_rig_status(&r).state;
}

static void oom_takes_any_number(void **state)
{
    static const uint64_t wanted[] = {UINT64_MAX, UINT64_MAX - 100, UINT64_MAX / 2,
                                      UINT32_MAX, (UINT64_C(1) << 32) + 1};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(wanted); i++) {
        start();
        go_to(3000);
        assert_int_equal(virtio_balloon_oom(r.vb, wanted[i]), 3000);
        assert_int_equal(r.host.actual, 0);
        balloon_rig_check(&r);
        assert_int_equal(virtio_balloon_oom(r.vb, 1), 0); /* nothing left */
        balloon_rig_end(&r);
    }
}

/* Waiting moves the model's clock; the host answers 400 ms after it was asked. */
static void (*hal_relax)(void *ctx);
static uint64_t asked_ns;

static void relax_and_answer(void *ctx)
{
    hal_relax(ctx);
    if (r.v.hal.now_ns - asked_ns < 400 * NS_PER_MS)
        return;
    balloon_rig_answer(&r);
    asked_ns = r.v.hal.now_ns; /* the next request follows at once */
}

static void oom_with_a_slow_host_takes_what_came_in_five_seconds(void **state)
{
    (void)state;
    for (unsigned in_doorbell = 0; in_doorbell < 2; in_doorbell++) {
        start();
        go_to(8000);
        r.host.is_slow = !in_doorbell;
        r.host.request_ns = in_doorbell ? 400 * NS_PER_MS : 0;
        hal_relax = r.v.hal.hal.relax;
        r.v.hal.hal.relax = relax_and_answer;
        asked_ns = r.v.hal.now_ns;
        uint64_t begin = r.v.hal.now_ns, free = r.guest.free;
        uint64_t got = virtio_balloon_oom(r.vb, 8000);
        /* The last request is a block, in two elements of 400 ms. */
        assert_true(r.v.hal.now_ns - begin <= 6000 * NS_PER_MS);
        assert_true(got >= 5 * 256 && got <= 14 * 256);
        assert_int_equal(r.guest.free, free + got);
        assert_int_equal(balloon_rig_status(&r).silences, 0);
        r.v.hal.hal.relax = hal_relax;
        r.host.is_slow = false;
        balloon_rig_answer(&r);
        balloon_rig_run(&r, 10 * NS_PER_MS);
        assert_int_equal(state_now(), VIRTIO_BALLOON_LIVE);
        balloon_rig_check(&r);
        balloon_rig_end(&r);
    }
}

static unsigned stops_left;

static void relax_through_a_stop(void *ctx)
{
    hal_relax(ctx);
    if (!stops_left)
        balloon_rig_answer(&r);
    else if (stops_left--)
        r.v.hal.now_ns += 60 * NS_PER_S; /* stop ... cont */
}

static void oom_forgives_the_host_that_the_guest_was_stopped(void **state)
{
    (void)state;
    start();
    go_to(1000);
    r.host.is_slow = true;
    hal_relax = r.v.hal.hal.relax;
    r.v.hal.hal.relax = relax_through_a_stop;
    stops_left = 2;
    assert_int_equal(virtio_balloon_oom(r.vb, 256), 256);
    r.v.hal.hal.relax = hal_relax;
    r.host.is_slow = false;
    assert_int_equal(balloon_rig_status(&r).broken, 0);
    balloon_rig_end(&r);
}

static void oom_while_the_host_sits_on_an_inflate_returns_no_frame_of_it(void **state)
{
    (void)state;
    start();
    r.host.is_slow = true;
    balloon_rig_target(&r, 256);
    balloon_rig_run(&r, NS_PER_MS);
    assert_true(r.host.kept_count[0]);
    uint64_t before = r.v.hal.now_ns;
    virtio_balloon_oom(r.vb, 1);
    assert_true(r.v.hal.now_ns - before <= 5100 * NS_PER_MS);
    balloon_rig_check(&r); /* the model guest complains of a frame given back too early */
    r.host.is_slow = false;
    balloon_rig_answer(&r);
    balloon_rig_run(&r, 80 * NS_PER_S);
    balloon_rig_end(&r);
}

static void oom_while_a_deflate_is_open_gets_its_frames(void **state)
{
    (void)state;
    start();
    go_to(2000);
    r.host.is_slow = true;
    balloon_rig_target(&r, 0);
    balloon_rig_run(&r, NS_PER_MS);
    assert_true(r.host.kept_count[1]);
    r.host.is_slow = false;
    balloon_rig_answer(&r); /* used, but the task has not looked yet */
    uint64_t free = r.guest.free;
    uint64_t got = virtio_balloon_oom(r.vb, 256);
    assert_true(got >= 256);
    assert_int_equal(r.guest.free, free + got);
    balloon_rig_settle(&r);
    assert_int_equal(r.host.actual, 0);
    balloon_rig_end(&r);
}

static void pauses_after_oom_double_and_a_lower_target_is_met_in_them(void **state)
{
    uint64_t pause = 5;

    (void)state;
    start();
    go_to(4000);
    for (unsigned i = 0; i < 5; i++, pause = pause * 2 < 60 ? pause * 2 : 60) {
        assert_true(virtio_balloon_oom(r.vb, 1) >= 1);
        assert_int_equal(r.host.actual, 4000 - 256);
        balloon_rig_run(&r, (pause - 1) * NS_PER_S);
        assert_int_equal(r.host.actual, 4000 - 256);
        balloon_rig_run(&r, 2 * NS_PER_S);
        assert_int_equal(r.host.actual, 4000);
    }
    virtio_balloon_oom(r.vb, 1);
    balloon_rig_target(&r, 100);
    balloon_rig_run(&r, 100 * NS_PER_MS);
    assert_int_equal(r.host.actual, 100);
    balloon_rig_end(&r);
}

static void oom_right_behind_an_answered_inflate_gets_its_frames(void **state)
{
    (void)state;
    start();
    r.host.is_slow = true;
    balloon_rig_target(&r, 256);
    balloon_rig_run(&r, NS_PER_MS);
    assert_true(r.host.kept_count[0]);
    r.host.is_slow = false;
    balloon_rig_answer(
        &r); /* used, but the task has not looked yet: nothing else is held */
    assert_int_equal(virtio_balloon_oom(r.vb, 1), 256);
    assert_int_equal(r.guest.driver, 0);
    balloon_rig_run(&r, 10 * NS_PER_MS);
    balloon_rig_check(&r);
    balloon_rig_end(&r);
}

static void oom_calls_in_a_row_wait_for_a_silent_host_once(void **state)
{
    (void)state;
    start();
    go_to(1000);
    r.v.model.lies.silent = true;
    uint64_t begin = r.v.hal.now_ns;
    for (unsigned i = 0; i < 10;
         i++) /* nobody steps in between; the reset brings all at once */
        assert_int_equal(virtio_balloon_oom(r.vb, 256), i ? 0 : 1000);
    assert_true(r.v.hal.now_ns - begin <= 5100 * NS_PER_MS);
    assert_int_equal(balloon_rig_status(&r).silences, 1);
    r.v.model.lies.silent = false;
    balloon_rig_run(&r, 70 * NS_PER_S);
    balloon_rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oom_takes_any_number),
        cmocka_unit_test(oom_with_a_slow_host_takes_what_came_in_five_seconds),
        cmocka_unit_test(oom_forgives_the_host_that_the_guest_was_stopped),
        cmocka_unit_test(oom_while_the_host_sits_on_an_inflate_returns_no_frame_of_it),
        cmocka_unit_test(oom_while_a_deflate_is_open_gets_its_frames),
        cmocka_unit_test(pauses_after_oom_double_and_a_lower_target_is_met_in_them),
        cmocka_unit_test(oom_right_behind_an_answered_inflate_gets_its_frames),
        cmocka_unit_test(oom_calls_in_a_row_wait_for_a_silent_host_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
