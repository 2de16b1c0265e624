// SPDX-License-Identifier: BSD-2-Clause
/* Frames in pieces by their number: the last ones below a place, and these out of the set. */
#include "drivers/balloon/page_set_internal.h"

/* The last neighbours in a block's map below frame `end` of it. False: there are none. */
static bool find_in_map(const uint64_t *map, unsigned end, uint32_t max, unsigned *first,
                        uint32_t *frames)
{
    while (end > 0 && !(map[(end - 1) / 64] & (UINT64_MAX >> (63 - (end - 1) % 64))))
        end = (end - 1) / 64 * 64;
    if (end == 0)
        return false;
    uint64_t word = map[(end - 1) / 64] & (UINT64_MAX >> (63 - (end - 1) % 64));

    end = (end - 1) / 64 * 64 + 64 - (unsigned)__builtin_clzll(word);
    for (*frames = 0; end > 0 && *frames < max; --end, ++*frames) {
        if (!(map[(end - 1) / 64] & BIT64((end - 1) % 64)))
            break;
    }
    *first = end;
    return true;
}

/* The last block in pieces of a chunk below block `end` of it. False: there is none. */
static bool find_parts(const struct page_chunk *chunk, unsigned end, unsigned *block)
{
    while (end > 0) {
        unsigned last = end - 1;
        uint64_t word = chunk->parts[last / 64] & (UINT64_MAX >> (63 - last % 64));

        if (word) {
            *block = last / 64 * 64 + 63 - (unsigned)__builtin_clzll(word);
            return true;
        }
        end = last / 64 * 64;
    }
    return false;
}

/* The same in a chunk; `end` counts its frames. */
static bool find_in_chunk(struct page_chunk *chunk, uint64_t end, uint32_t max,
                          struct page_run *out)
{
    unsigned block, first;

    while (end > 0 &&
           find_parts(chunk, (unsigned)((end - 1) >> BLOCK_ORDER) + 1, &block)) {
        uint64_t start = (uint64_t)block << BLOCK_ORDER;
        struct page_place at = {chunk, block / 64, block % 64};

        if (find_in_map(page_place_map(at), (unsigned)min_u64(end - start, BLOCK_FRAMES),
                        max, &first, &out->frames)) {
            out->first = pfn_of((chunk->number << CHUNK_SHIFT) + start + first);
            return true;
        }
        end = start;
    }
    return false;
}

bool page_set_find_pieces(const struct page_set *set, pfn_t below, uint32_t max,
                          struct page_run *out)
{
    size_t i = page_chunk_lower(set, below.n >> CHUNK_SHIFT);

    if (!set->in_parts || max == 0)
        return false;
    if (i < set->count && set->chunks[i]->number == below.n >> CHUNK_SHIFT &&
        find_in_chunk(set->chunks[i], below.n % BIT64(CHUNK_SHIFT), max, out))
        return true;
    while (i-- > 0) {
        if (find_in_chunk(set->chunks[i], BIT64(CHUNK_SHIFT), max, out))
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
