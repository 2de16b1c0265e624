// SPDX-License-Identifier: BSD-2-Clause
/*
 * Which frames go into the balloon and which leave it. In: blocks that were reported for it, then memory
 * the host has backing for, whole blocks before frames, because the rest gives the host nothing (R-X-02,
 * R-X-03). Out: whole blocks first, ascending, and frames in pieces before a block is broken.
 */
#include "drivers/balloon/balloon_internal.h"

#include "base/assert.h"
#include "base/bits.h"
#include "drivers/balloon/frames.h"
#include "drivers/balloon/pacing.h"

/* The order of choice; a batch goes down it and never back up. */
static const struct {
    unsigned order;
    bool touched_only;
} choices[] = {
    {BLOCK_ORDER, true},
    {0, true},
    {BLOCK_ORDER, false},
    {0, false},
};

/* Neighbours become one run, but not over a block's border. */
void balloon_batch_add(struct balloon_batch *batch, struct page_run run)
{
    struct page_run *end = &batch->runs[batch->run_count];

    batch->frames += run.frames;
    if (batch->run_count && end[-1].first.n + end[-1].frames == run.first.n &&
        run.first.n % BLOCK_FRAMES) {
        end[-1].frames += run.frames;
        return;
    }
    *end = run;
    batch->run_count++;
}

bool balloon_take(struct balloon *b, unsigned order, struct run_want want,
                  struct page_run *out, enum run_state *state)
{
    const struct balloon_hal *hal = b->hal;

    want.pfn_limit = b->pfn_limit;
    if (frames_take(&b->held, order, want, &out->first, state))
        return false;
    out->frames = 1u << order;
    /* R-V-10 once more: a HAL that forgot the limit costs a frame of target, not a wrong PFN. */
    if (out->first.n + out->frames <= b->pfn_limit)
        return true;
    hal->run_give(hal->ctx, out->first, order, *state);
    return false;
}

static bool take(struct balloon *b, unsigned choice, struct page_run *out,
                 enum run_state *state)
{
    const struct run_want want = {.touched_only = choices[choice].touched_only};

    return balloon_take(b, choices[choice].order, want, out, state);
}

/* One run more for the batch by this choice, if it serves a batch of `wanted`. False: go on to the next. */
static bool fill_by(struct balloon *b, struct balloon_batch *batch, unsigned choice,
                    uint64_t wanted)
{
    bool is_block = choices[choice].order == BLOCK_ORDER;
    enum run_state state;
    struct page_run run;

    /* The target is met to the frame, R-X-09. */
    if ((is_block && wanted < BLOCK_FRAMES) || !take(b, choice, &run, &state))
        return false;
    batch->is_absent = (batch->is_absent || !batch->frames) && state == RUN_UNTOUCHED;
    balloon_batch_add(batch, run);
    return true;
}

/* A block is a batch of its own, and ends the one before it. */
static void fill(struct balloon *b, struct balloon_batch *batch, uint64_t wanted,
                 uint64_t now_ns)
{
    uint64_t pieces = min_u64(wanted, BALLOON_PIECES);
    unsigned choice = 0;

    while (batch->frames < pieces && choice < ARRAY_LEN(choices)) {
        bool is_block = choices[choice].order == BLOCK_ORDER;

        if (is_block && batch->frames && wanted >= BLOCK_FRAMES)
            break;
        if (!fill_by(b, batch, choice, wanted))
            choice++;
    }
    if (batch->frames)
        pacing_progress(&b->pacing);
    if (choice == ARRAY_LEN(choices)) {
        b->count.take_failures++;
        pacing_back_off(&b->pacing, now_ns);
    }
}

void balloon_batch_begin(struct balloon_batch *batch)
{
    assert(batch->frames == 0);
    batch->run_count = 0;
    batch->is_given = batch->is_absent = false;
}

uint32_t balloon_choose_inflate(struct balloon *b, struct balloon_batch *batch,
                                uint64_t frames, uint64_t now_ns)
{
    struct page_blocks block;

    assert(!balloon_owed(b));
    balloon_batch_begin(batch);
    if (balloon_move_blocks(b, PAGE_ABSENT, PAGE_NONE, BLOCK_FRAMES, &block)) {
        batch->is_absent = true;
        balloon_batch_add(batch, (struct page_run){block.first, BLOCK_FRAMES});
    } else {
        fill(b, batch, frames, now_ns);
    }
    b->inflating += batch->frames;
    return batch->frames;
}

uint32_t balloon_choose_deflate(struct balloon *b, struct balloon_batch *batch,
                                uint64_t frames)
{
    uint32_t pieces = (uint32_t)min_u64(frames, BALLOON_PIECES);
    struct page_blocks block;
    struct page_run run;

    balloon_batch_begin(batch);
    if (balloon_move_blocks(b, PAGE_HELD, PAGE_NONE, min_u64(frames, BLOCK_FRAMES),
                            &block))
        balloon_batch_add(batch, (struct page_run){block.first, BLOCK_FRAMES});
    while (batch->frames < pieces &&
           page_set_take(&b->held, pieces - batch->frames, &run))
        balloon_batch_add(batch, run);
    b->deflating += batch->frames;
    b->needs_trim = true;
    if (!b->early_return)
        return batch->frames;
    batch->is_given = true;
    b->given += batch->frames;
    b->count.returned_early += batch->frames;
    balloon_account(b, -(int64_t)batch->frames);
    for (uint32_t i = 0; i < batch->run_count; i++)
        balloon_give(b, batch->runs[i], RUN_UNTOUCHED);
    return batch->frames;
}

uint32_t balloon_choose_owed(struct balloon *b, struct balloon_batch *batch)
{
    struct page_blocks block;

    balloon_batch_begin(batch);
    if (!balloon_move_blocks(b, PAGE_OWED, PAGE_NONE, BLOCK_FRAMES, &block))
        return 0;
    balloon_batch_add(batch, (struct page_run){block.first, BLOCK_FRAMES});
    batch->is_given = true;
    b->deflating += batch->frames;
    b->given += batch->frames;
    b->needs_trim = true;
    return batch->frames;
}

uint32_t balloon_choose_report(struct balloon *b, struct balloon_report *report,
                               uint32_t max, uint64_t frames)
{
    uint64_t wanted = min_u64(min_u64(max, BALLOON_REPORTS), frames >> BLOCK_ORDER);
    enum run_state state;
    struct page_run run;

    assert(report->count == 0 && !balloon_owed(b));
    while (report->count < wanted && take(b, 0, &run, &state))
        report->runs[report->count++] = run;
    if (report->count)
        pacing_progress(&b->pacing);
    b->reporting += (uint64_t)report->count << BLOCK_ORDER;
    return report->count << BLOCK_ORDER;
}
