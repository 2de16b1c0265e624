// SPDX-License-Identifier: BSD-2-Clause
/* What can happen in the life of an app: operations with random arguments, and how often each is wanted. */
#pragma once

#include "tests/host/appmem_balloon.h"
#include "tests/host/appmem_malloc.h"

#define KERNEL_OBJECTS 16

static struct rig *rig;
static struct model model;
static struct malloc_rig heap;
static void *kernel_objects[KERNEL_OBJECTS];
static bool has_slow_host;

static uint64_t below(uint64_t limit)
{
    return (uint64_t)rand() % limit;
}

/* Mostly small, sometimes large: as likely between 1 and 2 as between 128 and 256. */
static uint64_t some_size(unsigned bits)
{
    uint64_t most = BIT64(below(bits + 1));

    return most / 2 + 1 + below(most / 2 + 1);
}

static struct model_region *any_region(void)
{
    struct model_region *r = model.count ? &model.regions[below(model.count)] : NULL;

    /* What malloc lives in is its own. */
    return r && !(r->flags & APPMEM_DIRTY) ? r : NULL;
}

static struct model_region *any_cache(void)
{
    for (unsigned i = 0; i < 4; i++) {
        struct model_region *r = any_region();

        if (r && (r->flags & APPMEM_PURGEABLE))
            return r;
    }
    return NULL;
}

/* ---- the app ---- */

static void touch_some(struct model_region *r)
{
    uint64_t pages = r->size / FRAME_SIZE, first = below(pages);
    uint64_t count = min_u64(some_size(6), pages - first);
    bool is_write = below(3) > 0;

    for (uint64_t i = 0; i < count; i++)
        model_touch(&model, model_page(r->start) + first + i, is_write);
}

static void touch_region(const struct model_region *r)
{
    uint64_t first = model_page(r->start);

    for (uint64_t page = first; page < first + r->size / FRAME_SIZE; page++)
        model_touch(&model, page, true);
}

/* All of what is promised, or there. */
static void touch_all(void)
{
    const struct model_region *r = any_region();

    if (r && !(r->flags & APPMEM_SPARSE) && !r->is_purged)
        touch_region(r);
}

/* Nearly all that can be had. */
static void map_much(void)
{
    uint64_t pages = appmem_available(&rig->mem) * (50 + below(51)) / 100;

    if (pages > 0)
        model_map(&model, pages * FRAME_SIZE, below(2) ? APPMEM_PURGEABLE : 0);
}

static void map_some(void)
{
    static const unsigned flags[] = {
        0, 0, 0, APPMEM_FRAMES, APPMEM_SPARSE, APPMEM_PURGEABLE, APPMEM_PURGEABLE};
    uint64_t size = some_size(10) * FRAME_SIZE;
    struct model_region *r = model_map(&model, size, flags[below(ARRAY_LEN(flags))]);

    if (r)
        touch_some(r);
}

/* In vain, when the app is stopped meanwhile. */
static void map_blocks(void)
{
    rig->give_up_at = below(8) == 0 ? rig->pauses + below(8) : 0;
    model_map(&model, (1 + below(2)) * BLOCK_SIZE, APPMEM_BLOCKS);
    rig->give_up_at = 0;
}

static void touch(void)
{
    struct model_region *r = any_region();

    if (r)
        touch_some(r);
}

/* As the kernel does with a large range. */
static void unmap_in_pieces(uint64_t start, uint64_t size)
{
    if (model_is_excused(&model, appmem_cut(&rig->mem, start, size)))
        return;
    while (size > 0) {
        uint64_t piece = min_u64(size, align_up(start + 1, BLOCK_SIZE) - start);
        struct model_region *r = model_find(&model, start);

        assert_non_null(r);
        model_unmap(&model, r, start - r->start, piece);
        start += piece;
        size -= piece;
    }
}

/* A part of it, or all. */
static void give_back(void)
{
    struct model_region *r = any_region();
    uint64_t pages, first, count;

    if (!r)
        return;
    pages = r->size / FRAME_SIZE;
    first = below(2) ? 0 : below(pages);
    count = below(2) ? pages - first : 1 + below(pages - first);
    switch (below(4)) {
    case 0:
        model_release(&model, r, first * FRAME_SIZE, count * FRAME_SIZE);
        break;
    case 1:
        unmap_in_pieces(r->start + first * FRAME_SIZE, count * FRAME_SIZE);
        break;
    default:
        model_unmap(&model, r, first * FRAME_SIZE, count * FRAME_SIZE);
        break;
    }
    virtio_balloon_memory_freed(device.vb);
}

static void mark(void)
{
    struct model_region *r = any_cache();

    if (r && (r->is_volatile || below(4) == 0))
        model_set_needed(&model, r);
    else if (r)
        model_set_volatile(&model, r);
    virtio_balloon_memory_freed(device.vb);
}

static void allocate(void)
{
    unsigned bits = below(8) == 0 ? 20 : 16;
    size_t align = below(8) == 0 ? BIT64(4 + below(12)) : APP_HEAP_ALIGN;

    for (uint64_t n = 1 + below(8); n > 0; n--)
        malloc_alloc(&heap, some_size(bits), align);
}

static void reallocate(void)
{
    size_t size = some_size(17);

    if (heap.count)
        malloc_realloc(&heap, (unsigned)below(heap.count), size);
}

static void use(void)
{
    for (unsigned i = 0; i < 4 && heap.count; i++) {
        unsigned k = (unsigned)below(heap.count);

        malloc_touch(&heap, heap.objects[k].ptr, heap.objects[k].size);
    }
}

static void deallocate(void)
{
    for (uint64_t n = below(12); n > 0 && heap.count; n--)
        malloc_free(&heap, (unsigned)below(heap.count));
    if (below(8) == 0)
        app_heap_trim(&heap.heap);
    virtio_balloon_memory_freed(device.vb);
}

/* ---- the others ---- */

static void move_target(void)
{
    balloon_rig_target(&device, (uint32_t)below(rig->frames * 5 / 4));
    balloon_rig_run(&device, below(30) * NS_PER_MS);
}

/* In some lives it answers late or never; an out-of-memory call then waits in vain. */
static void host_falls_silent(void)
{
    if (!has_slow_host)
        return;
    rig->is_silent = true;
    device.host.is_slow = !device.host.is_slow;
    if (!device.host.is_slow)
        device_answer();
}

static void let_balloon_run(void)
{
    balloon_rig_run(&device, below(4) == 0 ? 5 * NS_PER_S : below(5) * NS_PER_MS);
}

static void compact(void)
{
    if (below(2))
        compact_for_blocks(&rig->mem, 1 + below(3));
    else
        for (uint64_t n = below(40); n > 0 && compact_step(&rig->mem, 0); n--)
            ;
}

static void join(void)
{
    for (uint64_t n = below(40); n > 0; n--)
        appmem_join_step(&rig->mem);
}

static void hold_blocks(uint64_t count)
{
    struct pmm_run run;

    for (; count > 0; count--) {
        assert_int_equal(
            pmm_take(rig->pmm, (struct pmm_want){.order = BLOCK_ORDER}, &run), 0);
        rig_put(&rig->hostages, run.pfn, BLOCK_ORDER);
    }
}

/* 2 MiB that could be a block mapping, and are frames: when the first of them came no block was free. */
static void map_in_pieces(void)
{
    uint64_t blocks = rig_free_blocks(rig);
    struct model_region *r;

    if (rig_free(rig) < blocks * BLOCK_FRAMES + rig_min(rig))
        return;
    r = model_map(&model, BLOCK_SIZE, 0);
    if (!r)
        return;
    blocks = rig_free_blocks(rig);
    hold_blocks(blocks);
    model_touch(&model, model_page(r->start), true);
    rig_give(rig, &rig->hostages, blocks * BLOCK_FRAMES, RUN_TOUCHED);
    touch_region(r);
}

/* While a request for blocks pauses the other tasks run. */
static void other_tasks(struct rig *on)
{
    void *object = heap_alloc(&on->heap, 1 + below(500));

    balloon_rig_run(&device, below(3) * NS_PER_MS);
    appmem_join_step(&on->mem);
    heap_free(&on->heap, object);
}

/* As `fill` and `free` on the console: whole blocks go, as long as nothing is promised of them. */
static void fill_or_free(void)
{
    if (rig->hostages.count > 0 && below(2)) {
        rig_free_hostages(rig);
        virtio_balloon_memory_freed(device.vb);
        return;
    }
    for (uint64_t n = below(8); n > 0 && appmem_available(&rig->mem) > BLOCK_FRAMES; n--)
        if (reclaim_free(&rig->mem, BLOCK_FRAMES + rig_min(rig)) == 0)
            hold_blocks(min_u64(1, rig_free_blocks(rig)));
}

static void kernel_needs_memory(void)
{
    void **object = &kernel_objects[below(KERNEL_OBJECTS)];

    if (*object) {
        heap_free(&rig->heap, *object);
        *object = NULL;
    } else {
        *object = heap_alloc(&rig->heap, 1 + below(3000));
        assert_non_null(*object);
    }
}

static const struct {
    void (*run)(void);
    unsigned weight;
} operations[] = {
    {map_some, 5},
    {touch_all, 3},
    {map_much, 1},
    {map_in_pieces, 1},
    {fill_or_free, 2},
    {map_blocks, 1},
    {touch, 6},
    {give_back, 4},
    {mark, 5},
    {allocate, 6},
    {reallocate, 2},
    {use, 3},
    {deallocate, 4},
    {move_target, 3},
    {let_balloon_run, 3},
    {compact, 2},
    {join, 2},
    {kernel_needs_memory, 2},
    {host_falls_silent, 2},
};
