// SPDX-License-Identifier: BSD-2-Clause
/*
 * The allocator's API: which memory serves a want, giving it back, the reserve, the counters.
 */
#include "mm/pmm_internal.h"

#include "base/err.h"
#include "mm/mmu.h"

/* Whole free blocks, touched ones first. */
static uint32_t find_whole(const struct pmm *pmm, bool touched_only, uint64_t first_limit)
{
    uint32_t index = pmm_whole_find(pmm, RUN_TOUCHED, first_limit);

    if (index == PMM_INDEX_NONE && !touched_only)
        index = pmm_whole_find(pmm, RUN_UNTOUCHED, first_limit);
    return index;
}

static int take_block(struct pmm *pmm, const struct pmm_want *want, uint64_t limit,
                      struct pmm_run *out)
{
    if (limit < BLOCK_FRAMES)
        return -ENOMEM;

    /* The whole block lies below the limit if its first frame is below this. */
    uint32_t index = find_whole(pmm, want->touched_only, limit - (BLOCK_FRAMES - 1));
    if (index == PMM_INDEX_NONE)
        return -ENOMEM;

    *out = (struct pmm_run){pfn_of(pmm_block_first(pmm, index)),
                            (enum run_state)pmm->blocks[index].state};
    pmm_whole_take(pmm, index, want->class);
    return 0;
}

/* Break up a free block for this want. The pool grows before it is empty. */
static uint32_t split_whole(struct pmm *pmm, const struct pmm_want *want, uint64_t limit)
{
    if (pmm->maps_free < PMM_MAPS_LOW && !pmm->is_growing)
        pmm_pool_grow(pmm); /* an error is the caller's to meet: there is no memory */

    uint32_t index = find_whole(pmm, want->touched_only, limit);
    if (index != PMM_INDEX_NONE)
        pmm_block_split(pmm, index, want->class);
    return index;
}

/* A block in pieces with a frame for this want. The classes share a block only where all else fails:
 * an error with memory left would be worse than a block that cannot be emptied by moving. */
static uint32_t choose_partial(struct pmm *pmm, const struct pmm_want *want,
                               uint64_t limit)
{
    bool touched_only = want->touched_only;
    uint32_t index = pmm_partial_find(pmm, want->class, touched_only, limit);

    if (index == PMM_INDEX_NONE)
        index = pmm_partial_find(pmm, PMM_CLASS_NONE, touched_only, limit);
    if (index != PMM_INDEX_NONE || want->pieces_only)
        return index;
    index = split_whole(pmm, want, limit);
    if (index == PMM_INDEX_NONE && !touched_only) {
        unsigned other = want->class == PMM_FIXED ? PMM_MOVABLE : PMM_FIXED;

        index = pmm_partial_find(pmm, other, false, limit);
    }
    return index;
}

int pmm_frame_take(struct pmm *pmm, const struct pmm_want *want, uint64_t limit,
                   struct pmm_run *out)
{
    uint32_t index = choose_partial(pmm, want, limit);
    if (index == PMM_INDEX_NONE && !want->pieces_only && !want->touched_only &&
        pmm_victims_end(pmm))
        index = choose_partial(pmm, want, limit); /* better than to empty blocks */
    if (index == PMM_INDEX_NONE)
        return -ENOMEM;

    const struct pmm_block *block = &pmm->blocks[index];
    unsigned frame = pmm_map_first_free(pmm_map_of(block));

    *out = (struct pmm_run){pfn_of(pmm_block_first(pmm, index) + frame),
                            (enum run_state)block->state};
    pmm_frames_take(pmm, index, frame, 1, want->class);
    return 0;
}

static bool recall(struct pmm *pmm, uint64_t frames)
{
    return pmm->lender.recall && pmm->lender.recall(pmm->lender.ctx, frames) > 0;
}

bool pmm_recall_for(struct pmm *pmm, uint64_t frames)
{
    const struct pmm_stats *stats = &pmm->stats;
    uint64_t wanted = stats->reserve_frames + frames;

    if (stats->free_frames < wanted)
        return recall(pmm, wanted - stats->free_frames);
    if (stats->free_blocks_touched + stats->free_blocks_untouched == 0)
        return recall(pmm, BLOCK_FRAMES);
    return false;
}

bool pmm_recall_all(struct pmm *pmm)
{
    return recall(pmm, UINT64_MAX);
}

static int take(struct pmm *pmm, const struct pmm_want *want, struct pmm_run *out)
{
    const struct pmm_stats *stats = &pmm->stats;
    uint64_t limit = want->pfn_limit == 0 ? UINT64_MAX : want->pfn_limit;

    if (want->keep_reserve &&
        stats->free_frames < stats->reserve_frames + BIT64(want->order))
        return -ENOMEM;
    return want->order == 0 ? pmm_frame_take(pmm, want, limit, out)
                            : take_block(pmm, want, limit, out);
}

int pmm_take(struct pmm *pmm, struct pmm_want want, struct pmm_run *out)
{
    struct pmm_stats *stats = &pmm->stats;
    bool may_recall = !want.no_recall && !want.pieces_only;

    if (want.order != 0 && want.order != BLOCK_ORDER)
        return -EINVAL;

    if (may_recall)
        pmm_recall_for(pmm, BIT64(want.order));
    int err = take(pmm, &want, out);
    if (err && may_recall && !want.touched_only && pmm_recall_all(pmm))
        err = take(pmm, &want, out);
    if (want.order == 0)
        *(err ? &stats->frame_failures : &stats->frame_allocs) += 1;
    else
        *(err ? &stats->block_failures : &stats->block_allocs) += 1;
    if (!err && out->state == RUN_UNTOUCHED)
        stats->cold_frames += BIT64(want.order);
    return err;
}

void pmm_zero_freed(struct pmm *pmm)
{
    pmm->zeroes_freed = true;
}

void pmm_wipe(const struct pmm *pmm, pfn_t pfn, uint64_t frames)
{
    if (pmm->zeroes_freed)
        __builtin_memset(mmu_phys_to_virt(pfn_to_paddr(pfn)), 0, frames << FRAME_SHIFT);
}

void pmm_give(struct pmm *pmm, pfn_t pfn, unsigned order, enum run_state state)
{
    if (state == RUN_TOUCHED)
        pmm_wipe(pmm, pfn, UINT64_C(1) << order);
    pmm_give_unwritten(pmm, pfn, order, state);
}

void pmm_give_unwritten(struct pmm *pmm, pfn_t pfn, unsigned order, enum run_state state)
{
    assert(order == 0 || order == BLOCK_ORDER);
    if (order == 0) {
        pmm_frame_give(pmm, pfn, state);
        pmm->stats.frame_frees++;
        return;
    }
    assert(pfn.n % BLOCK_FRAMES == 0);
    pmm_whole_give(pmm, pmm_block_of(pmm, pfn), state);
    pmm->stats.block_frees++;
}

static uint64_t lent_frames(const struct pmm *pmm)
{
    return pmm->lender.frames ? pmm->lender.frames(pmm->lender.ctx) : 0;
}

uint64_t pmm_free_frames(const struct pmm *pmm)
{
    return pmm->stats.free_frames + lent_frames(pmm);
}

uint64_t pmm_reserve_frames(const struct pmm *pmm)
{
    return pmm->stats.reserve_frames;
}

void pmm_stats(const struct pmm *pmm, struct pmm_stats *out)
{
    *out = pmm->stats;
    out->maps_free = pmm->maps_free;
    out->lent_frames = lent_frames(pmm);
    out->free_frames += out->lent_frames;
    out->free_blocks_touched += out->lent_frames / BLOCK_FRAMES;
}

void pmm_idle_blocks(struct pmm *pmm, struct idle_blocks *out)
{
    *out = (struct idle_blocks){.now = pmm->stats.free_blocks_touched,
                                .least = pmm->least_touched};
    pmm->least_touched = out->now;
    pmm_idle_pieces(pmm, out);
}

void pmm_set_lender(struct pmm *pmm, const struct pmm_lender *lender)
{
    pmm->lender = *lender;
}
