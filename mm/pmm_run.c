// SPDX-License-Identifier: BSD-2-Clause
/*
 * Contiguous runs for rings and buffers: rare, so they search. A run below a block comes from one
 * block, in pieces or else freshly broken; a longer one from neighbouring whole free blocks.
 */
#include "mm/pmm_internal.h"

#include "base/err.h"

/* Room for the run on one list of blocks in pieces. */
static int run_on_list(struct pmm *pmm, unsigned list, unsigned frames, unsigned align,
                       uint64_t limit, pfn_t *out)
{
    for (uint32_t i = pmm->heads[list]; i != PMM_INDEX_NONE; i = pmm->blocks[i].next) {
        unsigned first = pmm_map_find_run(pmm_map_of(&pmm->blocks[i]), frames, align);
        uint64_t pfn = pmm_block_first(pmm, i) + first;

        if (first == BLOCK_FRAMES || pfn + frames > limit)
            continue;
        pmm_frames_take(pmm, i, first, frames, PMM_FIXED);
        *out = pfn_of(pfn);
        return 0;
    }
    return -ENOMEM;
}

/* Room in a block of the class, the fullest first. */
static int run_in_class(struct pmm *pmm, unsigned class, unsigned frames, unsigned align,
                        uint64_t limit, pfn_t *out)
{
    for (unsigned level = 0; level < PMM_LEVELS; level++) {
        for (unsigned state = 0; state < 2; state++) {
            unsigned list = (class * 2 + state) * PMM_LEVELS + level;

            if (run_on_list(pmm, list, frames, align, limit, out) == 0)
                return 0;
        }
    }
    return -ENOMEM;
}

static int small_run(struct pmm *pmm, unsigned frames, unsigned align, uint64_t limit,
                     pfn_t *out)
{
    if (run_in_class(pmm, PMM_FIXED, frames, align, limit, out) == 0 ||
        run_in_class(pmm, PMM_CLASS_NONE, frames, align, limit, out) == 0)
        return 0;

    uint64_t first_limit = limit < frames ? 0 : limit - (frames - 1);
    uint32_t index = pmm_whole_find(pmm, RUN_TOUCHED, first_limit);

    if (index == PMM_INDEX_NONE)
        index = pmm_whole_find(pmm, RUN_UNTOUCHED, first_limit);
    if (index != PMM_INDEX_NONE) {
        pmm_block_split(pmm, index, PMM_FIXED);
        pmm_frames_take(pmm, index, 0, frames, PMM_FIXED);
        *out = pfn_of(pmm_block_first(pmm, index));
        return 0;
    }
    int err = run_in_class(pmm, PMM_MOVABLE, frames, align, limit, out);
    if (err && pmm_victims_end(pmm)) /* better than to empty blocks */
        err = run_in_class(pmm, PMM_MOVABLE, frames, align, limit, out);
    return err;
}

/* The first block of `count` whole free ones in a row within the range, its number a multiple of
 * `align_blocks`; PMM_INDEX_NONE when there is none. */
static uint32_t blocks_in_row(const struct pmm *pmm, const struct pmm_range *range,
                              uint64_t count, uint64_t align_blocks)
{
    uint64_t number = range->first >> BLOCK_ORDER;
    uint64_t length = 0;

    for (uint32_t i = 0; i < range->blocks; i++) {
        bool is_free = pmm->blocks[range->base + i].use == BLOCK_FREE;

        if (!is_free)
            length = 0;
        else if (length > 0 || (number + i) % align_blocks == 0)
            length++;
        if (length == count)
            return range->base + i + 1 - (uint32_t)count;
    }
    return PMM_INDEX_NONE;
}

/* Take whole free blocks from `index` on for a run of `frames`: of the last one only what it needs. */
static void take_row(struct pmm *pmm, uint32_t index, uint64_t frames)
{
    unsigned rest = (unsigned)(frames % BLOCK_FRAMES);
    uint32_t whole = (uint32_t)(frames / BLOCK_FRAMES);

    if (rest != 0) {
        pmm_block_split(pmm, index + whole, PMM_FIXED);
        pmm_frames_take(pmm, index + whole, 0, rest, PMM_FIXED);
    }
    for (uint32_t i = 0; i < whole; i++)
        pmm_whole_take(pmm, index + i, PMM_FIXED);
}

static int large_run(struct pmm *pmm, uint64_t frames, uint64_t align_frames,
                     uint64_t limit, pfn_t *out)
{
    uint64_t count = align_up(frames, BLOCK_FRAMES) >> BLOCK_ORDER;
    uint64_t align_blocks = max_u64(align_frames >> BLOCK_ORDER, 1);

    for (uint32_t r = 0; r < pmm->range_count; r++) {
        uint32_t index = blocks_in_row(pmm, &pmm->ranges[r], count, align_blocks);

        if (index == PMM_INDEX_NONE)
            continue;
        uint64_t first = pmm_block_first(pmm, index);
        if (first + frames > limit)
            return -ENOMEM; /* ranges ascend: the next ones lie higher still */
        take_row(pmm, index, frames);
        *out = pfn_of(first);
        return 0;
    }
    return -ENOMEM;
}

static int take_run(struct pmm *pmm, uint64_t frames, uint64_t align_frames,
                    uint64_t limit, pfn_t *out)
{
    if (frames > pmm->stats.free_frames)
        return -ENOMEM;
    if (frames < BLOCK_FRAMES && align_frames <= BLOCK_FRAMES)
        return small_run(pmm, (unsigned)frames, (unsigned)align_frames, limit, out);
    return large_run(pmm, frames, align_frames, limit, out);
}

int pmm_take_run(struct pmm *pmm, uint64_t frames, uint64_t align_frames,
                 uint64_t pfn_limit, pfn_t *out)
{
    uint64_t limit = pfn_limit == 0 ? UINT64_MAX : pfn_limit;

    if (frames == 0 || !is_pow2(align_frames))
        return -EINVAL;
    if (pmm->maps_free < PMM_MAPS_LOW)
        pmm_pool_grow(pmm); /* an error is met below: there is no memory */
    pmm_recall_for(pmm, min_u64(frames, BLOCK_FRAMES)); /* of a longer one see below */
    int err = take_run(pmm, frames, align_frames, limit, out);
    if (err && pmm_recall_all(pmm))
        err = take_run(pmm, frames, align_frames, limit, out);
    *(err ? &pmm->stats.run_failures : &pmm->stats.run_allocs) += 1;
    return err;
}

void pmm_give_run(struct pmm *pmm, pfn_t pfn, uint64_t frames)
{
    uint64_t past = pfn.n + frames;

    pmm_wipe(pmm, pfn, frames);
    while (pfn.n < past) {
        if (pfn.n % BLOCK_FRAMES == 0 && past - pfn.n >= BLOCK_FRAMES) {
            pmm_whole_give(pmm, pmm_block_of(pmm, pfn), RUN_TOUCHED);
            pfn.n += BLOCK_FRAMES;
        } else {
            pmm_frame_give(pmm, pfn, RUN_TOUCHED);
            pfn.n++;
        }
    }
    pmm->stats.run_frees++;
}
