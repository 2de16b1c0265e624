// SPDX-License-Identifier: BSD-2-Clause
/* Free page reporting of less than a block: a guest whose free memory lies between frames in use. */
#include "tests/host/report_rig.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_leave_by_order),
        cmocka_unit_test(a_batch_of_pieces_is_as_long_as_is_set),
        cmocka_unit_test(whatever_happens_meanwhile_loses_no_piece),
        cmocka_unit_test(out_of_memory_waits_for_pieces),
        cmocka_unit_test(a_failed_take_of_a_piece_loses_none),
        cmocka_unit_test(the_reserve_is_not_lent_in_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
