// SPDX-License-Identifier: BSD-2-Clause
/*
 * The app's memory on the machine of appmem_machine.h, and a look at all of it.
 *
 *     struct rig *rig = rig_begin(16 * MIB, 1 * MIB);
 *
 *     assert_int_equal(appmem_map(&rig->mem, 4 * MIB, 0, &start), 0);
 *     rig_write(rig, start, 42);      as the CPU does: look up, fault when nothing is there, store
 *     rig_check(rig);                 all figures agree with each other and with the page tables
 *     rig_finish(rig);                everything was given back
 */
#pragma once

#include "tests/host/appmem_machine.h"

/* ---- the CPU ---- */

/* Where the word at `addr` lies; *err when a touch of it ends the app. */
static inline uint64_t *rig_touch(struct rig *rig, uint64_t addr, int *err)
{
    struct vmm_leaf leaf;

    *err = 0;
    if (!vmm_lookup(&rig->vmm, addr, &leaf)) {
        *err = appmem_fault(&rig->mem, addr);
        if (*err)
            return NULL;
        assert_true(vmm_lookup(&rig->vmm, addr, &leaf));
    }
    assert_true(leaf.flags == VMM_WRITE || leaf.flags == (VMM_WRITE | VMM_EXEC));
    return (uint64_t *)((char *)mmu_phys_to_virt(leaf.phys) + (addr - leaf.virt));
}

static inline int rig_try_write(struct rig *rig, uint64_t addr, uint64_t word)
{
    int err;
    uint64_t *at = rig_touch(rig, addr, &err);

    if (at)
        *at = word;
    return err;
}

static inline void rig_write(struct rig *rig, uint64_t addr, uint64_t word)
{
    assert_int_equal(rig_try_write(rig, addr, word), 0);
}

static inline uint64_t rig_read(struct rig *rig, uint64_t addr)
{
    int err;
    const uint64_t *at = rig_touch(rig, addr, &err);

    assert_int_equal(err, 0);
    return *at;
}

/* Touch every page, each with a word of its own; and look whether they are still there. */
static inline void rig_fill(struct rig *rig, uint64_t start, uint64_t size)
{
    for (uint64_t at = start; at < start + size; at += FRAME_SIZE)
        rig_write(rig, at + 8, at ^ 0x5EED);
}

static inline void rig_expect_filled(struct rig *rig, uint64_t start, uint64_t size)
{
    struct vmm_leaf leaf;

    for (uint64_t at = start; at < start + size; at += FRAME_SIZE) {
        assert_true(vmm_lookup(&rig->vmm, at, &leaf));
        assert_int_equal(rig_read(rig, at + 8), at ^ 0x5EED);
    }
}

static inline bool rig_is_there(const struct rig *rig, uint64_t addr)
{
    struct vmm_leaf leaf;

    return vmm_lookup(&rig->vmm, addr, &leaf);
}

/* The size of the leaf that maps an address. */
static inline uint64_t rig_leaf_size(const struct rig *rig, uint64_t addr)
{
    struct vmm_leaf leaf;

    assert_true(vmm_lookup(&rig->vmm, addr, &leaf));
    return leaf.size_bytes;
}

static inline uint64_t rig_map(struct rig *rig, uint64_t size, unsigned flags)
{
    uint64_t start;

    assert_int_equal(appmem_map(&rig->mem, size, flags, &start), 0);
    return start;
}

/* A region that may have blocks, and has frames. */
static inline uint64_t rig_map_pages_of(struct rig *rig, uint64_t size, unsigned flags)
{
    uint64_t start = rig_map(rig, size, flags);
    struct pmm_run run;

    while (pmm_take(rig->pmm, (struct pmm_want){.order = BLOCK_ORDER}, &run) == 0)
        rig_put(&rig->hostages, run.pfn, BLOCK_ORDER);
    for (uint64_t at = start; at < start + size; at += BLOCK_SIZE)
        rig_fill(rig, at, FRAME_SIZE);
    rig_free_hostages(rig);
    rig_fill(rig, start, size);
    return start;
}

static inline uint64_t rig_map_pages(struct rig *rig, uint64_t size)
{
    return rig_map_pages_of(rig, size, 0);
}

/* ---- begin, check, end ---- */

/* What there is from an earlier machine is used again: RAM need not be zero. */
static inline void rig_begin_pmm(struct rig *rig, uint64_t size, uint64_t reserve)
{
    static uint64_t frames;
    static uint8_t *owner;
    static pfn_t *items;
    struct region item = {RIG_RAM, RIG_RAM + size};
    const struct region_set ram = {.items = &item, .count = 1, .capacity = 1};

    rig->frames = size >> FRAME_SHIFT;
    if (rig->frames > frames) {
        frames = rig->frames;
        model_ram_reset();
        model_ram_add(RIG_RAM, size);
        owner = realloc(owner, frames);
        items = realloc(items, 2 * frames * sizeof(pfn_t));
    }
    rig->owner = owner;
    rig->balloon.items = items;
    rig->hostages.items = items + frames;
    assert_int_equal(pmm_init(&ram, reserve, &rig->pmm), 0);
}

/* A machine with `size` bytes of RAM; the balloon leaves it `reserve`. */
static inline struct rig *rig_begin(uint64_t size, uint64_t reserve)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    const struct appmem_config config = {
        .vmm = &rig->vmm,
        .heap = &rig->heap,
        .pressure = &rig->pressure,
        .first = RIG_WINDOW,
        .last = RIG_WINDOW + 64 * GIB,
        .ctx = rig,
        .oom = rig_oom,
        .go_on = rig_go_on,
        .ballooned = rig_ballooned,
        .is_ballooned = rig_is_ballooned,
        .now = rig_now,
    };

    rig_begin_pmm(rig, size, reserve);
    assert_int_equal(
        vmm_init(&rig->vmm, (struct vmm_source){rig, rig_table_take, rig_table_give}, 0),
        0);
    heap_init(&rig->heap, rig->pmm);
    pressure_init(&rig->pressure, size, reserve, rig->now);
    appmem_init(&rig->mem, &config);
    rig->mem.config.pmm = rig->pmm;
    rig_refill(rig);
    return rig;
}

/* Every frame is somebody's: nothing got lost. */
static inline void rig_check_conserved(const struct rig *rig)
{
    struct pmm_stats stats = rig_pmm(rig);

    assert_int_equal(stats.free_frames + appmem_held(&rig->mem) + rig->balloon.count +
                         rig->lent + rig->hostages.count + rig->heap.stats.frames +
                         rig->vmm.table_frames + rig->kept_count +
                         (stats.metadata_bytes >> FRAME_SHIFT),
                     rig->frames);
}

static inline void rig_own(struct rig *rig, pfn_t first, uint64_t frames)
{
    for (uint64_t i = 0; i < frames; i++) {
        uint64_t at = first.n + i - (RIG_RAM >> FRAME_SHIFT);

        assert_true(at < rig->frames && rig->owner[at] == 0);
        rig->owner[at] = 1;
    }
}

/* What one region holds by the page tables. */
struct rig_walk {
    struct rig *rig;
    uint64_t frames;
};

static inline void rig_walk_leaf(void *ctx, const struct vmm_leaf *leaf)
{
    struct rig_walk *walk = ctx;

    walk->frames += leaf->size_bytes >> FRAME_SHIFT;
    rig_own(walk->rig, pfn_from_paddr(leaf->phys), leaf->size_bytes >> FRAME_SHIFT);
}

static inline void rig_check_region(struct rig *rig, const struct appmem_region *region,
                                    struct appmem_stats *sum)
{
    struct rig_walk walk = {.rig = rig};
    uint64_t pages = (region->end - region->start) >> FRAME_SHIFT;
    bool is_volatile = region->flags & APPMEM_VOLATILE;

    vmm_walk_range(&rig->vmm, region->start, region->end - region->start, rig_walk_leaf,
                   &walk);
    assert_int_equal(walk.frames, region->resident);
    assert_true(region->resident <= pages && region->reserved <= pages);
    if (!(region->flags & APPMEM_SPARSE))
        assert_int_equal(region->reserved, pages);
    if (region->flags & APPMEM_PURGED)
        assert_true(is_volatile && region->resident == 0);
    sum->resident += region->resident;
    if (is_volatile)
        sum->volatile_frames += region->resident;
    else if (region->reserved > region->resident)
        sum->promised += region->reserved - region->resident;
}

/* Volatile and not dropped: on the list, once. */
static inline void rig_check_volatiles(const struct rig *rig)
{
    const struct appmem_regions *regions = &rig->mem.regions;
    const struct appmem_region *region = appmem_region_at_or_after(regions, 0);
    uint64_t count = 0, listed = 0;

    for (; region; region = appmem_region_next(regions, region))
        count += (region->flags & (APPMEM_VOLATILE | APPMEM_PURGED)) == APPMEM_VOLATILE;
    list_for_each (it, &rig->mem.volatiles) {
        const struct appmem_region *entry = LIST_ENTRY(it, struct appmem_region, lru);

        assert_int_equal(entry->flags & (APPMEM_VOLATILE | APPMEM_PURGED),
                         APPMEM_VOLATILE);
        assert_true(++listed <= count);
    }
    assert_int_equal(listed, count);
}

static inline void rig_count_leaf(void *ctx, const struct vmm_leaf *leaf)
{
    *(uint64_t *)ctx += leaf->size_bytes >> FRAME_SHIFT;
}

static inline void rig_check(struct rig *rig)
{
    const struct appmem_regions *regions = &rig->mem.regions;
    const struct appmem_region *region = appmem_region_at_or_after(regions, 0);
    const struct appmem_stats *stats = &rig->mem.stats;
    struct appmem_stats sum = {0};
    uint64_t mapped = 0;

    memset(rig->owner, 0, rig->frames);
    for (uint64_t i = 0; i < rig->balloon.count; i++)
        rig_own(rig, rig->balloon.items[i], 1);
    for (uint64_t i = 0; i < rig->hostages.count; i++)
        rig_own(rig, rig->hostages.items[i], 1);
    for (; region; region = appmem_region_next(regions, region))
        rig_check_region(rig, region, &sum);
    vmm_walk(&rig->vmm, rig_count_leaf, &mapped);
    assert_int_equal(mapped, stats->resident); /* no leaf outside of the regions */
    assert_int_equal(sum.resident, stats->resident);
    assert_int_equal(sum.promised, stats->promised);
    assert_int_equal(sum.volatile_frames, stats->volatile_frames);
    assert_true(stats->peak >= stats->resident);
    assert_true(stats->block_faults <= stats->minor_faults);
    rig_check_volatiles(rig);
    rig_check_conserved(rig);
    pmm_check(rig->pmm);
}

/* The app ends, the balloon and the hostages go: all that was taken is back. */
static inline void rig_finish(struct rig *rig)
{
    rig_check(rig);
    appmem_clear(&rig->mem);
    rig_check(rig);
    assert_int_equal(appmem_held(&rig->mem), 0);
    assert_int_equal(rig->mem.stats.promised, 0);
    assert_int_equal(rig->mem.regions.count, 0);
    assert_int_equal(rig->vmm.table_frames, 1);
    rig_deflate(rig, rig->balloon.count);
    rig_free_hostages(rig);
    rig_keep(rig, 0);
    pmm_refill(rig->pmm); /* gives back what the pool needs no more */
    assert_int_equal(rig->heap.stats.used_objects, 0);
    assert_true(rig->heap.stats.frames <= HEAP_CLASSES); /* one is kept of each */
    rig_check(rig);
    free(rig);
}
