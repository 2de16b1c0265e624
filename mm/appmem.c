// SPDX-License-Identifier: BSD-2-Clause
/* Regions of the app: making them, cutting them, ending them, and the sums over all of them. */
#include "mm/appmem_internal.h"

#include "base/assert.h"
#include "base/err.h"
#include "mm/compact.h"
#include "mm/evacuate.h"
#include "mm/reclaim.h"

void appmem_init(struct appmem *mem, const struct appmem_config *config)
{
    *mem = (struct appmem){.config = *config};
    appmem_regions_init(&mem->regions, config->first, config->last);
    list_init(&mem->volatiles);
}

static void sum(struct appmem *mem, const struct appmem_region *region, bool is_added)
{
    struct appmem_stats *stats = &mem->stats;
    uint64_t sign = is_added ? 1 : UINT64_MAX; /* wrap-around is intended */

    stats->resident += sign * region->resident;
    stats->promised += sign * appmem_owed(region);
    mem->tables += sign * appmem_tables(region);
    if (region->flags & APPMEM_VOLATILE)
        stats->volatile_frames += sign * region->resident;
    stats->peak = max_u64(stats->peak, stats->resident);
}

void appmem_count(struct appmem *mem, struct appmem_region *region, uint64_t resident,
                  uint64_t reserved)
{
    sum(mem, region, false);
    region->resident = resident;
    region->reserved = reserved;
    sum(mem, region, true);
}

void appmem_flag(struct appmem *mem, struct appmem_region *region, unsigned flags)
{
    sum(mem, region, false);
    region->flags = flags;
    sum(mem, region, true);
}

uint64_t appmem_held(const struct appmem *mem)
{
    uint64_t joining = mem->join.is_open ? BLOCK_FRAMES - mem->join.moved : 0;

    return mem->stats.resident + joining;
}

uint64_t appmem_promised(const struct appmem *mem)
{
    return mem->stats.promised + mem->tables;
}

uint64_t appmem_spare(const struct appmem *mem)
{
    uint64_t has = appmem_free_frames(mem) + mem->stats.volatile_frames;
    uint64_t kept = appmem_promised(mem) + appmem_min_frames(mem);

    return has > kept ? has - kept : 0;
}

uint64_t appmem_available(const struct appmem *mem)
{
    uint64_t spare = appmem_spare(mem);
    uint64_t tables = spare / (BLOCK_FRAMES + 1) + APPMEM_TABLES_DOWN;

    return spare > tables ? spare - tables : 0;
}

/* Walks the leaves of a range, giving the frames back. */
struct drop {
    struct pmm *pmm;
    uint64_t frames;
};

static void give_leaf(void *ctx, const struct vmm_leaf *leaf)
{
    struct drop *drop = ctx;
    unsigned order = leaf->size_bytes == BLOCK_SIZE ? BLOCK_ORDER : 0;

    pmm_give(drop->pmm, pfn_from_paddr(leaf->phys), order, RUN_TOUCHED);
    drop->frames += UINT64_C(1) << order;
}

/* Nobody runs between the two steps, so that a frame given back is not touched through its old
 * address. */
uint64_t appmem_drop(struct appmem *mem, uint64_t start, uint64_t size)
{
    struct drop drop = {.pmm = mem->config.pmm};

    vmm_walk_range(mem->config.vmm, start, size, give_leaf, &drop);
    if (drop.frames > 0) {
        int err = vmm_unmap(mem->config.vmm, start, size);

        assert(!err); /* its ends were borders: no table is needed */
    }
    return drop.frames;
}

static struct appmem_region *region_new(struct appmem *mem, uint64_t start, uint64_t size,
                                        unsigned flags)
{
    struct appmem_region *region = heap_alloc(mem->config.heap, sizeof(*region));

    if (region) {
        region->start = start;
        region->end = start + size;
        region->flags = flags;
        list_init(&region->lru);
    }
    return region;
}

static void region_free(struct appmem *mem, struct appmem_region *region)
{
    appmem_count(mem, region, 0, 0);
    list_remove(&region->lru);
    appmem_region_remove(&mem->regions, region);
    heap_free(mem->config.heap, region->whole);
    heap_free(mem->config.heap, region);
}

/* All of a region, whatever is in it. */
static void region_end(struct appmem *mem, struct appmem_region *region)
{
    appmem_drop(mem, region->start, region->end - region->start);
    region_free(mem, region);
}

/* Whole blocks for all of a region. */
static int fill_blocks(struct appmem *mem, struct appmem_region *region)
{
    for (uint64_t at = region->start; at < region->end; at += BLOCK_SIZE) {
        if (!appmem_go_on(mem) ||
            reclaim_free(mem, BLOCK_FRAMES + appmem_min_frames(mem)))
            return -ENOMEM;
        int err = appmem_fill_block(mem, region, at);

        if (err && reclaim_blocks(mem, (region->end - at) >> BLOCK_SHIFT) == 0)
            err = appmem_fill_block(mem, region, at);
        if (err)
            return err;
    }
    return 0;
}

static int refuse(struct appmem *mem)
{
    mem->stats.refused++;
    return -ENOMEM;
}

static bool is_contradiction(unsigned flags)
{
    return ((flags & APPMEM_BLOCKS) && (flags & (APPMEM_FRAMES | APPMEM_SPARSE))) ||
           ((flags & APPMEM_PURGEABLE) && (flags & APPMEM_SPARSE));
}

int appmem_map(struct appmem *mem, uint64_t size, unsigned flags, uint64_t *start)
{
    const struct appmem_config *config = &mem->config;
    uint64_t unit = flags & APPMEM_BLOCKS ? BLOCK_SIZE : FRAME_SIZE;

    if (size == 0 || size > config->last - config->first || is_contradiction(flags))
        return -EINVAL;
    size = align_up(size, unit);
    uint64_t frames = size >> FRAME_SHIFT;
    bool is_promised = !(flags & APPMEM_SPARSE);

    /* Without a promise as well: a region takes kernel memory, and there may be very many. */
    if (reclaim_promise(mem, appmem_with_tables(is_promised ? frames : 0)))
        return refuse(mem);
    uint64_t align = size >= BLOCK_SIZE ? BLOCK_SIZE : FRAME_SIZE;
    uint64_t at = appmem_region_place(&mem->regions, size, align);
    struct appmem_region *region = at ? region_new(mem, at, size, flags) : NULL;
    if (!region)
        return refuse(mem);
    appmem_region_add(&mem->regions, region);
    appmem_count(mem, region, 0, is_promised ? frames : 0);
    if ((flags & APPMEM_BLOCKS) && fill_blocks(mem, region)) {
        region_end(mem, region);
        evacuate_want(mem, size >> BLOCK_SHIFT); /* for the next time */
        return refuse(mem);
    }
    *start = at;
    return 0;
}

/* Neither a region nor anything that is mapped besides. */
static bool is_vacant(const struct appmem *mem, uint64_t start, uint64_t size)
{
    const struct appmem_region *above = appmem_region_at_or_after(&mem->regions, start);

    return (!above || above->start >= start + size) &&
           vmm_is_empty(mem->config.vmm, start, size);
}

int appmem_map_at(struct appmem *mem, uint64_t start, uint64_t size)
{
    struct appmem_region *region;

    if (!is_vacant(mem, start, size))
        return -EINVAL;
    if (reclaim_promise(mem, appmem_with_tables(size >> FRAME_SHIFT)))
        return refuse(mem);
    region = region_new(mem, start, size, APPMEM_FRAMES);
    if (!region)
        return refuse(mem);
    appmem_region_add(&mem->regions, region);
    appmem_count(mem, region, 0, size >> FRAME_SHIFT);
    for (uint64_t at = start; at < start + size; at += FRAME_SIZE) {
        if (appmem_fill_frame(mem, region, at)) {
            region_end(mem, region);
            return refuse(mem);
        }
    }
    return 0;
}

/* The region that holds all of the range. */
static struct appmem_region *region_around(struct appmem *mem, uint64_t start,
                                           uint64_t size)
{
    struct appmem_region *region = appmem_region_find(&mem->regions, start);

    if (!region || size == 0 || start % FRAME_SIZE != 0 || size % FRAME_SIZE != 0 ||
        size > region->end - start)
        return NULL;
    return region;
}

/* Make an address a border between leaves, so that what lies on one side can go. */
static int cut(struct appmem *mem, uint64_t addr)
{
    struct vmm_leaf leaf;

    if (!vmm_lookup(mem->config.vmm, addr, &leaf) || leaf.virt == addr)
        return 0;
    int err = vmm_split(mem->config.vmm, addr);
    if (!err)
        mem->stats.splits++;
    return err;
}

int appmem_cut(struct appmem *mem, uint64_t start, uint64_t size)
{
    if (!region_around(mem, start, size))
        return -EINVAL;

    int err = cut(mem, start);
    return err ? err : cut(mem, start + size);
}

/* Empty the range: the frames that were there, and as many promises as it has pages, are gone. */
static void empty(struct appmem *mem, struct appmem_region *region, uint64_t start,
                  uint64_t size)
{
    uint64_t frames = appmem_drop(mem, start, size);
    uint64_t reserved = region->reserved - min_u64(region->reserved, size >> FRAME_SHIFT);

    appmem_count(mem, region, region->resident - frames, reserved);
    appmem_whole_clear(region, start, size);
}

int appmem_release(struct appmem *mem, uint64_t start, uint64_t size)
{
    struct appmem_region *region = region_around(mem, start, size);

    if (!region || (region->flags & APPMEM_PURGEABLE))
        return -EINVAL;
    int err = appmem_cut(mem, start, size);
    if (err)
        return err;
    empty(mem, region, start, size);
    /* Promises are counted for a region, so it cannot hold some for a part of its pages only. */
    if (!(region->flags & APPMEM_SPARSE)) {
        appmem_flag(mem, region, region->flags | APPMEM_SPARSE);
        appmem_count(mem, region, region->resident, 0);
    }
    return 0;
}

int appmem_reserve_spare(struct appmem *mem, uint64_t start, uint64_t size)
{
    if (appmem_spare(mem) < appmem_with_tables(size >> FRAME_SHIFT))
        return -ENOMEM;
    return appmem_reserve(mem, start, size);
}

int appmem_reserve(struct appmem *mem, uint64_t start, uint64_t size)
{
    struct appmem_region *region = region_around(mem, start, size);
    uint64_t frames = size >> FRAME_SHIFT;

    if (!region || !(region->flags & APPMEM_SPARSE))
        return -EINVAL;
    if (reclaim_promise(mem, appmem_with_tables(frames)))
        return refuse(mem);
    appmem_count(mem, region, region->resident, region->reserved + frames);
    appmem_whole_set(mem, region, start, size);
    return 0;
}

/* What of a region's figures belongs to the part behind `from`. */
struct part {
    uint64_t resident;
};

static void count_leaf(void *ctx, const struct vmm_leaf *leaf)
{
    struct part *part = ctx;

    part->resident += leaf->size_bytes >> FRAME_SHIFT;
}

/* The region ends at `start`; `tail` takes over what lies behind the hole. Only the pages of the hole had
 * been counted out; of a sparse region's promises the tail gets those its pages use. */
static void split_region(struct appmem *mem, struct appmem_region *region, uint64_t start,
                         struct appmem_region *tail)
{
    uint64_t size = tail->end - tail->start, pages = size >> FRAME_SHIFT;
    struct part part = {0};

    vmm_walk_range(mem->config.vmm, tail->start, size, count_leaf, &part);
    uint64_t reserved =
        region->flags & APPMEM_SPARSE ? min_u64(part.resident, region->reserved) : pages;
    reserved = min_u64(reserved, region->reserved);

    appmem_count(mem, region, region->resident - part.resident,
                 region->reserved - reserved);
    region->end = start;
    appmem_region_add(&mem->regions, tail);
    appmem_count(mem, tail, part.resident, reserved);
    if (region->flags & APPMEM_VOLATILE)
        list_push_front(&region->lru, &tail->lru); /* as old as what it was part of */
}

int appmem_unmap(struct appmem *mem, uint64_t start, uint64_t size)
{
    struct appmem_region *region = region_around(mem, start, size);
    struct appmem_region *tail = NULL;
    uint64_t end = start + size;

    if (!region)
        return -EINVAL;
    if (start == region->start && end == region->end) {
        region_end(mem, region);
        return 0;
    }
    int err = appmem_cut(mem, start, size);
    if (err)
        return err;
    if (start > region->start && end < region->end) {
        tail = region_new(mem, end, region->end - end, region->flags);
        if (!tail)
            return -ENOMEM;
    }
    empty(mem, region, start, size);
    if (tail)
        split_region(mem, region, start, tail);
    else if (start == region->start)
        region->start = end;
    else
        region->end = start;
    return 0;
}

bool appmem_clear_step(struct appmem *mem)
{
    struct appmem_region *region = appmem_region_at_or_after(&mem->regions, 0);
    struct vmm_leaf leaf;

    appmem_join_stop(mem);
    compact_stop(mem);
    if (!region)
        return false;
    if (region->resident <= BLOCK_FRAMES ||
        !vmm_next_leaf(mem->config.vmm, region->start, region->end - 1, &leaf)) {
        region_end(mem, region);
        return true;
    }
    /* The first pages that are there, and the empty ones before them. Borders of blocks are borders of
     * leaves. */
    uint64_t end = min_u64(align_up(leaf.virt + 1, BLOCK_SIZE), region->end);
    if (end == region->end) {
        region_end(mem, region);
        return true;
    }
    empty(mem, region, region->start, end - region->start);
    region->start = end;
    return true;
}

void appmem_clear(struct appmem *mem)
{
    while (appmem_clear_step(mem))
        ;
}
