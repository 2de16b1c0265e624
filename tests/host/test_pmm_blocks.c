// SPDX-License-Identifier: BSD-2-Clause
/* mm/pmm_bulk: many blocks at once, given and taken back. */
#include "tests/host/pmm_rig.h"

static void blocks_come_back_by_the_dozen(void **state)
{
    struct pmm *pmm = blocks_only_used_low(70);
    pfn_t first = pfn_of(UINT64_MAX);

    (void)state;
    for (unsigned i = 0; i < 70; i++) {
        pfn_t block = take(pmm, BLOCK);
        first = block.n < first.n ? block : first;
    }
    /* One in pieces, of which every frame is taken, is given as the others. */
    pmm_give(pmm, pfn_add(first, 3 * BLOCK_FRAMES), 0, RUN_TOUCHED);
    assert_int_equal(take(pmm, FRAME).n, first.n + 3 * BLOCK_FRAMES);
    uint64_t mask = UINT64_MAX & ~BIT64(5);
    pmm_give_blocks(pmm, first, mask, RUN_UNTOUCHED);
    pmm_check(pmm);
    assert_int_equal(stats_of(pmm).free_blocks_untouched, 63);
    assert_int_equal(stats_of(pmm).block_frees, 63);
    pmm_give_blocks(pmm, pfn_add(first, 64 * BLOCK_FRAMES), 0x21, RUN_TOUCHED);
    pmm_check(pmm);
    assert_int_equal(stats_of(pmm).free_blocks_touched, 2);
    /* Untouched ones are taken in ascending order, touched ones before them. */
    assert_int_equal(take(pmm, BLOCK).n, first.n + 64 * BLOCK_FRAMES);
    assert_int_equal(take(pmm, BLOCK).n, first.n + 69 * BLOCK_FRAMES);
    assert_int_equal(take(pmm, BLOCK).n, first.n);
    assert_int_equal(take(pmm, BLOCK).n, first.n + BLOCK_FRAMES);
    EXPECT_ASSERT(pmm_give_blocks(pmm, first, BIT64(7), RUN_UNTOUCHED)); /* is free */
}

static void blocks_of_two_ranges_come_back_together(void **state)
{
    struct region_set ram = RAM({64 * MIB, 72 * MIB}, {80 * MIB, 90 * MIB});
    struct pmm *pmm = make(ram, 0);
    uint64_t low = 64 * MIB >> FRAME_SHIFT, mask = 0;
    struct pmm_run run;

    (void)state;
    while (pmm_take(pmm, BLOCK, &run) == 0)
        mask |= BIT64((run.pfn.n - low) / BLOCK_FRAMES);
    pmm_give_blocks(pmm, pfn_of(low), mask, RUN_UNTOUCHED);
    pmm_check(pmm);
    assert_true(mask & 0x0F && mask & 0xF00);
    while (mask) {
        assert_int_equal(pmm_take(pmm, BLOCK, &run), 0);
        mask &= ~BIT64((run.pfn.n - low) / BLOCK_FRAMES);
    }
}

static void only_blocks_that_nobody_had_are_taken_back(void **state)
{
    struct pmm *pmm = blocks_only_used_low(20);
    pfn_t first = take(pmm, BLOCK);

    (void)state;
    for (unsigned i = 1; i < 8; i++)
        assert_int_equal(take(pmm, BLOCK).n, first.n + i * BLOCK_FRAMES);
    pmm_give_blocks(pmm, first, 0xFF, RUN_UNTOUCHED);
    /* Block 0 is in use, block 1 was, of block 2 one frame is in use. */
    assert_int_equal(take(pmm, BLOCK).n, first.n);
    pfn_t second = take(pmm, BLOCK);
    assert_int_equal(take(pmm, FRAME).n, first.n + 2 * BLOCK_FRAMES);
    pmm_give(pmm, second, BLOCK_ORDER, RUN_TOUCHED);
    assert_int_equal(pmm_take_back(pmm, first, 0xFF, 2), 0x18);
    pmm_check(pmm);
    assert_int_equal(pmm_take_back(pmm, first, 0xFF, 64), 0xE0);
    pmm_check(pmm);
    assert_int_equal(pmm_take_back(pmm, first, 0xFF, 64), 0);
}

static void taking_back_leaves_the_reserve(void **state)
{
    struct pmm *pmm = make(RAM({64 * MIB, 72 * MIB}), 5 * MIB);
    struct pmm_run run;
    uint64_t mask = 0;

    (void)state;
    while (pmm_take(pmm, BLOCK, &run) == 0)
        mask |= BIT64((run.pfn.n - (64 * MIB >> FRAME_SHIFT)) / BLOCK_FRAMES);
    pmm_give_blocks(pmm, pfn_of(64 * MIB >> FRAME_SHIFT), mask, RUN_UNTOUCHED);
    uint64_t free = stats_of(pmm).free_frames, reserve = stats_of(pmm).reserve_frames;
    uint64_t taken =
        pmm_take_back(pmm, pfn_of(64 * MIB >> FRAME_SHIFT), mask, UINT64_MAX);
    assert_int_equal(stats_of(pmm).free_frames,
                     free - (free - reserve) / BLOCK_FRAMES * BLOCK_FRAMES);
    assert_true(taken && taken != mask);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_come_back_by_the_dozen),
        cmocka_unit_test(blocks_of_two_ranges_come_back_together),
        cmocka_unit_test(only_blocks_that_nobody_had_are_taken_back),
        cmocka_unit_test(taking_back_leaves_the_reserve),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
