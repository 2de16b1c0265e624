// SPDX-License-Identifier: BSD-2-Clause
/*
 * Runs of pages inside chunks: medium objects, and the memory of spans. Those two never share a
 * chunk, since they live differently long, and so that any hole among spans fits a span.
 *
 * The chunk that serves a run is the one with least room that has enough: others become free. A
 * list holds chunks of about equal room, counted in free spans, or as the longest free run in
 * steps; runs are rounded up to a step, so that a hole that one left always fits the next of its
 * size.
 */
#include "lib/newlib/heap_internal.h"

/* The list of a chunk whose longest free run is so long (0: no list), and the first list whose
 * chunks all have room for a run. */
static unsigned level_with(unsigned longest)
{
    return heap_step_of(longest + 1);
}

static unsigned level_for(unsigned pages)
{
    return heap_step_of(pages) + 1;
}

static unsigned longest_run(const uint64_t *used)
{
    unsigned longest = 0, first = 0;

    while ((first = heap_map_next_clear(used, first)) < HEAP_CHUNK_PAGES) {
        unsigned end = heap_map_next_set(used, first);

        if (end - first > longest)
            longest = end - first;
        first = end;
    }
    return longest;
}

static unsigned level_of(const struct heap_chunk *chunk)
{
    if (chunk->used_pages == 0)
        return 0;
    if (chunk->use == HEAP_USE_SPANS)
        return HEAP_CHUNK_SPANS - chunk->used_pages / HEAP_SPAN_PAGES;
    return level_with(longest_run(chunk->used));
}

static void list_chunk(struct app_heap *heap, struct heap_chunk *chunk)
{
    struct heap_pool *pool = &heap->pools[chunk->use];
    unsigned before = chunk->level, level = level_of(chunk);

    if (level == before)
        return;
    heap_link_remove(&chunk->link);
    if (before != 0 && !pool->chunks[before])
        pool->levels &= ~(UINT64_C(1) << before);
    if (level != 0) {
        heap_link_insert(&pool->chunks[level], &chunk->link);
        pool->levels |= UINT64_C(1) << level;
    }
    chunk->level = (uint8_t)level;
}

static struct heap_chunk *chunk_with_room(const struct app_heap *heap, enum heap_use use,
                                          unsigned pages)
{
    const struct heap_pool *pool = &heap->pools[use];
    uint64_t levels = 0;

    if (use == HEAP_USE_SPANS)
        levels = pool->levels;
    else if (pages <= HEAP_CHUNK_PAGES)
        levels = pool->levels & (UINT64_MAX << level_for(pages));
    if (levels == 0)
        return NULL;
    return (struct heap_chunk *)(void *)pool->chunks[__builtin_ctzll(levels)];
}
_Static_assert(offsetof(struct heap_chunk, link) == 0, "a list's links are the chunks");

/* The first place in a chunk that is known to have one. */
static unsigned find_room(const uint64_t *used, unsigned pages, unsigned align)
{
    unsigned first = 0, end;

    for (;;) {
        first = (heap_map_next_clear(used, first) + align - 1) & ~(align - 1);
        end = heap_map_next_set(used, first);
        if (end - first >= pages)
            return first;
        first = end;
    }
}

static unsigned run_end(const struct heap_chunk *chunk, unsigned first)
{
    unsigned end = heap_map_next_clear(chunk->used, first);
    unsigned next = heap_map_next_set(chunk->starts, first + 1);

    return next < end ? next : end;
}

static void mark_used(struct app_heap *heap, struct heap_chunk *chunk, unsigned first,
                      unsigned end)
{
    unsigned idle = chunk->used_pages == 0 ? chunk->reserved_pages : chunk->idle_pages;

    idle -= heap_map_count(chunk->reserved, first, end);
    heap_map_set(chunk->used, first, end);
    heap_map_set(chunk->starts, first, first + 1);
    chunk->used_pages = (uint16_t)(chunk->used_pages + (end - first));
    heap->used_pages += end - first;
    heap_idle_set(heap, chunk, idle);
    list_chunk(heap, chunk);
}

static void mark_free(struct app_heap *heap, struct heap_chunk *chunk, unsigned first,
                      unsigned end)
{
    unsigned idle = chunk->idle_pages + heap_map_count(chunk->reserved, first, end);

    heap_map_clear(chunk->used, first, end);
    heap_map_clear(chunk->starts, first, first + 1);
    chunk->used_pages = (uint16_t)(chunk->used_pages - (end - first));
    heap->used_pages -= end - first;
    heap_idle_set(heap, chunk, chunk->used_pages == 0 ? 0 : idle);
    list_chunk(heap, chunk);
}

struct heap_chunk *heap_run_take(struct app_heap *heap, enum heap_use use, unsigned pages,
                                 unsigned align, unsigned *first)
{
    struct heap_chunk *chunk = chunk_with_room(heap, use, pages + align - 1);

    if (!chunk)
        chunk = heap_chunk_take(heap, use);
    if (!chunk)
        return NULL;

    unsigned at = find_room(chunk->used, pages, align);
    /* Marked first: what reserving gives back when it must is elsewhere then. */
    mark_used(heap, chunk, at, at + pages);
    if (heap_idle_reserve_pages(heap, chunk, at, at + pages) != 0) {
        heap_run_give(heap, chunk, at);
        return NULL;
    }
    *first = at;
    return chunk;
}

void heap_run_give(struct app_heap *heap, struct heap_chunk *chunk, unsigned first)
{
    mark_free(heap, chunk, first, run_end(chunk, first));
    if (chunk->used_pages == 0)
        heap_chunk_give(heap, chunk);
    heap_idle_settle(heap);
}

void *heap_run_alloc(struct app_heap *heap, size_t size, size_t align)
{
    unsigned pages = (unsigned)((size + HEAP_PAGE - 1) / HEAP_PAGE), first;
    unsigned align_pages = align > HEAP_PAGE ? (unsigned)(align / HEAP_PAGE) : 1;

    pages = heap_step_units(heap_step_of(pages));
    struct heap_chunk *chunk =
        heap_run_take(heap, HEAP_USE_RUNS, pages, align_pages, &first);
    if (!chunk)
        return NULL;
    heap->used_bytes += pages * HEAP_PAGE;
    return heap_chunk_start(heap, chunk) + first * HEAP_PAGE;
}

static size_t offset_of(const struct app_heap *heap, const struct heap_chunk *chunk,
                        const void *ptr)
{
    return (size_t)((const char *)ptr - heap_chunk_start(heap, chunk));
}

size_t heap_run_usable(const struct app_heap *heap, const struct heap_chunk *chunk,
                       const void *ptr)
{
    size_t offset = offset_of(heap, chunk, ptr);
    unsigned first = (unsigned)(offset / HEAP_PAGE);

    if (offset % HEAP_PAGE != 0 || !heap_map_get(chunk->starts, first))
        return 0;
    return (run_end(chunk, first) - first) * HEAP_PAGE;
}

bool heap_run_free(struct app_heap *heap, struct heap_chunk *chunk, const void *ptr)
{
    size_t bytes = heap_run_usable(heap, chunk, ptr);

    if (bytes == 0)
        return false;
    heap->used_bytes -= bytes;
    heap_run_give(heap, chunk, (unsigned)(offset_of(heap, chunk, ptr) / HEAP_PAGE));
    return true;
}
