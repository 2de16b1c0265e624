// SPDX-License-Identifier: BSD-2-Clause
/*
 * Block descriptors: from frame number to block and back, the lists they stand on, and the ways of a
 * block between whole and in pieces. Each change of a descriptor stands between pmm_edit_begin() and
 * pmm_edit_end(), which move it to its list and keep the counters.
 */
#include "mm/pmm_internal.h"

static uint64_t first_block(const struct pmm_range *range)
{
    return range->first >> BLOCK_ORDER;
}

const struct pmm_range *pmm_range_of(const struct pmm *pmm, pfn_t pfn)
{
    uint32_t low = 0, high = pmm->range_count;

    /* The last range that starts at or below the frame. */
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;

        if (pmm->ranges[mid].first <= pfn.n)
            low = mid;
        else
            high = mid;
    }
    const struct pmm_range *range = &pmm->ranges[low];
    assert(pfn.n >= range->first && pfn.n < range->past);
    return range;
}

uint32_t pmm_block_of(const struct pmm *pmm, pfn_t pfn)
{
    const struct pmm_range *range = pmm_range_of(pmm, pfn);

    return range->base + (uint32_t)((pfn.n >> BLOCK_ORDER) - first_block(range));
}

uint64_t pmm_block_first(const struct pmm *pmm, uint32_t index)
{
    uint32_t low = 0, high = pmm->range_count;

    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;

        if (pmm->ranges[mid].base <= index)
            low = mid;
        else
            high = mid;
    }
    const struct pmm_range *range = &pmm->ranges[low];
    return (first_block(range) + (index - range->base)) << BLOCK_ORDER;
}

/* The list this block belongs on, PMM_LIST_NONE when it has nothing free. */
unsigned pmm_block_list(const struct pmm_block *block)
{
    if (block->use == BLOCK_FREE)
        return PMM_LIST_WHOLE + (unsigned)block->state;
    if (block->use == BLOCK_TAKEN || block->free == 0)
        return PMM_LIST_NONE;
    if (block->class == PMM_CLASS_VICTIM)
        return PMM_LIST_VICTIM;
    return ((unsigned)block->class * 2 + (unsigned)block->state) * PMM_LEVELS +
           ((unsigned)block->free - 1) / (BLOCK_FRAMES / PMM_LEVELS);
}

void pmm_list_push(struct pmm *pmm, uint32_t index, unsigned list)
{
    struct pmm_block *block = &pmm->blocks[index];
    uint32_t head = pmm->heads[list];

    block->prev = PMM_INDEX_NONE;
    block->next = head & PMM_INDEX_NONE;
    if (head != PMM_INDEX_NONE)
        pmm->blocks[head].prev = index & PMM_INDEX_NONE;
    pmm->heads[list] = index;
    if (list < PMM_LIST_WHOLE)
        pmm->filled[list / PMM_LEVELS] |= BIT64(list % PMM_LEVELS);
}

static void list_drop(struct pmm *pmm, uint32_t index, unsigned list)
{
    struct pmm_block *block = &pmm->blocks[index];

    if (block->next != PMM_INDEX_NONE)
        pmm->blocks[block->next].prev = block->prev;
    if (block->prev != PMM_INDEX_NONE)
        pmm->blocks[block->prev].next = block->next;
    else
        pmm->heads[list] = block->next;
    if (list < PMM_LIST_WHOLE && pmm->heads[list] == PMM_INDEX_NONE)
        pmm->filled[list / PMM_LEVELS] &= ~BIT64(list % PMM_LEVELS);
}

/* Add the block to the counters, or (`by` = -1) take it out. Unsigned wrap-around is intended. */
static void count(struct pmm *pmm, const struct pmm_block *block, uint64_t by)
{
    struct pmm_stats *stats = &pmm->stats;

    stats->free_frames += by * block->free;
    if (block->use == BLOCK_PIECES && block->class == PMM_FIXED)
        stats->partial_blocks[PMM_FIXED] += by;
    else if (block->use == BLOCK_PIECES && block->class != PMM_CLASS_NONE)
        stats->partial_blocks[PMM_MOVABLE] += by; /* victims too */
    else if (block->use == BLOCK_FREE && block->state == RUN_TOUCHED)
        stats->free_blocks_touched += by;
    else if (block->use == BLOCK_FREE)
        stats->free_blocks_untouched += by;
}

unsigned pmm_edit_begin(struct pmm *pmm, uint32_t index)
{
    count(pmm, &pmm->blocks[index], UINT64_MAX);
    return pmm_block_list(&pmm->blocks[index]);
}

/* `from_list` is what pmm_edit_begin() returned, PMM_LIST_NONE for a new descriptor. */
void pmm_edit_end(struct pmm *pmm, uint32_t index, unsigned from_list)
{
    unsigned to_list = pmm_block_list(&pmm->blocks[index]);

    count(pmm, &pmm->blocks[index], 1);
    pmm->least_touched = min_u64(pmm->least_touched, pmm->stats.free_blocks_touched);
    if (from_list == to_list)
        return;
    if (from_list != PMM_LIST_NONE)
        list_drop(pmm, index, from_list);
    if (to_list != PMM_LIST_NONE)
        pmm_list_push(pmm, index, to_list);
}

/*
 * Put a whole block in pieces: a free one with all frames free, a taken one with all taken. When the
 * pool is empty a free block feeds it with its own last frame (of a taken one the caller gives a frame).
 */
void pmm_block_split(struct pmm *pmm, uint32_t index, unsigned class)
{
    struct pmm_block *block = &pmm->blocks[index];
    uint64_t last = pmm_block_first(pmm, index) + BLOCK_FRAMES - 1;
    bool feeds_pool = pmm->maps_free == 0;

    assert(block->use != BLOCK_PIECES);
    if (feeds_pool) {
        assert(block->use == BLOCK_FREE);
        pmm_chunk_add(pmm, last << FRAME_SHIFT, PMM_CHUNK_SLOTS, false);
    }

    unsigned from = pmm_edit_begin(pmm, index);
    block->map = (pmm_map_take(pmm) >> PMM_MAP_SHIFT) & PMM_MAP_MASK;
    if (block->use == BLOCK_FREE)
        pmm_map_clear(pmm_map_of(block), 0, BLOCK_FRAMES);
    else
        pmm_map_set(pmm_map_of(block), 0, BLOCK_FRAMES);
    if (block->use == BLOCK_FREE && block->state == RUN_TOUCHED)
        pmm_mark(pmm, block);
    block->use = BLOCK_PIECES;
    block->class = class & 3;
    pmm_edit_end(pmm, index, from);
    pmm->stats.blocks_split++;
    if (feeds_pool)
        pmm_frames_take(pmm, index, BLOCK_FRAMES - 1, 1, PMM_FIXED);
}

/* A whole free block that starts below `first_limit`; PMM_INDEX_NONE when there is none. */
uint32_t pmm_whole_find(const struct pmm *pmm, enum run_state state, uint64_t first_limit)
{
    uint32_t index = pmm->heads[PMM_LIST_WHOLE + state];

    if (first_limit >= pmm->pfn_end)
        return index;
    while (index != PMM_INDEX_NONE && pmm_block_first(pmm, index) >= first_limit)
        index = pmm->blocks[index].next;
    return index;
}

void pmm_whole_take(struct pmm *pmm, uint32_t index, unsigned class)
{
    struct pmm_block *block = &pmm->blocks[index];
    unsigned from = pmm_edit_begin(pmm, index);

    assert(block->use == BLOCK_FREE);
    block->use = BLOCK_TAKEN;
    block->class = class & 3;
    block->free = 0;
    block->state = RUN_UNTOUCHED;
    pmm_edit_end(pmm, index, from);
}

/* Also for a block in pieces of which every frame is taken: its frames come back as one. */
void pmm_whole_give(struct pmm *pmm, uint32_t index, enum run_state state)
{
    struct pmm_block *block = &pmm->blocks[index];

    assert(block->use != BLOCK_FREE && block->free == 0 && block->usable == BLOCK_FRAMES);
    unsigned from = pmm_edit_begin(pmm, index);
    if (block->use == BLOCK_PIECES) {
        pmm_map_give(pmm, (paddr_t)block->map << PMM_MAP_SHIFT);
        pmm->stats.blocks_rejoined++;
    }
    block->use = BLOCK_FREE;
    block->free = BLOCK_FRAMES;
    block->state = state & 1;
    pmm_edit_end(pmm, index, from);
}
