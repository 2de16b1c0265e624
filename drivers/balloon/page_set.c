// SPDX-License-Identifier: BSD-2-Clause
/* Frames into the page set and out of it. */
#include "drivers/balloon/page_set_internal.h"

static bool map_is_full(const uint64_t *map)
{
    for (unsigned i = 0; i < MAP_WORDS; i++)
        if (map[i] != UINT64_MAX)
            return false;
    return true;
}

bool page_map_is_empty(const uint64_t *map)
{
    for (unsigned i = 0; i < MAP_WORDS; i++)
        if (map[i])
            return false;
    return true;
}

static void map_clear(uint64_t *map)
{
    for (unsigned i = 0; i < MAP_WORDS; i++)
        map[i] = 0;
}

static void become_whole(struct page_set *set, struct page_place at)
{
    at.chunk->blocks[PAGE_HELD][at.group] |= BIT64(at.index);
    set->blocks[PAGE_HELD]++;
}

/* Put the run into its block's map, which page_set_reserve() made; a map that becomes full turns into a
 * whole block. */
static void add_to_map(struct page_set *set, struct page_place at, struct page_run run)
{
    assert(at.chunk->maps[at.group]);
    uint64_t *map = page_place_map(at);
    uint64_t bit = BIT64(at.index);

    if (!(at.chunk->parts[at.group] & bit)) {
        at.chunk->parts[at.group] |= bit;
        set->in_parts++;
    }
    for (unsigned i = page_in_block(run.first), n = run.frames; n > 0; i++, n--) {
        assert(!(map[i / 64] & BIT64(i % 64)));
        map[i / 64] |= BIT64(i % 64);
    }
    if (set->keeps_pieces || !map_is_full(map))
        return;
    map_clear(map);
    at.chunk->parts[at.group] &= ~bit;
    set->in_parts--;
    become_whole(set, at);
}

void page_set_add(struct page_set *set, struct page_run run)
{
    struct page_chunk *chunk = page_chunk_find(set, run.first);

    assert(chunk && run.frames > 0 &&
           page_in_block(run.first) + run.frames <= BLOCK_FRAMES);
    struct page_place at = page_place_of(chunk, run.first);
    struct page_run window = set->window;
    bool is_window =
        window.frames && window.first.n >> BLOCK_ORDER == run.first.n >> BLOCK_ORDER;

    for (unsigned kind = PAGE_NONE + 1; kind < PAGE_KINDS; kind++)
        assert(!(chunk->blocks[kind][at.group] & BIT64(at.index)));
    if (run.frames == BLOCK_FRAMES && !set->keeps_pieces) {
        assert(!is_window && !(chunk->parts[at.group] & BIT64(at.index)));
        become_whole(set, at);
    } else {
        if (is_window) {
            set->window.frames = 0;
            add_to_map(set, at, window);
        }
        add_to_map(set, at, run);
    }
    set->frames += run.frames;
}

static struct page_run take_from_window(struct page_set *set, uint32_t max)
{
    struct page_run run = {set->window.first, (uint32_t)min_u64(max, set->window.frames)};

    set->window.first = pfn_add(set->window.first, run.frames);
    set->window.frames -= run.frames;
    return run;
}

/* A block in parts; the search starts at the last find. */
static bool find_parts(struct page_set *set, struct page_place *out)
{
    for (size_t n = 0; n < set->count; n++) {
        size_t i = (set->hint + n) % set->count;
        struct page_chunk *chunk = set->chunks[i];

        for (unsigned g = 0; g < GROUPS; g++) {
            if (!chunk->parts[g])
                continue;
            set->hint = i;
            *out =
                (struct page_place){chunk, g, (unsigned)__builtin_ctzll(chunk->parts[g])};
            return true;
        }
    }
    return false;
}

static struct page_run take_from_map(struct page_set *set, struct page_place at,
                                     uint32_t max)
{
    uint64_t *map = page_place_map(at);
    unsigned i = 0;

    while (!map[i / 64])
        i += 64;
    i += (unsigned)__builtin_ctzll(map[i / 64]);
    struct page_run run = {
        pfn_add(page_group_pfn(at.chunk, at.group), at.index * BLOCK_FRAMES + i), 0};
    for (; i < BLOCK_FRAMES && run.frames < max && map[i / 64] & BIT64(i % 64); i++) {
        map[i / 64] &= ~BIT64(i % 64);
        run.frames++;
    }
    if (page_map_is_empty(map)) {
        at.chunk->parts[at.group] &= ~BIT64(at.index);
        set->in_parts--;
    }
    return run;
}

bool page_set_take(struct page_set *set, uint32_t max, struct page_run *out)
{
    struct page_blocks block;
    struct page_place at;

    assert(max > 0);
    if (!set->window.frames && set->in_parts && find_parts(set, &at)) {
        *out = take_from_map(set, at, max);
        set->frames -= out->frames;
        return true;
    }
    if (!set->window.frames) {
        if (!page_set_find_blocks(set, PAGE_HELD, pfn_of(0), 1, &block))
            return false;
        page_set_move(set, block, PAGE_HELD, PAGE_NONE);
        set->frames += BLOCK_FRAMES; /* still ours, as the window */
        set->window = (struct page_run){block.first, BLOCK_FRAMES};
    }
    *out = take_from_window(set, max);
    set->frames -= out->frames;
    return true;
}

bool page_set_take_of(struct page_set *set, pfn_t block, uint32_t max,
                      struct page_run *out)
{
    struct page_chunk *chunk = page_chunk_find(set, block);

    assert(max > 0 && page_in_block(block) == 0);
    if (set->window.frames &&
        set->window.first.n >> BLOCK_ORDER == block.n >> BLOCK_ORDER) {
        *out = take_from_window(set, max);
    } else {
        struct page_place at =
            chunk ? page_place_of(chunk, block) : (struct page_place){0};

        if (!chunk || !(chunk->parts[at.group] & BIT64(at.index)))
            return false;
        *out = take_from_map(set, at, max);
    }
    set->frames -= out->frames;
    return true;
}
