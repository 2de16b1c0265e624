// SPDX-License-Identifier: BSD-2-Clause
/*
 * Which blocks of a sparse region are promised as a whole: only these may come in as blocks. Its promises are
 * a count, so this takes a bit for each. There are as many bits as RAM has blocks, for the lowest ones of
 * the region: the allocator behind malloc uses low addresses first. A block without a bit, or with no
 * memory for the bits, comes in as frames.
 */
#include "mm/appmem_internal.h"

struct appmem_whole {
    uint64_t first, count; /* blocks: number of the first, how many bits there are */
    uint64_t bits[];
};

static struct appmem_whole *whole_new(struct appmem *mem, uint64_t first)
{
    struct pmm_stats stats;

    pmm_stats(mem->config.pmm, &stats);
    uint64_t count = align_up(stats.total_frames, BLOCK_FRAMES) >> BLOCK_ORDER;
    struct appmem_whole *whole =
        heap_alloc(mem->config.heap, sizeof(*whole) + align_up(count, 64) / 8);

    if (whole) {
        whole->first = first;
        whole->count = count;
    }
    return whole;
}

void appmem_whole_set(struct appmem *mem, struct appmem_region *region, uint64_t start,
                      uint64_t size)
{
    uint64_t block = align_up(start, BLOCK_SIZE) >> BLOCK_SHIFT;
    uint64_t end = (start + size) >> BLOCK_SHIFT;

    if (block >= end)
        return;
    if (!region->whole)
        region->whole = whole_new(mem, region->start >> BLOCK_SHIFT);
    struct appmem_whole *whole = region->whole;

    for (; whole && block < end && block - whole->first < whole->count; block++)
        whole->bits[(block - whole->first) / 64] |= BIT64((block - whole->first) % 64);
}

void appmem_whole_clear(struct appmem_region *region, uint64_t start, uint64_t size)
{
    struct appmem_whole *whole = region->whole;
    uint64_t block = start >> BLOCK_SHIFT, last = (start + size - 1) >> BLOCK_SHIFT;

    for (; whole && block <= last && block - whole->first < whole->count; block++)
        whole->bits[(block - whole->first) / 64] &= ~BIT64((block - whole->first) % 64);
}

bool appmem_is_whole(const struct appmem_region *region, uint64_t addr)
{
    const struct appmem_whole *whole = region->whole;

    if (!(region->flags & APPMEM_SPARSE))
        return true;
    uint64_t bit = whole ? (addr >> BLOCK_SHIFT) - whole->first : 0;

    return whole && bit < whole->count && (whole->bits[bit / 64] & BIT64(bit % 64));
}
