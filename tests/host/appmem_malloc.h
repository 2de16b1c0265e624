// SPDX-License-Identifier: BSD-2-Clause
/*
 * The allocator behind malloc on the app's memory and its model. The heap reads and writes its own state
 * through plain pointers; so there is host memory at the same addresses, behind which the model's pages are
 * touched as the heap's own would be. Objects are touched in the model only.
 */
#pragma once

#include "lib/newlib/heap.h"
#include "tests/host/appmem_model.h"

#include <sys/mman.h>

#define MALLOC_RANGE   (40 * MIB) /* of addresses */
#define MALLOC_OBJECTS 128

struct malloc_rig {
    struct model *m;
    struct app_heap heap;
    struct {
        void *ptr;
        size_t size;
    } objects[MALLOC_OBJECTS];
    unsigned count;
};

/* Once: host memory for the whole window. */
static inline void malloc_window(void)
{
    void *want = (void *)RIG_WINDOW; // NOLINT

    assert_ptr_equal(
        mmap(want, MODEL_WINDOW, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0),
        want);
}

static inline void *malloc_map_sparse(void *ctx, size_t bytes)
{
    struct malloc_rig *rig = ctx;
    struct model_region *r;

    if (bytes > MALLOC_RANGE)
        return NULL;
    r = model_map(rig->m, bytes, APPMEM_SPARSE | APPMEM_DIRTY);
    return r ? (void *)r->start : NULL;
}

static inline int malloc_reserve(void *ctx, void *start, size_t bytes)
{
    struct malloc_rig *rig = ctx;
    struct model *m = rig->m;
    uint64_t at = (uint64_t)start;
    bool is_metadata =
        at - (uint64_t)rig->heap.arena >= rig->heap.chunks_max * BLOCK_SIZE;
    int err = appmem_reserve(&m->rig->mem, at, bytes);

    model_note_drops(m);
    if (err) {
        assert_int_equal(err, -ENOMEM);
        model_expect_short(m->rig, bytes / FRAME_SIZE);
        return -1;
    }
    model_change(m, at, bytes, 0, PAGE_PROMISED);
    if (is_metadata)
        model_touch(m, model_page(at), true);
    return 0;
}

static inline void malloc_release(void *ctx, void *start, size_t bytes)
{
    struct malloc_rig *rig = ctx;
    struct model_region *r = model_find(rig->m, (uint64_t)start);

    assert_non_null(r);
    model_release(rig->m, r, (uint64_t)start - r->start, bytes);
}

static inline void *malloc_map(void *ctx, size_t bytes)
{
    struct malloc_rig *rig = ctx;
    struct model_region *r = model_map(rig->m, bytes, APPMEM_DIRTY);

    return r ? (void *)r->start : NULL;
}

static inline void malloc_unmap(void *ctx, void *start, size_t bytes)
{
    struct malloc_rig *rig = ctx;
    struct model_region *r = model_find(rig->m, (uint64_t)start);

    assert_non_null(r);
    assert_true(r->start == (uint64_t)start && r->size == bytes);
    model_unmap(rig->m, r, 0, bytes);
}

static inline void malloc_corrupt(void *ctx, const void *ptr)
{
    (void)ctx;
    print_message("corrupt: %p\n", ptr);
    abort();
}

static inline void malloc_begin(struct malloc_rig *rig, struct model *m)
{
    const struct heap_source source = {
        .ctx = rig,
        .map_sparse = malloc_map_sparse,
        .reserve = malloc_reserve,
        .release = malloc_release,
        .map = malloc_map,
        .unmap = malloc_unmap,
        .corrupt = malloc_corrupt,
    };

    *rig = (struct malloc_rig){.m = m};
    assert_int_equal(app_heap_init(&rig->heap, &source), 0);
}

/* Up to four pages of an object: promised, whatever the heap says. */
static inline void malloc_touch(struct malloc_rig *rig, void *ptr, size_t size)
{
    uint64_t first = model_page((uint64_t)ptr);
    uint64_t pages = model_page((uint64_t)ptr + size - 1) - first + 1;

    for (unsigned i = 0; i < 4; i++) {
        uint64_t page = first + (uint64_t)rand() % pages;

        assert_true(rig->m->state[page] & PAGE_PROMISED);
        model_touch(rig->m, page, true);
    }
}

static inline void malloc_alloc(struct malloc_rig *rig, size_t size, size_t align)
{
    void *ptr;

    if (rig->count == MALLOC_OBJECTS)
        return;
    ptr = app_heap_alloc(&rig->heap, size, align);
    if (!ptr)
        return; /* the source has seen that it was right to refuse */
    malloc_touch(rig, ptr, size);
    rig->objects[rig->count].ptr = ptr;
    rig->objects[rig->count++].size = size;
}

static inline void malloc_free(struct malloc_rig *rig, unsigned i)
{
    app_heap_free(&rig->heap, rig->objects[i].ptr);
    rig->objects[i] = rig->objects[--rig->count];
}

static inline void malloc_realloc(struct malloc_rig *rig, unsigned i, size_t size)
{
    void *ptr = app_heap_realloc(&rig->heap, rig->objects[i].ptr, size);

    if (!ptr) {
        assert_true(size > rig->objects[i].size);
        return;
    }
    malloc_touch(rig, ptr, size);
    rig->objects[i].ptr = ptr;
    rig->objects[i].size = size;
}
