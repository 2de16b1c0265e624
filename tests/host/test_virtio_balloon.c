// SPDX-License-Identifier: BSD-2-Clause
/* The virtio balloon against a host that obeys: targets, reserve, out of memory, detach. */
#include "base/err.h"
#include "tests/model/balloon_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct balloon_rig r;

static void start(uint64_t extra_features, uint64_t frames)
{
    balloon_rig_init(&r, BALLOON_FEATURES | extra_features, frames);
    assert_int_equal(balloon_rig_attach(&r), 0);
    balloon_rig_settle(&r);
}

static void go_to(uint32_t pages)
{
    balloon_rig_target(&r, pages);
    balloon_rig_settle(&r);
    balloon_rig_check(&r);
}

static void targets_are_met_to_the_page(void **state)
{
    static const uint32_t targets[] = {1, 0, 511, 512, 513, 4096, 3, 1000, 999, 1024, 0};

    (void)state;
    start(0, 8192);
    for (unsigned i = 0; i < ARRAY_LEN(targets); i++) {
        go_to(targets[i]);
        assert_int_equal(r.host.actual, targets[i]);
    }
    balloon_rig_end(&r);
}

static void a_target_set_before_boot_needs_no_interrupt(void **state)
{
    (void)state;
    balloon_rig_init(&r, BALLOON_FEATURES, 4096);
    virtio_model_set_config(&r.v.model, 0, 700);
    virtio_model_set_config(&r.v.model, 4, 12345); /* a former life's */
    r.v.model.isr = 0;
    assert_int_equal(balloon_rig_attach(&r), 0);
    assert_int_equal(r.host.actual_writes, 1); /* R-V-15, step 13 */
    assert_int_equal(r.host.actual, 0);
    balloon_rig_settle(&r);
    assert_int_equal(r.host.actual, 700);
    balloon_rig_end(&r);
}

static void requests_are_full_and_ascend_in_whole_blocks(void **state)
{
    (void)state;
    start(0, 8192);
    go_to(4096);
    assert_int_equal(r.host.requests[0], 4096 / 256);
    assert_int_equal(r.host.descending, 0);
    go_to(0);
    assert_int_equal(r.host.requests[1], 4096 / 256);
    assert_int_equal(r.host.descending, 0);
    balloon_rig_end(&r);
}

static void touched_memory_goes_first(void **state)
{
    (void)state;
    start(0, 8192);
    guest_use(&r.guest, 1600);
    guest_unuse(&r.guest, 1600);
    go_to(1600);
    for (unsigned i = 0; i < 1600; i++)
        assert_true(r.guest.host_has[i]);
    balloon_rig_end(&r);
}

static void completions_in_the_doorbell_need_no_interrupt(void **state)
{
    (void)state;
    start(0, 8192);
    go_to(4096);
    assert_int_equal(r.v.model.queues[0].interrupts, 0);
    balloon_rig_end(&r);
}

static void a_slow_host_is_waited_for_by_interrupt(void **state)
{
    (void)state;
    start(0, 4096);
    r.host.is_slow = true;
    balloon_rig_target(&r, 600);
    for (unsigned i = 0; i < 3; i++) {
        balloon_rig_run(&r, 20 * NS_PER_MS);
        assert_true(r.host.kept_count[0]);
        balloon_rig_answer(&r);
    }
    balloon_rig_settle(&r);
    assert_int_equal(r.host.actual, 600);
    assert_int_equal(r.v.model.queues[0].interrupts, 3);
    assert_false(balloon_rig_status(&r).is_polled);
    balloon_rig_end(&r);
}

static void a_new_target_takes_effect_within_one_request(void **state)
{
    (void)state;
    start(0, 8192);
    r.host.is_slow = true;
    balloon_rig_target(&r, 4096);
    balloon_rig_run(&r, NS_PER_MS);
    balloon_rig_target(&r, 100);
    balloon_rig_run(&r, NS_PER_MS);
    assert_int_equal(r.host.requests[0], 0); /* kept */
    balloon_rig_answer(&r);
    balloon_rig_run(&r, NS_PER_MS);
    balloon_rig_answer(&r); /* a block that was begun is told in full */
    balloon_rig_run(&r, NS_PER_MS);
    assert_int_equal(r.host.requests[0], 2);
    assert_true(r.host.kept_count[1]); /* the way back has begun */
    balloon_rig_answer(&r);
    r.host.is_slow = false;
    balloon_rig_settle(&r);
    assert_int_equal(r.host.actual, 100);
    balloon_rig_end(&r);
}

static void actual_moves_in_steps_while_a_big_target_is_met(void **state)
{
    (void)state;
    start(0, 16384);
    balloon_rig_target(&r, 12000);
    unsigned before = r.host.actual_writes;
    balloon_rig_settle(&r);
    assert_true(r.host.actual_writes - before >= 2);
    balloon_rig_end(&r);
}

static void a_polled_device_works_without_interrupts(void **state)
{
    (void)state;
    balloon_rig_init(&r, BALLOON_FEATURES, 4096);
    r.opts.is_polled = true;
    r.irq_works = false;
    assert_int_equal(balloon_rig_attach(&r), 0);
    balloon_rig_settle(&r);
    r.host.is_slow = true;
    balloon_rig_target(&r, 256);
    balloon_rig_run(&r, 150 * NS_PER_MS);
    assert_true(r.host.kept_count[0]);
    balloon_rig_answer(&r);
    balloon_rig_run(&r, 5 * NS_PER_MS);
    assert_int_equal(r.host.actual, 256);
    balloon_rig_end(&r);
}

/* For who learns after the attach that no interrupt can come. */
static void polling_may_be_asked_for_later(void **state)
{
    (void)state;
    balloon_rig_init(&r, BALLOON_FEATURES, 4096);
    r.irq_works = false;
    assert_int_equal(balloon_rig_attach(&r), 0);
    virtio_balloon_use_polling(r.vb);
    balloon_rig_settle(&r);
    balloon_rig_target(&r, 700);
    balloon_rig_run(&r, 150 * NS_PER_MS);
    assert_int_equal(r.host.actual, 700);
    assert_true(balloon_rig_status(&r).is_polled);
    assert_int_equal(balloon_rig_status(&r).missed_irqs, 0);
    balloon_rig_end(&r);
}

static void lost_interrupts_are_noticed_and_polling_begins(void **state)
{
    (void)state;
    balloon_rig_init(&r, BALLOON_FEATURES, 4096);
    r.irq_works = false;
    assert_int_equal(balloon_rig_attach(&r), 0);
    balloon_rig_settle(&r);
    for (uint32_t i = 1; i < 5; i++) {
        balloon_rig_target(&r, i);
        balloon_rig_run(&r, 150 * NS_PER_MS);
        assert_int_equal(r.host.actual, i);
    }
    assert_true(balloon_rig_status(&r).is_polled);
    balloon_rig_end(&r);
}

static void spurious_interrupts_change_nothing(void **state)
{
    (void)state;
    start(0, 4096);
    go_to(10);
    unsigned requests = r.host.requests[0];
    for (unsigned i = 0; i < 100; i++) {
        r.v.model.isr = 3;
        virtio_balloon_irq(r.vb, 1); /* another one before anybody looks */
        balloon_rig_run(&r, NS_PER_US);
    }
    assert_int_equal(r.host.requests[0], requests);
    balloon_rig_end(&r);
}

/* ---- reserve and shortage ---- */

static void inflation_stops_at_the_reserve_and_rests(void **state)
{
    (void)state;
    balloon_rig_init(&r, BALLOON_FEATURES, 4096);
    r.guest.reserve = 1000;
    assert_int_equal(balloon_rig_attach(&r), 0);
    go_to(UINT32_MAX);
    assert_int_equal(r.host.actual, 3096);
    /* The clamp is the target: nothing is retried. */
    unsigned steps = r.steps;
    balloon_rig_run(&r, 10 * NS_PER_S);
    assert_true(r.steps - steps <= 11);
    balloon_rig_end(&r);
}

static void a_shortage_is_retried_slower_and_slower(void **state)
{
    (void)state;
    start(0, 4096);
    guest_use(&r.guest, 3000);
    balloon_rig_target(&r, 2000);
    balloon_rig_run(&r, 100 * NS_PER_MS);
    assert_int_equal(r.host.actual, 1096);
    uint64_t failures = balloon_rig_status(&r).core.take_failures;
    balloon_rig_run(&r, 30 * NS_PER_S);
    uint64_t tries = balloon_rig_status(&r).core.take_failures - failures;
    assert_true(tries >= 6 && tries <= 12);
    /* Memory that becomes free is used at once. */
    guest_unuse(&r.guest, 3000);
    virtio_balloon_memory_freed(r.vb);
    balloon_rig_run(&r, 10 * NS_PER_MS);
    assert_int_equal(r.host.actual, 2000);
    balloon_rig_end(&r);
}

/* ---- out of memory ---- */

static void oom_brings_pages_back_in_requests_of_256(void **state)
{
    (void)state;
    start(BIT64(VIRTIO_BALLOON_F_DEFLATE_ON_OOM), 4096);
    go_to(4000);
    uint64_t free = r.guest.free;
    assert_int_equal(virtio_balloon_oom(r.vb, 300), 512);
    assert_int_equal(r.guest.free, free + 512);
    assert_int_equal(r.host.actual, 4000 - 512); /* R-V-43 */
    balloon_rig_check(&r);
    balloon_rig_end(&r);
}

static void oom_without_the_feature_is_inert(void **state)
{
    (void)state;
    start(0, 4096);
    go_to(1000);
    assert_int_equal(virtio_balloon_oom(r.vb, 1), 0);
    assert_int_equal(r.host.actual, 1000);
    balloon_rig_end(&r);
    /* Offered, but the user does not want it. */
    balloon_rig_init(&r, BALLOON_FEATURES | BIT64(VIRTIO_BALLOON_F_DEFLATE_ON_OOM), 4096);
    r.opts.accept_oom = false;
    assert_int_equal(balloon_rig_attach(&r), 0);
    go_to(1000);
    assert_int_equal(virtio_balloon_oom(r.vb, 1), 0);
    balloon_rig_end(&r);
}

static void oom_and_target_do_not_fight(void **state)
{
    (void)state;
    start(BIT64(VIRTIO_BALLOON_F_DEFLATE_ON_OOM), 4096);
    go_to(4000);
    guest_use(&r.guest, 96);
    assert_int_equal(virtio_balloon_oom(r.vb, 256), 256);
    unsigned requests = r.host.requests[0];
    balloon_rig_run(&r, 4900 * NS_PER_MS);
    assert_int_equal(r.host.requests[0], requests); /* pause, R-X-06 */
    /* The pause is over, but there is not more free than was asked for. */
    guest_use(&r.guest, 200);
    balloon_rig_run(&r, 30 * NS_PER_S);
    assert_int_equal(r.host.requests[0], requests);
    guest_unuse(&r.guest, 296);
    virtio_balloon_memory_freed(r.vb);
    balloon_rig_run(&r, 10 * NS_PER_S);
    assert_int_equal(r.host.actual, 4000);
    balloon_rig_end(&r);
}

static void oom_in_the_middle_of_a_request_is_safe(void **state)
{
    (void)state;
    start(BIT64(VIRTIO_BALLOON_F_DEFLATE_ON_OOM), 4096);
    go_to(1024);
    r.host.is_slow = true;
    balloon_rig_target(&r, 1024 + 1024);
    balloon_rig_run(&r, NS_PER_MS);
    assert_true(r.host.kept_count[0]);
    r.host.is_slow = false; /* deflate is answered, the inflate stays open */
    assert_true(virtio_balloon_oom(r.vb, 100) >= 256);
    balloon_rig_answer(&r);
    balloon_rig_settle(&r);
    balloon_rig_check(&r);
    balloon_rig_end(&r);
}

static void ballooned_frames_are_accounted_unless_reclaimable(void **state)
{
    (void)state;
    start(0, 4096);
    go_to(1000);
    assert_int_equal(r.guest.accounted, 1000);
    balloon_rig_end(&r);
    start(BIT64(VIRTIO_BALLOON_F_DEFLATE_ON_OOM), 4096);
    go_to(1000);
    assert_int_equal(r.guest.accounted, 0);
    balloon_rig_end(&r);
}

/* ---- detach ---- */

static void detach_tells_the_host_first(void **state)
{
    (void)state;
    start(0, 4096);
    go_to(3000);
    virtio_balloon_detach(r.vb);
    balloon_rig_settle(&r);
    assert_int_equal(r.host.pages[1], 3000);
    assert_int_equal(virtio_model_config(&r.v.model, 4), 0);
    assert_int_equal(balloon_rig_status(&r).state, VIRTIO_BALLOON_OFF);
    assert_int_equal(r.v.model.status, 0);
    assert_int_equal(r.guest.driver, 0);
    virtio_balloon_destroy(r.vb);
    /* And again from the start: the target stands. */
    assert_int_equal(balloon_rig_attach(&r), 0);
    balloon_rig_settle(&r);
    assert_int_equal(r.host.actual, 3000);
    balloon_rig_end(&r);
}

static void detach_in_the_middle_of_a_request(void **state)
{
    (void)state;
    start(0, 4096);
    r.host.is_slow = true;
    balloon_rig_target(&r, 2000);
    balloon_rig_run(&r, NS_PER_MS);
    virtio_balloon_detach(r.vb);
    balloon_rig_run(&r, NS_PER_MS);
    assert_true(r.host.kept_count[0]); /* still waited for */
    balloon_rig_end(&r);
}

static void oom_calls_do_not_disturb_a_detach(void **state)
{
    (void)state;
    start(BIT64(VIRTIO_BALLOON_F_DEFLATE_ON_OOM), 4096);
    go_to(3000);
    virtio_balloon_detach(r.vb);
    assert_int_equal(virtio_balloon_oom(r.vb, 1), 256);
    balloon_rig_settle(&r);
    assert_int_equal(balloon_rig_status(&r).state, VIRTIO_BALLOON_OFF);
    assert_int_equal(virtio_balloon_oom(r.vb, 1), 0);
    virtio_balloon_destroy(r.vb);
    r.vb = NULL;
    balloon_rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_are_met_to_the_page),
        cmocka_unit_test(a_target_set_before_boot_needs_no_interrupt),
        cmocka_unit_test(requests_are_full_and_ascend_in_whole_blocks),
        cmocka_unit_test(touched_memory_goes_first),
        cmocka_unit_test(completions_in_the_doorbell_need_no_interrupt),
        cmocka_unit_test(a_slow_host_is_waited_for_by_interrupt),
        cmocka_unit_test(a_new_target_takes_effect_within_one_request),
        cmocka_unit_test(actual_moves_in_steps_while_a_big_target_is_met),
        cmocka_unit_test(a_polled_device_works_without_interrupts),
        cmocka_unit_test(polling_may_be_asked_for_later),
        cmocka_unit_test(lost_interrupts_are_noticed_and_polling_begins),
        cmocka_unit_test(spurious_interrupts_change_nothing),
        cmocka_unit_test(inflation_stops_at_the_reserve_and_rests),
        cmocka_unit_test(a_shortage_is_retried_slower_and_slower),
        cmocka_unit_test(oom_brings_pages_back_in_requests_of_256),
        cmocka_unit_test(oom_without_the_feature_is_inert),
        cmocka_unit_test(oom_and_target_do_not_fight),
        cmocka_unit_test(oom_in_the_middle_of_a_request_is_safe),
        cmocka_unit_test(ballooned_frames_are_accounted_unless_reclaimable),
        cmocka_unit_test(detach_tells_the_host_first),
        cmocka_unit_test(detach_in_the_middle_of_a_request),
        cmocka_unit_test(oom_calls_do_not_disturb_a_detach),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
