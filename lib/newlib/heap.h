// SPDX-License-Identifier: BSD-2-Clause
/*
 * The allocator behind malloc: small sizes in spans of a class, larger ones as runs of pages, huge
 * ones as regions of their own. Memory that is freed goes back to the page source. Knows neither
 * newlib nor the kernel: it also runs as a host program.
 *
 *     static struct app_heap heap;
 *
 *     app_heap_init(&heap, &source);                        once; needs addresses, no memory
 *     char *text = app_heap_alloc(&heap, 100, APP_HEAP_ALIGN);
 *     text = app_heap_realloc(&heap, text, 200);            NULL: no memory, the old object lives on
 *     app_heap_free(&heap, text);
 *
 * Rules
 * - Contents of new memory are undefined: calloc() has to clear it.
 * - Memory is reserved in chunks of 2 MiB, or in pieces where the source refuses that. A chunk
 *   whose last object is freed goes back whole and at once; one such chunk is kept, so that an
 *   object allocated and freed in turn costs no call to the source. Free pages in chunks that still
 *   hold objects are kept for reuse up to an eighth of the chunks' pages in use, or 2 MiB; beyond
 *   that they go back too.
 * - Before an allocation is refused the heap gives back all it keeps and tries again. So a caller
 *   that is refused memory elsewhere (a region of its own, say) does the same: app_heap_trim(),
 *   once more.
 * - No operation but allocating needs memory, and an allocation that fails changes nothing.
 * - No more is kept in freed memory than the owner left there: all state lies apart from it. A
 *   pointer that is not the start of an allocated object is found out, and handed to
 *   source.corrupt().
 * - One thread. The functions of the source must not call the heap.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where pages come from. All sizes and addresses are whole pages. */
struct heap_source {
    void *ctx;
    /* A range of addresses without memory, aligned to 2 MiB. NULL: none. */
    void *(*map_sparse)(void *ctx, size_t bytes);
    /* Promise memory for a part of such a range, which then may be touched (contents undefined).
     * 0, or -1: there is none; nothing has changed. */
    int (*reserve)(void *ctx, void *start, size_t bytes);
    /* Give the memory of a part back and take the promise away. Cannot fail. */
    void (*release)(void *ctx, void *start, size_t bytes);
    /* A region of its own, promised, contents undefined; and the end of one. */
    void *(*map)(void *ctx, size_t bytes);
    void (*unmap)(void *ctx, void *start, size_t bytes);
    /* What free() does with a pointer that is not allocated. Does not return. */
    void (*corrupt)(void *ctx, const void *ptr);
};

#define APP_HEAP_ALIGN     ((size_t)16)       /* of every object: what malloc() owes */
#define APP_HEAP_ALIGN_MAX ((size_t)0x200000) /* the most that can be asked for */

/* Private to heap*.c from here ... */
#define HEAP_SIZE_CLASSES  60 /* of small objects: 16 bytes to 16 KiB */
#define HEAP_SPAN_LEVELS   4  /* spans of a class, by how full they are */
#define HEAP_CHUNK_LEVELS  64 /* chunks of a pool, by the room they have */
#define HEAP_IDLE_LEVELS   9  /* chunks by idle pages, 1 to 511, in powers of two */
#define HEAP_LARGE_BUCKETS 128

struct heap_link {
    struct heap_link *next;
    struct heap_link **at; /* what points here; NULL: on no list */
};

/* Chunks of one use: spans of small objects, or runs of pages. */
struct heap_pool {
    uint64_t levels; /* a bit for each list that is not empty */
    struct heap_link *chunks[HEAP_CHUNK_LEVELS];
};

struct heap_chunk;
struct heap_large;
/* ... to the end of struct app_heap. */

struct app_heap {
    struct heap_source source;
    char *arena;         /* chunks, 2 MiB each */
    uint64_t *present;   /* a bit for each chunk that exists; reserved page by page */
    char *metadata;      /* of the chunks, a slot for each */
    size_t chunks_max;   /* that the arena has room for */
    size_t present_max;  /* that `present` is reserved for */
    size_t first_absent; /* no chunk below this one is absent */
    struct heap_chunk *spare; /* without objects, kept for the next who needs a chunk */
    struct heap_pool pools[2];
    struct heap_link *idle[HEAP_IDLE_LEVELS];
    struct heap_link *spans[HEAP_SIZE_CLASSES][HEAP_SPAN_LEVELS]; /* with room */
    struct heap_large *large[HEAP_LARGE_BUCKETS]; /* by a hash of the address */
    size_t chunk_count, span_count, large_count;
    size_t used_bytes;     /* in objects, as app_heap_usable() counts */
    size_t used_pages;     /* of chunks: in spans and runs */
    size_t reserved_pages; /* of chunks */
    size_t idle_pages;     /* of reserved_pages: in chunks in use, in no span or run */
    size_t metadata_pages; /* reserved for `present` and `metadata` */
    size_t large_bytes;    /* reserved for regions of their own */
    uint64_t released_bytes;
};

struct app_heap_stats {
    size_t used_bytes;     /* in objects, sizes as app_heap_usable() gives them */
    size_t reserved_bytes; /* promised by the source: objects, what is kept, metadata */
    size_t metadata_bytes; /* of these, the heap's own */
    size_t
        idle_bytes; /* of these, in no span and no object: what a trim would give back */
    size_t chunks;  /* of 2 MiB, with an object or kept */
    size_t spans;   /* of 64 KiB with small objects */
    size_t large;   /* objects that are regions of their own */
    uint64_t released_bytes; /* given back since the start, metadata not counted */
};

/*
 * Set up a heap. It asks for 1 TiB of addresses, half as many if refused, and so on. 0, or -1:
 * there are none; the heap is there then, and empty, and refuses every allocation.
 */
int app_heap_init(struct app_heap *heap, const struct heap_source *source);

/*
 * An object of at least `size` bytes (0 counts as 1) at a multiple of `align`, a power of two up to
 * APP_HEAP_ALIGN_MAX; each is aligned to APP_HEAP_ALIGN at least. NULL: no memory, or no such size
 * or alignment. Objects above 1 MiB with an alignment above a page reserve up to `align` more than
 * they need.
 */
void *app_heap_alloc(struct app_heap *heap, size_t size, size_t align);

/* Give an object back. NULL: nothing happens. Never fails, never needs memory. */
void app_heap_free(struct app_heap *heap, void *ptr);

/*
 * Make an object larger or smaller; the contents up to the smaller size stay. The result is aligned
 * to APP_HEAP_ALIGN, and may be where it was. ptr NULL: a new object. size 0 counts as 1: it is for
 * the caller to free. NULL: no memory, the object is unchanged; making one smaller never fails.
 */
void *app_heap_realloc(struct app_heap *heap, void *ptr, size_t size);

/* How many bytes of an object may be used: `size` or a little more. */
size_t app_heap_usable(struct app_heap *heap, const void *ptr);

/* Give back all memory that is kept for reuse. Returns the bytes. */
size_t app_heap_trim(struct app_heap *heap);

void app_heap_stats(const struct app_heap *heap, struct app_heap_stats *out);
