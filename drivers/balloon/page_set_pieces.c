// SPDX-License-Identifier: BSD-2-Clause
/* Frames in pieces by their number: the next ones from a place on, and these out of the set. */
#include "drivers/balloon/page_set_internal.h"

/* The first neighbours in a block's map at or above frame `i` of it. False: there are none. */
static bool find_in_map(const uint64_t *map, unsigned i, uint32_t max, unsigned *first,
                        uint32_t *frames)
{
    while (i < BLOCK_FRAMES && !(map[i / 64] >> i % 64))
        i = (i / 64 + 1) * 64;
    if (i >= BLOCK_FRAMES)
        return false;
    i += (unsigned)__builtin_ctzll(map[i / 64] >> i % 64);
    *first = i;
    *frames = 0;
    for (; i < BLOCK_FRAMES && *frames < max && map[i / 64] & BIT64(i % 64); i++)
        ++*frames;
    return true;
}

/* The same in a chunk, from `from` on or from its start. */
static bool find_in_chunk(struct page_chunk *chunk, pfn_t from, uint32_t max,
                          struct page_run *out)
{
    bool is_first = chunk->number == from.n >> CHUNK_SHIFT;
    unsigned block = is_first ? (unsigned)(from.n >> BLOCK_ORDER) % CHUNK_BLOCKS : 0;
    unsigned start = is_first ? page_in_block(from) : 0;

    for (; block < CHUNK_BLOCKS; block++, start = 0) {
        struct page_place at = {chunk, block / 64, block % 64};
        unsigned first;

        if (!(chunk->parts[at.group] >> at.index)) {
            block |= 63; /* no more in this group */
            continue;
        }
        if (!(chunk->parts[at.group] & BIT64(at.index)) ||
            !find_in_map(page_place_map(at), start, max, &first, &out->frames))
            continue;
        out->first =
            pfn_of((chunk->number << CHUNK_SHIFT) + block * BLOCK_FRAMES + first);
        return true;
    }
    return false;
}

bool page_set_find_pieces(const struct page_set *set, pfn_t from, uint32_t max,
                          struct page_run *out)
{
    if (!set->in_parts || max == 0)
        return false;
    for (size_t i = page_chunk_lower(set, from.n >> CHUNK_SHIFT); i < set->count; i++) {
        if (find_in_chunk(set->chunks[i], from, max, out))
            return true;
    }
    return false;
}

void page_set_remove(struct page_set *set, struct page_run run)
{
    struct page_chunk *chunk = page_chunk_find(set, run.first);

    assert(chunk && run.frames > 0);
    struct page_place at = page_place_of(chunk, run.first);

    assert(chunk->parts[at.group] & BIT64(at.index));
    uint64_t *map = page_place_map(at);

    for (unsigned i = page_in_block(run.first), n = run.frames; n > 0; i++, n--) {
        assert(map[i / 64] & BIT64(i % 64));
        map[i / 64] &= ~BIT64(i % 64);
    }
    set->frames -= run.frames;
    if (page_map_is_empty(map)) {
        chunk->parts[at.group] &= ~BIT64(at.index);
        set->in_parts--;
    }
}
