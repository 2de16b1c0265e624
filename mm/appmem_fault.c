// SPDX-License-Identifier: BSD-2-Clause
/*
 * Bringing pages in: a block where the region has room and promise for one and a whole one is free, else
 * a frame.
 */
#include "mm/appmem_internal.h"

#include "base/err.h"
#include "mm/mmu.h"
#include "mm/reclaim.h"

/* Zero is promised to all but the allocator behind malloc. Words, not bytes: the string
 * instructions go by elements. */
static void clear(const struct appmem_region *region, paddr_t addr, uint64_t size)
{
    if (!(region->flags & APPMEM_DIRTY))
        __builtin_memset(mmu_phys_to_virt(addr), 0, size);
}

static int fill(struct appmem *mem, struct appmem_region *region, uint64_t addr,
                unsigned order)
{
    const struct pmm_want want = {.order = order, .class = PMM_MOVABLE};
    uint64_t size = FRAME_SIZE << order;
    struct pmm_run run;
    int err = pmm_take(mem->config.pmm, want, &run);

    if (err)
        return err;
    err = vmm_map(mem->config.vmm, addr, pfn_to_paddr(run.pfn), size, VMM_WRITE);
    if (err) {
        pmm_give(mem->config.pmm, run.pfn, order, run.state);
        return err;
    }
    clear(region, pfn_to_paddr(run.pfn), size);
    appmem_count(mem, region, region->resident + (UINT64_C(1) << order),
                 region->reserved);
    return 0;
}

int appmem_fill_block(struct appmem *mem, struct appmem_region *region, uint64_t addr)
{
    return fill(mem, region, addr, BLOCK_ORDER);
}

/* A promise was given when there was memory for it, and may use the last of it; without one the
 * minimum stays. */
int appmem_fill_frame(struct appmem *mem, struct appmem_region *region, uint64_t addr)
{
    bool is_promised = appmem_owed(region) > 0;
    uint64_t kept = is_promised ? appmem_min_frames(mem) / 2 : appmem_min_frames(mem);

    if (!is_promised && reclaim_promise(mem, 1))
        return -ENOMEM;
    if (reclaim_free(mem, 1 + kept))
        return -ENOMEM;
    if (region->flags & APPMEM_PURGED)
        return -EBUSY; /* it was dropped for this */
    return fill(mem, region, addr, 0);
}

static bool can_take_block(const struct appmem *mem, const struct appmem_region *region,
                           uint64_t block)
{
    struct pmm_stats stats;

    pmm_stats(mem->config.pmm, &stats);
    return !(region->flags & APPMEM_FRAMES) && appmem_owed(region) >= BLOCK_FRAMES &&
           appmem_is_whole(region, block) && block >= region->start &&
           region->end - block >= BLOCK_SIZE &&
           stats.free_blocks_touched + stats.free_blocks_untouched > 0 &&
           stats.free_frames >= BLOCK_FRAMES + appmem_min_frames(mem) &&
           vmm_is_empty(mem->config.vmm, block, BLOCK_SIZE);
}

int appmem_fault(struct appmem *mem, uint64_t addr)
{
    struct appmem_region *region = appmem_region_find(&mem->regions, addr);
    uint64_t block = align_down(addr, BLOCK_SIZE);
    int err;

    if (!region)
        return -EINVAL;
    if (region->flags & APPMEM_PURGED)
        return -EBUSY;
    if (can_take_block(mem, region, block) &&
        appmem_fill_block(mem, region, block) == 0) {
        mem->stats.minor_faults++;
        mem->stats.block_faults++;
        return 0;
    }
    err = appmem_fill_frame(mem, region, align_down(addr, FRAME_SIZE));
    if (err == -ENOMEM)
        mem->stats.refused++;
    if (!err)
        mem->stats.minor_faults++;
    return err;
}
