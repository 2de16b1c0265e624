// SPDX-License-Identifier: BSD-2-Clause
/* Memory that is lent counts as free and comes back before anybody has to do without. */
#include "tests/host/pmm_rig.h"

#define BLOCKS 16

/* Holds blocks until they are called back. */
struct holder {
    struct pmm *pmm;
    pfn_t blocks[BLOCKS];
    unsigned count, recalls;
};

static uint64_t lent(void *ctx)
{
    struct holder *holder = ctx;

    return (uint64_t)holder->count * BLOCK_FRAMES;
}

static uint64_t recall(void *ctx, uint64_t frames)
{
    struct holder *holder = ctx;
    uint64_t given = 0;

    holder->recalls++;
    for (; holder->count > 0 && given < frames; given += BLOCK_FRAMES)
        pmm_give(holder->pmm, holder->blocks[--holder->count], BLOCK_ORDER, RUN_TOUCHED);
    return given;
}

/* All that is free but the reserve is lent. */
static struct holder lend(struct pmm *pmm)
{
    const struct pmm_want want = {.order = BLOCK_ORDER,
                                  .class = PMM_MOVABLE,
                                  .keep_reserve = true,
                                  .no_recall = true};
    struct holder holder = {.pmm = pmm};
    struct pmm_run run;

    while (holder.count < BLOCKS && pmm_take(pmm, want, &run) == 0)
        holder.blocks[holder.count++] = run.pfn;
    return holder;
}

static struct pmm *begin(struct holder *holder)
{
    struct pmm *pmm = blocks_only_with_reserve(BLOCKS, 2 * BLOCK_SIZE);

    *holder = lend(pmm);
    pmm_set_lender(pmm, &(struct pmm_lender){holder, lent, recall});
    return pmm;
}

static void lent_memory_counts_as_free(void **state)
{
    struct holder holder;
    struct pmm *pmm = begin(&holder);
    unsigned count = holder.count;
    struct pmm_stats before = stats_of(pmm);

    (void)state;
    assert_int_equal(count, BLOCKS - 2);
    assert_int_equal(before.lent_frames, count * BLOCK_FRAMES);
    recall(&holder, UINT64_MAX);
    struct pmm_stats after = stats_of(pmm);
    assert_int_equal(after.lent_frames, 0);
    assert_int_equal(after.free_frames, before.free_frames);
    assert_int_equal(after.free_blocks_touched + after.free_blocks_untouched,
                     before.free_blocks_touched + before.free_blocks_untouched);
    pmm_check(pmm);
}

/* The reserve is not what an allocation takes while blocks are lent, and not more than it needs comes. */
static void blocks_come_back_one_by_one(void **state)
{
    struct holder holder;
    struct pmm *pmm = begin(&holder);

    (void)state;
    for (unsigned count = holder.count; count > 0; count--) {
        assert_int_equal(holder.count, count);
        take(pmm, BLOCK);
        struct pmm_stats stats = stats_of(pmm);
        assert_true(stats.free_frames - stats.lent_frames >= stats.reserve_frames);
    }
    pmm_check(pmm);
}

static void frames_bring_back_no_more_than_they_need(void **state)
{
    struct holder holder;
    struct pmm *pmm = begin(&holder);
    unsigned count = holder.count;

    (void)state;
    for (unsigned i = 0; i < 3 * BLOCK_FRAMES; i++)
        take(pmm, FRAME);
    assert_in_range(count - holder.count, 3, 4);
}

static void who_may_not_recall_goes_without(void **state)
{
    struct holder holder;
    struct pmm *pmm = begin(&holder);
    unsigned count = holder.count;
    struct pmm_want want = BLOCK;
    struct pmm_run run;

    (void)state;
    want.keep_reserve = want.no_recall = true;
    assert_int_equal(pmm_take(pmm, want, &run), -ENOMEM);
    assert_int_equal(holder.count, count);
    want.no_recall = false;
    assert_int_equal(pmm_take(pmm, want, &run), 0);
    assert_int_equal(holder.count, count - 1);
}

/* What a limit or a long run needs cannot be known before. */
static void all_of_it_comes_before_a_refusal(void **state)
{
    struct holder holder;
    struct pmm *pmm = begin(&holder);
    pfn_t first;

    (void)state;
    assert_int_equal(pmm_take_run(pmm, BLOCKS * BLOCK_FRAMES, 1, 0, &first), 0);
    assert_int_equal(holder.count, 0);
    assert_int_equal(pmm_take_run(pmm, BLOCKS * BLOCK_FRAMES, 1, 0, &first), -ENOMEM);
    pmm_check(pmm);
}

/* Compaction looks for gaps in blocks that are in pieces anyway. */
static void a_gap_is_not_worth_BLOCK(void **state)
{
    const struct pmm_want gap = {.class = PMM_MOVABLE, .pieces_only = true};
    struct holder holder;
    struct pmm *pmm = begin(&holder);
    unsigned recalls = holder.recalls;
    struct pmm_run run;

    (void)state;
    while (pmm_take(pmm, gap, &run) == 0)
        ;
    assert_int_equal(holder.recalls, recalls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lent_memory_counts_as_free),
        cmocka_unit_test(blocks_come_back_one_by_one),
        cmocka_unit_test(frames_bring_back_no_more_than_they_need),
        cmocka_unit_test(who_may_not_recall_goes_without),
        cmocka_unit_test(all_of_it_comes_before_a_refusal),
        cmocka_unit_test(a_gap_is_not_worth_BLOCK),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
