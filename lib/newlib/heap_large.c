// SPDX-License-Identifier: BSD-2-Clause
/*
 * Large objects: each is a region of its own, so a touch before, behind or after its life is a
 * fault. Their descriptors are small objects of the same heap, found by a hash of the address. The
 * table does not grow: a thousand objects, a GiB at least, make chains of eight.
 */
#include "lib/newlib/heap_internal.h"

struct heap_large {
    struct heap_large *next;
    char *object;
    char *region;
    size_t bytes; /* of the region */
};

static unsigned bucket_of(const void *ptr)
{
    /* By 2^64 over the golden ratio; the upper bits depend on all bits of the page's number. */
    uint64_t hash = (uint64_t)((uintptr_t)ptr / HEAP_PAGE) * UINT64_C(0x9E3779B97F4A7C15);

    return (unsigned)(hash >> 32) % HEAP_LARGE_BUCKETS;
}

/* What points to the descriptor of an object, or the NULL at the end of its chain. */
static struct heap_large **find(struct app_heap *heap, const void *ptr)
{
    struct heap_large **at = &heap->large[bucket_of(ptr)];

    while (*at && (*at)->object != ptr)
        at = &(*at)->next;
    return at;
}

static size_t usable(const struct heap_large *large)
{
    return large->bytes - (size_t)(large->object - large->region);
}

/* source.map(); before it fails, once more without what the heap keeps. */
static void *map(struct app_heap *heap, size_t bytes)
{
    const struct heap_source *source = &heap->source;
    void *region = source->map(source->ctx, bytes);

    if (!region && app_heap_trim(heap) != 0)
        region = source->map(source->ctx, bytes);
    return region;
}

void *heap_large_alloc(struct app_heap *heap, size_t size, size_t align)
{
    unsigned size_class = heap_span_class(sizeof(struct heap_large), APP_HEAP_ALIGN);
    struct heap_large *large = heap_span_alloc(heap, size_class), **at;

    if (!large)
        return NULL;
    large->bytes = (size + HEAP_PAGE - 1) / HEAP_PAGE * HEAP_PAGE;
    if (align > HEAP_PAGE)
        large->bytes += align - HEAP_PAGE;
    large->region = map(heap, large->bytes);
    if (!large->region) {
        app_heap_free(heap, large);
        return NULL;
    }
    large->object =
        (char *)(((uintptr_t)large->region + align - 1) & ~(uintptr_t)(align - 1));
    large->next = NULL;
    at = find(heap, large->object);
    *at = large;
    heap->large_count++;
    heap->large_bytes += large->bytes;
    heap->used_bytes += usable(large);
    return large->object;
}

bool heap_large_free(struct app_heap *heap, const void *ptr)
{
    struct heap_large **at = find(heap, ptr), *large = *at;

    if (!large)
        return false;
    *at = large->next;
    heap->large_count--;
    heap->large_bytes -= large->bytes;
    heap->used_bytes -= usable(large);
    heap->released_bytes += large->bytes;
    heap->source.unmap(heap->source.ctx, large->region, large->bytes);
    app_heap_free(heap, large);
    return true;
}

size_t heap_large_usable(struct app_heap *heap, const void *ptr)
{
    const struct heap_large *large = *find(heap, ptr);

    return large ? usable(large) : 0;
}

size_t heap_large_descriptors(const struct app_heap *heap)
{
    return heap->large_count * sizeof(struct heap_large);
}
