// SPDX-License-Identifier: BSD-2-Clause
/* Freed memory that is filled with zeros, by whichever way it comes back. */
#include "mm/mmu.h"
#include "tests/host/pmm_rig.h"

#define BLOCKS 4

static bool is_zero(pfn_t first, uint64_t frames)
{
    const uint64_t *words = mmu_phys_to_virt(pfn_to_paddr(first));

    for (uint64_t i = 0; i < frames * FRAME_SIZE / sizeof(*words); i++)
        if (words[i] != 0)
            return false;
    return true;
}

static void soil(pfn_t first, uint64_t frames)
{
    memset(mmu_phys_to_virt(pfn_to_paddr(first)), 0xA5, frames * FRAME_SIZE);
}

static void every_way_back_zeroes(void **state)
{
    struct pmm *pmm = blocks_only_used_low(BLOCKS);
    pfn_t frame = take(pmm, FRAME), block = take(pmm, BLOCK), run;

    (void)state;
    assert_int_equal(pmm_take_run(pmm, 20, 4, 0, &run), 0);
    soil(frame, 1);
    soil(block, BLOCK_FRAMES);
    soil(run, 20);
    pmm_zero_freed(pmm);
    pmm_give(pmm, block, 0, RUN_TOUCHED); /* in parts first */
    assert_true(is_zero(block, 1));
    assert_false(is_zero(pfn_add(block, 1), 1));
    for (unsigned i = 1; i < BLOCK_FRAMES; i++)
        pmm_give(pmm, pfn_add(block, i), 0, RUN_TOUCHED);
    pmm_give(pmm, frame, 0, RUN_TOUCHED);
    pmm_give_run(pmm, run, 20);
    assert_true(is_zero(block, BLOCK_FRAMES));
    assert_true(is_zero(frame, 1));
    assert_true(is_zero(run, 20));
    pmm_check(pmm);
}

static void what_nobody_wrote_to_is_not_looked_at(void **state)
{
    struct pmm *pmm = blocks_only_used_low(BLOCKS);
    pfn_t a = take(pmm, BLOCK), b = take(pmm, BLOCK), c = take(pmm, BLOCK);

    (void)state;
    soil(a, 1);
    soil(b, 1);
    soil(c, 1);
    pmm_zero_freed(pmm);
    pmm_give_unwritten(pmm, a, BLOCK_ORDER, RUN_TOUCHED);
    pmm_give(pmm, b, BLOCK_ORDER, RUN_UNTOUCHED);
    pmm_give_blocks(pmm, c, 1, RUN_UNTOUCHED);
    assert_false(is_zero(a, 1));
    assert_false(is_zero(b, 1));
    assert_false(is_zero(c, 1));
}

static void by_default_nothing_is_filled(void **state)
{
    struct pmm *pmm = blocks_only_used_low(BLOCKS);
    pfn_t frame = take(pmm, FRAME);

    (void)state;
    soil(frame, 1);
    pmm_give(pmm, frame, 0, RUN_TOUCHED);
    assert_false(is_zero(frame, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_back_zeroes),
        cmocka_unit_test(what_nobody_wrote_to_is_not_looked_at),
        cmocka_unit_test(by_default_nothing_is_filled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
