// SPDX-License-Identifier: BSD-2-Clause
/*
 * Small pages out of a block that the OS would like whole (R-L-16), in steps between two cycles. New frames are
 * taken first, so that a shortage changes nothing; then the old ones are unlocked, then the new ones locked: the
 * other order the host may answer with NOTNEEDED. A new frame that is refused makes the balloon smaller, and
 * the next cycle sees to that.
 */
#include "drivers/vmware/balloon_internal.h"

#include "base/bits.h"
#include "base/err.h"

static bool can_exchange(const struct vmware_balloon *vb)
{
    return vmware_can_lock(vb) && vmware_can_unlock(vb);
}

int vmware_balloon_empty(struct vmware_balloon *vb, pfn_t block)
{
    if (vb->state != VMWARE_BALLOON_LIVE || vb->is_forgotten || vb->is_emptying ||
        !can_exchange(vb))
        return -EBUSY;
    vb->is_emptying = true;
    vb->emptied = block;
    vb->empty_below = pfn_add(block, BLOCK_FRAMES);
    vb->hal->wake(vb->hal->ctx);
    return 0;
}

/* What is left of it to look at, downwards; they stay in their set. */
static void pick_of_block(struct vmware_balloon *vb, uint32_t max)
{
    struct vmware_chunk *chunk = &vb->chunk;
    struct page_run run;

    chunk->size = SMALL;
    chunk->count = 0;
    while (chunk->count < max && page_set_find_pieces(&vb->sets[SMALL], vb->empty_below,
                                                      max - chunk->count, &run)) {
        uint64_t skip = run.first.n < vb->emptied.n ? vb->emptied.n - run.first.n : 0;

        if (skip >= run.frames)
            break;
        for (uint32_t i = run.frames; i-- > skip;)
            chunk->pages[chunk->count++] =
                (struct vmware_page){pfn_add(run.first, i), RUN_UNTOUCHED};
        vb->empty_below = pfn_add(run.first, skip);
    }
}

/* As many frames of other blocks in pieces. */
static uint32_t take_elsewhere(struct vmware_balloon *vb, uint32_t count)
{
    const struct run_want want = {.free_only = true, .pieces_only = true};
    uint32_t taken = 0;

    while (taken < count && vmware_take(vb, SMALL, want, &vb->spare[taken])) {
        if (vb->spare[taken].first.n - vb->emptied.n < BLOCK_FRAMES) {
            vmware_give(vb, SMALL, vb->spare[taken]);
            break;
        }
        taken++;
    }
    return taken;
}

static void lock_spare(struct vmware_balloon *vb, uint32_t count)
{
    uint64_t before = vmware_size(vb);

    vb->chunk.size = SMALL;
    vb->chunk.count = count;
    for (uint32_t i = 0; i < count; i++)
        vb->chunk.pages[i] = vb->spare[i];
    vmware_lock(vb);
    vb->count.moved += vmware_size(vb) - before;
}

/* One command each way. False: nothing more can move. */
static bool exchange(struct vmware_balloon *vb)
{
    uint32_t gone, spare;

    pick_of_block(vb, vmware_chunk_max(vb));
    spare = take_elsewhere(vb, vb->chunk.count);
    bool is_last = spare == 0 || spare < vb->chunk.count;

    vb->chunk.count = spare;
    if (spare == 0)
        return false;
    vmware_unlock(vb, &gone);
    if (vb->is_reset_due)
        vb->cycle.is_over = true;
    for (uint32_t i = vb->is_reset_due ? 0 : gone; i < spare; i++)
        vmware_give(vb, SMALL, vb->spare[i]);
    if (gone && !vb->is_reset_due)
        lock_spare(vb, gone);
    return !is_last && !vb->cycle.is_over;
}

void vmware_step_move(struct vmware_balloon *vb)
{
    unsigned commands = vmware_chunk_max(vb) == 1 ? STEP_COMMANDS : 1;

    vb->cycle = (struct vmware_cycle){0};
    for (; commands > 0 && vb->is_emptying; commands--)
        vb->is_emptying = can_exchange(vb) && exchange(vb);
    vmware_free_refused(vb);
    vmware_mend_batch(vb);
}
