// SPDX-License-Identifier: BSD-2-Clause
/* The page set's memory: chunks and maps, taken ahead of need and given back when they hold nothing. */
#include "drivers/balloon/page_set_internal.h"

#include "base/err.h"

#define MAPS_BYTES (64 * MAP_WORDS * sizeof(uint64_t))

static void *set_alloc(struct page_set *set, size_t size_bytes)
{
    void *mem = set->hal->mem_alloc(set->hal->ctx, size_bytes);

    if (mem)
        set->bytes += size_bytes;
    return mem;
}

static void set_free(struct page_set *set, void *mem, size_t size_bytes)
{
    if (!mem)
        return;
    set->bytes -= size_bytes;
    set->hal->mem_free(set->hal->ctx, mem, size_bytes);
}

size_t page_chunk_lower(const struct page_set *set, uint64_t number)
{
    size_t low = 0, high = set->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (set->chunks[mid]->number < number)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct page_chunk *page_chunk_find(const struct page_set *set, pfn_t pfn)
{
    uint64_t number = pfn.n >> CHUNK_SHIFT;
    size_t i = page_chunk_lower(set, number);

    return i < set->count && set->chunks[i]->number == number ? set->chunks[i] : NULL;
}

static int chunks_grow(struct page_set *set)
{
    size_t capacity = set->capacity ? set->capacity * 2 : 8;
    struct page_chunk **bigger = set_alloc(set, capacity * sizeof(struct page_chunk *));

    if (!bigger)
        return -ENOMEM;
    for (size_t i = 0; i < set->count; i++)
        bigger[i] = set->chunks[i];
    set_free(set, set->chunks, set->capacity * sizeof(struct page_chunk *));
    set->chunks = bigger;
    set->capacity = capacity;
    return 0;
}

static struct page_chunk *chunk_get(struct page_set *set, pfn_t pfn)
{
    struct page_chunk *chunk = page_chunk_find(set, pfn);

    if (chunk)
        return chunk;
    if (set->count == set->capacity && chunks_grow(set))
        return NULL;
    chunk = set_alloc(set, sizeof(*chunk));
    if (!chunk)
        return NULL;
    chunk->number = pfn.n >> CHUNK_SHIFT;
    size_t at = page_chunk_lower(set, chunk->number);
    for (size_t i = set->count; i > at; i--)
        set->chunks[i] = set->chunks[i - 1];
    set->chunks[at] = chunk;
    set->count++;
    return chunk;
}

void page_set_init(struct page_set *set, const struct balloon_hal *hal)
{
    *set = (struct page_set){.hal = hal};
}

void page_set_fini(struct page_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        for (unsigned g = 0; g < GROUPS; g++)
            set_free(set, set->chunks[i]->maps[g], MAPS_BYTES);
        set_free(set, set->chunks[i], sizeof(struct page_chunk));
    }
    set_free(set, set->chunks, set->capacity * sizeof(struct page_chunk *));
    assert(set->bytes == 0);
    page_set_init(set, set->hal);
}

int page_set_reserve(struct page_set *set, pfn_t first, unsigned order)
{
    struct page_chunk *chunk = chunk_get(set, first);

    if (!chunk)
        return -ENOMEM;
    if (order == BLOCK_ORDER)
        return 0; /* it needs no map */
    struct page_place at = page_place_of(chunk, first);
    if (!chunk->maps[at.group])
        chunk->maps[at.group] = set_alloc(set, MAPS_BYTES);
    return chunk->maps[at.group] ? 0 : -ENOMEM;
}

static bool chunk_trim(struct page_set *set, struct page_chunk *chunk)
{
    uint64_t in_use = 0;

    for (unsigned g = 0; g < GROUPS; g++) {
        if (!chunk->parts[g]) {
            set_free(set, chunk->maps[g], MAPS_BYTES);
            chunk->maps[g] = NULL;
        }
        in_use |= chunk->parts[g];
        for (unsigned kind = PAGE_NONE + 1; kind < PAGE_KINDS; kind++)
            in_use |= chunk->blocks[kind][g];
    }
    /* Its window may still go back into it. */
    return !in_use &&
           !(set->window.frames && set->window.first.n >> CHUNK_SHIFT == chunk->number);
}

void page_set_trim(struct page_set *set)
{
    size_t kept = 0;

    for (size_t i = 0; i < set->count; i++) {
        struct page_chunk *chunk = set->chunks[i];

        if (chunk_trim(set, chunk))
            set_free(set, chunk, sizeof(*chunk));
        else
            set->chunks[kept++] = chunk;
    }
    set->count = kept;
    set->hint = 0;
}
