// SPDX-License-Identifier: BSD-2-Clause
/*
 * The heap's API: which kind of object serves a size, which kind a pointer is, and moving objects.
 */
#include "lib/newlib/heap_internal.h"

#include <string.h>

#define ARENA_BYTES ((size_t)1 << 40)

/* The most that can be asked for: sums of sizes stay far from overflowing. */
#define SIZE_LIMIT (SIZE_MAX / 4)

static size_t present_bytes(size_t chunks)
{
    size_t bytes = (chunks + 7) / 8;

    return (bytes + HEAP_PAGE - 1) / HEAP_PAGE * HEAP_PAGE;
}

int app_heap_init(struct app_heap *heap, const struct heap_source *source)
{
    size_t chunks = ARENA_BYTES / HEAP_CHUNK;

    memset(heap, 0, sizeof(*heap));
    heap->source = *source;
    for (; chunks != 0 && !heap->arena; chunks /= 2) {
        size_t gap = HEAP_CHUNK,
               bytes = chunks * HEAP_CHUNK + gap + present_bytes(chunks);

        heap->arena = source->map_sparse(source->ctx, bytes + chunks * HEAP_SLOT);
        if (!heap->arena)
            continue;
        heap->present = (uint64_t *)(void *)(heap->arena + chunks * HEAP_CHUNK + gap);
        heap->metadata = heap->arena + bytes;
        heap->chunks_max = chunks;
    }
    return heap->arena ? 0 : -1;
}

void *app_heap_alloc(struct app_heap *heap, size_t size, size_t align)
{
    if (size > SIZE_LIMIT || align > APP_HEAP_ALIGN_MAX || align == 0 ||
        (align & (align - 1)) != 0)
        return NULL;
    if (size == 0)
        size = 1;
    if (size > HEAP_MEDIUM_MAX)
        return heap_large_alloc(heap, size, align);
    if (size > HEAP_SMALL_MAX || align > HEAP_PAGE)
        return heap_run_alloc(heap, size, align);
    return heap_span_alloc(heap, heap_span_class(size, align));
}

void app_heap_free(struct app_heap *heap, void *ptr)
{
    bool is_object;

    if (!ptr)
        return;
    if (!heap_is_in_arena(heap, ptr)) {
        is_object = heap_large_free(heap, ptr);
    } else {
        struct heap_chunk *chunk = heap_chunk_of(heap, ptr);

        if (!chunk)
            is_object = false;
        else if (chunk->use == HEAP_USE_SPANS)
            is_object = heap_span_free(heap, chunk, ptr);
        else
            is_object = heap_run_free(heap, chunk, ptr);
    }
    if (!is_object)
        heap->source.corrupt(heap->source.ctx, ptr);
}

static size_t usable(struct app_heap *heap, const void *ptr)
{
    if (!heap_is_in_arena(heap, ptr))
        return heap_large_usable(heap, ptr);

    const struct heap_chunk *chunk = heap_chunk_of(heap, ptr);
    if (!chunk)
        return 0;
    if (chunk->use == HEAP_USE_SPANS)
        return heap_span_usable(chunk, ptr);
    return heap_run_usable(heap, chunk, ptr);
}

size_t app_heap_usable(struct app_heap *heap, const void *ptr)
{
    size_t bytes = usable(heap, ptr);

    if (bytes == 0)
        heap->source.corrupt(heap->source.ctx, ptr);
    return bytes;
}

/* A large object that grows tends to grow again, and moving it is dear: an eighth more, if there
 * is. */
static void *alloc_to_move(struct app_heap *heap, size_t size, size_t old)
{
    void *moved = NULL;

    if (size > HEAP_MEDIUM_MAX && size > old)
        moved = app_heap_alloc(heap, size + size / 8, APP_HEAP_ALIGN);
    return moved ? moved : app_heap_alloc(heap, size, APP_HEAP_ALIGN);
}

void *app_heap_realloc(struct app_heap *heap, void *ptr, size_t size)
{
    if (!ptr)
        return app_heap_alloc(heap, size, APP_HEAP_ALIGN);
    if (size > SIZE_LIMIT)
        return NULL;

    size_t old = app_heap_usable(heap, ptr);
    /* It stays where it is unless that wastes more than half of it. */
    if (size <= old && size + APP_HEAP_ALIGN > old / 2)
        return ptr;
    void *moved = alloc_to_move(heap, size, old);
    if (!moved)
        return size <= old ? ptr : NULL;
    memcpy(moved, ptr, size < old ? size : old);
    app_heap_free(heap, ptr);
    return moved;
}

void app_heap_stats(const struct app_heap *heap, struct app_heap_stats *out)
{
    size_t spare_pages = heap->spare ? heap->spare->reserved_pages : 0;

    *out = (struct app_heap_stats){
        .used_bytes = heap->used_bytes - heap_large_descriptors(heap),
        .reserved_bytes =
            (heap->reserved_pages + heap->metadata_pages) * HEAP_PAGE + heap->large_bytes,
        .metadata_bytes = heap->metadata_pages * HEAP_PAGE,
        .idle_bytes = (heap->idle_pages + spare_pages) * HEAP_PAGE,
        .chunks = heap->chunk_count,
        .spans = heap->span_count,
        .large = heap->large_count,
        .released_bytes = heap->released_bytes,
    };
}
