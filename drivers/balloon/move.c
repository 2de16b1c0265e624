// SPDX-License-Identifier: BSD-2-Clause
/*
 * Frames of the balloon to other places (R-V-45), so that the block they lie in becomes whole: the new ones
 * are told first and take the place of the old, then these go. Until the first answer the old ones count,
 * from then on the new ones.
 */
#include "drivers/balloon/balloon_internal.h"

#include "base/assert.h"
#include "base/bits.h"

/* Frames of the block that are held; all of it is none: it is not in pieces. */
static uint32_t held_in_pieces(const struct balloon *b, pfn_t block)
{
    uint64_t end = block.n + BLOCK_FRAMES, count = 0, frames;
    pfn_t first = block;

    while (page_set_next(&b->held, first, &first, &frames) && first.n < end) {
        count += min_u64(frames, end - first.n);
        first = pfn_add(first, frames);
    }
    return count < BLOCK_FRAMES ? (uint32_t)count : 0;
}

static bool take_elsewhere(struct balloon *b, pfn_t block, struct page_run *out)
{
    const struct run_want want = {.free_only = true, .pieces_only = true};
    enum run_state state;

    if (!balloon_take(b, 0, want, out, &state))
        return false;
    if (out->first.n - block.n >= BLOCK_FRAMES)
        return true;
    balloon_give(b, *out, state);
    return false;
}

uint32_t balloon_choose_move(struct balloon *b, pfn_t block, struct balloon_batch *in,
                             struct balloon_batch *out)
{
    uint64_t wanted = min_u64(held_in_pieces(b, block), BALLOON_PIECES);
    struct page_run run;

    assert(!b->moving && !b->replaced && !balloon_owed(b));
    balloon_batch_begin(in);
    balloon_batch_begin(out);
    while (in->frames < wanted && take_elsewhere(b, block, &run))
        balloon_batch_add(in, run);
    while (out->frames < in->frames &&
           page_set_take_of(&b->held, block, in->frames - out->frames, &run))
        balloon_batch_add(out, run);
    assert(out->frames == in->frames);
    b->moving = in->frames;
    b->needs_trim = true;
    return in->frames;
}

void balloon_moved_in(struct balloon *b, struct balloon_batch *in)
{
    for (uint32_t i = 0; i < in->run_count; i++)
        page_set_add(&b->held, in->runs[i]);
    b->moving -= in->frames;
    b->replaced += in->frames;
    in->frames = 0;
}

static void give_batch(struct balloon *b, struct balloon_batch *batch,
                       enum run_state state)
{
    for (uint32_t i = 0; i < batch->run_count; i++)
        balloon_give(b, batch->runs[i], state);
    batch->frames = 0;
}

void balloon_moved_out(struct balloon *b, struct balloon_batch *out)
{
    b->replaced -= out->frames;
    b->count.moved += out->frames;
    give_batch(b, out, RUN_UNTOUCHED);
}

void balloon_drop_move(struct balloon *b, struct balloon_batch *in,
                       struct balloon_batch *out, bool is_dead)
{
    if (in->frames) { /* the old ones still count as taken */
        balloon_account(b, -(int64_t)out->frames);
        if (is_dead)
            b->inflating += in->frames;
        else
            give_batch(b, in, RUN_TOUCHED);
        in->frames = 0;
    }
    if (out->frames)
        give_batch(b, out, RUN_TOUCHED);
    b->moving = b->replaced = 0;
}
