// SPDX-License-Identifier: BSD-2-Clause
/*
 * Chunks of the heap: the bit for each that exists, their metadata, birth and end. What is in them is
 * heap_run.c's.
 */
#include "lib/newlib/heap_internal.h"

#include <string.h>

#define CHUNKS_PER_PAGE (HEAP_PAGE * 8) /* a page of heap->present */

static struct heap_chunk *slot_of(const struct app_heap *heap, size_t number)
{
    return (struct heap_chunk *)(void *)(heap->metadata + number * HEAP_SLOT);
}

static size_t number_of(const struct app_heap *heap, const struct heap_chunk *chunk)
{
    return (size_t)((const char *)chunk - heap->metadata) / HEAP_SLOT;
}

char *heap_chunk_start(const struct app_heap *heap, const struct heap_chunk *chunk)
{
    return heap->arena + number_of(heap, chunk) * HEAP_CHUNK;
}

bool heap_is_in_arena(const struct app_heap *heap, const void *ptr)
{
    return (uintptr_t)ptr - (uintptr_t)heap->arena < heap->chunks_max * HEAP_CHUNK;
}

struct heap_chunk *heap_chunk_of(const struct app_heap *heap, const void *ptr)
{
    size_t number = ((uintptr_t)ptr - (uintptr_t)heap->arena) / HEAP_CHUNK;

    if (number >= heap->present_max || !(heap->present[number / 64] >> (number % 64) & 1))
        return NULL;
    return slot_of(heap, number);
}

/* The bits of more chunks. */
static int extend_present(struct app_heap *heap)
{
    char *page;

    if (heap->present_max >= heap->chunks_max)
        return -1;
    page = (char *)heap->present + heap->present_max / 8;
    if (heap_idle_reserve(heap, page, HEAP_PAGE) != 0)
        return -1;
    memset(page, 0, HEAP_PAGE);
    heap->metadata_pages++;
    heap->present_max += CHUNKS_PER_PAGE;
    return 0;
}

/* The lowest number without a chunk, so that the bits stay few; or one that is no number. */
static size_t absent_number(struct app_heap *heap)
{
    for (size_t word = heap->first_absent / 64; word < heap->present_max / 64; word++) {
        uint64_t absent = ~heap->present[word];

        if (absent != 0) {
            heap->first_absent = word * 64 + (size_t)__builtin_ctzll(absent);
            return heap->first_absent;
        }
    }
    return heap->present_max;
}

static int reserve_slot_page(struct app_heap *heap, struct heap_chunk *chunk,
                             unsigned index)
{
    if (heap_idle_reserve(heap, (char *)chunk + index * HEAP_PAGE, HEAP_PAGE) != 0)
        return -1;
    heap->metadata_pages++;
    return 0;
}

static struct heap_chunk *chunk_new(struct app_heap *heap)
{
    size_t number = absent_number(heap);

    if (number == heap->present_max && extend_present(heap) != 0)
        return NULL;
    if (number >= heap->chunks_max)
        return NULL;

    struct heap_chunk *chunk = slot_of(heap, number);
    if (reserve_slot_page(heap, chunk, 0) != 0)
        return NULL;
    memset(chunk, 0, sizeof(*chunk));
    chunk->slot_pages = 1;
    heap->present[number / 64] |= UINT64_C(1) << (number % 64);
    heap->chunk_count++;
    return chunk;
}

/* All of a new chunk at once, if there is as much: one call, and a block of the machine's. */
static void reserve_whole(struct app_heap *heap, struct heap_chunk *chunk)
{
    if (heap->source.reserve(heap->source.ctx, heap_chunk_start(heap, chunk),
                             HEAP_CHUNK) != 0)
        return;
    heap_map_set(chunk->reserved, 0, HEAP_CHUNK_PAGES);
    chunk->reserved_pages = HEAP_CHUNK_PAGES;
    heap->reserved_pages += HEAP_CHUNK_PAGES;
}

struct heap_chunk *heap_chunk_take(struct app_heap *heap, enum heap_use use)
{
    struct heap_chunk *chunk = heap->spare;

    heap->spare = NULL;
    if (!chunk) {
        chunk = chunk_new(heap);
        if (!chunk)
            return NULL;
        reserve_whole(heap, chunk);
    }
    chunk->use = (uint8_t)use;
    return chunk;
}

void *heap_chunk_slot_page(struct app_heap *heap, struct heap_chunk *chunk,
                           unsigned index)
{
    unsigned bit = 1u << index;

    if (!(chunk->slot_pages & bit)) {
        if (reserve_slot_page(heap, chunk, index) != 0)
            return NULL;
        chunk->slot_pages = (uint8_t)(chunk->slot_pages | bit);
    }
    return (char *)chunk + index * HEAP_PAGE;
}

/* The slot's pages: those in a row at once, the one with the chunk itself among them, so by a
 * copy. */
static void release_slot(struct app_heap *heap, struct heap_chunk *chunk)
{
    unsigned pages = chunk->slot_pages;

    while (pages != 0) {
        unsigned first = (unsigned)__builtin_ctz(pages);
        unsigned count = (unsigned)__builtin_ctz(~(pages >> first));

        heap->source.release(heap->source.ctx, (char *)chunk + first * HEAP_PAGE,
                             count * HEAP_PAGE);
        heap->metadata_pages -= count;
        pages &= ~(((1u << count) - 1) << first);
    }
}

void heap_chunk_drop(struct app_heap *heap, struct heap_chunk *chunk)
{
    size_t number = number_of(heap, chunk);

    heap_idle_release_pages(heap, chunk);
    release_slot(heap, chunk);
    heap->present[number / 64] &= ~(UINT64_C(1) << (number % 64));
    if (number < heap->first_absent)
        heap->first_absent = number;
    heap->chunk_count--;
}

void heap_chunk_give(struct app_heap *heap, struct heap_chunk *chunk)
{
    /* One without memory, left by an allocation that failed, is of no use to the next. */
    if (!heap->spare && chunk->reserved_pages != 0)
        heap->spare = chunk;
    else
        heap_chunk_drop(heap, chunk);
}
