// SPDX-License-Identifier: BSD-2-Clause
/*
 * Setting up: where the metadata lies and what the descriptors of the boot ranges say. Nothing but the
 * metadata is written, 8 KiB per GiB.
 *
 * The metadata starts with a frame that is a pool chunk of which struct pmm and the ranges take the
 * first slots; then come further chunks if there are very many ranges, then the descriptors, then such
 * ranges as do not fit in the first frame.
 */
#include "mm/pmm_internal.h"

#include "base/err.h"
#include "mm/mmu.h"

#define SLOTS_OF(bytes) (((bytes) + PMM_MAP_BYTES - 1) / PMM_MAP_BYTES)

#define PMM_SLOT    SLOTS_OF(sizeof(struct pmm_chunk))
#define RANGES_SLOT (PMM_SLOT + SLOTS_OF(sizeof(struct pmm)))
#define RANGES_NEAR 8 /* so many ranges stand in the first frame */
#define HEAD_SLOTS  (RANGES_SLOT + SLOTS_OF(RANGES_NEAR * sizeof(struct pmm_range)))
#define HEAD_MAPS   (FRAME_SIZE / PMM_MAP_BYTES - HEAD_SLOTS)
_Static_assert(HEAD_MAPS >= PMM_MAPS_FULL,
               "a machine of few ranges needs no second chunk");

/* Where things lie in the metadata, as byte offsets. */
struct layout {
    uint64_t chunks; /* after the first frame */
    uint64_t blocks, ranges, total_bytes;
};

/* Descriptors that these ranges need: one for each block that holds any of their frames. */
static uint64_t count_blocks(const struct region_set *ram)
{
    uint64_t sum = 0, past = 0; /* the first block number not yet counted */

    for (size_t i = 0; i < ram->count; i++) {
        uint64_t first = max_u64(ram->items[i].start >> BLOCK_SHIFT, past);

        past = max_u64(align_up(ram->items[i].end, BLOCK_SIZE) >> BLOCK_SHIFT, past);
        sum += past - first;
    }
    return sum;
}

static struct layout plan(const struct region_set *ram)
{
    struct layout at = {0};
    /* Carving the metadata may cut one range in two: a range and two cut blocks more. */
    uint64_t ranges = ram->count + 1;
    uint64_t maps = 2 * ranges + PMM_MAPS_FULL;

    if (maps > HEAD_MAPS)
        at.chunks = (maps - HEAD_MAPS + 62) / 63;
    at.blocks = FRAME_SIZE * (1 + at.chunks);
    at.ranges = RANGES_SLOT * PMM_MAP_BYTES;
    at.total_bytes = at.blocks + count_blocks(ram) * sizeof(struct pmm_block);
    if (ranges > RANGES_NEAR) {
        at.ranges = at.total_bytes;
        at.total_bytes += ranges * sizeof(struct pmm_range);
    }
    at.total_bytes = align_up(at.total_bytes, FRAME_SIZE);
    return at;
}

uint64_t pmm_metadata_bytes(const struct region_set *ram)
{
    return plan(ram).total_bytes;
}

static bool is_sound(const struct region_set *ram)
{
    paddr_t past = 0;

    for (size_t i = 0; i < ram->count; i++) {
        const struct region *it = &ram->items[i];

        if (it->start < past || it->end <= it->start || (it->end >> 52) != 0 ||
            it->start % FRAME_SIZE != 0 || it->end % FRAME_SIZE != 0)
            return false;
        past = it->end;
    }
    return count_blocks(ram) < PMM_INDEX_NONE;
}

static int choose_place(const struct region_set *ram, uint64_t size_bytes,
                        struct region *out)
{
    const paddr_t limits[] = {4 * GIB, UINT64_MAX};

    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        struct region best;

        if (region_largest_below(ram, limits[i], &best) == 0 &&
            best.end - best.start >= size_bytes) {
            *out = (struct region){best.start, best.start + size_bytes};
            return 0;
        }
    }
    return -ENOMEM;
}

static void add_range(struct pmm *pmm, paddr_t start, paddr_t end)
{
    struct pmm_range *range = &pmm->ranges[pmm->range_count];
    uint64_t first_block = start >> BLOCK_SHIFT;

    if (start >= end)
        return;
    range->first = start >> FRAME_SHIFT;
    range->past = end >> FRAME_SHIFT;
    range->blocks = (uint32_t)((align_up(end, BLOCK_SIZE) >> BLOCK_SHIFT) - first_block);
    range->base = pmm->block_count;
    if (pmm->range_count > 0 && (range[-1].past - 1) >> BLOCK_ORDER == first_block)
        range->base--; /* shares the last block of its neighbour */
    pmm->block_count = range->base + range->blocks;
    pmm->range_count++;
    pmm->pfn_end = range->past;
}

/* The part of `range` in its i-th block, as frames of that block. */
static void part_in_block(const struct pmm_range *range, uint32_t i, unsigned *first,
                          unsigned *count)
{
    uint64_t start = align_down(range->first, BLOCK_FRAMES) + (uint64_t)i * BLOCK_FRAMES;
    uint64_t low = max_u64(range->first, start);

    *first = (unsigned)(low - start);
    *count = (unsigned)(min_u64(range->past, start + BLOCK_FRAMES) - low);
}

static void describe_blocks(struct pmm *pmm)
{
    uint64_t block_bytes = pmm->block_count * sizeof(struct pmm_block);

    __builtin_memset(pmm->blocks, 0, block_bytes);
    for (uint32_t r = 0; r < pmm->range_count; r++) {
        for (uint32_t i = 0; i < pmm->ranges[r].blocks; i++) {
            struct pmm_block *block = &pmm->blocks[pmm->ranges[r].base + i];
            unsigned first, count;

            part_in_block(&pmm->ranges[r], i, &first, &count);
            block->usable = (block->usable + count) & 1023;
        }
    }
}

/* Blocks that RAM fills in part: their frames outside RAM are taken for ever. */
static void mark_absent(struct pmm *pmm, const struct pmm_range *range, uint32_t i)
{
    struct pmm_block *block = &pmm->blocks[range->base + i];
    unsigned first, count;

    if (block->usable == BLOCK_FRAMES)
        return;
    if (block->use != BLOCK_PIECES) {
        block->use = BLOCK_PIECES;
        block->class = PMM_CLASS_NONE;
        block->map = (pmm_map_take(pmm) >> PMM_MAP_SHIFT) & PMM_MAP_MASK;
        pmm_map_set(pmm_map_of(block), 0, BLOCK_FRAMES);
    }
    part_in_block(range, i, &first, &count);
    pmm_map_clear(pmm_map_of(block), first, count);
}

/* Down from the top, so that the lists begin with the lowest blocks. */
static void list_blocks(struct pmm *pmm)
{
    for (uint32_t r = 0; r < pmm->range_count; r++) {
        mark_absent(pmm, &pmm->ranges[r], 0);
        if (pmm->ranges[r].blocks > 1)
            mark_absent(pmm, &pmm->ranges[r], pmm->ranges[r].blocks - 1);
    }
    for (uint32_t i = pmm->block_count; i-- > 0;) {
        struct pmm_block *block = &pmm->blocks[i];

        block->free = block->usable;
        block->state = RUN_UNTOUCHED;
        pmm_edit_end(pmm, i, PMM_LIST_NONE);
    }
}

/* The empty allocator at the head of its metadata. */
static struct pmm *lay_out(const struct region *place, const struct layout *at)
{
    char *base = mmu_phys_to_virt(place->start);
    struct pmm *pmm = (struct pmm *)(base + PMM_SLOT * PMM_MAP_BYTES);

    __builtin_memset(base, 0, HEAD_SLOTS * PMM_MAP_BYTES);
    pmm->blocks = (struct pmm_block *)(base + at->blocks);
    pmm->ranges = (struct pmm_range *)(base + at->ranges);
    for (unsigned i = 0; i < PMM_LISTS; i++)
        pmm->heads[i] = PMM_INDEX_NONE;
    list_init(&pmm->chunks);
    pmm_chunk_add(pmm, place->start, UINT64_MAX << HEAD_SLOTS, true);
    for (uint64_t i = 1; i <= at->chunks; i++)
        pmm_chunk_add(pmm, place->start + i * FRAME_SIZE, PMM_CHUNK_SLOTS, true);
    pmm->stats.metadata_bytes = at->total_bytes;
    return pmm;
}

int pmm_init(const struct region_set *ram, uint64_t reserve_bytes, struct pmm **out)
{
    struct layout at = plan(ram);
    struct region place;

    if (!is_sound(ram))
        return -EINVAL;
    int err = choose_place(ram, at.total_bytes, &place);
    if (err)
        return err;

    struct pmm *pmm = lay_out(&place, &at);
    for (size_t i = 0; i < ram->count; i++) {
        struct region it = ram->items[i];

        /* The range that holds the metadata counts as what lies before and behind it. */
        add_range(pmm, it.start, min_u64(it.end, max_u64(place.start, it.start)));
        if (it.end > place.start)
            add_range(pmm, it.start <= place.start ? place.end : it.start, it.end);
    }
    describe_blocks(pmm);
    list_blocks(pmm);
    pmm->stats.total_frames = region_total(ram) >> FRAME_SHIFT;
    pmm->stats.reserve_frames = reserve_bytes >> FRAME_SHIFT;
    *out = pmm;
    return 0;
}
