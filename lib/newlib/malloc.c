// SPDX-License-Identifier: BSD-2-Clause
/*
 * malloc and its family: newlib's names for the heap of heap.h, whose pages come from the kernel. All that
 * newlib itself allocates comes from here too.
 */
#include "guest.h"
#include "kernel/app_call.h"
#include "lib/newlib/call.h"
#include "lib/newlib/heap.h"
#include "lib/newlib/reserve.h"

#include <errno.h>
#include <malloc.h>
#include <reent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    struct app_heap heap;
    bool has_heap;
    bool wants_zero;    /* the allocation under way is calloc()'s */
    const void *fresh;  /* the last region mapped as zero for it */
    const void *caller; /* of free() or realloc(), for the report of a bad one */
} memory;

static void *map_sparse(void *ctx, size_t bytes)
{
    int64_t start =
        call_result(app_call(APP_CALL_MAP, bytes, GUEST_MAP_SPARSE | APP_MAP_DIRTY, 0));

    (void)ctx;
    return start < 0 ? NULL : (void *)start;
}

/* A whole chunk can be done without: the heap asks for less then. So nothing is reclaimed for it. */
static int reserve(void *ctx, void *start, size_t bytes)
{
    bool is_chunk = bytes >= GUEST_BLOCK_BYTES;

    (void)ctx;
    return (int)call_result(app_call(APP_CALL_RESERVE, (uint64_t)start, bytes, is_chunk));
}

static void release(void *ctx, void *start, size_t bytes)
{
    (void)ctx;
    app_call(APP_CALL_RELEASE, (uint64_t)start, bytes, 0);
}

/* A large calloc() is not cleared by us, which would bring in all of it: the kernel does as it is touched. */
static void *map(void *ctx, size_t bytes)
{
    int64_t start = call_result(
        app_call(APP_CALL_MAP, bytes, memory.wants_zero ? 0 : APP_MAP_DIRTY, 0));

    (void)ctx;
    if (start < 0)
        return NULL;
    if (memory.wants_zero)
        memory.fresh = (void *)start;
    return (void *)start;
}

static void unmap(void *ctx, void *start, size_t bytes)
{
    (void)ctx;
    app_call(APP_CALL_UNMAP, (uint64_t)start, bytes, 0);
}

/* Not by stdio, which allocates. */
static void corrupt(void *ctx, const void *ptr)
{
    char line[80];
    int len = snprintf(line, sizeof(line),
                       "free or realloc of %p, which is not allocated\n", ptr);

    (void)ctx;
    write(STDERR_FILENO, line, (size_t)len);
    for (;;)
        app_call(APP_CALL_ABORT, APP_ABORT_HEAP, (uint64_t)memory.caller, 0);
}

static struct app_heap *heap(void)
{
    static const struct heap_source source = {.map_sparse = map_sparse,
                                              .reserve = reserve,
                                              .release = release,
                                              .map = map,
                                              .unmap = unmap,
                                              .corrupt = corrupt};

    if (!memory.has_heap) {
        app_heap_init(&memory.heap, &source);
        memory.has_heap = true;
    }
    return &memory.heap;
}

/* What is refused to the app the kernel tells with numbers. */
static void *checked(struct _reent *reent, void *object, size_t size)
{
    if (!object) {
        reent->_errno = ENOMEM;
        app_call(APP_CALL_REFUSED, size, 0, 0);
    }
    return object;
}

/* Called by newlib itself only; the app's way is malloc() below. */
void *_malloc_r(struct _reent *reent, size_t size)
{
    void *object = app_heap_alloc(heap(), size, APP_HEAP_ALIGN);

    return checked(reent, object ? object : reserve_take(size), size);
}

void *malloc(size_t size)
{
    return checked(_REENT, app_heap_alloc(heap(), size, APP_HEAP_ALIGN), size);
}

void _free_r(struct _reent *reent, void *ptr)
{
    (void)reent;
    if (!reserve_has(ptr))
        app_heap_free(heap(), ptr);
}

void free(void *ptr)
{
    memory.caller = __builtin_return_address(0);
    _free_r(_REENT, ptr);
}

void *_realloc_r(struct _reent *reent, void *ptr, size_t size)
{
    if (reserve_has(ptr))
        return checked(reent, NULL, size);
    return checked(reent, app_heap_realloc(heap(), ptr, size), size);
}

void *calloc(size_t count, size_t size)
{
    size_t bytes;
    void *object;

    if (__builtin_mul_overflow(count, size, &bytes))
        return checked(_REENT, NULL, SIZE_MAX);
    memory.wants_zero = true;
    memory.fresh = NULL;
    object = app_heap_alloc(heap(), bytes, APP_HEAP_ALIGN);
    memory.wants_zero = false;
    if (object && object != memory.fresh)
        memset(object, 0, bytes);
    return checked(_REENT, object, bytes);
}

void *realloc(void *ptr, size_t size)
{
    memory.caller = __builtin_return_address(0);
    return _realloc_r(_REENT, ptr, size);
}

/* Newlib's own, with a reserve that is zero as it was linked. */
void *_calloc_r(struct _reent *reent, size_t count, size_t size)
{
    void *object = calloc(count, size);
    size_t bytes;

    (void)reent;
    if (object || __builtin_mul_overflow(count, size, &bytes))
        return object;
    return reserve_take(bytes);
}

void *_memalign_r(struct _reent *reent, size_t align, size_t size)
{
    return checked(reent, app_heap_alloc(heap(), size, align), size);
}

int posix_memalign(void **out, size_t align, size_t size)
{
    void *object;

    if (align % sizeof(void *) != 0 || align == 0 || (align & (align - 1)) != 0)
        return EINVAL;
    object = checked(_REENT, app_heap_alloc(heap(), size, align), size);
    if (!object)
        return ENOMEM;
    *out = object;
    return 0;
}

size_t _malloc_usable_size_r(struct _reent *reent, void *ptr)
{
    (void)reent;
    return ptr ? app_heap_usable(heap(), ptr) : 0;
}

/* Nothing is padded: `keep` has no meaning here. */
int _malloc_trim_r(struct _reent *reent, size_t keep)
{
    (void)reent;
    (void)keep;
    return app_heap_trim(heap()) > 0;
}

struct mallinfo _mallinfo_r(struct _reent *reent)
{
    struct app_heap_stats stats;

    (void)reent;
    app_heap_stats(heap(), &stats);
    return (struct mallinfo){.arena = stats.reserved_bytes,
                             .hblks = stats.large,
                             .uordblks = stats.used_bytes,
                             .fordblks = stats.reserved_bytes - stats.used_bytes,
                             .keepcost = stats.idle_bytes};
}

void _malloc_stats_r(struct _reent *reent)
{
    struct app_heap_stats stats;

    (void)reent;
    app_heap_stats(heap(), &stats);
    fprintf(stderr, "malloc: %zu bytes in use, %zu reserved, %zu of them idle\n",
            stats.used_bytes, stats.reserved_bytes, stats.idle_bytes);
}

/* There is nothing to tune. */
int _mallopt_r(struct _reent *reent, int parameter, int value)
{
    (void)reent;
    (void)parameter;
    (void)value;
    return 0;
}
