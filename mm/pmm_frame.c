// SPDX-License-Identifier: BSD-2-Clause
/*
 * Blocks in pieces: their frame maps, and taking and giving frames in them. The choice among the
 * blocks is by level of fullness: the fullest that has room, so that others can become whole.
 */
#include "mm/pmm_internal.h"

#include "mm/mmu.h"

struct pmm_map *pmm_map_of(const struct pmm_block *block)
{
    return mmu_phys_to_virt((paddr_t)block->map << PMM_MAP_SHIFT);
}

bool pmm_map_get(const struct pmm_map *map, unsigned frame)
{
    return map->words[frame / 64] & BIT64(frame % 64);
}

/* The bits of word `word` that lie in [first, first + count). */
static uint64_t word_mask(unsigned word, unsigned first, unsigned count)
{
    unsigned low = word * 64, past = first + count;
    uint64_t mask = UINT64_MAX;

    if (first > low)
        mask &= UINT64_MAX << (first - low);
    if (past < low + 64)
        mask &= UINT64_MAX >> (low + 64 - past);
    return mask;
}

/* `count` is not 0 in these. */
void pmm_map_set(struct pmm_map *map, unsigned first, unsigned count)
{
    for (unsigned i = first / 64; i <= (first + count - 1) / 64; i++)
        map->words[i] |= word_mask(i, first, count);
}

void pmm_map_clear(struct pmm_map *map, unsigned first, unsigned count)
{
    for (unsigned i = first / 64; i <= (first + count - 1) / 64; i++)
        map->words[i] &= ~word_mask(i, first, count);
}

unsigned pmm_map_first_free(const struct pmm_map *map)
{
    for (unsigned i = 0; i < PMM_MAP_WORDS; i++) {
        if (map->words[i] != UINT64_MAX)
            return i * 64 + (unsigned)__builtin_ctzll(~map->words[i]);
    }
    return BLOCK_FRAMES;
}

unsigned pmm_map_count_free(const struct pmm_map *map)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < PMM_MAP_WORDS; i++)
        sum += pmm_count_bits(~map->words[i]);
    return sum;
}

bool pmm_map_is_free(const struct pmm_map *map, unsigned first, unsigned count)
{
    for (unsigned i = first / 64; i <= (first + count - 1) / 64; i++) {
        if (map->words[i] & word_mask(i, first, count))
            return false;
    }
    return true;
}

static bool is_taken(const struct pmm_map *map, unsigned first, unsigned count)
{
    for (unsigned i = first / 64; i <= (first + count - 1) / 64; i++) {
        if (~map->words[i] & word_mask(i, first, count))
            return false;
    }
    return true;
}

/* The first free run of `count` (1..512) that starts at a multiple of `align`, else BLOCK_FRAMES. */
unsigned pmm_map_find_run(const struct pmm_map *map, unsigned count, unsigned align)
{
    for (unsigned first = 0; first + count <= BLOCK_FRAMES; first += align) {
        if (pmm_map_is_free(map, first, count))
            return first;
    }
    return BLOCK_FRAMES;
}

/* The first block on the list with a free frame below `limit`. */
static uint32_t find_on_list(const struct pmm *pmm, unsigned list, uint64_t limit)
{
    uint32_t index = pmm->heads[list];

    while (limit < pmm->pfn_end && index != PMM_INDEX_NONE) {
        const struct pmm_map *map = pmm_map_of(&pmm->blocks[index]);

        if (pmm_block_first(pmm, index) + pmm_map_first_free(map) < limit)
            break;
        index = pmm->blocks[index].next;
    }
    return index;
}

/* The fullest block of the class with a free frame below `limit`; of two at the same level the touched
 * one. PMM_INDEX_NONE when there is none. */
uint32_t pmm_partial_find(const struct pmm *pmm, unsigned class, bool touched_only,
                          uint64_t limit)
{
    unsigned touched = class * 2 + RUN_TOUCHED, untouched = class * 2 + RUN_UNTOUCHED;
    uint64_t levels = pmm->filled[touched] | (touched_only ? 0 : pmm->filled[untouched]);

    for (; levels != 0; levels &= levels - 1) {
        unsigned level = (unsigned)__builtin_ctzll(levels);
        uint32_t index = find_on_list(pmm, touched * PMM_LEVELS + level, limit);

        if (index == PMM_INDEX_NONE && !touched_only)
            index = find_on_list(pmm, untouched * PMM_LEVELS + level, limit);
        if (index != PMM_INDEX_NONE)
            return index;
    }
    return PMM_INDEX_NONE;
}

/* The class of a block that gets a frame of `class`: with a fixed one in it, it is fixed. */
static void join_class(struct pmm *pmm, struct pmm_block *block, unsigned class)
{
    if (block->class == class)
        return;
    if (block->class != PMM_CLASS_NONE)
        pmm->stats.class_mixes++;
    if (block->class == PMM_CLASS_NONE || class == PMM_FIXED)
        block->class = class & 3;
}

/* Take free frames of a block in pieces. */
void pmm_frames_take(struct pmm *pmm, uint32_t index, unsigned first, unsigned count,
                     unsigned class)
{
    struct pmm_block *block = &pmm->blocks[index];

    assert(block->use == BLOCK_PIECES && block->free >= count);
    pmm_map_set(pmm_map_of(block), first, count);

    unsigned from = pmm_edit_begin(pmm, index);
    block->free = (block->free - count) & 1023;
    join_class(pmm, block, class);
    if (block->free == 0) { /* nothing touched among its free frames */
        block->state = RUN_UNTOUCHED;
        pmm_unmark(pmm, block);
    }
    pmm_edit_end(pmm, index, from);
}

/* All frames are free again: whole blocks rejoin, blocks at range ends lose their class. */
static void all_free(struct pmm *pmm, struct pmm_block *block)
{
    if (block->usable < BLOCK_FRAMES) {
        block->class = PMM_CLASS_NONE;
        return;
    }
    pmm_map_give(pmm, (paddr_t)block->map << PMM_MAP_SHIFT);
    pmm_unmark(pmm, block);
    block->use = BLOCK_FREE;
    pmm->stats.blocks_rejoined++;
}

/* The frame becomes pool memory, and the block that was taken whole gets its map from there. */
static void donate(struct pmm *pmm, uint32_t index, pfn_t pfn)
{
    pmm_chunk_add(pmm, pfn_to_paddr(pfn), PMM_CHUNK_SLOTS, false);
    pmm_block_split(pmm, index, pmm->blocks[index].class);

    unsigned from = pmm_edit_begin(pmm, index);
    join_class(pmm, &pmm->blocks[index], PMM_FIXED);
    pmm_edit_end(pmm, index, from);
}

/* They come back to a block in pieces. */
void pmm_frames_give(struct pmm *pmm, uint32_t index, unsigned first, unsigned count,
                     enum run_state state)
{
    struct pmm_block *block = &pmm->blocks[index];

    assert(block->use == BLOCK_PIECES && block->free + count <= block->usable &&
           is_taken(pmm_map_of(block), first, count));
    pmm_map_clear(pmm_map_of(block), first, count);

    unsigned from = pmm_edit_begin(pmm, index);
    block->free = (block->free + count) & 1023;
    if (state == RUN_TOUCHED) {
        block->state = RUN_TOUCHED;
        pmm_mark(pmm, block);
    }
    if (block->free == block->usable)
        all_free(pmm, block);
    pmm_edit_end(pmm, index, from);
}

/*
 * Free one frame. A block that was taken whole and comes back in parts needs a map; when the pool has
 * none, the frame itself becomes pool memory, so that giving cannot fail.
 */
void pmm_frame_give(struct pmm *pmm, pfn_t pfn, enum run_state state)
{
    uint32_t index = pmm_block_of(pmm, pfn);
    struct pmm_block *block = &pmm->blocks[index];

    assert(block->use != BLOCK_FREE);
    if (block->use == BLOCK_TAKEN && pmm->maps_free == 0) {
        donate(pmm, index, pfn);
        return;
    }
    if (block->use == BLOCK_TAKEN)
        pmm_block_split(pmm, index, block->class);

    pmm_frames_give(pmm, index, (unsigned)(pfn.n % BLOCK_FRAMES), 1, state);
}
