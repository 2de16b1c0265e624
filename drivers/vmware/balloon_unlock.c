// SPDX-License-Identifier: BSD-2-Clause
/*
 * Pages on their way out. They stay in their set until the host has let them go, and a page that it does not
 * let go stays there; the cursor goes on behind it, so that it does not bar the way for others (D-W-04).
 */
#include "drivers/vmware/balloon_internal.h"

#include "base/bits.h"

/* From the top: what was locked last, where the OS hands frames out upwards (R-W-25). */
static void pick_small(struct vmware_balloon *vb, uint32_t max)
{
    struct vmware_chunk *chunk = &vb->chunk;
    pfn_t *cursor = &vb->cursors[SMALL];
    struct page_run run;

    while (chunk->count < max) {
        if (!page_set_find_pieces(&vb->sets[SMALL], *cursor, max - chunk->count, &run)) {
            *cursor = pfn_of(UINT64_MAX); /* there are more above it: the caller counts */
            continue;
        }
        for (uint32_t i = run.frames; i-- > 0;)
            chunk->pages[chunk->count++] =
                (struct vmware_page){pfn_add(run.first, i), RUN_UNTOUCHED};
        *cursor = run.first;
    }
}

static void pick_huge(struct vmware_balloon *vb, uint32_t max)
{
    struct vmware_chunk *chunk = &vb->chunk;
    pfn_t *cursor = &vb->cursors[HUGE];
    struct page_blocks blocks;

    while (chunk->count < max) {
        if (!page_set_find_blocks(&vb->sets[HUGE], PAGE_HELD, *cursor, max - chunk->count,
                                  &blocks)) {
            *cursor = pfn_of(0);
            continue;
        }
        for (; blocks.mask; blocks.mask &= blocks.mask - 1) {
            pfn_t first = pfn_add(blocks.first,
                                  (uint64_t)__builtin_ctzll(blocks.mask) * BLOCK_FRAMES);

            chunk->pages[chunk->count++] = (struct vmware_page){first, RUN_UNTOUCHED};
            *cursor = pfn_add(first, BLOCK_FRAMES);
        }
    }
}

void vmware_pick(struct vmware_balloon *vb, unsigned size, uint64_t max)
{
    uint64_t has = vb->sets[size].frames / vmware_frames(size);
    uint32_t count = (uint32_t)min_u64(min_u64(max, has), VMWARE_BATCH_ENTRIES);

    vb->chunk.size = size;
    vb->chunk.count = 0;
    if (size == HUGE)
        pick_huge(vb, count);
    else
        pick_small(vb, count);
}

void vmware_drop(struct vmware_balloon *vb, unsigned size, pfn_t first)
{
    const struct balloon_hal *hal = vb->hal;

    if (size == HUGE)
        page_set_move(&vb->sets[HUGE], (struct page_blocks){first, 1}, PAGE_HELD,
                      PAGE_NONE);
    else
        page_set_remove(&vb->sets[SMALL], (struct page_run){first, 1});
    vb->needs_trim = true;
    vb->count.freed[size]++;
    if (!vb->opts.shrink)
        hal->account(hal->ctx, -(int64_t)vmware_frames(size));
    vmware_give(vb, size, (struct vmware_page){first, RUN_UNTOUCHED});
}

/* A page that the host does not hold is ours. Many of them: both begin anew. */
static void note_stale(struct vmware_balloon *vb)
{
    vb->count.unlock_stale++;
    if (++vb->cycle.stale <= STALE_MAX)
        return;
    vb->is_reset_due = vb->cycle.is_over = true;
    vmware_warn(
        vb, WARN_STALE,
        "vmware-balloon: the host does not hold %u pages of the balloon: beginning "
        "anew",
        vb->cycle.stale);
}

static bool has_left(struct vmware_balloon *vb, uint32_t status)
{
    if (status == VMWARE_RESET)
        vmware_note_reset(vb);
    if (status == VMWARE_PPN_UNLOCKED)
        note_stale(vb);
    return status == VMWARE_SUCCESS || status == VMWARE_PPN_UNLOCKED;
}

uint32_t vmware_unlock(struct vmware_balloon *vb, uint32_t *gone)
{
    static const enum vmware_command batched[VMWARE_SIZES] = {
        VMWARE_CMD_BATCHED_UNLOCK, VMWARE_CMD_BATCHED_2M_UNLOCK};
    const struct vmware_chunk *chunk = &vb->chunk;
    bool is_batch = vmware_level(vb) != VMWARE_LEVEL_BASIC;
    uint32_t status = vmware_send_chunk(vb, VMWARE_CMD_UNLOCK, batched);

    *gone = 0;
    if (is_batch && status != VMWARE_SUCCESS)
        return status;
    for (uint32_t i = 0; i < chunk->count; i++) {
        if (has_left(vb, is_batch ? chunk->status[i] : status)) {
            vmware_drop(vb, chunk->size, chunk->pages[i].first);
            ++*gone;
        }
    }
    return status;
}

static bool pop_small(struct vmware_balloon *vb)
{
    struct page_run run;
    uint32_t count = 0;

    while (count < STEP_FRAMES &&
           page_set_find_pieces(&vb->sets[SMALL], pfn_of(UINT64_MAX), STEP_FRAMES - count,
                                &run)) {
        for (uint32_t i = 0; i < run.frames; i++)
            vmware_drop(vb, SMALL, pfn_add(run.first, i));
        count += run.frames;
    }
    vb->count.popped_frames += count;
    return vb->sets[SMALL].frames == 0;
}

/* 64 at a time, which is quick however many there are. */
static void pop_huge(struct vmware_balloon *vb)
{
    const struct balloon_hal *hal = vb->hal;
    struct page_set *set = &vb->sets[HUGE];
    struct page_blocks blocks;
    uint64_t before = set->frames;

    while (page_set_find_blocks(set, PAGE_HELD, pfn_of(0), 64, &blocks)) {
        page_set_move(set, blocks, PAGE_HELD, PAGE_NONE);
        hal->blocks_give(hal->ctx, blocks.first, blocks.mask, RUN_UNTOUCHED);
    }
    vb->count.freed[HUGE] += before / BLOCK_FRAMES;
    vb->count.popped_frames += before;
    if (!vb->opts.shrink && before)
        hal->account(hal->ctx, -(int64_t)before);
}

bool vmware_pop(struct vmware_balloon *vb)
{
    pop_huge(vb);
    if (!pop_small(vb))
        return false;
    vb->needs_trim = true;
    vmware_trim(vb);
    return true;
}

void vmware_trim(struct vmware_balloon *vb)
{
    for (unsigned size = 0; vb->needs_trim && size < VMWARE_SIZES; size++)
        page_set_trim(&vb->sets[size]);
    vb->needs_trim = false;
}
