// SPDX-License-Identifier: BSD-2-Clause
/*
 * The heap's reserved memory: how it is got from the source, and how much is kept that no object
 * uses.
 *
 * Idle pages are those that are reserved, but in no span or run, in chunks that hold something
 * else. They may be an eighth of the used pages, or a chunk's worth if that is more. What is beyond
 * goes back, and half a chunk more, the largest run there is: so no run that is allocated and freed
 * in turn, wherever it lies, makes calls of the source again and again.
 */
#include "lib/newlib/heap_internal.h"

/* A chunk in use has a used page, so never 512 idle ones. */
static unsigned level_of(unsigned pages)
{
    return 31 - (unsigned)__builtin_clz(pages);
}

void heap_idle_set(struct app_heap *heap, struct heap_chunk *chunk, unsigned pages)
{
    unsigned before = chunk->idle_pages;

    if (pages == before)
        return;
    heap->idle_pages = heap->idle_pages - before + pages;
    chunk->idle_pages = (uint16_t)pages;
    if (before != 0 && pages != 0 && level_of(before) == level_of(pages))
        return;
    heap_link_remove(&chunk->idle_link);
    if (pages != 0)
        heap_link_insert(&heap->idle[level_of(pages)], &chunk->idle_link);
}

/* Chunks with most to give come first. */
static struct heap_chunk *most_idle(const struct app_heap *heap)
{
    for (unsigned level = HEAP_IDLE_LEVELS; level-- > 0;) {
        char *link = (char *)heap->idle[level];

        if (link)
            return (struct heap_chunk *)(void *)(link -
                                                 offsetof(struct heap_chunk, idle_link));
    }
    return NULL;
}

static void release_range(struct app_heap *heap, struct heap_chunk *chunk, unsigned first,
                          unsigned end)
{
    size_t bytes = (end - first) * HEAP_PAGE;

    heap->source.release(heap->source.ctx,
                         heap_chunk_start(heap, chunk) + first * HEAP_PAGE, bytes);
    heap_map_clear(chunk->reserved, first, end);
    chunk->reserved_pages = (uint16_t)(chunk->reserved_pages - (end - first));
    heap->reserved_pages -= end - first;
    heap->released_bytes += bytes;
}

void heap_idle_release_pages(struct app_heap *heap, struct heap_chunk *chunk)
{
    uint64_t idle[HEAP_MAP_WORDS];
    unsigned first = 0, end;

    for (unsigned word = 0; word < HEAP_MAP_WORDS; word++)
        idle[word] = chunk->reserved[word] & ~chunk->used[word];
    while ((first = heap_map_next_set(idle, first)) < HEAP_CHUNK_PAGES) {
        end = heap_map_next_clear(idle, first);
        release_range(heap, chunk, first, end);
        first = end;
    }
    heap_idle_set(heap, chunk, 0);
}

static void release_down_to(struct app_heap *heap, size_t pages)
{
    while (heap->idle_pages > pages)
        heap_idle_release_pages(heap, most_idle(heap));
}

void heap_idle_settle(struct app_heap *heap)
{
    size_t budget = heap->used_pages / 8;

    if (budget < HEAP_CHUNK_PAGES)
        budget = HEAP_CHUNK_PAGES;
    if (heap->idle_pages > budget)
        release_down_to(heap, budget - HEAP_CHUNK_PAGES / 2);
}

size_t app_heap_trim(struct app_heap *heap)
{
    struct heap_chunk *spare = heap->spare;
    uint64_t before = heap->released_bytes;

    heap->spare = NULL;
    if (spare)
        heap_chunk_drop(heap, spare);
    release_down_to(heap, 0);
    return (size_t)(heap->released_bytes - before);
}

int heap_idle_reserve(struct app_heap *heap, char *start, size_t bytes)
{
    const struct heap_source *source = &heap->source;

    if (source->reserve(source->ctx, start, bytes) == 0)
        return 0;
    return app_heap_trim(heap) != 0 ? source->reserve(source->ctx, start, bytes) : -1;
}

int heap_idle_reserve_pages(struct app_heap *heap, struct heap_chunk *chunk,
                            unsigned first, unsigned end)
{
    char *start = heap_chunk_start(heap, chunk);

    while ((first = heap_map_next_clear(chunk->reserved, first)) < end) {
        unsigned upto = heap_map_next_set(chunk->reserved, first);

        if (upto > end)
            upto = end;
        if (heap_idle_reserve(heap, start + first * HEAP_PAGE,
                              (upto - first) * HEAP_PAGE) != 0)
            return -1;
        heap_map_set(chunk->reserved, first, upto);
        chunk->reserved_pages = (uint16_t)(chunk->reserved_pages + (upto - first));
        heap->reserved_pages += upto - first;
        first = upto;
    }
    return 0;
}
