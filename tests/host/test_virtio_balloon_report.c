// SPDX-License-Identifier: BSD-2-Clause
/* Free page reporting: what is freed leaves after the delay and comes back usable, what is busy stays, and
 * whatever happens in the middle of a report loses no block. */
#include "base/err.h"
#include "tests/model/balloon_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define DELAY_NS (10 * NS_PER_MS)
#define FRAMES   16384u
#define BLOCKS   (FRAMES / BLOCK_FRAMES)

static struct balloon_rig r;

static void init(uint64_t extra, uint64_t delay_ns, unsigned order)
{
    balloon_rig_init(&r, BALLOON_FEATURES | BIT64(VIRTIO_BALLOON_F_REPORTING) | extra,
                     FRAMES);
    r.opts.early_return = true;
    r.opts.report_delay_ns = delay_ns;
    r.opts.report_order = r.host.report_order = order;
    r.guest.watches_pieces = order < BLOCK_ORDER;
    r.host.request_ns = 10 * NS_PER_US;
}

static void attach(void)
{
    assert_int_equal(balloon_rig_attach(&r), 0);
    balloon_rig_settle(&r);
}

static void start_with(uint64_t extra, uint64_t delay_ns)
{
    init(extra, delay_ns, BLOCK_ORDER);
    attach();
}

static void start(void)
{
    start_with(0, DELAY_NS);
}

/* The guest frees what it uses, and says so. */
static void free_frames(uint64_t frames)
{
    guest_unuse(&r.guest, frames);
    virtio_balloon_memory_freed(r.vb);
}

static void touch(uint64_t frames)
{
    guest_use(&r.guest, frames);
    free_frames(frames);
}

/* As if it had not been reported before. */
static void touch_other(uint64_t frames)
{
    uint64_t cold = r.guest.cold;

    guest_use(&r.guest, frames);
    r.guest.cold = cold;
    free_frames(frames);
}

static uint64_t reported_blocks(void)
{
    return balloon_rig_status(&r).freed_frames / BLOCK_FRAMES;
}

static uint64_t touched_frames(void)
{
    uint64_t count = 0;

    for (uint64_t i = 0; i < r.guest.count; i++)
        count += r.guest.owner[i] == FRAME_FREE && r.guest.touched[i];
    return count;
}

static void what_is_freed_leaves_after_the_delay(void **state)
{
    (void)state;
    start();
    touch(FRAMES / 2);
    balloon_rig_run(&r, DELAY_NS - NS_PER_MS);
    assert_int_equal(r.host.requests[HOST_REPORT], 0);
    balloon_rig_run(&r, 5 * NS_PER_MS);
    assert_int_equal(r.host.pages[HOST_REPORT], FRAMES / 2);
    assert_int_equal(reported_blocks(), BLOCKS / 2);
    assert_int_equal(touched_frames(), 0);
    assert_int_equal(r.guest.free, FRAMES);
    assert_true(r.host.longest_report > 1 && r.host.longest_report <= 32);
    assert_int_equal(balloon_rig_status(&r).freed_reports, r.host.requests[HOST_REPORT]);
    balloon_rig_check(&r);
    balloon_rig_end(&r);
}

static void (*give_as_ever)(void *ctx, pfn_t first, unsigned order, enum run_state state);

/* The allocator tells of everything that becomes free, also of what the balloon itself gives it. */
static void give_and_tell(void *ctx, pfn_t first, unsigned order, enum run_state state)
{
    give_as_ever(ctx, first, order, state);
    virtio_balloon_memory_freed(r.vb);
}

static void what_the_balloon_gives_is_no_news(void **state)
{
    (void)state;
    start();
    give_as_ever = r.v.hal.hal.run_give;
    r.v.hal.hal.run_give = give_and_tell;
    balloon_rig_target(&r, 10 * BLOCK_FRAMES);
    balloon_rig_settle(&r);
    balloon_rig_target(&r, 0);
    balloon_rig_settle(&r);
    assert_int_equal(reported_blocks(), 0);
    balloon_rig_check(&r);
    balloon_rig_end(&r);
}

static void nothing_runs_where_nothing_is_freed(void **state)
{
    (void)state;
    start();
    touch(FRAMES / 2);
    balloon_rig_run(
        &r, 2 * NS_PER_S); /* that long it is seen whether reports are regretted */
    unsigned looks = r.guest.idle_looks;
    balloon_rig_run(&r, 100 * NS_PER_S);
    assert_int_equal(r.guest.idle_looks, looks);
    /* A free that makes no block whole is a look and no more. */
    for (unsigned i = 0; i < 10; i++) {
        free_frames(0);
        balloon_rig_run(&r, NS_PER_S);
    }
    assert_int_equal(r.guest.idle_looks, looks + 10);
    balloon_rig_end(&r);
}

static void it_is_off_where_it_cannot_or_shall_not_be(void **state)
{
    (void)state;
    start_with(0, 0);
    touch(FRAMES);
    balloon_rig_run(&r, NS_PER_S);
    assert_int_equal(r.host.requests[HOST_REPORT], 0);
    assert_int_equal(r.guest.idle_looks, 0);
    balloon_rig_end(&r);
    balloon_rig_init(&r, BALLOON_FEATURES, FRAMES); /* no such queue */
    r.opts.report_delay_ns = DELAY_NS;
    assert_int_equal(balloon_rig_attach(&r), 0);
    touch(FRAMES);
    balloon_rig_run(&r, NS_PER_S);
    assert_int_equal(r.guest.idle_looks, 0);
    balloon_rig_end(&r);
}

static void a_batch_is_as_long_as_is_set(void **state)
{
    (void)state;
    for (unsigned batch = 0; batch <= 40; batch += 8) {
        balloon_rig_init(&r, BALLOON_FEATURES | BIT64(VIRTIO_BALLOON_F_REPORTING),
                         2 * FRAMES);
        r.opts.report_delay_ns = DELAY_NS;
        r.opts.report_batch = batch;
        r.host.request_ns = NS_PER_US;
        assert_int_equal(balloon_rig_attach(&r), 0);
        balloon_rig_settle(&r);
        for (unsigned i = 0; i < 20; i++) {
            touch(2 * FRAMES);
            balloon_rig_run(&r, NS_PER_S);
        }
        unsigned longest = batch < 1 ? 1 : batch < 32 ? batch : 32;
        assert_int_equal(r.host.longest_report, longest);
        balloon_rig_end(&r);
    }
}

/* Freed and taken again within the delay, for ever: the host hears nothing, but of what is left over. */
static void what_comes_and_goes_is_left_alone(void **state)
{
    (void)state;
    start();
    guest_use(&r.guest, FRAMES / 2);
    for (unsigned i = 0; i < 1000; i++) {
        free_frames(FRAMES / 2);
        balloon_rig_run(&r, 2 * NS_PER_MS);
        guest_use(&r.guest, FRAMES / 2);
        balloon_rig_run(&r, NS_PER_MS);
    }
    assert_int_equal(r.host.requests[HOST_REPORT], 0);
    free_frames(FRAMES / 4);
    for (unsigned i = 0; i < 10; i++) {
        free_frames(FRAMES / 4);
        balloon_rig_run(&r, 2 * NS_PER_MS);
        guest_use(&r.guest, FRAMES / 4);
        balloon_rig_run(&r, NS_PER_MS);
    }
    assert_true(reported_blocks() >= BLOCKS / 4);
    balloon_rig_check(&r);
    balloon_rig_end(&r);
}

/* A guest that frees all the time and a host that is slow about it: a burst, then once a second. */
static void a_guest_that_frees_without_rest_is_not_slowed_down(void **state)
{
    (void)state;
    start();
    r.host.request_ns = 2 * NS_PER_MS;
    for (unsigned i = 0; i < 3000; i++) {
        touch_other(FRAMES);
        balloon_rig_run(&r, 20 * NS_PER_MS);
    }
    uint64_t burst = NS_PER_S / r.host.request_ns;
    assert_true(r.host.requests[HOST_REPORT] > burst);
    assert_true(r.host.requests[HOST_REPORT] < burst + 62 * BLOCKS);
    balloon_rig_end(&r);
}

static uint64_t delay_ns(void)
{
    return balloon_rig_status(&r).report_delay_ns;
}

/* It wants back what it freed just after that was reported. */
static void what_is_taken_back_soon_is_left_alone(void **state)
{
    (void)state;
    start();
    assert_int_equal(delay_ns(), DELAY_NS);
    for (unsigned i = 0; i < 100; i++) {
        touch(FRAMES / 2);
        balloon_rig_run(&r, 50 * NS_PER_MS);
    }
    /* Reported after 10, 20 and 40 ms, and never again. */
    assert_int_equal(delay_ns(), 8 * DELAY_NS);
    assert_int_equal(reported_blocks(), 3 * BLOCKS / 2);
    assert_int_equal(balloon_rig_status(&r).refaults, 3 * FRAMES / 2);
    /* Each second of rest halves the delay. */
    guest_use(&r.guest, FRAMES / 2);
    balloon_rig_run(&r, 3 * NS_PER_S / 2);
    free_frames(FRAMES / 2);
    assert_int_equal(delay_ns(), 4 * DELAY_NS);
    guest_use(&r.guest, FRAMES / 2);
    balloon_rig_run(&r, 1000 * NS_PER_S);
    free_frames(FRAMES / 2);
    assert_int_equal(delay_ns(), DELAY_NS);
    balloon_rig_end(&r);
}

static void the_delay_grows_to_2_s_or_what_is_set(void **state)
{
    (void)state;
    for (uint64_t set = DELAY_NS; set <= 10 * NS_PER_S; set *= 10) {
        start_with(0, set);
        uint64_t most = set > 2 * NS_PER_S ? set : 2 * NS_PER_S;
        for (unsigned i = 0; i < 30; i++) {
            touch(FRAMES / 2);
            balloon_rig_run(&r, 2 * most);
            guest_use(&r.guest, FRAMES / 2);
            assert_true(delay_ns() <= most);
            free_frames(FRAMES / 2);
        }
        assert_int_equal(delay_ns(), set > 2 * NS_PER_S ? set : delay_ns());
        balloon_rig_end(&r);
    }
}

/* The longer delay does not outlive its reason, though something is freed all the time. */
static void reports_that_nobody_regrets_shorten_it(void **state)
{
    (void)state;
    start();
    for (unsigned i = 0; i < 10; i++) {
        touch(FRAMES / 2);
        balloon_rig_run(&r, 50 * NS_PER_MS);
    }
    assert_true(delay_ns() > 4 * DELAY_NS);
    for (unsigned i = 0; i < 60; i++) {
        touch_other(BLOCK_FRAMES);
        balloon_rig_run(&r, 200 * NS_PER_MS);
    }
    assert_int_equal(delay_ns(), DELAY_NS);
    balloon_rig_end(&r);
}

static void the_reserve_is_not_lent(void **state)
{
    (void)state;
    start();
    r.guest.reserve = 4 * BLOCK_FRAMES;
    guest_use(&r.guest, FRAMES);
    r.host.is_slow = true;
    free_frames(6 * BLOCK_FRAMES);
    balloon_rig_run(&r, 2 * DELAY_NS);
    assert_int_equal(r.guest.driver, BLOCK_FRAMES); /* half of what is beyond it */
    r.host.is_slow = false;
    balloon_rig_answer(&r);
    balloon_rig_run(&r, NS_PER_S);
    balloon_rig_check(&r);
    balloon_rig_end(&r);
}

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

/* ---- pieces: a guest whose free memory lies between frames in use ---- */

static void start_pieces(unsigned order)
{
    init(0, DELAY_NS, order);
    attach();
}

/* Of each `step` frames the first `run` are free. */
static void fragment(uint64_t run, uint64_t step)
{
    guest_use(&r.guest, FRAMES);
    guest_unuse_runs(&r.guest, run, step);
    virtio_balloon_memory_freed(r.vb);
}

static void pieces_leave_by_order(void **state)
{
    (void)state;
    for (unsigned order = 0; order <= BLOCK_ORDER; order++) {
        start_pieces(order);
        fragment(40, 64);
        balloon_rig_run(&r, 3 * NS_PER_S);
        /* 40 frames from a multiple of 64 on: whole units of up to 32. */
        uint64_t unit = 1u << order, each = 40 / unit * unit;
        assert_int_equal(r.host.pages[HOST_REPORT], FRAMES / 64 * each);
        assert_int_equal(touched_frames(), FRAMES / 64 * (40 - each));
        assert_int_equal(balloon_rig_status(&r).freed_frames, FRAMES / 64 * each);
        assert_true(r.host.longest_report <= 32);
        balloon_rig_check(&r);
        /* Once: nothing was freed since. */
        unsigned reports = r.host.requests[HOST_REPORT], looks = r.guest.idle_looks;
        balloon_rig_run(&r, 100 * NS_PER_S);
        assert_int_equal(r.host.requests[HOST_REPORT], reports);
        assert_int_equal(r.guest.idle_looks, looks);
        balloon_rig_end(&r);
    }
}

static void a_batch_of_pieces_is_as_long_as_is_set(void **state)
{
    (void)state;
    for (unsigned batch = 1; batch <= 32; batch *= 2) {
        init(0, DELAY_NS, 0);
        r.opts.report_batch = batch;
        attach();
        fragment(1, 2);
        balloon_rig_run(&r, 10 * NS_PER_S);
        assert_int_equal(r.host.pages[HOST_REPORT], FRAMES / 2);
        assert_true(r.host.longest_report <= batch);
        balloon_rig_end(&r);
    }
}

static void start_slow_pieces(void)
{
    start_pieces(0);
    r.host.is_slow = true;
    fragment(1, 2);
    balloon_rig_run(&r, 4 * DELAY_NS);
    assert_int_equal(r.host.kept_count[HOST_REPORT], 1);
    assert_true(r.guest.driver > 0);
    assert_int_equal(balloon_rig_status(&r).in_flight_frames, r.guest.driver);
    balloon_rig_check(&r);
}

static void whatever_happens_meanwhile_loses_no_piece(void **state)
{
    (void)state;
    /* A host that is slow. */
    start_slow_pieces();
    for (unsigned i = 0; i < FRAMES / 2; i++) {
        balloon_rig_answer(&r);
        balloon_rig_run(&r, NS_PER_MS);
    }
    assert_int_equal(touched_frames(), 0);
    assert_int_equal(r.guest.free, FRAMES / 2);
    balloon_rig_end(&r);
    /* A reset: they are touched for all we know, and told of after the new start. */
    start_slow_pieces();
    virtio_model_need_reset(&r.v.model);
    balloon_rig_run(&r, 10 * NS_PER_MS);
    assert_int_equal(r.guest.free, FRAMES / 2);
    assert_int_equal(touched_frames(), FRAMES / 2);
    r.host.is_slow = false;
    balloon_rig_run(&r, 2 * NS_PER_S);
    free_frames(0);
    balloon_rig_run(&r, NS_PER_S);
    assert_int_equal(touched_frames(), 0);
    balloon_rig_end(&r);
    /* A target. */
    start_slow_pieces();
    balloon_rig_target(&r, FRAMES / 4);
    balloon_rig_run(&r, 20 * NS_PER_MS);
    balloon_rig_check(&r);
    r.host.is_slow = false;
    balloon_rig_answer(&r);
    balloon_rig_settle(&r);
    assert_int_equal(r.host.actual, FRAMES / 4);
    balloon_rig_check(&r);
    balloon_rig_target(&r, 0);
    balloon_rig_settle(&r);
    balloon_rig_end(&r);
}

static void out_of_memory_waits_for_pieces(void **state)
{
    (void)state;
    start_slow_pieces();
    uint64_t open = r.guest.driver;
    guest_use(&r.guest, FRAMES);
    assert_int_equal(r.guest.free, 0);
    balloon_rig_answer(&r);
    assert_int_equal(virtio_balloon_oom(r.vb, 1), open);
    assert_int_equal(r.guest.free, open);
    balloon_rig_check(&r);
    r.host.is_slow = false;
    balloon_rig_end(&r);
}

static void a_failed_take_of_a_piece_loses_none(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 40; n++) {
        start_pieces(0);
        r.guest.take_fail_at = r.guest.takes + n;
        fragment(1, 32);
        balloon_rig_run(&r, NS_PER_S);
        balloon_rig_check(&r);
        free_frames(0);
        balloon_rig_run(&r, NS_PER_S);
        assert_int_equal(touched_frames(), 0);
        balloon_rig_end(&r);
    }
}

static void the_reserve_is_not_lent_in_pieces(void **state)
{
    (void)state;
    start_pieces(0);
    r.guest.reserve = FRAMES / 4;
    guest_use(&r.guest, FRAMES);
    r.host.is_slow = true;
    guest_unuse_runs(&r.guest, 1, 4); /* as much as the reserve */
    virtio_balloon_memory_freed(r.vb);
    balloon_rig_run(&r, NS_PER_S);
    assert_int_equal(r.guest.driver, 0);
    r.guest.reserve -= 2;
    free_frames(0);
    balloon_rig_run(&r, NS_PER_S);
    assert_int_equal(r.guest.driver, 2);
    r.host.is_slow = false;
    balloon_rig_answer(&r);
    balloon_rig_end(&r);
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
        cmocka_unit_test(what_is_freed_leaves_after_the_delay),
        cmocka_unit_test(what_the_balloon_gives_is_no_news),
        cmocka_unit_test(nothing_runs_where_nothing_is_freed),
        cmocka_unit_test(it_is_off_where_it_cannot_or_shall_not_be),
        cmocka_unit_test(a_batch_is_as_long_as_is_set),
        cmocka_unit_test(what_comes_and_goes_is_left_alone),
        cmocka_unit_test(a_guest_that_frees_without_rest_is_not_slowed_down),
        cmocka_unit_test(what_is_taken_back_soon_is_left_alone),
        cmocka_unit_test(the_delay_grows_to_2_s_or_what_is_set),
        cmocka_unit_test(reports_that_nobody_regrets_shorten_it),
        cmocka_unit_test(the_reserve_is_not_lent),
        cmocka_unit_test(a_slow_host_gets_all_in_the_end),
        cmocka_unit_test(a_target_in_the_middle_is_met),
        cmocka_unit_test(out_of_memory_waits_for_the_report),
        cmocka_unit_test(a_reset_in_the_middle_gives_all_back),
        cmocka_unit_test(a_ring_that_lies_gives_all_back),
        cmocka_unit_test(a_detach_waits_for_the_report),
        cmocka_unit_test(silence_ends_it),
        cmocka_unit_test(a_dead_device_keeps_the_blocks),
        cmocka_unit_test(a_failed_take_ends_the_element_and_no_more),
        cmocka_unit_test(pieces_leave_by_order),
        cmocka_unit_test(a_batch_of_pieces_is_as_long_as_is_set),
        cmocka_unit_test(whatever_happens_meanwhile_loses_no_piece),
        cmocka_unit_test(out_of_memory_waits_for_pieces),
        cmocka_unit_test(a_failed_take_of_a_piece_loses_none),
        cmocka_unit_test(the_reserve_is_not_lent_in_pieces),
        cmocka_unit_test(random_walks_lose_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
