// SPDX-License-Identifier: BSD-2-Clause
/* Blocks set aside for compaction: which, what becomes of their frames, and of them. */
#include "tests/host/pmm_rig.h"

#define BLOCKS 6

static const struct pmm_want PIECES = {.class = PMM_MOVABLE, .pieces_only = true};

/* Blocks of which everything is taken, frame by frame; test by test some frames come back. */
struct machine {
    struct pmm *pmm;
    uint64_t first; /* frame number of block 0 */
    uint64_t skipped;
};

static struct machine all_taken(void)
{
    struct machine m = {.pmm = blocks_only_used_low(BLOCKS), .skipped = UINT64_MAX};
    struct pmm_run run;

    m.first = UINT64_MAX;
    while (pmm_take(m.pmm, FRAME, &run) == 0)
        m.first = min_u64(m.first, run.pfn.n);
    return m;
}

/* The first `count` frames of a block come back. */
static void give(struct machine *m, unsigned block, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        pmm_give(m->pmm, pfn_of(m->first + block * BLOCK_FRAMES + i), 0, RUN_TOUCHED);
}

static bool is_named(void *ctx, pfn_t first)
{
    const struct machine *m = ctx;

    return first.n == m->first + m->skipped * BLOCK_FRAMES;
}

static bool is_victim(const struct machine *m, unsigned block)
{
    return pmm_is_victim(m->pmm, pfn_of(m->first + block * BLOCK_FRAMES + 511));
}

static void the_emptiest_go_as_long_as_the_others_have_room(void **state)
{
    struct machine m = all_taken();

    (void)state;
    give(&m, 0, 100);
    give(&m, 1, 500); /* 12 taken */
    give(&m, 2, 300); /* 212 taken */
    give(&m, 3, 50);
    give(&m, 4, 400); /* 112 taken */
    /* 1 and 4 need 124 of 450; 2 as well would need 336 of the 150 that then are left. */
    assert_int_equal(pmm_victims_begin(m.pmm, 64, is_named, &m), 2);
    assert_true(is_victim(&m, 1) && is_victim(&m, 4));
    assert_false(is_victim(&m, 0) || is_victim(&m, 2) || is_victim(&m, 3));
    pmm_check(m.pmm);
    assert_int_equal(pmm_victims_end(m.pmm), 2);
    assert_false(is_victim(&m, 1) || is_victim(&m, 4));
    assert_int_equal(pmm_victims_end(m.pmm), 0);
    pmm_check(m.pmm);
}

static void no_more_than_is_asked_for_and_none_that_is_named(void **state)
{
    struct machine m = all_taken();

    (void)state;
    for (unsigned i = 0; i < 5; i++)
        give(&m, i, 500 - i);
    assert_int_equal(pmm_victims_begin(m.pmm, 2, is_named, &m), 2);
    assert_int_equal(pmm_victims_end(m.pmm), 2);
    m.skipped = 0;
    assert_int_equal(pmm_victims_begin(m.pmm, 64, is_named, &m), 4);
    assert_false(is_victim(&m, 0));
    pmm_check(m.pmm);
}

/* One after the other, done with or not. */
static void victims_one_by_one(void **state)
{
    struct machine m = all_taken();
    pfn_t first;

    (void)state;
    assert_false(pmm_victims_next(m.pmm, &first));
    give(&m, 0, 200);
    give(&m, 1, 500);
    give(&m, 2, 490);
    assert_int_equal(pmm_victims_begin(m.pmm, 64, is_named, &m), 2);
    for (unsigned left = 2; left > 0; left--) {
        assert_true(pmm_victims_next(m.pmm, &first));
        assert_true(pmm_is_victim(m.pmm, first));
        pmm_victim_end(m.pmm, first);
        assert_false(pmm_is_victim(m.pmm, first));
        pmm_check(m.pmm);
    }
    assert_false(pmm_victims_next(m.pmm, &first));
    assert_int_equal(pmm_victims_end(m.pmm), 0);
}

static void nothing_to_choose(void **state)
{
    struct machine m = all_taken();

    (void)state;
    assert_int_equal(pmm_victims_begin(m.pmm, 64, is_named, &m), 0);
    give(&m, 0, 500); /* alone: there is no other that has room */
    assert_int_equal(pmm_victims_begin(m.pmm, 64, is_named, &m), 0);
    give(&m, 1, 11); /* one frame short */
    assert_int_equal(pmm_victims_begin(m.pmm, 64, is_named, &m), 0);
    give(&m, 2, 1);
    assert_int_equal(pmm_victims_begin(m.pmm, 0, is_named, &m), 0);
    assert_int_equal(pmm_victims_begin(m.pmm, 64, is_named, &m), 1);
}

static void a_victims_frames_are_not_given_out(void **state)
{
    struct machine m = all_taken();
    struct pmm_run run;

    (void)state;
    give(&m, 0, 500);
    give(&m, 1, 20);
    assert_int_equal(pmm_victims_begin(m.pmm, 64, is_named, &m), 1);
    for (unsigned i = 0; i < 20; i++)
        assert_in_range(take(m.pmm, PIECES).n, m.first + BLOCK_FRAMES,
                        m.first + 2 * BLOCK_FRAMES - 1);
    expect_enomem(m.pmm, PIECES);
    assert_true(is_victim(&m, 0));
    pmm_check(m.pmm);
    assert_int_equal(pmm_take(m.pmm, FRAME, &run), 0); /* rather than an error */
    assert_false(is_victim(&m, 0));
    assert_int_equal(stats_of(m.pmm).free_frames, 499);
    pmm_check(m.pmm);
}

static void rings_and_the_heap_come_before_victims_too(void **state)
{
    struct machine m = all_taken();
    pfn_t first;

    (void)state;
    give(&m, 0, 500);
    give(&m, 1, 20);
    assert_int_equal(pmm_victims_begin(m.pmm, 64, is_named, &m), 1);
    assert_int_equal(pmm_take_run(m.pmm, 100, 1, 0, &first), 0);
    assert_false(is_victim(&m, 0));
    pmm_check(m.pmm);
}

static void a_victim_without_frames_is_a_whole_block(void **state)
{
    struct machine m = all_taken();

    (void)state;
    give(&m, 0, 500);
    give(&m, 1, 20);
    assert_int_equal(pmm_victims_begin(m.pmm, 64, is_named, &m), 1);
    for (unsigned i = 500; i < BLOCK_FRAMES; i++)
        pmm_give(m.pmm, pfn_of(m.first + i), 0, RUN_TOUCHED);
    assert_false(is_victim(&m, 0));
    assert_int_equal(stats_of(m.pmm).free_blocks_touched, 1);
    assert_int_equal(pmm_victims_end(m.pmm), 0);
    assert_int_equal(take(m.pmm, BLOCK).n, m.first);
    pmm_check(m.pmm);
}

static void fixed_and_cut_blocks_are_no_victims(void **state)
{
    struct machine m = all_taken();
    pfn_t low = {(GIB - 1 * MIB) >> FRAME_SHIFT};

    (void)state;
    give(&m, 0, 512);
    take(m.pmm, FIXED);
    assert_int_equal(stats_of(m.pmm).partial_blocks[PMM_FIXED], 1);
    give(&m, 1, 300);
    for (unsigned i = 100; i < 256; i++) /* of the half block at the range's end */
        pmm_give(m.pmm, pfn_add(low, i), 0, RUN_TOUCHED);
    assert_int_equal(pmm_victims_begin(m.pmm, 64, is_named, &m), 0); /* 212 into 156 */
    give(&m, 2, 212 - 156);
    assert_int_equal(pmm_victims_begin(m.pmm, 64, is_named, &m), 1);
    assert_true(is_victim(&m, 1));
    pmm_check(m.pmm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_emptiest_go_as_long_as_the_others_have_room),
        cmocka_unit_test(no_more_than_is_asked_for_and_none_that_is_named),
        cmocka_unit_test(victims_one_by_one),
        cmocka_unit_test(nothing_to_choose),
        cmocka_unit_test(a_victims_frames_are_not_given_out),
        cmocka_unit_test(rings_and_the_heap_come_before_victims_too),
        cmocka_unit_test(a_victim_without_frames_is_a_whole_block),
        cmocka_unit_test(fixed_and_cut_blocks_are_no_victims),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
