// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the tests of the app's heap do again and again: allocate many objects; compare all that the
 * heap knows of itself with its maps and with the source; end with nothing left.
 */
#pragma once

#include "tests/host/app_heap_rig.h"

static inline unsigned rig_count(const uint64_t *map, unsigned words)
{
    unsigned count = 0;

    for (unsigned i = 0; i < words * 64; i++)
        count += (unsigned)(map[i / 64] >> (i % 64)) & 1;
    return count;
}

/* Its count of objects and its summary agree with its bits; it is listed while it has room. */
static inline void rig_check_span(const struct heap_span *span)
{
    unsigned words = (span->capacity + 63u) / 64;

    assert_true(span->used <= span->capacity);
    assert_int_equal(rig_count(span->free, words), span->capacity - span->used);
    for (unsigned word = 0; word < words; word++)
        assert_int_equal(span->words_free >> word & 1, span->free[word] != 0);
    assert_int_equal(span->link.at != NULL, span->used < span->capacity);
    assert_true(span->used >= span->low && span->used < span->high);
}

/* What the chunks add up to. */
struct rig_sums {
    size_t chunks, spans, used_pages, reserved_pages, idle_pages, slot_pages;
};

static inline void rig_check_chunk(struct rig *rig, struct heap_chunk *chunk,
                                   struct rig_sums *sums)
{
    unsigned idle = 0;
    char *start = heap_chunk_start(&rig->heap, chunk);

    for (unsigned i = 0; i < HEAP_CHUNK_PAGES; i++) {
        unsigned used = heap_map_get(chunk->used, i),
                 reserved = heap_map_get(chunk->reserved, i);

        assert_true(reserved >= used && used >= heap_map_get(chunk->starts, i));
        idle += reserved && !used;
        assert_int_equal(rig->reserved[(size_t)(start - rig->range) / HEAP_PAGE + i],
                         reserved);
    }
    assert_int_equal(rig_count(chunk->used, HEAP_MAP_WORDS), chunk->used_pages);
    assert_int_equal(rig_count(chunk->reserved, HEAP_MAP_WORDS), chunk->reserved_pages);
    assert_int_equal(chunk->used_pages == 0, chunk == rig->heap.spare);
    assert_int_equal(chunk->idle_pages, chunk == rig->heap.spare ? 0 : idle);
    assert_int_equal(chunk->idle_link.at != NULL, chunk->idle_pages != 0);
    assert_int_equal(chunk->link.at != NULL, chunk->level != 0);
    for (unsigned i = 0; chunk->use == HEAP_USE_SPANS && i < HEAP_CHUNK_SPANS; i++) {
        assert_int_equal(chunk->spans[i].used != 0,
                         heap_map_get(chunk->used, i * HEAP_SPAN_PAGES));
        if (chunk->spans[i].used == 0)
            continue;
        sums->spans++;
        rig_check_span(&chunk->spans[i]);
    }
    sums->chunks++;
    sums->used_pages += chunk->used_pages;
    sums->reserved_pages += chunk->reserved_pages;
    sums->idle_pages += chunk->idle_pages;
    sums->slot_pages += (size_t)__builtin_popcount(chunk->slot_pages);
}

static inline void rig_check(struct rig *rig)
{
    const struct app_heap *heap = &rig->heap;
    struct app_heap_stats stats = rig_stats(rig);
    struct rig_sums sums = {0};

    for (size_t i = 0; i < heap->present_max; i++) {
        struct heap_chunk *chunk = heap_chunk_of(heap, heap->arena + i * HEAP_CHUNK);

        if (chunk)
            rig_check_chunk(rig, chunk, &sums);
        assert_true(chunk || i >= heap->first_absent);
    }
    assert_int_equal(sums.chunks, stats.chunks);
    assert_int_equal(sums.spans, stats.spans);
    assert_int_equal(sums.used_pages, heap->used_pages);
    assert_int_equal(sums.reserved_pages, heap->reserved_pages);
    assert_int_equal(sums.idle_pages, heap->idle_pages);
    assert_int_equal(sums.slot_pages + heap->present_max / (HEAP_PAGE * 8),
                     heap->metadata_pages);
    assert_int_equal(stats.reserved_bytes, rig->promised_bytes);
}

/* All objects were freed: a chunk at most is left, its metadata and a page of bits; and then
 * nothing. */
static inline void rig_end(struct rig *rig)
{
    struct app_heap_stats stats = rig_stats(rig);

    rig_check(rig);
    assert_int_equal(stats.used_bytes, 0);
    assert_int_equal(stats.spans, 0);
    assert_int_equal(stats.large, 0);
    assert_true(stats.chunks <= 1);
    assert_true(stats.reserved_bytes - stats.metadata_bytes <= HEAP_CHUNK);
    app_heap_trim(&rig->heap);
    assert_true(rig->promised_bytes <= HEAP_PAGE);
    munmap(rig->range, rig->range_bytes);
    munmap(rig->reserved, rig->range_bytes / HEAP_PAGE);
    free(rig);
}

static inline void *must_alloc(struct rig *rig, size_t size)
{
    void *ptr = app_heap_alloc(&rig->heap, size, APP_HEAP_ALIGN);

    assert_non_null(ptr);
    return ptr;
}

static inline void must_free(struct rig *rig, void *ptr)
{
    app_heap_free(&rig->heap, ptr);
}

/* An array of objects, each of which begins with its index. */
struct many {
    uint64_t **objects;
    size_t count, max;
};

static inline struct many many_begin(size_t max)
{
    struct many many = {.objects = calloc(max, sizeof(uint64_t *)), .max = max};

    assert_non_null(many.objects);
    return many;
}

static inline bool many_add(struct rig *rig, struct many *many, size_t size)
{
    uint64_t *object = app_heap_alloc(&rig->heap, size, APP_HEAP_ALIGN);

    if (!object)
        return false;
    assert_true(many->count < many->max);
    *object = many->count;
    many->objects[many->count++] = object;
    return true;
}

static inline void many_free_one(struct rig *rig, struct many *many, size_t i)
{
    if (many->objects[i])
        assert_int_equal(*many->objects[i], i);
    must_free(rig, many->objects[i]);
    many->objects[i] = NULL;
}

static inline void many_end(struct rig *rig, struct many *many)
{
    for (size_t i = 0; i < many->count; i++)
        many_free_one(rig, many, i);
    free(many->objects);
}

/* From 64 bytes to 1 MiB, any power of two as likely as another. */
static inline size_t piece_size(unsigned *seed)
{
    size_t size = (size_t)64 << (unsigned)rand_r(seed) % 14;

    return size + (size_t)rand_r(seed) % size;
}
