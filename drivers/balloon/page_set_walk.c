// SPDX-License-Identifier: BSD-2-Clause
/* Looking at the page set without changing it: one frame, or ranges over block and chunk borders. */
#include "drivers/balloon/page_set_internal.h"

bool page_set_has(const struct page_set *set, pfn_t pfn)
{
    const struct page_run *window = &set->window;

    if (pfn.n >= window->first.n && pfn.n < window->first.n + window->frames)
        return true;
    struct page_chunk *chunk = page_chunk_find(set, pfn);
    if (!chunk)
        return false;
    struct page_place at = page_place_of(chunk, pfn);
    unsigned i = page_in_block(pfn);

    if (chunk->blocks[PAGE_HELD][at.group] & BIT64(at.index))
        return true;
    return chunk->parts[at.group] & BIT64(at.index) &&
           page_place_map(at)[i / 64] & BIT64(i % 64);
}

/* Whether the block of `pfn` is in the set whole, not at all, or needs a look at each frame. */
static bool block_is_simple(const struct page_set *set, pfn_t pfn, bool *is_in)
{
    struct page_chunk *chunk = page_chunk_find(set, pfn);

    *is_in = false;
    if (set->window.frames && set->window.first.n >> BLOCK_ORDER == pfn.n >> BLOCK_ORDER)
        return false;
    if (!chunk)
        return true;
    struct page_place at = page_place_of(chunk, pfn);
    *is_in = chunk->blocks[PAGE_HELD][at.group] & BIT64(at.index);
    return !(chunk->parts[at.group] & BIT64(at.index));
}

/* The first frame at or above `pfn` whose being in the set is `is_in`, below `end`. */
static pfn_t scan(const struct page_set *set, pfn_t pfn, bool is_in, pfn_t end)
{
    while (pfn.n < end.n) {
        bool block_in;

        if (block_is_simple(set, pfn, &block_in)) {
            if (block_in == is_in)
                return pfn;
            pfn = pfn_of((pfn.n | (BLOCK_FRAMES - 1)) + 1);
        } else if (page_set_has(set, pfn) == is_in) {
            return pfn;
        } else {
            pfn = pfn_add(pfn, 1);
        }
    }
    return end;
}

bool page_set_has_any(const struct page_set *set, pfn_t first, uint64_t frames)
{
    pfn_t end = pfn_add(first, frames);

    return scan(set, first, true, end).n != end.n;
}

bool page_set_next(const struct page_set *set, pfn_t from, pfn_t *first, uint64_t *frames)
{
    /* Chunk by chunk, so that the holes between them cost nothing. */
    for (size_t i = page_chunk_lower(set, from.n >> CHUNK_SHIFT); i < set->count; i++) {
        pfn_t start = pfn_of(set->chunks[i]->number << CHUNK_SHIFT);
        pfn_t end = pfn_add(start, BIT64(CHUNK_SHIFT));
        pfn_t found = scan(set, pfn_of(max_u64(start.n, from.n)), true, end);

        if (found.n == end.n)
            continue;
        *first = found;
        *frames = scan(set, found, false, pfn_of(UINT64_MAX)).n - found.n;
        return true;
    }
    return false;
}
