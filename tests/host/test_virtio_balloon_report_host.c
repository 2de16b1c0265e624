// SPDX-License-Identifier: BSD-2-Clause
/* Free page reporting and a host that is slow, silent, lies or dies in the middle of a report, or that asks for
 * something else meanwhile: no block is lost, whatever happens. */
#include "tests/host/report_rig.h"

static void start_slow(uint64_t extra)
{
    start_with(extra, DELAY_NS);
    r.host.is_slow = true;
    touch(FRAMES);
    balloon_rig_run(&r, 2 * DELAY_NS);
    assert_int_equal(r.host.kept_count[HOST_REPORT], 1);
    struct virtio_balloon_status status = balloon_rig_status(&r);
    assert_true(status.in_flight_frames > 0);
    assert_int_equal(status.in_flight_frames, r.guest.driver);
    assert_false(status.is_moving);
    balloon_rig_check(&r);
}

static void a_slow_host_gets_all_in_the_end(void **state)
{
    (void)state;
    start_slow(0);
    for (unsigned i = 0; i < 100; i++) {
        balloon_rig_answer(&r);
        balloon_rig_run(&r, NS_PER_MS);
        balloon_rig_check(&r);
    }
    assert_int_equal(reported_blocks(), BLOCKS);
    assert_int_equal(r.guest.free, FRAMES);
    balloon_rig_end(&r);
}

static void a_target_in_the_middle_is_met(void **state)
{
    (void)state;
    start_slow(0);
    balloon_rig_target(&r, FRAMES - 100);
    balloon_rig_run(&r, 20 * NS_PER_MS);
    balloon_rig_check(&r);
    r.host.is_slow = false;
    balloon_rig_answer(&r);
    balloon_rig_settle(&r);
    balloon_rig_check(&r);
    assert_int_equal(r.host.actual, FRAMES - 100);
    balloon_rig_target(&r, 0);
    balloon_rig_settle(&r);
    balloon_rig_check(&r);
    balloon_rig_end(&r);
}

static void out_of_memory_waits_for_the_report(void **state)
{
    (void)state;
    start_slow(0);
    uint64_t open = r.guest.driver;
    guest_use(&r.guest, FRAMES);
    assert_int_equal(r.guest.free, 0);
    /* Nobody answers: 5 s at most. */
    r.v.hal.relax_ns = NS_PER_MS;
    uint64_t begin = r.v.hal.now_ns;
    assert_int_equal(virtio_balloon_oom(r.vb, 1), open); /* by a reset */
    assert_true(r.v.hal.now_ns - begin < 6 * NS_PER_S);
    assert_int_equal(r.guest.free, open);
    balloon_rig_check(&r);
    balloon_rig_end(&r);
    /* It is answered, but the task has not seen it. */
    start_slow(0);
    open = r.guest.driver;
    balloon_rig_answer(&r);
    assert_int_equal(virtio_balloon_oom(r.vb, 1), open);
    balloon_rig_check(&r);
    r.host.is_slow = false;
    balloon_rig_end(&r);
}

static void a_reset_in_the_middle_gives_all_back(void **state)
{
    (void)state;
    start_slow(0);
    virtio_model_need_reset(&r.v.model);
    balloon_rig_run(&r, 10 * NS_PER_MS);
    assert_int_equal(r.guest.free, FRAMES);
    assert_int_equal(touched_frames(), FRAMES);
    r.host.is_slow = false;
    balloon_rig_run(&r, 2 * NS_PER_S);
    balloon_rig_check(&r);
    free_frames(0); /* after the new start */
    balloon_rig_run(&r, NS_PER_S);
    assert_int_equal(touched_frames(), 0);
    balloon_rig_end(&r);
}

static void a_ring_that_lies_gives_all_back(void **state)
{
    (void)state;
    start_slow(0);
    virtio_model_jump(&r.v.model, r.host.queue_of[VIRTIO_BALLOON_REPORT], 300);
    balloon_rig_run(&r, 2 * NS_PER_S);
    assert_int_equal(balloon_rig_status(&r).broken, 1);
    assert_int_equal(r.guest.free, FRAMES);
    r.host.is_slow = false;
    balloon_rig_run(&r, 2 * NS_PER_S);
    balloon_rig_check(&r);
    balloon_rig_end(&r);
}

static void a_detach_waits_for_the_report(void **state)
{
    (void)state;
    start_slow(0);
    virtio_balloon_detach(r.vb);
    balloon_rig_run(&r, 10 * NS_PER_MS);
    assert_int_equal(balloon_rig_status(&r).state, VIRTIO_BALLOON_DETACHING);
    balloon_rig_answer(&r);
    balloon_rig_run(&r, 10 * NS_PER_MS);
    assert_int_equal(balloon_rig_status(&r).state, VIRTIO_BALLOON_OFF);
    assert_int_equal(r.guest.free, FRAMES);
    balloon_rig_end(&r);
}

static void silence_ends_it(void **state)
{
    (void)state;
    start_slow(0);
    balloon_rig_run(&r, 7 * NS_PER_S);
    assert_int_equal(balloon_rig_status(&r).silences, 1);
    r.host.is_slow = false;
    balloon_rig_run(&r, NS_PER_S);
    assert_int_equal(r.guest.free, FRAMES);
    balloon_rig_check(&r);
    balloon_rig_end(&r);
}

static void a_dead_device_keeps_the_blocks(void **state)
{
    (void)state;
    start_slow(0);
    uint64_t open = r.guest.driver;
    r.v.model.lies.reset_hangs = true;
    virtio_model_need_reset(&r.v.model);
    balloon_rig_run(&r, 3 * NS_PER_S);
    struct virtio_balloon_status status = balloon_rig_status(&r);
    assert_int_equal(status.state, VIRTIO_BALLOON_DEAD);
    assert_int_equal(status.quarantined_frames, open);
    assert_int_equal(r.guest.driver, open);
    virtio_balloon_destroy(r.vb);
    r.vb = NULL;
    rig_end(&r.v);
}

/* Every take fails once. */
static void a_failed_take_ends_the_element_and_no_more(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 40; n++) {
        start();
        r.guest.take_fail_at = r.guest.takes + n;
        touch(FRAMES);
        balloon_rig_run(&r, NS_PER_S);
        balloon_rig_check(&r);
        assert_int_equal(r.guest.free, FRAMES);
        balloon_rig_end(&r);
    }
}

static void one_random_event(void)
{
    switch (rand() % 10) {
    case 0:
        guest_use(&r.guest, (unsigned)rand() % FRAMES);
        break;
    case 1:
    case 2:
        free_frames((unsigned)rand() % FRAMES);
        break;
    case 3:
        balloon_rig_target(&r, (unsigned)rand() % FRAMES);
        break;
    case 4:
        r.host.is_slow = rand() % 2;
        break;
    case 5:
        if (rand() % 20 == 0)
            virtio_model_need_reset(&r.v.model);
        break;
    case 6:
        r.guest.take_fail_at = r.guest.takes + (unsigned)rand() % 30;
        break;
    case 7:
        virtio_balloon_oom(r.vb, (unsigned)rand() % 1000);
        break;
    case 8:
        guest_unuse_runs(&r.guest, 1 + (unsigned)rand() % 20, 21);
        virtio_balloon_memory_freed(r.vb);
        break;
    default:
        balloon_rig_answer_any(&r, (unsigned)rand());
        break;
    }
}

static void random_walks_lose_nothing(void **state)
{
    (void)state;
    random_seed();
    for (unsigned walk = 0; walk < 30; walk++) {
        uint64_t extra = rand() % 2 ? BIT64(VIRTIO_BALLOON_F_MUST_TELL_HOST) : 0;

        if (rand() % 2)
            extra |= BIT64(VIRTIO_BALLOON_F_DEFLATE_ON_OOM);
        init(extra, DELAY_NS, (unsigned)rand() % (BLOCK_ORDER + 1));
        attach();
        r.guest.may_owe = balloon_rig_status(&r).is_early;
        r.v.hal.relax_ns = 10 * NS_PER_MS;
        for (unsigned i = 0; i < 100; i++) {
            one_random_event();
            balloon_rig_run(&r, (unsigned)rand() % 30 * NS_PER_MS);
            balloon_rig_check(&r);
        }
        r.host.is_slow = false;
        balloon_rig_answer(&r);
        balloon_rig_end(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_host_gets_all_in_the_end),
        cmocka_unit_test(a_target_in_the_middle_is_met),
        cmocka_unit_test(out_of_memory_waits_for_the_report),
        cmocka_unit_test(a_reset_in_the_middle_gives_all_back),
        cmocka_unit_test(a_ring_that_lies_gives_all_back),
        cmocka_unit_test(a_detach_waits_for_the_report),
        cmocka_unit_test(silence_ends_it),
        cmocka_unit_test(a_dead_device_keeps_the_blocks),
        cmocka_unit_test(a_failed_take_ends_the_element_and_no_more),
        cmocka_unit_test(random_walks_lose_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
