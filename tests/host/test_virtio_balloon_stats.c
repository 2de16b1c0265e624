// SPDX-License-Identifier: BSD-2-Clause
/* Statistics: what the virtio balloon answers to a host that asks. */
#include "tests/model/balloon_host.h"

#include <setjmp.h>
#include <stdarg.h>

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

/* What the driver says of itself: a host may pass on fewer. */
static unsigned tags_told(void)
{
    struct virtio_balloon_status now;

    virtio_balloon_get_status(r.vb, &now);
    return now.stats_tags;
}

static void the_first_statistics_are_real(void **state)
{
    (void)state;
    start(0, 4096);
    assert_true(r.host.has_stats);
    assert_int_equal(r.host.stats_count, 16);
    assert_int_equal(tags_told(), 16);
    for (uint16_t tag = 12; tag < 16; tag++)
        assert_int_equal(balloon_rig_stat(&r, tag), tag);
    assert_int_equal(balloon_rig_stat(&r, 4), 4096 << FRAME_SHIFT);
    assert_int_equal(balloon_rig_stat(&r, 5), 4096 << FRAME_SHIFT);
    assert_int_equal(balloon_rig_stat(&r, 2), 3);
    assert_int_equal(balloon_rig_stat(&r, 3), 2);
    assert_int_equal(balloon_rig_stat(&r, 7), 0x7000);
    assert_int_equal(balloon_rig_stat(&r, 11), 11);
    balloon_rig_end(&r);
}

static void each_request_gets_one_fresh_answer(void **state)
{
    (void)state;
    start(0, 4096);
    go_to(1000);
    for (unsigned i = 2; i < 10; i++) {
        balloon_rig_ask_stats(&r);
        balloon_rig_run(&r, 50 * NS_PER_MS);
        assert_int_equal(r.host.stats_answers, i);
        assert_true(r.host.has_stats);
    }
    assert_int_equal(balloon_rig_stat(&r, 4), 3096 << FRAME_SHIFT);
    /* Without DEFLATE_ON_OOM the balloon is not this guest's memory, R-V-44. */
    assert_int_equal(balloon_rig_stat(&r, 5), 3096 << FRAME_SHIFT);
    balloon_rig_end(&r);
}

static void classic_statistics_have_ten_tags(void **state)
{
    (void)state;
    balloon_rig_init(&r, BALLOON_FEATURES, 4096);
    r.opts.classic_stats = true;
    assert_int_equal(balloon_rig_attach(&r), 0);
    assert_int_equal(r.host.stats_count, 10);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(r.host.stats_tag[i], i);
    assert_int_equal(tags_told(), 10);
    balloon_rig_end(&r);
}

static void statistics_are_answered_at_a_bounded_rate(void **state)
{
    (void)state;
    start(0, 4096);
    unsigned before = r.host.stats_answers;
    for (unsigned i = 0; i < 2000; i++) {
        if (r.host.has_stats)
            balloon_rig_ask_stats(&r);
        balloon_rig_run(&r, 500 * NS_PER_US);
    }
    unsigned answers = r.host.stats_answers - before;
    assert_true(answers > 50 && answers <= 101);
    balloon_rig_end(&r);
}

static void statistics_come_before_resizing(void **state)
{
    (void)state;
    start(0, 8192);
    balloon_rig_run(&r, NS_PER_S);
    r.host.is_slow = true;
    balloon_rig_target(&r, 4096);
    balloon_rig_ask_stats(&r);
    unsigned before = r.host.stats_answers;
    balloon_rig_run(&r, NS_PER_MS);
    assert_int_equal(r.host.stats_answers, before + 1);
    r.host.is_slow = false;
    balloon_rig_answer(&r);
    balloon_rig_settle(&r);
    balloon_rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_statistics_are_real),
        cmocka_unit_test(each_request_gets_one_fresh_answer),
        cmocka_unit_test(classic_statistics_have_ten_tags),
        cmocka_unit_test(statistics_are_answered_at_a_bounded_rate),
        cmocka_unit_test(statistics_come_before_resizing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
