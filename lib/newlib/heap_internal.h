// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the files of the heap share.
 *
 * | file           | what it owns                                                               |
 * |----------------|----------------------------------------------------------------------------|
 * | heap.c         | the API: which of the three kinds serves a size, or owns a pointer          |
 * | heap_span.c    | small objects: spans of 64 KiB, each of one class of size                  |
 * | heap_run.c     | runs of pages inside chunks: medium objects, and what spans lie in         |
 * | heap_chunk.c   | chunks of 2 MiB: birth, metadata, end                                      |
 * | heap_idle.c    | what memory is reserved: the budget of what is kept, reserve and release   |
 * | heap_large.c   | objects that are regions of their own                                      |
 *
 * Each calls those below it only, but heap_large.c, which keeps its descriptors as small objects.
 *
 * Addresses, one sparse range: the arena, cut in chunks; a gap of a chunk; a bit for each chunk; a
 * slot of metadata for each chunk. A chunk's slot is 32 KiB of addresses, its pages are reserved as
 * they are needed, and go with the chunk: one for struct heap_chunk, one for the bits of its spans
 * of 65 to 1024 objects, four for those of spans of more.
 */
#pragma once

#include "lib/newlib/heap.h"
#include "lib/newlib/heap_map.h"

#define HEAP_PAGE       ((size_t)4096)
#define HEAP_SPAN       ((size_t)65536)
#define HEAP_CHUNK      ((size_t)0x200000)
#define HEAP_SLOT       ((size_t)32768)
#define HEAP_SMALL_MAX  ((size_t)16384)
#define HEAP_MEDIUM_MAX ((size_t)0x100000)

#define HEAP_CHUNK_PAGES 512u
#define HEAP_SPAN_PAGES  16u
#define HEAP_CHUNK_SPANS 32u

/* Indices in struct app_heap's pools. */
enum heap_use {
    HEAP_USE_SPANS,
    HEAP_USE_RUNS,
};

/* 64 KiB of objects of one size. A bit for each object says that it is free. */
struct heap_span {
    struct heap_link link; /* in heap->spans, while it has room */
    char *start;           /* of its memory */
    uint64_t *free;        /* the bits: `word`, or in the slot's further pages */
    uint64_t words_free;   /* which words of `free` have a bit set: at most 64 of them */
    uint64_t word;
    uint32_t reciprocal; /* of size, see heap_span.c */
    uint16_t size;
    uint16_t capacity;
    uint16_t used;      /* 0: no span, the rest is stale */
    uint16_t low, high; /* used < low or used >= high: another level */
    uint8_t size_class;
};
_Static_assert(sizeof(struct heap_span) == 64, "a cache line");

struct heap_chunk {
    struct heap_link link;             /* in its pool, while it has room */
    struct heap_link idle_link;        /* in heap->idle, while it has idle pages */
    uint64_t used[HEAP_MAP_WORDS];     /* pages in spans and runs */
    uint64_t starts[HEAP_MAP_WORDS];   /* first pages of these */
    uint64_t reserved[HEAP_MAP_WORDS]; /* pages that are promised */
    uint16_t used_pages;
    uint16_t reserved_pages;
    uint16_t idle_pages; /* reserved but not used; 0 for a spare chunk */
    uint8_t level;       /* of `link`; 0: no room, or spare */
    uint8_t use;         /* enum heap_use */
    uint8_t slot_pages;  /* a bit for each page of the slot that is reserved */
    _Alignas(64) struct heap_span spans[HEAP_CHUNK_SPANS]; /* HEAP_USE_SPANS only */
};
_Static_assert(sizeof(struct heap_chunk) <= 4096, "the first page of a slot");

/* Lists: insert in front, remove in constant time. */
static inline void heap_link_insert(struct heap_link **head, struct heap_link *link)
{
    link->next = *head;
    link->at = head;
    if (link->next)
        link->next->at = &link->next;
    *head = link;
}

static inline void heap_link_remove(struct heap_link *link)
{
    if (!link->at)
        return;
    *link->at = link->next;
    if (link->next)
        link->next->at = link->at;
    link->at = NULL;
}

/*
 * Sizes in steps: 1 to 8 units, then eight steps to a doubling, so that rounding up costs an eighth
 * at most. The least step that holds so many units (1 or more), and the units of a step.
 */
static inline unsigned heap_step_of(unsigned units)
{
    unsigned last = units - 1;

    if (last < 8)
        return last;
    unsigned shift = 28 - (unsigned)__builtin_clz(last);
    return shift * 8 + (last >> shift);
}

static inline unsigned heap_step_units(unsigned step)
{
    return step < 8 ? step + 1 : (step % 8 + 9) << (step / 8 - 1);
}

/* heap_span.c */
void *heap_span_alloc(struct app_heap *heap, unsigned size_class);
/* For sizes up to HEAP_SMALL_MAX, alignments up to HEAP_PAGE. */
unsigned heap_span_class(size_t size, size_t align);
/* These two: false, 0: no object starts at ptr. */
bool heap_span_free(struct app_heap *heap, struct heap_chunk *chunk, const void *ptr);
size_t heap_span_usable(const struct heap_chunk *chunk, const void *ptr);

/* heap_run.c. Pages of a chunk; give() needs the first page only. take() returns its chunk or
 * NULL. */
struct heap_chunk *heap_run_take(struct app_heap *heap, enum heap_use use, unsigned pages,
                                 unsigned align, unsigned *first);
void heap_run_give(struct app_heap *heap, struct heap_chunk *chunk, unsigned first);
void *heap_run_alloc(struct app_heap *heap, size_t size, size_t align);
bool heap_run_free(struct app_heap *heap, struct heap_chunk *chunk, const void *ptr);
size_t heap_run_usable(const struct app_heap *heap, const struct heap_chunk *chunk,
                       const void *ptr);

/* heap_chunk.c */
char *heap_chunk_start(const struct app_heap *heap, const struct heap_chunk *chunk);
/* The chunk an address of the arena lies in. NULL: it does not exist, or it is no such address. */
struct heap_chunk *heap_chunk_of(const struct app_heap *heap, const void *ptr);
bool heap_is_in_arena(const struct app_heap *heap, const void *ptr);
/* A chunk without objects, on no list: the spare one or a new one. Of its pages some or all are
 * reserved. NULL: no memory. */
struct heap_chunk *heap_chunk_take(struct app_heap *heap, enum heap_use use);
/* A chunk has no objects any more: keep it as the spare one, or give it back. */
void heap_chunk_give(struct app_heap *heap, struct heap_chunk *chunk);
/* Page `index` of the chunk's slot, reserved. NULL: no memory. */
void *heap_chunk_slot_page(struct app_heap *heap, struct heap_chunk *chunk,
                           unsigned index);
void heap_chunk_drop(struct app_heap *heap, struct heap_chunk *chunk);

/* heap_idle.c */
/* source.reserve(); before it fails, once more without what the heap keeps. 0 or -1. */
int heap_idle_reserve(struct app_heap *heap, char *start, size_t bytes);
/* Reserve what is missing in a range of pages. 0, or -1: some of it may be reserved now. */
int heap_idle_reserve_pages(struct app_heap *heap, struct heap_chunk *chunk,
                            unsigned first, unsigned end);
/* Give back all pages of a chunk that are reserved but not used. */
void heap_idle_release_pages(struct app_heap *heap, struct heap_chunk *chunk);
/* So many pages of the chunk are idle now: count and list it. */
void heap_idle_set(struct app_heap *heap, struct heap_chunk *chunk, unsigned pages);
/* Give back what is beyond the budget. */
void heap_idle_settle(struct app_heap *heap);

/* heap_large.c */
void *heap_large_alloc(struct app_heap *heap, size_t size, size_t align);
bool heap_large_free(struct app_heap *heap, const void *ptr);
size_t heap_large_usable(struct app_heap *heap, const void *ptr);
/* Bytes of small objects that are descriptors of large ones. */
size_t heap_large_descriptors(const struct app_heap *heap);
