// SPDX-License-Identifier: BSD-2-Clause
/*
 * mm/pmm*.c by example: the order of choice, whole and in pieces, limits, reserve, runs, an empty pool,
 * misuse. test_pmm_blocks.c has many blocks at once, test_pmm_init.c the set-up, test_pmm_random.c compares with a model.
 */
#include "tests/host/pmm_rig.h"

static void frames_come_from_the_fullest_block(void **state)
{
    struct pmm *pmm = blocks_only_used_low(4);
    pfn_t pfn[3 * BLOCK_FRAMES];

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(pfn); i++)
        pfn[i] = take(pmm, FRAME);
    assert_int_equal(stats_of(pmm).free_blocks_untouched, 1);
    for (unsigned i = 0; i < 300; i++)
        pmm_give(pmm, pfn[i], 0, RUN_TOUCHED);
    for (unsigned i = 0; i < 100; i++)
        pmm_give(pmm, pfn[BLOCK_FRAMES + i], 0, RUN_TOUCHED);
    for (unsigned i = 0; i < 200; i++)
        pmm_give(pmm, pfn[2 * BLOCK_FRAMES + i], 0, RUN_TOUCHED);
    for (unsigned i = 0; i < 600; i++) {
        unsigned from = i < 100 ? 1 : i < 300 ? 2 : 0;

        assert_int_equal(take(pmm, FRAME).n / BLOCK_FRAMES,
                         pfn[from * BLOCK_FRAMES].n / BLOCK_FRAMES);
    }
    assert_int_equal(stats_of(pmm).free_blocks_untouched, 1);
    pmm_check(pmm);
}

static void touched_memory_goes_first(void **state)
{
    struct pmm *pmm = blocks_only_used_low(4);
    struct pmm_want touched_block = BLOCK, touched_frame = FRAME;
    struct pmm_run run;

    (void)state;
    touched_block.touched_only = touched_frame.touched_only = true;
    expect_enomem(pmm, touched_block);
    expect_enomem(pmm, touched_frame);

    pfn_t a = take(pmm, BLOCK), b = take(pmm, BLOCK);
    pmm_give(pmm, a, BLOCK_ORDER, RUN_TOUCHED);
    pmm_give(pmm, b, BLOCK_ORDER, RUN_UNTOUCHED);
    assert_int_equal(stats_of(pmm).free_blocks_touched, 1);
    assert_int_equal(stats_of(pmm).free_blocks_untouched, 3);
    assert_int_equal(pmm_take(pmm, BLOCK, &run), 0);
    assert_int_equal(run.pfn.n, a.n);
    assert_int_equal(run.state, RUN_TOUCHED);
    assert_int_equal(pmm_take(pmm, BLOCK, &run), 0);
    assert_int_equal(run.state, RUN_UNTOUCHED);
    pmm_give(pmm, a, BLOCK_ORDER, RUN_TOUCHED);

    /* A frame of it: the rest of the block stays touched, and so does the block when it is whole. */
    assert_int_equal(pmm_take(pmm, touched_frame, &run), 0);
    assert_int_equal(run.pfn.n, a.n);
    expect_enomem(pmm, touched_block);
    pmm_give(pmm, run.pfn, 0, RUN_UNTOUCHED);
    assert_int_equal(stats_of(pmm).free_blocks_touched, 1);
}

static void expect_idle(struct pmm *pmm, uint64_t now, uint64_t least)
{
    struct idle_blocks idle;

    pmm_idle_blocks(pmm, &idle);
    assert_int_equal(idle.now, now);
    assert_int_equal(idle.least, least);
}

static void idle_blocks_are_those_that_nobody_took_meanwhile(void **state)
{
    struct pmm *pmm = blocks_only_used_low(4);
    pfn_t a = take(pmm, BLOCK), b = take(pmm, BLOCK), c;

    (void)state;
    expect_idle(pmm, 0, 0);
    pmm_give(pmm, a, BLOCK_ORDER, RUN_TOUCHED);
    pmm_give_blocks(pmm, b, 1, RUN_TOUCHED);
    expect_idle(pmm, 2, 0); /* there were none at first */
    expect_idle(pmm, 2, 2);
    c = take(pmm, BLOCK);
    pmm_give(pmm, c, BLOCK_ORDER, RUN_TOUCHED);
    expect_idle(pmm, 2, 1);
    /* Broken up, and whole again. */
    c = take(pmm, FRAME);
    pmm_give(pmm, c, 0, RUN_TOUCHED);
    expect_idle(pmm, 2, 1);
    c = take(pmm, BLOCK);
    pmm_give(pmm, c, BLOCK_ORDER, RUN_UNTOUCHED);
    expect_idle(pmm, 1, 1);
    pmm_check(pmm);
}

static void a_block_in_pieces_remembers_its_state(void **state)
{
    struct pmm *pmm = blocks_only_used_low(2);
    struct pmm_want touched = FRAME;
    struct pmm_run run;
    pfn_t first = {0};

    (void)state;
    touched.touched_only = true;
    for (unsigned i = 0; i < BLOCK_FRAMES; i++) {
        assert_int_equal(pmm_take(pmm, FRAME, &run), 0);
        assert_int_equal(run.state, RUN_UNTOUCHED);
        first = i == 0 ? run.pfn : first;
    }
    pmm_give(pmm, first, 0, RUN_UNTOUCHED);
    expect_enomem(pmm, touched);
    pmm_give(pmm, pfn_add(first, 1), 0, RUN_TOUCHED);
    assert_int_equal(pmm_take(pmm, touched, &run), 0);
    assert_int_equal(run.state, RUN_TOUCHED);
    assert_int_equal(pmm_take(pmm, touched, &run), 0);
    expect_enomem(pmm, touched); /* none free: forgotten */
    for (unsigned i = 0; i < BLOCK_FRAMES; i++)
        pmm_give(pmm, pfn_add(first, i), 0, RUN_UNTOUCHED);
    assert_int_equal(stats_of(pmm).free_blocks_untouched, 2);
    pmm_check(pmm);
}

static void classes_share_a_block_only_at_the_end(void **state)
{
    struct pmm *pmm = blocks_only_used_low(3);
    pfn_t fixed = take(pmm, FIXED), movable = take(pmm, FRAME);

    (void)state;
    assert_int_not_equal(fixed.n / BLOCK_FRAMES, movable.n / BLOCK_FRAMES);
    for (unsigned i = 1; i < 2 * BLOCK_FRAMES; i++)
        assert_int_not_equal(take(pmm, FRAME).n / BLOCK_FRAMES, fixed.n / BLOCK_FRAMES);
    assert_int_equal(stats_of(pmm).class_mixes, 0);
    assert_int_equal(stats_of(pmm).partial_blocks[PMM_FIXED], 1);
    assert_int_equal(stats_of(pmm).partial_blocks[PMM_MOVABLE],
                     3); /* the low one as well */

    assert_int_equal(take(pmm, FRAME).n / BLOCK_FRAMES, fixed.n / BLOCK_FRAMES);
    assert_int_equal(stats_of(pmm).class_mixes, 1);
    while (stats_of(pmm).free_frames > 0)
        take(pmm, FIXED);
    /* A fixed frame among movable ones makes their block fixed. */
    pmm_give(pmm, movable, 0, RUN_TOUCHED);
    take(pmm, FIXED);
    assert_int_equal(stats_of(pmm).partial_blocks[PMM_FIXED], 2);
    pmm_check(pmm);
}

static void cut_blocks_serve_both_classes(void **state)
{
    struct pmm *pmm = make(RAM({0x3000, 0x100000}, {5 * GIB, 5 * GIB + MIB}), 0);
    pfn_t a = take(pmm, FIXED), b = take(pmm, FRAME);

    (void)state;
    assert_int_not_equal(a.n / BLOCK_FRAMES, b.n / BLOCK_FRAMES);
    pmm_give(pmm, a, 0, RUN_TOUCHED);
    pmm_give(pmm, b, 0, RUN_TOUCHED);
    pmm_check(pmm);
    assert_int_equal(stats_of(pmm).partial_blocks[0] + stats_of(pmm).partial_blocks[1],
                     0);
    for (uint64_t left = stats_of(pmm).free_frames; left > 0; left--)
        take(pmm, left > 200 ? FRAME : FIXED);
    expect_enomem(pmm, FRAME);
    expect_enomem(pmm, BLOCK);
}

static void limits_hold(void **state)
{
    struct pmm *pmm = make(RAM({8 * MIB, 12 * MIB}, {5 * GIB, 5 * GIB + 8 * MIB}), 0);
    struct pmm_want frame = FRAME, block = BLOCK;
    uint64_t count = 0;
    struct pmm_run run;
    pfn_t pfn;

    (void)state;
    block.pfn_limit = (12 * MIB >> FRAME_SHIFT) - 1;
    expect_enomem(pmm, block); /* the metadata cut the first one */
    block.pfn_limit++;
    assert_int_equal(take(pmm, block).n, 10 * MIB >> FRAME_SHIFT);
    expect_enomem(pmm, block);
    pmm_give(pmm, pfn_of(10 * MIB >> FRAME_SHIFT), BLOCK_ORDER, RUN_TOUCHED);

    frame.pfn_limit = (10 * MIB >> FRAME_SHIFT) + 3;
    while (pmm_take(pmm, frame, &run) == 0) {
        assert_true(run.pfn.n < frame.pfn_limit);
        count++;
    }
    assert_int_equal(count, BLOCK_FRAMES + 3 - stats_of(pmm).metadata_bytes / FRAME_SIZE);
    frame.pfn_limit = 1;
    expect_enomem(pmm, frame);
    block.pfn_limit = 5;
    expect_enomem(pmm, block);
    assert_int_equal(pmm_take_run(pmm, 4, 1, (10 * MIB >> FRAME_SHIFT) + 6, &pfn),
                     -ENOMEM);
    assert_int_equal(pmm_take_run(pmm, 4, 1, (10 * MIB >> FRAME_SHIFT) + 7, &pfn), 0);
    assert_int_equal(pmm_take_run(pmm, 1024, 1, 5 * GIB >> FRAME_SHIFT, &pfn), -ENOMEM);
    pmm_check(pmm);
}

static void the_reserve_is_kept(void **state)
{
    struct pmm *pmm = blocks_only_with_reserve(4, 3 * MIB);
    struct pmm_want frame = FRAME, block = BLOCK;
    struct pmm_run run;

    (void)state;
    frame.keep_reserve = block.keep_reserve = true;
    take(pmm, block);
    take(pmm, block);
    expect_enomem(pmm, block);
    while (pmm_take(pmm, frame, &run) == 0)
        ;
    assert_int_equal(stats_of(pmm).free_frames, 3 * MIB / FRAME_SIZE);
    take(pmm, FRAME); /* others may use it */
    expect_enomem(pmm, frame);
}

static void parts_of_a_block_come_back(void **state)
{
    struct pmm *pmm = blocks_only_used_low(2);
    pfn_t block = take(pmm, BLOCK);

    (void)state;
    for (unsigned i = 0; i < BLOCK_FRAMES; i++) {
        pmm_give(pmm, pfn_add(block, (i * 77) % BLOCK_FRAMES), 0, RUN_UNTOUCHED);
        assert_int_equal(stats_of(pmm).free_frames, BLOCK_FRAMES + i + 1);
    }
    pmm_check(pmm);
    assert_int_equal(stats_of(pmm).free_blocks_untouched, 2);
    /* And 512 frames that are a block, as one. */
    for (unsigned i = 0; i < BLOCK_FRAMES; i++)
        block = take(pmm, FRAME);
    pmm_give(pmm, pfn_of(align_down(block.n, BLOCK_FRAMES)), BLOCK_ORDER, RUN_TOUCHED);
    pmm_check(pmm);
    assert_int_equal(stats_of(pmm).free_blocks_touched, 1);
}

static void runs(void **state)
{
    struct pmm *pmm = blocks_only(8);
    uint64_t before = stats_of(pmm).free_frames;
    pfn_t a, b, c, d, e;

    (void)state;
    assert_int_equal(pmm_take_run(pmm, 0, 1, 0, &a), -EINVAL);
    assert_int_equal(pmm_take_run(pmm, 4, 3, 0, &a), -EINVAL);
    assert_int_equal(pmm_take_run(pmm, 5, 4, 0, &a), 0);
    assert_int_equal(a.n % 4, 0);
    assert_int_equal(pmm_take_run(pmm, 300, 64, 0, &b), 0);
    assert_int_equal(b.n % 64, 0);
    assert_int_equal(pmm_take_run(pmm, 512, 512, 0, &c), 0);
    assert_int_equal(c.n % 512, 0);
    assert_int_equal(pmm_take_run(pmm, 1025, 1024, 0, &d), 0);
    assert_int_equal(d.n % 1024, 0);
    assert_int_equal(pmm_take_run(pmm, 4096, 1, 0, &e), -ENOMEM);
    assert_int_equal(pmm_take_run(pmm, UINT64_MAX, 1, 0, &e), -ENOMEM);
    assert_int_equal(stats_of(pmm).free_frames, before - 5 - 300 - 512 - 1025);
    pmm_check(pmm);
    pmm_give_run(pmm, d, 1025);
    pmm_give_run(pmm, a, 5);
    pmm_give_run(pmm, c, 512);
    pmm_give_run(pmm, b, 300);
    pmm_check(pmm);
    assert_int_equal(stats_of(pmm).free_frames, before);
    assert_int_equal(stats_of(pmm).run_allocs, stats_of(pmm).run_frees);
}

/* A pool without a single map left: giving feeds it, and so does breaking up a block. */
static void an_empty_pool_stops_nothing(void **state)
{
    enum { COUNT = 100 };
    struct pmm *pmm = blocks_only_used_low(COUNT);
    struct pmm_stats before = stats_of(pmm), after;
    pfn_t blocks[COUNT];
    unsigned given = 0;

    (void)state;
    for (unsigned i = 0; i < COUNT; i++)
        blocks[i] = take(pmm, BLOCK);
    for (; stats_of(pmm).maps_free > 0; given++)
        pmm_give(pmm, blocks[given], 0, RUN_UNTOUCHED);
    assert_true(given < 64);

    pmm_give(pmm, blocks[given], 0, RUN_UNTOUCHED); /* becomes pool memory */
    assert_int_equal(stats_of(pmm).maps_free, 62);
    assert_int_equal(stats_of(pmm).free_frames, given);
    assert_int_equal(stats_of(pmm).metadata_bytes, before.metadata_bytes + FRAME_SIZE);
    pmm_check(pmm);

    while (stats_of(pmm).maps_free > 0)
        pmm_give(pmm, blocks[++given], 0, RUN_UNTOUCHED);
    while (stats_of(pmm).free_frames > 0)
        take(pmm, FRAME);
    pmm_give(pmm, blocks[COUNT - 1], BLOCK_ORDER, RUN_UNTOUCHED);
    assert_int_equal(take(pmm, FRAME).n / BLOCK_FRAMES,
                     blocks[COUNT - 1].n / BLOCK_FRAMES);
    after = stats_of(pmm);
    assert_int_equal(after.free_frames,
                     BLOCK_FRAMES - 1 -
                         (after.metadata_bytes - before.metadata_bytes) / FRAME_SIZE + 1);
    pmm_check(pmm);
}

static void the_pool_grows_and_shrinks(void **state)
{
    enum { COUNT = 400 };
    struct pmm *pmm = blocks_only_used_low(COUNT);
    struct pmm_stats before = stats_of(pmm), after;
    pfn_t *taken = calloc(COUNT * BLOCK_FRAMES, sizeof(*taken));
    struct pmm_run run;
    unsigned count = 0;

    (void)state;
    while (pmm_take(pmm, FRAME, &run) == 0)
        taken[count++] = run.pfn;
    assert_true(stats_of(pmm).metadata_bytes > before.metadata_bytes + 5 * FRAME_SIZE);
    while (count > 0)
        pmm_give(pmm, taken[--count], 0, RUN_TOUCHED);
    assert_int_equal(pmm_refill(pmm), 0);
    pmm_check(pmm);
    after = stats_of(pmm);
    assert_true(after.maps_free >= 16);
    assert_true(after.metadata_bytes <= before.metadata_bytes + FRAME_SIZE);
    free(taken);
}

static void refill_reports_no_memory(void **state)
{
    struct pmm *pmm = blocks_only_used_low(30);
    pfn_t last = {0};

    (void)state;
    while (stats_of(pmm).free_frames > 0)
        last = take(pmm, stats_of(pmm).free_blocks_untouched ? BLOCK : FRAME);
    for (unsigned i = 0; stats_of(pmm).maps_free > 10; i++) {
        pfn_t part = pfn_add(last, -(uint64_t)(i * BLOCK_FRAMES));

        pmm_give(pmm, part, 0, RUN_TOUCHED);
        take(pmm, FRAME);
    }
    assert_int_equal(pmm_refill(pmm), -ENOMEM);
    pmm_give(pmm, last, 0, RUN_TOUCHED);
    assert_int_equal(pmm_refill(pmm), 0);
    assert_true(stats_of(pmm).maps_free > 16);
    pmm_check(pmm);
}

static void misuse_is_caught(void **state)
{
    struct pmm *pmm = blocks_only_used_low(4);
    struct pmm_run run;
    pfn_t a = take(pmm, FRAME), b = take(pmm, BLOCK);

    (void)state;
    assert_int_equal(pmm_take(pmm, (struct pmm_want){.order = 1}, &run), -EINVAL);
    assert_int_equal(pmm_take(pmm, (struct pmm_want){.order = 10}, &run), -EINVAL);
    pmm_give(pmm, b, BLOCK_ORDER, RUN_TOUCHED);
    EXPECT_ASSERT(pmm_give(pmm, b, BLOCK_ORDER, RUN_TOUCHED));
    EXPECT_ASSERT(pmm_give(pmm, pfn_add(b, 3), 0, RUN_TOUCHED));
    EXPECT_ASSERT(pmm_give(pmm, pfn_add(b, 3), BLOCK_ORDER, RUN_TOUCHED));
    EXPECT_ASSERT(pmm_give(pmm, pfn_of(align_down(a.n, 512)), BLOCK_ORDER, RUN_TOUCHED));
    EXPECT_ASSERT(pmm_give(pmm, pfn_add(a, 1), 0, RUN_TOUCHED));
    EXPECT_ASSERT(pmm_give(pmm, pfn_of(5), 0, RUN_TOUCHED));
    EXPECT_ASSERT(pmm_give(pmm, pfn_of(100 * GIB >> FRAME_SHIFT), 0, RUN_TOUCHED));
    EXPECT_ASSERT(pmm_give(pmm, pfn_from_paddr(model_virt_to_phys(pmm)), 0, RUN_TOUCHED));
    EXPECT_ASSERT(pmm_give(pmm, a, 3, RUN_TOUCHED));
    pmm_check(pmm); /* each was seen before anything changed */
    pmm_give(pmm, a, 0, RUN_TOUCHED);
    EXPECT_ASSERT(pmm_give(pmm, a, 0, RUN_TOUCHED));
}

/* The check itself finds a damaged descriptor: the frame map no longer agrees with its count. */
static void the_check_sees_damage(void **state)
{
    struct pmm *pmm = blocks_only_used_low(2);
    pfn_t kept = take(pmm, FRAME);

    (void)state;
    pmm_check(pmm);
    uint64_t *words = mmu_phys_to_virt(align_down(model_virt_to_phys(pmm), FRAME_SIZE));
    bool is_seen = false;

    /* The block's map is the last slot of the first frame that reads "first frame taken". */
    for (size_t i = FRAME_SIZE / 8 - 8; i > 0 && !is_seen; i -= 8) {
        if (words[i] != 1 || words[i + 1] != 0)
            continue;
        words[i] = 3;
        EXPECT_ASSERT(pmm_check(pmm));
        words[i] = 1;
        is_seen = true;
    }
    assert_true(is_seen);
    pmm_give(pmm, kept, 0, RUN_TOUCHED);
    pmm_check(pmm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_from_the_fullest_block),
        cmocka_unit_test(touched_memory_goes_first),
        cmocka_unit_test(idle_blocks_are_those_that_nobody_took_meanwhile),
        cmocka_unit_test(a_block_in_pieces_remembers_its_state),
        cmocka_unit_test(classes_share_a_block_only_at_the_end),
        cmocka_unit_test(cut_blocks_serve_both_classes),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(the_reserve_is_kept),
        cmocka_unit_test(parts_of_a_block_come_back),
        cmocka_unit_test(runs),
        cmocka_unit_test(an_empty_pool_stops_nothing),
        cmocka_unit_test(the_pool_grows_and_shrinks),
        cmocka_unit_test(refill_reports_no_memory),
        cmocka_unit_test(misuse_is_caught),
        cmocka_unit_test(the_check_sees_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
