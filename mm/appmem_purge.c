// SPDX-License-Identifier: BSD-2-Clause
/* Purgeable regions: marked volatile, dropped as a whole, marked needed again. */
#include "mm/appmem_internal.h"

#include "base/err.h"
#include "mm/reclaim.h"

static struct appmem_region *find_purgeable(struct appmem *mem, uint64_t start)
{
    struct appmem_region *region = appmem_region_find(&mem->regions, start);

    return region && region->start == start && (region->flags & APPMEM_PURGEABLE) ? region
                                                                                  : NULL;
}

static void purge(struct appmem *mem, struct appmem_region *region,
                  struct pressure_reclaim *by)
{
    uint64_t frames = appmem_drop(mem, region->start, region->end - region->start);

    list_remove(&region->lru);
    appmem_count(mem, region, 0, region->reserved);
    appmem_flag(mem, region, region->flags | APPMEM_PURGED);
    mem->stats.purged += frames;
    by->scanned += (region->end - region->start) >> FRAME_SHIFT;
    by->reclaimed += frames;
    mem->config.pressure->purges++;
}

uint64_t appmem_purge_oldest(struct appmem *mem)
{
    struct pressure *pressure = mem->config.pressure;
    /* An allocation that reclaims is stalled for so long. */
    struct pressure_reclaim *by =
        pressure->is_stalled ? &pressure->direct : &pressure->async;

    while (!list_is_empty(&mem->volatiles)) {
        struct appmem_region *region =
            LIST_ENTRY(mem->volatiles.next, struct appmem_region, lru);
        uint64_t frames = region->resident;

        purge(mem, region, by);
        if (frames > 0)
            return frames;
    }
    return 0;
}

int appmem_set_volatile(struct appmem *mem, uint64_t start)
{
    struct appmem_region *region = find_purgeable(mem, start);

    if (!region)
        return -EINVAL;
    if (!(region->flags & APPMEM_VOLATILE)) {
        appmem_flag(mem, region, region->flags | APPMEM_VOLATILE);
        list_push_back(&mem->volatiles, &region->lru);
    }
    return 0;
}

/* All of the region becomes a promise again, the pages that are there included: they no longer count as
 * available to others. When others were promised so much that they cannot be spared, they go. */
int appmem_set_needed(struct appmem *mem, uint64_t start)
{
    struct appmem_region *region = find_purgeable(mem, start);

    if (!region)
        return -EINVAL;
    if (!(region->flags & APPMEM_VOLATILE))
        return 0;
    uint64_t pages = region->reserved, missing = pages - region->resident;

    if (reclaim_promise(mem, pages + appmem_tables_of(missing, pages))) {
        if (!(region->flags & APPMEM_PURGED))
            purge(mem, region, &mem->config.pressure->direct);
        mem->stats.refused++;
        return -ENOMEM;
    }

    int is_lost = (region->flags & APPMEM_PURGED) != 0;
    list_remove(&region->lru);
    appmem_flag(mem, region,
                region->flags & ~(unsigned)(APPMEM_VOLATILE | APPMEM_PURGED));
    return is_lost;
}
