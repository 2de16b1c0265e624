// SPDX-License-Identifier: BSD-2-Clause
/*
 * The self-check: recomputes from the descriptors and maps what the lists, the pool and the counters
 * claim. Cost: one pass over the descriptors and the maps of the blocks in pieces.
 */
#include "mm/pmm_internal.h"

struct tally {
    uint64_t free_frames, partial[2], whole[2], pieces;
    uint64_t listed; /* blocks that must stand on a list */
    uint64_t marked[3];
};

static void check_block(const struct pmm *pmm, uint32_t index, struct tally *sum)
{
    const struct pmm_block *block = &pmm->blocks[index];

    assert(block->usable > 0 && block->usable <= BLOCK_FRAMES);
    sum->free_frames += block->free;
    sum->listed += pmm_block_list(block) != PMM_LIST_NONE;
    sum->marked[block->mark]++;
    assert(!block->mark || (block->use == BLOCK_PIECES && block->free > 0));
    if (block->use == BLOCK_PIECES) {
        bool is_ragged = block->usable < BLOCK_FRAMES;

        assert(block->free == pmm_map_count_free(pmm_map_of(block)));
        assert(block->free < block->usable || is_ragged);
        assert((block->free == block->usable) == (block->class == PMM_CLASS_NONE));
        sum->pieces++;
        if (block->class != PMM_CLASS_NONE)
            sum->partial[block->class == PMM_FIXED ? PMM_FIXED : PMM_MOVABLE]++;
    } else if (block->use == BLOCK_FREE) {
        assert(block->usable == BLOCK_FRAMES && block->free == BLOCK_FRAMES);
        sum->whole[block->state]++;
    } else {
        assert(block->use == BLOCK_TAKEN && block->free == 0 &&
               block->usable == BLOCK_FRAMES);
        assert(block->class == PMM_FIXED || block->class == PMM_MOVABLE);
    }
}

/* Frames outside RAM are marked taken: none of the free bits of a block lies between the ranges. */
static void check_range_ends(const struct pmm *pmm)
{
    for (uint32_t r = 0; r < pmm->range_count; r++) {
        const struct pmm_range *range = &pmm->ranges[r];
        uint64_t past = range->past;
        uint64_t next = r + 1 < pmm->range_count ? range[1].first : UINT64_MAX;

        for (; past % BLOCK_FRAMES != 0 && past < next; past++) {
            const struct pmm_block *block = &pmm->blocks[range->base + range->blocks - 1];

            assert(pmm_map_get(pmm_map_of(block), (unsigned)(past % BLOCK_FRAMES)));
        }
    }
}

static uint64_t check_list(const struct pmm *pmm, unsigned list)
{
    uint64_t length = 0;
    uint32_t prev = PMM_INDEX_NONE;

    for (uint32_t i = pmm->heads[list]; i != PMM_INDEX_NONE; i = pmm->blocks[i].next) {
        assert(i < pmm->block_count && pmm->blocks[i].prev == prev);
        assert(pmm_block_list(&pmm->blocks[i]) == list);
        assert(++length <= pmm->block_count); /* else it is a loop */
        prev = i;
    }
    if (list < PMM_LIST_WHOLE) {
        uint64_t filled = pmm->filled[list / PMM_LEVELS] & BIT64(list % PMM_LEVELS);

        assert((filled != 0) == (length != 0));
    }
    return length;
}

static uint64_t check_pool(const struct pmm *pmm)
{
    uint64_t sum = 0;

    list_for_each (it, &pmm->chunks) {
        const struct pmm_chunk *chunk = LIST_ENTRY(it, struct pmm_chunk, link);

        assert(chunk->free != 0 && (chunk->free & ~chunk->slots) == 0);
        sum += pmm_count_bits(chunk->free);
    }
    return sum;
}

void pmm_check(const struct pmm *pmm)
{
    const struct pmm_stats *stats = &pmm->stats;
    struct tally sum = {0};
    uint64_t listed = 0;

    for (uint32_t i = 0; i < pmm->block_count; i++)
        check_block(pmm, i, &sum);
    for (unsigned list = 0; list < PMM_LISTS; list++)
        listed += check_list(pmm, list);
    check_range_ends(pmm);

    assert(listed == sum.listed);
    assert(stats->free_frames == sum.free_frames);
    assert(stats->free_blocks_touched == sum.whole[RUN_TOUCHED]);
    assert(pmm->least_touched <= stats->free_blocks_touched);
    assert(stats->free_blocks_untouched == sum.whole[RUN_UNTOUCHED]);
    assert(stats->partial_blocks[PMM_FIXED] == sum.partial[PMM_FIXED]);
    assert(stats->partial_blocks[PMM_MOVABLE] == sum.partial[PMM_MOVABLE]);
    assert(pmm->marked[1] == sum.marked[1] && pmm->marked[2] == sum.marked[2]);
    assert(pmm->maps_free == check_pool(pmm));
    assert(stats->metadata_bytes >= sum.pieces * PMM_MAP_BYTES);
}
