// SPDX-License-Identifier: BSD-2-Clause
/*
 * Inside the app's memory: what its files share. Nobody but mm/appmem*.c, mm/reclaim.c,
 * mm/compact.c and mm/evacuate.c includes it.
 *
 *   appmem.c         regions: map, unmap, release, reserve
 *   appmem_region.c  the ordered set of regions
 *   appmem_whole.c   which blocks of a sparse region are promised as a whole
 *   appmem_fault.c   bringing pages in
 *   appmem_purge.c   volatile and needed, dropping
 *   appmem_move.c    frames to other places: for compaction, and joined to blocks
 *   appmem_copy.c    for calls
 */
#pragma once

#include "mm/appmem.h"

#include "base/bits.h"

static inline uint64_t appmem_now(const struct appmem *mem)
{
    return mem->config.now(mem->config.ctx);
}

static inline uint64_t appmem_free_blocks(const struct appmem *mem)
{
    struct pmm_stats stats;

    pmm_stats(mem->config.pmm, &stats);
    return stats.free_blocks_touched + stats.free_blocks_untouched;
}

static inline uint64_t appmem_free_frames(const struct appmem *mem)
{
    return pmm_free_frames(mem->config.pmm);
}

/* The way down to the first table, and a region's descriptor. */
#define APPMEM_TABLES_DOWN 4

/* What comes with a promise of so many frames: a table for each block. */
static inline uint64_t appmem_with_tables(uint64_t frames)
{
    return frames + frames / BLOCK_FRAMES + APPMEM_TABLES_DOWN;
}

/* In a long request: let others run. They may stall themselves, so a stall of this one is interrupted. */
static inline bool appmem_go_on(const struct appmem *mem)
{
    struct pressure *pressure = mem->config.pressure;
    bool is_stalled = pressure->is_stalled;

    if (!mem->config.go_on)
        return true;
    if (is_stalled)
        pressure_stall_end(pressure, appmem_now(mem));
    bool goes_on = mem->config.go_on(mem->config.ctx);
    if (is_stalled)
        pressure_stall_resume(pressure, appmem_now(mem));
    return goes_on;
}

static inline uint64_t appmem_min_frames(const struct appmem *mem)
{
    return mem->config.pressure->min_bytes >> FRAME_SHIFT;
}

/* Promised and not there yet. A volatile region has no promise. */
static inline uint64_t appmem_owed(const struct appmem_region *region)
{
    return (region->flags & APPMEM_VOLATILE) || region->reserved <= region->resident
               ? 0
               : region->reserved - region->resident;
}

/* Tables that `owed` pages, somewhere among `pages`, may need: one for each 2 MiB that they can lie in. */
static inline uint64_t appmem_tables_of(uint64_t owed, uint64_t pages)
{
    return min_u64(owed, pages / BLOCK_FRAMES + 2);
}

/* Those promised in a sparse region were promised together: malloc's chunks. */
static inline uint64_t appmem_tables(const struct appmem_region *region)
{
    uint64_t owed = appmem_owed(region);

    return appmem_tables_of(owed,
                            region->flags & APPMEM_SPARSE ? owed : region->reserved);
}

/* appmem.c: change a region's figures; the sums follow. */
void appmem_count(struct appmem *mem, struct appmem_region *region, uint64_t resident,
                  uint64_t reserved);
void appmem_flag(struct appmem *mem, struct appmem_region *region, unsigned flags);
/* Give back all frames in the range, whose ends are borders between leaves. How many. */
uint64_t appmem_drop(struct appmem *mem, uint64_t start, uint64_t size);

/* Frames nobody has or was promised, above the minimum; those for tables are among them. */
uint64_t appmem_spare(const struct appmem *mem);

/* appmem_whole.c: a range was promised, or given back; are all pages of the block at `addr` promised, as those
 * of other regions are? */
void appmem_whole_set(struct appmem *mem, struct appmem_region *region, uint64_t start,
                      uint64_t size);
void appmem_whole_clear(struct appmem_region *region, uint64_t start, uint64_t size);
bool appmem_is_whole(const struct appmem_region *region, uint64_t addr);

/* appmem_fault.c: fill a piece that is not mapped. */
int appmem_fill_frame(struct appmem *mem, struct appmem_region *region, uint64_t addr);
int appmem_fill_block(struct appmem *mem, struct appmem_region *region, uint64_t addr);

/* appmem_move.c: the frame under `leaf` goes to `to`, which is taken; it is given back. */
void appmem_move(struct appmem *mem, const struct vmm_leaf *leaf, pfn_t to);
/* The first leaf of the app that begins at `from` or above. */
bool appmem_next_leaf(const struct appmem *mem, uint64_t from, struct vmm_leaf *leaf);
