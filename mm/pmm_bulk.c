// SPDX-License-Identifier: BSD-2-Clause
/*
 * Whole blocks by the dozen: what a balloon of many GiB gives back while the guest waits for it. The same
 * as pmm_give() of each, with the search for the descriptors, the counters and the end of the list done
 * once for up to 64.
 */
#include "mm/pmm_internal.h"

/* Free the blocks with a bit in `mask`; block 0 has the descriptor `base`. The lowest ends up at the head
 * of the list, so that memory is taken in ascending order. */
static void give_row(struct pmm *pmm, uint32_t base, uint64_t mask, enum run_state state)
{
    unsigned list = PMM_LIST_WHOLE + state;
    uint64_t count = 0;

    while (mask != 0) {
        unsigned i = 63 - (unsigned)__builtin_clzll(mask);
        struct pmm_block *block = &pmm->blocks[base + i];

        mask &= ~BIT64(i);
        if (block->use != BLOCK_TAKEN) { /* in pieces, all of them taken */
            pmm_whole_give(pmm, base + i, state);
            continue;
        }
        assert(block->free == 0 && block->usable == BLOCK_FRAMES);
        block->use = BLOCK_FREE;
        block->free = BLOCK_FRAMES;
        block->state = state & 1;
        pmm_list_push(pmm, base + i, list);
        count++;
    }
    pmm->stats.free_frames += count << BLOCK_ORDER;
    *(state == RUN_TOUCHED ? &pmm->stats.free_blocks_touched
                           : &pmm->stats.free_blocks_untouched) += count;
}

void pmm_give_blocks(struct pmm *pmm, pfn_t first, uint64_t mask, enum run_state state)
{
    assert(first.n % BLOCK_FRAMES == 0);
    pmm->stats.block_frees += pmm_count_bits(mask);
    while (mask != 0) {
        unsigned skip = (unsigned)__builtin_ctzll(mask);
        pfn_t at = pfn_add(first, skip * BLOCK_FRAMES);
        const struct pmm_range *range = pmm_range_of(pmm, at);
        uint64_t blocks =
            (range->past - at.n) >> BLOCK_ORDER; /* to the end of the range */
        uint64_t row = mask >> skip;

        assert(blocks > 0);
        if (blocks < 64)
            row &= BIT64(blocks) - 1;
        give_row(pmm, pmm_block_of(pmm, at), row, state);
        mask &= ~(row << skip);
    }
}

uint64_t pmm_take_back(struct pmm *pmm, pfn_t first, uint64_t mask, uint64_t max)
{
    struct pmm_stats *stats = &pmm->stats;
    uint64_t taken = 0;

    for (; mask != 0 && max > 0; mask &= mask - 1) {
        unsigned i = (unsigned)__builtin_ctzll(mask);
        uint32_t index = pmm_block_of(pmm, pfn_add(first, i * BLOCK_FRAMES));
        const struct pmm_block *block = &pmm->blocks[index];

        if (stats->free_frames < stats->reserve_frames + BLOCK_FRAMES)
            break;
        if (block->use != BLOCK_FREE || block->state != RUN_UNTOUCHED)
            continue;
        pmm_whole_take(pmm, index, PMM_MOVABLE);
        stats->block_allocs++;
        taken |= BIT64(i);
        max--;
    }
    return taken;
}
