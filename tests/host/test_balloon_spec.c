// SPDX-License-Identifier: BSD-2-Clause
/* The virtio balloon by its rules alone: cases written from the list of requirements, without a look at
 * the driver, for what the neighbouring files leave out. */
#include "base/err.h"
#include "tests/model/balloon_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define OOM  BIT64(VIRTIO_BALLOON_F_DEFLATE_ON_OOM)
#define HINT BIT64(VIRTIO_BALLOON_F_FREE_PAGE_HINT)

static struct balloon_rig r;

static void start(uint64_t features)
{
    balloon_rig_init(&r, features, 8192);
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

/* ---- silence, R-H-10 ---- */

/* The guest is stopped for a minute at the n-th look at the clock while a request is open. */
static uint64_t (*hal_now)(void *ctx);
static unsigned looks, looks_wanted;

static uint64_t now_after_a_stop(void *ctx)
{
    if (r.host.kept_count[0] && ++looks == looks_wanted)
        r.v.hal.now_ns += 60 * NS_PER_S;
    return hal_now(ctx);
}

static void a_stop_anywhere_is_not_silence(void **state)
{
    (void)state;
    for (looks_wanted = 1; looks_wanted < 12; looks_wanted++) {
        start(BALLOON_FEATURES);
        r.host.is_slow = true;
        looks = 0;
        hal_now = r.v.hal.hal.now;
        r.v.hal.hal.now = now_after_a_stop;
        balloon_rig_target(&r, 100);
        for (unsigned i = 0; i < 3; i++)
            balloon_rig_run(&r, 700 * NS_PER_MS);
        assert_true(looks >= looks_wanted);
        assert_int_equal(balloon_rig_status(&r).silences, 0);
        r.v.hal.hal.now = hal_now;
        r.host.is_slow = false;
        balloon_rig_answer(&r);
        balloon_rig_settle(&r);
        assert_int_equal(r.host.actual, 100);
        balloon_rig_end(&r);
    }
}

static void silence_ends_however_rarely_the_task_runs(void **state)
{
    static const uint64_t gaps[] = {NS_PER_MS,    300 * NS_PER_MS, 900 * NS_PER_MS,
                                    2 * NS_PER_S, 7 * NS_PER_S,    40 * NS_PER_S};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(gaps); i++) {
        uint64_t begin, took;

        start(BALLOON_FEATURES);
        r.v.model.lies.silent = true;
        balloon_rig_target(&r, 1000);
        balloon_rig_run(&r, NS_PER_MS);
        begin = r.v.hal.now_ns;
        while (state_now() == VIRTIO_BALLOON_LIVE &&
               r.v.hal.now_ns < begin + 600 * NS_PER_S) {
            r.v.hal.now_ns += gaps[i]; /* something else had the CPU */
            virtio_balloon_step(r.vb);
        }
        took = r.v.hal.now_ns - begin;
        assert_int_not_equal(state_now(), VIRTIO_BALLOON_LIVE);
        assert_true(took >= 4900 * NS_PER_MS);
        r.v.model.lies.silent = false;
        balloon_rig_run(&r, 70 * NS_PER_S);
        balloon_rig_end(&r);
    }
}

static void noise_does_not_prolong_silence(void **state)
{
    (void)state;
    start(BALLOON_FEATURES);
    r.v.model.lies.silent = true;
    for (unsigned i = 0; i < 60; i++) {
        balloon_rig_target(&r, 1000 + i);
        balloon_rig_run(&r, 100 * NS_PER_MS);
        r.v.model.isr |= 3;
    }
    assert_int_equal(balloon_rig_status(&r).silences, 1);
    r.v.model.lies.silent = false;
    balloon_rig_run(&r, 70 * NS_PER_S);
    balloon_rig_end(&r);
}

static void each_answer_in_four_seconds_is_slow_not_silent(void **state)
{
    (void)state;
    start(BALLOON_FEATURES);
    r.host.is_slow = true;
    balloon_rig_target(&r, 600);
    for (unsigned i = 0; i < 3; i++) {
        balloon_rig_run(&r, 4 * NS_PER_S);
        assert_true(r.host.kept_count[0]);
        balloon_rig_answer(&r);
    }
    balloon_rig_settle(&r);
    assert_int_equal(r.host.actual, 600);
    assert_int_equal(balloon_rig_status(&r).silences, 0);
    r.host.is_slow = false;
    balloon_rig_end(&r);
}

static void frames_stay_quarantined_until_the_reset_is_complete(void **state)
{
    (void)state;
    start(BALLOON_FEATURES);
    go_to(1000);
    uint64_t driver = r.guest.driver;
    r.v.model.lies.reset_polls = 50;
    virtio_model_need_reset(&r.v.model);
    balloon_rig_run(&r, 2 * NS_PER_MS);
    assert_int_equal(state_now(), VIRTIO_BALLOON_RESETTING);
    assert_int_equal(r.guest.driver, driver);
    virtio_balloon_detach(r.vb); /* in the middle of it */
    balloon_rig_run(&r, 5 * NS_PER_S);
    assert_int_equal(state_now(), VIRTIO_BALLOON_OFF);
    assert_int_equal(r.guest.driver, 0);
    r.v.model.lies.reset_polls = 0;
    balloon_rig_end(&r);
}

static void a_device_that_vanished_is_given_up(void **state)
{
    uint32_t ones = UINT32_MAX;

    (void)state;
    start(BALLOON_FEATURES);
    go_to(1000);
    r.v.model.status = 0xFF; /* what an absent function reads */
    r.v.model.lies.reset_hangs = true;
    memcpy(r.v.model.config, &ones, sizeof(ones));
    balloon_rig_run(&r, 20 * NS_PER_S);
    assert_int_equal(state_now(), VIRTIO_BALLOON_DEAD);
    assert_int_equal(r.host.requests[0], 4); /* nothing more was inflated for it */
    assert_int_equal(r.guest.driver, 0);     /* R-V-47 */
    assert_int_equal(r.guest.accounted, 0);
    virtio_balloon_detach(r.vb);
    balloon_rig_run(&r, NS_PER_S);
    virtio_balloon_destroy(r.vb);
    r.vb = NULL;
    r.v.model.lies.reset_hangs = false;
    rig_end(&r.v);
}

static void a_broken_device_shows_no_balloon_while_it_rests(void **state)
{
    (void)state;
    start(BALLOON_FEATURES);
    go_to(1000);
    virtio_model_need_reset(&r.v.model);
    balloon_rig_run(&r, 50 * NS_PER_MS);
    assert_int_equal(state_now(), VIRTIO_BALLOON_RESTING);
    assert_int_equal(r.guest.driver, 0);
    assert_int_equal(virtio_model_config(&r.v.model, 4), 0);
    balloon_rig_end(&r);
    /* It lost its state: then nothing may be written before the next start. */
    start(BALLOON_FEATURES);
    go_to(1000);
    unsigned writes = r.host.actual_writes;
    virtio_model_status_write(&r.v.model, 0);
    for (unsigned i = 0; i < 200 && state_now() == VIRTIO_BALLOON_LIVE; i++)
        balloon_rig_run(&r, 10 * NS_PER_MS);
    assert_int_equal(state_now(), VIRTIO_BALLOON_RESTING);
    assert_int_equal(r.host.actual_writes, writes);
    balloon_rig_run(&r, 5 * NS_PER_S);
    balloon_rig_end(&r);
}

/* Answers between our last look and our asking for an interrupt: none is owed for them. */
static uint64_t now_and_answer(void *ctx)
{
    looks = r.host.kept_count[0] ? looks + 1 : 0;
    if (looks == looks_wanted) {
        balloon_rig_answer(&r);
        if (r.v.model.isr)
            virtio_balloon_isr(r.vb); /* at once, as a CPU does */
    }
    return hal_now(ctx);
}

static void answers_just_before_the_interrupt_is_asked_for_accuse_nobody(void **state)
{
    (void)state;
    for (looks_wanted = 1; looks_wanted < 8; looks_wanted++) {
        start(BALLOON_FEATURES);
        r.host.is_slow = true;
        looks = 0;
        hal_now = r.v.hal.hal.now;
        r.v.hal.hal.now = now_and_answer;
        balloon_rig_target(&r, 4000);
        balloon_rig_settle(&r);
        assert_int_equal(r.host.actual, 4000);
        assert_false(balloon_rig_status(&r).is_polled);
        r.v.hal.hal.now = hal_now;
        r.host.is_slow = false;
        balloon_rig_end(&r);
    }
}

/* The device starts, breaks, and then does not reset: what it may still write to is lost, once. */
static void (*hal_mem_stats)(void *ctx, struct mem_stats *out);

static void mem_stats_and_hang(void *ctx, struct mem_stats *out)
{
    hal_mem_stats(ctx, out);
    r.v.model.lies.reset_hangs = true;
}

static void a_device_that_breaks_at_each_start_does_not_eat_the_memory(void **state)
{
    (void)state;
    start(BALLOON_FEATURES);
    r.v.model.lies.ok_needs_reset = true;
    hal_mem_stats = r.v.hal.hal.mem_stats;
    virtio_model_need_reset(&r.v.model);
    balloon_rig_run(&r, 50 * NS_PER_MS);
    assert_int_equal(state_now(), VIRTIO_BALLOON_RESTING);
    r.v.hal.hal.mem_stats = mem_stats_and_hang; /* sampled right before DRIVER_OK */
    for (unsigned i = 0; i < 300; i++) {
        if (state_now() == VIRTIO_BALLOON_RESTING)
            r.v.model.lies.reset_hangs = false;
        balloon_rig_run(&r, NS_PER_S);
    }
    /* Three rings, the tables of two, the shared frame, the requests' page numbers. */
    assert_true(r.v.hal.dma_live <= 7);
    assert_int_equal(state_now(), VIRTIO_BALLOON_DEAD);
    virtio_balloon_destroy(r.vb);
    r.vb = NULL;
    assert_int_equal(r.v.hal.mem_live, 0);
    r.v.model.lies.reset_hangs = false;
    rig_end(&r.v);
}

/* ---- accounting ---- */

static void managed_memory_shrinks_only_without_the_oom_bit(void **state)
{
    (void)state;
    start(BALLOON_FEATURES | OOM);
    go_to(1000);
    balloon_rig_ask_stats(&r);
    balloon_rig_run(&r, 50 * NS_PER_MS);
    assert_int_equal(balloon_rig_stat(&r, 5), 8192 << FRAME_SHIFT);
    balloon_rig_end(&r);
    /* Offered, refused by the user: then it shrinks. R-V-42, R-V-44. */
    balloon_rig_init(&r, BALLOON_FEATURES | OOM, 8192);
    r.opts.accept_oom = false;
    assert_int_equal(balloon_rig_attach(&r), 0);
    assert_int_equal(r.v.model.accepted & OOM, 0);
    go_to(1000);
    balloon_rig_ask_stats(&r);
    balloon_rig_run(&r, 50 * NS_PER_MS);
    assert_int_equal(balloon_rig_stat(&r, 5), (8192 - 1000) << FRAME_SHIFT);
    virtio_model_need_reset(&r.v.model); /* a reset gives it all back */
    balloon_rig_run(&r, 50 * NS_PER_MS);
    assert_int_equal(r.guest.accounted, 0);
    balloon_rig_run(&r, 5 * NS_PER_S);
    assert_int_equal(r.guest.accounted, 1000);
    balloon_rig_end(&r);
}

/* ---- a new start ---- */

static void a_new_start_publishes_zero_and_real_statistics(void **state)
{
    (void)state;
    start(BALLOON_FEATURES);
    go_to(3000);
    r.host.stats_answers = 0;
    virtio_model_need_reset(&r.v.model);
    r.guest.reserve = 8192; /* so that nothing is inflated after it */
    balloon_rig_run(&r, 2 * NS_PER_S);
    assert_int_equal(state_now(), VIRTIO_BALLOON_LIVE);
    assert_int_equal(r.host.actual, 0); /* R-V-15: the register kept 3000 */
    assert_true(r.host.has_stats);
    assert_int_equal(balloon_rig_stat(&r, 4), 8192 << FRAME_SHIFT);
    balloon_rig_ask_stats(&r);
    balloon_rig_run(&r, 50 * NS_PER_MS);
    assert_true(r.host.has_stats);
    r.guest.reserve = 0;
    balloon_rig_end(&r);
}

static void detach_publishes_zero_before_the_reset(void **state)
{
    (void)state;
    start(BALLOON_FEATURES | OOM);
    go_to(3000);
    virtio_balloon_oom(r.vb, 1); /* a pause runs; it holds no detach up */
    virtio_balloon_detach(r.vb);
    balloon_rig_run(&r, 200 * NS_PER_MS);
    assert_int_equal(state_now(), VIRTIO_BALLOON_OFF);
    assert_int_equal(virtio_model_config(&r.v.model, 4), 0);
    assert_int_equal(r.guest.driver, 0);
    /* Off is off: nothing is due, nothing is written, whoever calls. */
    unsigned writes = r.host.actual_writes, steps = r.steps;
    balloon_rig_target(&r, 5);
    balloon_rig_run(&r, 100 * NS_PER_S);
    assert_true(r.steps - steps <= 1);
    virtio_balloon_step(r.vb);
    virtio_balloon_memory_freed(r.vb);
    virtio_balloon_detach(r.vb);
    virtio_balloon_step(r.vb);
    assert_int_equal(virtio_balloon_oom(r.vb, 9), 0);
    assert_int_equal(r.host.actual_writes, writes);
    assert_int_equal(r.v.model.status, 0);
    virtio_balloon_destroy(r.vb);
    r.vb = NULL;
    balloon_rig_end(&r);
}

/* ---- the plainest device, R-T-25 ---- */

static void a_device_with_nothing_but_version_1_works(void **state)
{
    static const uint64_t sets[] = {
        BIT64(VIRTIO_F_VERSION_1),
        BIT64(VIRTIO_F_VERSION_1) | BIT64(VIRTIO_BALLOON_F_STATS_VQ),
        BIT64(VIRTIO_F_VERSION_1) | BIT64(VIRTIO_F_EVENT_IDX),
        BIT64(VIRTIO_F_VERSION_1) | BIT64(VIRTIO_BALLOON_F_MUST_TELL_HOST) | OOM};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(sets) * 2; i++) {
        uint64_t features = sets[i / 2];
        uint16_t number[VIRTIO_BALLOON_QUEUES] = {0, 1, VIRTIO_BALLOON_NO_QUEUE,
                                                  VIRTIO_BALLOON_NO_QUEUE,
                                                  VIRTIO_BALLOON_NO_QUEUE};

        balloon_rig_init(&r, features, 8192);
        if (features & BIT64(VIRTIO_BALLOON_F_STATS_VQ))
            number[VIRTIO_BALLOON_STATS] = 2;
        balloon_rig_queues(&r, number);
        r.opts.is_polled = (i & 1) != 0;
        r.irq_works = !r.opts.is_polled;
        assert_int_equal(balloon_rig_attach(&r), 0);
        go_to(4096);
        r.host.is_slow = true;
        balloon_rig_target(&r, 4000);
        balloon_rig_run(&r, 150 * NS_PER_MS);
        assert_true(r.host.kept_count[1]);
        balloon_rig_answer(&r);
        balloon_rig_run(&r, 5 * NS_PER_MS);
        assert_int_equal(r.host.actual, 4000);
        assert_int_equal(balloon_rig_status(&r).silences, 0);
        r.host.is_slow = false;
        balloon_rig_end(&r);
    }
}

/* ---- short of memory ---- */

static void a_new_target_tries_at_once_while_short(void **state)
{
    (void)state;
    start(BALLOON_FEATURES);
    guest_use(&r.guest, 8000);
    balloon_rig_target(&r, 2000);
    balloon_rig_run(&r, 20 * NS_PER_S); /* retries are 5 s apart by now */
    assert_int_equal(r.host.actual, 192);
    guest_unuse(&r.guest, 1000); /* nobody tells */
    balloon_rig_target(&r, 1900);
    balloon_rig_run(&r, 5 * NS_PER_MS);
    assert_int_equal(r.host.actual, 1192); /* R-X-04 */
    guest_unuse(&r.guest, 7000);
    balloon_rig_end(&r);
}

static void actual_is_written_a_thousand_times_a_second_at_most(void **state)
{
    (void)state;
    start(BALLOON_FEATURES);
    r.host.request_ns = 10 * NS_PER_US;
    unsigned writes = r.host.actual_writes;
    uint64_t begin = r.v.hal.now_ns;
    for (unsigned i = 0; i < 1000; i++) {
        balloon_rig_target(&r, i & 1 ? 100 : 101);
        balloon_rig_run(&r, 100 * NS_PER_US);
        balloon_rig_check(&r);
    }
    assert_true(r.host.actual_writes > writes);
    assert_true(r.v.hal.now_ns - begin < NS_PER_S);
    balloon_rig_end(&r);
}

/* ---- hints ---- */

static void (*host_process)(void *ctx, struct virtio_model *m, uint16_t index);

static void ignore_hints(void *ctx, struct virtio_model *m, uint16_t index)
{
    struct balloon_host *host = ctx;

    if (index != host->queue_of[VIRTIO_BALLOON_HINT])
        host_process(ctx, m, index);
}

static void hints_nobody_reads_hold_nothing_up(void **state)
{
    (void)state;
    start(BALLOON_FEATURES | HINT);
    host_process = r.v.model.process;
    r.v.model.process = ignore_hints;
    for (unsigned i = 0; i < 300; i++) {
        virtio_model_set_config(&r.v.model, 8, 0x80000001 + i);
        balloon_rig_run(&r, 40 * NS_PER_MS);
    }
    balloon_rig_target(&r, 1000);
    balloon_rig_run(&r, 100 * NS_PER_MS);
    assert_int_equal(r.host.actual, 1000);
    balloon_rig_check(&r);
    balloon_rig_end(&r);
}

static void an_id_of_the_hint_queue_serves_any_magnitude_once(void **state)
{
    static const uint32_t ids[] = {2, 3, UINT32_MAX, 0x80000000};

    (void)state;
    start(BALLOON_FEATURES | HINT);
    for (unsigned i = 0; i < ARRAY_LEN(ids); i++) {
        virtio_model_set_config(&r.v.model, 8, ids[i]);
        balloon_rig_run(&r, 200 * NS_PER_MS);
        virtio_model_set_config(&r.v.model, 8, ids[i]); /* again: served already */
        balloon_rig_run(&r, 200 * NS_PER_MS);
        assert_int_equal(r.host.hint_count, 2 * (i + 1));
        assert_int_equal(r.host.hint_words[2 * i], ids[i]);
        assert_int_equal(r.host.hint_words[2 * i + 1], 0);
    }
    balloon_rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_ends_however_rarely_the_task_runs),
        cmocka_unit_test(a_stop_anywhere_is_not_silence),
        cmocka_unit_test(noise_does_not_prolong_silence),
        cmocka_unit_test(each_answer_in_four_seconds_is_slow_not_silent),
        cmocka_unit_test(frames_stay_quarantined_until_the_reset_is_complete),
        cmocka_unit_test(a_device_that_vanished_is_given_up),
        cmocka_unit_test(a_broken_device_shows_no_balloon_while_it_rests),
        cmocka_unit_test(answers_just_before_the_interrupt_is_asked_for_accuse_nobody),
        cmocka_unit_test(a_device_that_breaks_at_each_start_does_not_eat_the_memory),
        cmocka_unit_test(managed_memory_shrinks_only_without_the_oom_bit),
        cmocka_unit_test(a_new_start_publishes_zero_and_real_statistics),
        cmocka_unit_test(detach_publishes_zero_before_the_reset),
        cmocka_unit_test(a_device_with_nothing_but_version_1_works),
        cmocka_unit_test(a_new_target_tries_at_once_while_short),
        cmocka_unit_test(actual_is_written_a_thousand_times_a_second_at_most),
        cmocka_unit_test(hints_nobody_reads_hold_nothing_up),
        cmocka_unit_test(an_id_of_the_hint_queue_serves_any_magnitude_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
