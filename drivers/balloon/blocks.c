// SPDX-License-Identifier: BSD-2-Clause
/*
 * Whole blocks that move without a word to the host, a word of 64 at a time: given back at once and owed
 * (R-V-32), taken again before the host heard of it, or absent ones that are not wanted any more. A step of
 * the balloon goes through thousands of them, so a call does little for each.
 */
#include "drivers/balloon/balloon_internal.h"

#include "base/bits.h"

uint64_t balloon_move_blocks(struct balloon *b, enum page_kind from, enum page_kind to,
                             uint64_t frames, struct page_blocks *out)
{
    if (!page_set_find_blocks(&b->held, from, pfn_of(0), frames >> BLOCK_ORDER, out))
        return 0;
    page_set_move(&b->held, *out, from, to);
    return balloon_frames_of(out->mask);
}

uint64_t balloon_return_blocks(struct balloon *b, uint64_t frames)
{
    struct page_blocks blocks;
    uint64_t moved = balloon_move_blocks(b, PAGE_HELD, PAGE_OWED, frames, &blocks);

    if (!moved)
        return 0;
    b->hal->blocks_give(b->hal->ctx, blocks.first, blocks.mask, RUN_UNTOUCHED);
    balloon_account(b, -(int64_t)moved);
    b->count.returned_early += moved;
    return moved;
}

uint64_t balloon_cancel_blocks(struct balloon *b, uint64_t frames)
{
    struct page_blocks blocks;

    if (!page_set_find_blocks(&b->held, PAGE_OWED, b->cancel_from, frames >> BLOCK_ORDER,
                              &blocks)) {
        b->is_cancelled = true;
        return 0;
    }
    /* Each is asked for once; those that somebody got meanwhile the host hears of first. */
    b->cancel_from = pfn_add(blocks.first, (64 - (uint64_t)__builtin_clzll(blocks.mask)) *
                                               BLOCK_FRAMES);
    blocks.mask =
        blocks.mask & b->hal->blocks_take_back(b->hal->ctx, blocks.first, blocks.mask);
    if (!blocks.mask)
        return 0;
    page_set_move(&b->held, blocks, PAGE_OWED, PAGE_HELD);
    uint64_t moved = balloon_frames_of(blocks.mask);
    balloon_account(b, (int64_t)moved);
    b->count.cancelled += moved;
    return moved;
}

uint64_t balloon_release_blocks(struct balloon *b, uint64_t frames)
{
    struct page_blocks blocks;
    uint64_t moved = balloon_move_blocks(b, PAGE_ABSENT, PAGE_NONE, frames, &blocks);

    if (!moved)
        return 0;
    b->hal->blocks_give(b->hal->ctx, blocks.first, blocks.mask, RUN_UNTOUCHED);
    b->count.released += moved;
    b->needs_trim = true;
    return moved;
}
