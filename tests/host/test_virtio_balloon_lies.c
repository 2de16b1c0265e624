// SPDX-License-Identifier: BSD-2-Clause
/* The virtio balloon against a host that lies, breaks, or falls silent: reset, every frame back with one
 * owner, a bounded number of new starts, never a crash or a hang (R-H-06, R-H-10, R-T-07). */
#include "base/err.h"
#include "tests/model/balloon_host.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct balloon_rig r;
static uint64_t late_ns; /* when answer_late() answers */

static void start(uint64_t extra_features)
{
    balloon_rig_init(&r, BALLOON_FEATURES | extra_features, 8192);
    assert_int_equal(balloon_rig_attach(&r), 0);
    balloon_rig_settle(&r);
}

static void silence_is_logged_then_ends_in_a_reset(void **state)
{
    (void)state;
    start(0);
    r.v.model.lies.silent = true;
    unsigned warnings = r.v.hal.log_lines[LOG_WARN];
    balloon_rig_target(&r, 1000);
    balloon_rig_run(&r, 900 * NS_PER_MS);
    assert_int_equal(r.v.hal.log_lines[LOG_WARN], warnings);
    balloon_rig_run(&r, 700 * NS_PER_MS);
    assert_int_equal(r.v.hal.log_lines[LOG_WARN], warnings + 1);
    assert_int_equal(balloon_rig_status(&r).state, VIRTIO_BALLOON_LIVE);
    assert_int_equal(r.guest.driver, 512); /* quarantined until the reset */
    balloon_rig_run(&r, 4 * NS_PER_S);
    assert_int_equal(balloon_rig_status(&r).silences, 1);
    balloon_rig_check(&r);
    /* It comes back to its senses: all is well after the next start. */
    r.v.model.lies.silent = false;
    balloon_rig_run(&r, 10 * NS_PER_S);
    assert_int_equal(r.host.actual, 1000);
    balloon_rig_end(&r);
}

static void a_stopped_guest_does_not_take_its_sleep_for_silence(void **state)
{
    (void)state;
    start(0);
    r.host.is_slow = true;
    balloon_rig_target(&r, 100);
    balloon_rig_run(&r, 300 * NS_PER_MS);
    r.v.hal.now_ns += 60 * NS_PER_S; /* stop ... cont */
    balloon_rig_run(&r, 300 * NS_PER_MS);
    assert_int_equal(balloon_rig_status(&r).silences, 0);
    balloon_rig_answer(&r);
    balloon_rig_settle(&r);
    assert_int_equal(r.host.actual, 100);
    balloon_rig_end(&r);
}

static void endless_silence_costs_three_starts_a_minute(void **state)
{
    (void)state;
    start(0);
    r.v.model.lies.silent = true;
    balloon_rig_target(&r, 1000);
    unsigned resets = r.v.model.resets;
    balloon_rig_run(&r, 600 * NS_PER_S);
    /* Each life has a reset of its own at the start and one at the end. */
    assert_true(r.v.model.resets - resets <= 2 * 3 * 11);
    assert_true(balloon_rig_status(&r).silences >= 20);
    r.v.model.lies.silent = false;
    balloon_rig_run(&r, 120 * NS_PER_S);
    assert_int_equal(r.host.actual, 1000);
    balloon_rig_end(&r);
}

static void a_device_that_asks_for_a_reset_gets_it(void **state)
{
    (void)state;
    start(0);
    balloon_rig_target(&r, 3000);
    balloon_rig_settle(&r);
    virtio_model_need_reset(&r.v.model);
    balloon_rig_run(&r, 50 * NS_PER_MS);
    assert_int_equal(balloon_rig_status(&r).state, VIRTIO_BALLOON_RESTING);
    assert_int_equal(r.guest.driver, 0);
    balloon_rig_run(&r, NS_PER_S);
    assert_int_equal(r.host.actual, 3000);
    assert_int_equal(balloon_rig_status(&r).broken, 1);
    balloon_rig_end(&r);
}

static void a_reset_behind_our_back_is_noticed(void **state)
{
    (void)state;
    start(0);
    balloon_rig_target(&r, 3000);
    balloon_rig_settle(&r);
    virtio_model_status_write(&r.v.model, 0);
    balloon_rig_run(&r, 5 * NS_PER_S);
    assert_int_equal(r.host.actual, 3000);
    assert_int_equal(balloon_rig_status(&r).broken, 1);
    balloon_rig_end(&r);
}

static void a_dead_device_keeps_what_it_was_last_told(void **state)
{
    (void)state;
    start(0);
    balloon_rig_target(&r, 1000);
    balloon_rig_settle(&r);
    r.v.model.lies.silent = true;
    balloon_rig_target(&r, 1256);
    balloon_rig_run(&r, NS_PER_MS);
    r.v.model.lies.reset_hangs = true;
    balloon_rig_run(&r, 20 * NS_PER_S);
    assert_int_equal(balloon_rig_status(&r).state, VIRTIO_BALLOON_DEAD);
    assert_int_equal(balloon_rig_status(&r).quarantined_frames, 256);
    assert_int_equal(r.guest.driver, 256); /* the others are back, R-V-47 */
    assert_int_equal(virtio_balloon_oom(r.vb, 1), 0);
    /* Idle for good. */
    unsigned steps = r.steps;
    balloon_rig_run(&r, 100 * NS_PER_S);
    assert_true(r.steps - steps <= 1);
    virtio_balloon_destroy(r.vb);
    r.vb = NULL;
    r.v.model.lies.reset_hangs = false;
    assert_int_equal(r.v.hal.mem_live, 0);
    assert_true(rig_end(&r.v) > 0); /* its rings and the shared frame stay with it */
}

/* ---- lies in the rings ---- */

static const char *lie_names[] = {"id out of range", "id not posted", "index jump",
                                  "used twice"};

static void tell_lie(unsigned lie)
{
    struct virtio_model *m = &r.v.model;

    switch (lie) {
    case 0:
        virtio_model_push(m, 0, 4000, 0);
        break;
    case 1:
        virtio_model_push(m, 0, 9, 0);
        break;
    case 2:
        virtio_model_jump(m, 0, 77);
        break;
    default:
        virtio_model_push(m, 0, r.host.kept[0][0].head, 0);
        virtio_model_push(m, 0, r.host.kept[0][0].head, 0);
        break;
    }
}

static void ring_lies_end_in_a_reset_with_all_frames_back(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * ARRAY_LEN(lie_names); i++) {
        unsigned lie = i / 2;

        if (lie == 3 && i % 2) /* the next request goes over the second completion */
            continue;
        print_message("%s, %s\n", lie_names[lie], i % 2 ? "packed" : "split");
        start(i % 2 ? BIT64(VIRTIO_F_RING_PACKED) : 0);
        r.host.is_slow = true;
        balloon_rig_target(&r, 2000);
        balloon_rig_run(&r, NS_PER_MS);
        tell_lie(lie);
        balloon_rig_run(&r, 50 * NS_PER_MS);
        r.host.is_slow = false;
        balloon_rig_run(&r, 10 * NS_PER_S);
        assert_true(balloon_rig_status(&r).broken >= 1);
        assert_true(balloon_rig_status(&r).ring_errors >= 1);
        assert_int_equal(r.host.actual, 2000);
        balloon_rig_end(&r);
    }
}

static void lies_in_the_statistics_queue_too(void **state)
{
    (void)state;
    start(0);
    virtio_model_push(&r.v.model, 2, 77, 0);
    r.v.model.isr |= 1;
    balloon_rig_run(&r, 5 * NS_PER_S);
    assert_int_equal(balloon_rig_status(&r).broken, 1);
    balloon_rig_end(&r);
}

static void wild_used_lengths_are_ignored(void **state)
{
    (void)state;
    start(0);
    r.host.is_slow = true;
    balloon_rig_target(&r, 256);
    balloon_rig_run(&r, NS_PER_MS);
    r.host.kept_count[0] = 0;
    for (unsigned i = 0; i < 256; i++) {
        r.guest.host_has[i] = true;
        r.guest.told++;
    }
    virtio_model_push(&r.v.model, 0, r.host.kept[0][0].head, UINT32_MAX);
    r.host.is_slow = false;
    balloon_rig_settle(&r);
    assert_int_equal(r.host.actual, 256);
    balloon_rig_end(&r);
}

static void a_target_that_never_stands_still_starves_nobody(void **state)
{
    (void)state;
    start(0);
    for (unsigned i = 0; i < 2000; i++) {
        balloon_rig_target(&r, (uint32_t)((i * 7919) % 8000));
        unsigned steps = r.steps;
        balloon_rig_run(&r, 100 * NS_PER_US);
        assert_true(r.steps - steps < 50);
    }
    balloon_rig_target(&r, 123);
    balloon_rig_settle(&r);
    assert_int_equal(r.host.actual, 123);
    balloon_rig_end(&r);
}

static void one_step_is_bounded_whatever_the_target(void **state)
{
    (void)state;
    start(0);
    r.host.request_ns = NS_PER_MS;
    balloon_rig_target(&r, 8000);
    r.v.hal.wakes = 1;
    assert_true(virtio_balloon_isr(r.vb));
    uint64_t before = r.v.hal.now_ns;
    virtio_balloon_step(r.vb);
    assert_true(r.v.hal.now_ns - before <= 3 * NS_PER_MS);
    assert_true(r.v.hal.wakes > 1); /* it asked to go on */
    balloon_rig_settle(&r);
    balloon_rig_end(&r);
}

static void oom_without_an_answer_is_bounded(void **state)
{
    (void)state;
    start(BIT64(VIRTIO_BALLOON_F_DEFLATE_ON_OOM));
    balloon_rig_target(&r, 3000);
    balloon_rig_settle(&r);
    r.v.model.lies.silent = true;
    uint64_t before = r.v.hal.now_ns;
    assert_int_equal(virtio_balloon_oom(r.vb, 100), 3000); /* by the reset */
    assert_true(r.v.hal.now_ns - before <= 5100 * NS_PER_MS);
    assert_int_equal(r.guest.driver, 0);
    r.v.model.lies.silent = false;
    balloon_rig_run(&r, 70 * NS_PER_S);
    balloon_rig_end(&r);
}

/* One that does not even reset ends the call a second later, and keeps what it was given. */
static void an_oom_call_on_a_dying_device_is_bounded(void **state)
{
    (void)state;
    start(BIT64(VIRTIO_BALLOON_F_DEFLATE_ON_OOM));
    balloon_rig_target(&r, 3000);
    balloon_rig_settle(&r);
    r.v.model.lies.silent = true;
    r.v.model.lies.reset_hangs = true;
    uint64_t before = r.v.hal.now_ns;
    virtio_balloon_oom(r.vb, 100);
    assert_true(r.v.hal.now_ns - before <= 6100 * NS_PER_MS);
    assert_int_equal(balloon_rig_status(&r).state, VIRTIO_BALLOON_DEAD);
    virtio_balloon_destroy(r.vb);
    r.vb = NULL;
    r.v.model.lies.reset_hangs = false;
    assert_true(rig_end(&r.v) > 0); /* its rings stay with it */
}

/* What a call waits for a report and for the deflation is one time, not two. */
static void answer_late(void *ctx)
{
    struct hal_model *hal = ctx;

    hal->now_ns += hal->relax_ns;
    if (r.host.is_slow && hal->now_ns >= late_ns) {
        balloon_rig_answer(&r); /* the report, and nothing after it */
        late_ns = UINT64_MAX;
    }
}

static void an_oom_call_waits_once(void **state)
{
    (void)state;
    balloon_rig_init(&r,
                     BALLOON_FEATURES | BIT64(VIRTIO_BALLOON_F_REPORTING) |
                         BIT64(VIRTIO_BALLOON_F_MUST_TELL_HOST) |
                         BIT64(VIRTIO_BALLOON_F_DEFLATE_ON_OOM),
                     16384);
    r.opts.report_delay_ns = 10 * NS_PER_MS;
    r.opts.report_batch = 32;
    assert_int_equal(balloon_rig_attach(&r), 0);
    balloon_rig_target(&r, 4000);
    balloon_rig_settle(&r);
    guest_unuse(&r.guest, guest_use(&r.guest, 6000));
    r.host.is_slow = true;
    virtio_balloon_memory_freed(r.vb);
    balloon_rig_run(&r, 30 * NS_PER_MS);
    assert_true(balloon_rig_status(&r).in_flight_frames > 0);
    late_ns = r.v.hal.now_ns + 4900 * NS_PER_MS;
    r.v.hal.hal.relax = answer_late;
    uint64_t before = r.v.hal.now_ns;
    virtio_balloon_oom(r.vb, 16384);
    assert_true(r.v.hal.now_ns - before <= 5100 * NS_PER_MS);
    balloon_rig_end(&r);
}

static void (*relax_as_ever)(void *ctx);

static void relax_and_lie(void *ctx)
{
    relax_as_ever(ctx);
    virtio_model_jump(&r.v.model, 1, 300);
    r.v.hal.hal.relax = relax_as_ever;
}

/* The ring contradicts itself before, or while, an out-of-memory call waits for its answer: the reset that it leads to
 * brings everything, and the call need not end without it. */
static void oom_on_a_ring_that_lies_ends_in_a_reset(void **state)
{
    (void)state;
    for (unsigned is_later = 0; is_later < 2; is_later++) {
        start(BIT64(VIRTIO_BALLOON_F_DEFLATE_ON_OOM));
        balloon_rig_target(&r, 3000);
        balloon_rig_settle(&r);
        r.host.is_slow = true;
        balloon_rig_target(&r, 1000);
        balloon_rig_run(&r, NS_PER_MS);
        relax_as_ever = r.v.hal.hal.relax;
        if (is_later)
            r.v.hal.hal.relax = relax_and_lie;
        else
            virtio_model_jump(&r.v.model, 1, 300);
        r.v.model.lies.reset_polls = 5;
        uint64_t driver = r.guest.driver;
        assert_int_equal(virtio_balloon_oom(r.vb, 5), driver); /* by the reset */
        assert_int_equal(balloon_rig_status(&r).broken, 1);
        balloon_rig_run(&r, 50 * NS_PER_MS);
        assert_int_equal(r.guest.driver, 0);
        r.host.is_slow = false;
        balloon_rig_run(&r, 70 * NS_PER_S);
        assert_int_equal(r.host.actual, 1000);
        balloon_rig_end(&r);
    }
}

static void detach_from_a_silent_host_still_ends(void **state)
{
    (void)state;
    start(0);
    balloon_rig_target(&r, 3000);
    balloon_rig_settle(&r);
    r.v.model.lies.silent = true;
    virtio_balloon_detach(r.vb);
    balloon_rig_run(&r, 20 * NS_PER_S);
    assert_int_equal(balloon_rig_status(&r).state, VIRTIO_BALLOON_OFF);
    assert_int_equal(r.guest.driver, 0);
    virtio_balloon_destroy(r.vb);
    r.vb = NULL;
    balloon_rig_end(&r);
}

static void detach_while_a_restart_is_pending(void **state)
{
    (void)state;
    start(0);
    virtio_model_need_reset(&r.v.model);
    balloon_rig_run(&r, 50 * NS_PER_MS);
    assert_int_equal(balloon_rig_status(&r).state, VIRTIO_BALLOON_RESTING);
    virtio_balloon_detach(r.vb);
    assert_int_equal(balloon_rig_status(&r).state, VIRTIO_BALLOON_OFF);
    virtio_balloon_destroy(r.vb);
    r.vb = NULL;
    balloon_rig_end(&r);
}

static void a_host_that_asks_for_reset_at_once_is_refused(void **state)
{
    (void)state;
    balloon_rig_init(&r, BALLOON_FEATURES, 4096);
    r.v.model.lies.ok_needs_reset = true;
    assert_true(balloon_rig_attach(&r) < 0);
    r.vb = NULL;
    balloon_rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_is_logged_then_ends_in_a_reset),
        cmocka_unit_test(a_stopped_guest_does_not_take_its_sleep_for_silence),
        cmocka_unit_test(endless_silence_costs_three_starts_a_minute),
        cmocka_unit_test(a_device_that_asks_for_a_reset_gets_it),
        cmocka_unit_test(a_reset_behind_our_back_is_noticed),
        cmocka_unit_test(a_dead_device_keeps_what_it_was_last_told),
        cmocka_unit_test(ring_lies_end_in_a_reset_with_all_frames_back),
        cmocka_unit_test(lies_in_the_statistics_queue_too),
        cmocka_unit_test(wild_used_lengths_are_ignored),
        cmocka_unit_test(a_target_that_never_stands_still_starves_nobody),
        cmocka_unit_test(one_step_is_bounded_whatever_the_target),
        cmocka_unit_test(oom_without_an_answer_is_bounded),
        cmocka_unit_test(an_oom_call_on_a_dying_device_is_bounded),
        cmocka_unit_test(an_oom_call_waits_once),
        cmocka_unit_test(oom_on_a_ring_that_lies_ends_in_a_reset),
        cmocka_unit_test(detach_from_a_silent_host_still_ends),
        cmocka_unit_test(detach_while_a_restart_is_pending),
        cmocka_unit_test(a_host_that_asks_for_reset_at_once_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
