// SPDX-License-Identifier: BSD-2-Clause
/* What the host acknowledged, what it never will, and the guest in need of memory. */
#include "drivers/balloon/balloon_internal.h"

#include "base/assert.h"
#include "base/bits.h"
#include "drivers/balloon/pacing.h"

void balloon_give(struct balloon *b, struct page_run run, enum run_state state)
{
    const struct balloon_hal *hal = b->hal;

    if (run.frames == BLOCK_FRAMES) {
        hal->run_give(hal->ctx, run.first, BLOCK_ORDER, state);
        return;
    }
    for (uint32_t i = 0; i < run.frames; i++)
        hal->run_give(hal->ctx, pfn_add(run.first, i), 0, state);
}

static void give_batch(struct balloon *b, const struct balloon_batch *batch,
                       enum run_state state)
{
    for (uint32_t i = 0; i < batch->run_count; i++)
        balloon_give(b, batch->runs[i], state);
}

void balloon_inflated(struct balloon *b, struct balloon_batch *batch)
{
    assert(batch->frames > 0);
    for (uint32_t i = 0; i < batch->run_count; i++)
        page_set_add(&b->held, batch->runs[i]);
    b->inflating -= batch->frames;
    b->count.inflated += batch->frames;
    b->count.inflate_requests++;
    balloon_account(b, (int64_t)batch->frames);
    batch->frames = 0;
}

/* The batch is the allocator's, in one way or the other. R-V-33: the frames come from the batch, which
 * nobody else writes meanwhile. */
static void end_deflate(struct balloon *b, struct balloon_batch *batch,
                        enum run_state state)
{
    assert(batch->frames > 0);
    if (!batch->is_given) {
        balloon_account(b, -(int64_t)batch->frames);
        give_batch(b, batch, state);
    } else {
        b->given -= batch->frames;
    }
    b->deflating -= batch->frames;
    batch->frames = 0;
}

void balloon_deflated(struct balloon *b, struct balloon_batch *batch)
{
    b->count.deflated += batch->frames;
    b->count.deflate_requests++;
    end_deflate(b, batch, RUN_UNTOUCHED);
}

void balloon_reported(struct balloon *b, struct balloon_report *report)
{
    for (uint32_t i = 0; i < report->count; i++)
        page_set_move(&b->held, (struct page_blocks){report->runs[i].first, 1}, PAGE_NONE,
                      PAGE_ABSENT);
    b->reporting -= (uint64_t)report->count << BLOCK_ORDER;
    b->count.reported += (uint64_t)report->count << BLOCK_ORDER;
    report->count = 0;
}

/* Whether the host has discarded them is not known; touched is the safe answer. */
void balloon_drop_inflate(struct balloon *b, struct balloon_batch *batch)
{
    give_batch(b, batch, RUN_TOUCHED);
    b->inflating -= batch->frames;
    batch->frames = 0;
}

void balloon_drop_deflate(struct balloon *b, struct balloon_batch *batch)
{
    end_deflate(b, batch, RUN_TOUCHED);
}

void balloon_drop_report(struct balloon *b, struct balloon_report *report)
{
    for (uint32_t i = 0; i < report->count; i++)
        balloon_give(b, report->runs[i], RUN_TOUCHED);
    b->reporting -= (uint64_t)report->count << BLOCK_ORDER;
    report->count = 0;
}

/* However many there are: it is about 1 ms for 8 GiB, and only at an end. */
void balloon_return_all(struct balloon *b)
{
    struct page_blocks blocks;
    struct page_run run;

    balloon_account(b, -(int64_t)b->held.frames);
    while (balloon_release_blocks(b, UINT64_MAX))
        ;
    while (balloon_move_blocks(b, PAGE_OWED, PAGE_NONE, UINT64_MAX, &blocks))
        ; /* the allocator has them */
    while (balloon_move_blocks(b, PAGE_HELD, PAGE_NONE, UINT64_MAX, &blocks))
        b->hal->blocks_give(b->hal->ctx, blocks.first, blocks.mask, RUN_UNTOUCHED);
    while (page_set_take(&b->held, BLOCK_FRAMES, &run))
        balloon_give(b, run, RUN_UNTOUCHED);
    page_set_trim(&b->held);
    b->needs_trim = false;
}

void balloon_forget(struct balloon *b)
{
    b->inflating = b->reporting = 0;
}

uint64_t balloon_oom_begin(struct balloon *b, uint64_t frames)
{
    uint64_t given = 0, moved = 1;

    b->count.oom_calls++;
    while (given < frames && moved) {
        uint64_t missing = min_u64(frames - given, UINT64_MAX - BLOCK_FRAMES);

        moved = balloon_release_blocks(b, align_up(missing, BLOCK_FRAMES));
        given += moved;
    }
    return given;
}

void balloon_oom_end(struct balloon *b, uint64_t frames, uint64_t now_ns)
{
    b->count.oom_deflated += frames;
    if (frames)
        pacing_pause(&b->pacing, frames, now_ns);
}
