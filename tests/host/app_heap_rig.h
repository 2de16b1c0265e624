// SPDX-License-Identifier: BSD-2-Clause
/*
 * A heap on a page source made of mmap() and mprotect(): memory that is not reserved cannot be
 * touched. The source has a limit, fails at a call of choice, checks every range it is given, and
 * counts.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "lib/newlib/heap_internal.h"

#define KIB         ((size_t)1024)
#define MIB         (1024 * KIB)
#define GIB         (1024 * MIB)
#define RIG_REGIONS 4096

struct rig {
    struct app_heap heap;
    char *range; /* of map_sparse() */
    size_t range_bytes;
    size_t range_limit;      /* map_sparse() refuses more */
    unsigned char *reserved; /* a byte for each page of the range */
    struct {
        char *start;
        size_t bytes;
    } regions[RIG_REGIONS];
    size_t promised_bytes;
    size_t limit_bytes; /* of promises */
    uint64_t calls;     /* of all functions, map_sparse() apart */
    uint64_t refusals;
    uint64_t chunk_releases; /* of a chunk whole */
    uint64_t fail_at;        /* the call that fails, counted down; 0: none */
    jmp_buf corrupt;
    const void *corrupt_ptr; /* not NULL: expected */
};

/* Memory that nobody may touch, aligned to 2 MiB. */
static inline void *rig_addresses(size_t bytes)
{
    size_t with_slack = bytes + HEAP_CHUNK;
    char *start = mmap(NULL, with_slack, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    assert_ptr_not_equal(start, MAP_FAILED);
    char *aligned = (char *)(((uintptr_t)start + HEAP_CHUNK - 1) & ~(HEAP_CHUNK - 1));
    if (aligned != start)
        munmap(start, (size_t)(aligned - start));
    munmap(aligned + bytes, (size_t)(start + with_slack - (aligned + bytes)));
    return aligned;
}

static inline void *rig_map_sparse(void *ctx, size_t bytes)
{
    struct rig *rig = ctx;

    assert_int_equal(bytes % HEAP_PAGE, 0);
    assert_null(rig->range);
    if (bytes > rig->range_limit)
        return NULL;
    rig->range_bytes = bytes;
    rig->range = rig_addresses(bytes);
    rig->reserved = mmap(NULL, bytes / HEAP_PAGE, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(rig->reserved, MAP_FAILED);
    return rig->range;
}

/* Counts a call that may fail. True: it does. */
static inline bool rig_refuses(struct rig *rig, size_t bytes)
{
    assert_true(bytes > 0 && bytes % HEAP_PAGE == 0);
    rig->calls++;
    if ((rig->fail_at == 0 || --rig->fail_at != 0) &&
        bytes <= rig->limit_bytes - rig->promised_bytes)
        return false;
    rig->refusals++;
    return true;
}

/* All pages of a part of the range are reserved, or none is; now it is the other way. */
static inline void rig_change(struct rig *rig, char *start, size_t bytes,
                              bool to_reserved)
{
    size_t first = (size_t)(start - rig->range) / HEAP_PAGE, count = bytes / HEAP_PAGE;

    assert_true(start >= rig->range && start + bytes <= rig->range + rig->range_bytes);
    assert_int_equal((size_t)(start - rig->range) % HEAP_PAGE, 0);
    for (size_t i = first; i < first + count; i++) {
        assert_int_equal(rig->reserved[i], !to_reserved);
        rig->reserved[i] = to_reserved;
    }
}

static inline int rig_reserve(void *ctx, void *start, size_t bytes)
{
    struct rig *rig = ctx;

    if (rig_refuses(rig, bytes))
        return -1;
    rig_change(rig, start, bytes, true);
    rig->promised_bytes += bytes;
    assert_int_equal(mprotect(start, bytes, PROT_READ | PROT_WRITE), 0);
    /* Contents are undefined: of single pages, metadata may be among them, rubbish. */
    if (bytes == HEAP_PAGE)
        memset(start, 0xA5, bytes);
    return 0;
}

static inline void rig_release(void *ctx, void *start, size_t bytes)
{
    struct rig *rig = ctx;

    assert_true(bytes > 0 && bytes % HEAP_PAGE == 0);
    rig->calls++;
    rig->chunk_releases += bytes == HEAP_CHUNK;
    rig_change(rig, start, bytes, false);
    rig->promised_bytes -= bytes;
    assert_ptr_equal(mmap(start, bytes, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0),
                     start);
}

static inline void *rig_map(void *ctx, size_t bytes)
{
    struct rig *rig = ctx;
    size_t i = 0;

    if (rig_refuses(rig, bytes))
        return NULL;
    while (rig->regions[i].start)
        assert_true(++i < RIG_REGIONS);
    rig->regions[i].start = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(rig->regions[i].start, MAP_FAILED);
    rig->regions[i].bytes = bytes;
    rig->promised_bytes += bytes;
    return rig->regions[i].start;
}

static inline void rig_unmap(void *ctx, void *start, size_t bytes)
{
    struct rig *rig = ctx;
    size_t i = 0;

    rig->calls++;
    while (rig->regions[i].start != start)
        assert_true(++i < RIG_REGIONS);
    assert_int_equal(rig->regions[i].bytes, bytes);
    assert_int_equal(munmap(start, bytes), 0);
    rig->regions[i].start = NULL;
    rig->promised_bytes -= bytes;
}

static inline void rig_corrupt(void *ctx, const void *ptr)
{
    struct rig *rig = ctx;

    assert_non_null(rig->corrupt_ptr);
    assert_ptr_equal(ptr, rig->corrupt_ptr);
    longjmp(rig->corrupt, 1);
}

/* Does the heap find out that `use` of ptr is wrong? */
static inline bool rig_is_corrupt(struct rig *rig, void *ptr,
                                  void (*use)(struct rig *rig, void *ptr))
{
    rig->corrupt_ptr = ptr;
    if (setjmp(rig->corrupt) == 0) {
        use(rig, ptr);
        return false;
    }
    rig->corrupt_ptr = NULL;
    return true;
}

static inline int rig_init_heap(struct rig *rig)
{
    const struct heap_source source = {
        .ctx = rig,
        .map_sparse = rig_map_sparse,
        .reserve = rig_reserve,
        .release = rig_release,
        .map = rig_map,
        .unmap = rig_unmap,
        .corrupt = rig_corrupt,
    };

    return app_heap_init(&rig->heap, &source);
}

/* A heap whose source promises so many bytes. */
static inline struct rig *rig_begin(size_t limit_bytes)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    assert_non_null(rig);
    rig->limit_bytes = limit_bytes;
    rig->range_limit = SIZE_MAX;
    assert_int_equal(rig_init_heap(rig), 0);
    return rig;
}

static inline struct app_heap_stats rig_stats(const struct rig *rig)
{
    struct app_heap_stats stats;

    app_heap_stats(&rig->heap, &stats);
    return stats;
}
