// SPDX-License-Identifier: BSD-2-Clause
/*
 * Which frames go into the balloon and which leave it. In: memory the host has backing for comes
 * first, whole blocks before frames, because the rest gives the host nothing (R-X-02, R-X-03). Out:
 * whole blocks first, ascending.
 */
#include "drivers/balloon/balloon.h"

#include "base/assert.h"
#include "base/bits.h"
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
static void batch_add(struct balloon_batch *batch, struct page_run run)
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

/* Take one run as `choice` says; it has its place in the page set before anybody is told. */
static bool take(struct balloon *b, unsigned choice, struct page_run *out,
                 enum run_state *state)
{
    const struct balloon_hal *hal = b->hal;
    struct run_want want = {.pfn_limit = b->pfn_limit,
                            .touched_only = choices[choice].touched_only};
    unsigned order = choices[choice].order;

    if (hal->run_take(hal->ctx, order, want, &out->first, state))
        return false;
    out->frames = 1u << order;
    /* R-V-10 once more: a HAL that forgot the limit costs a frame of target, not a wrong PFN. */
    if (out->first.n + out->frames <= b->pfn_limit &&
        !page_set_reserve(&b->held, out->first, order))
        return true;
    hal->run_give(hal->ctx, out->first, order, *state);
    return false;
}

/* Move frames of the block in b->fill into the batch. */
static void use_fill(struct balloon *b, uint32_t wanted)
{
    struct page_run part = {b->fill.first, (uint32_t)min_u64(wanted, b->fill.frames)};

    batch_add(&b->inflating, part);
    b->fill.first = pfn_add(b->fill.first, part.frames);
    b->fill.frames -= part.frames;
}

/*
 * In both directions a block begins with a batch of its own, so that it is told in two halves and the
 * allocator gives and gets it whole; the batch before it may be short.
 */
uint32_t balloon_choose_inflate(struct balloon *b, uint32_t frames, uint64_t now_ns)
{
    struct balloon_batch *batch = &b->inflating;
    enum run_state state;
    struct page_run run;
    unsigned choice = 0;

    assert(batch->frames == 0 && frames <= BALLOON_BATCH);
    while (batch->frames < frames && choice < ARRAY_LEN(choices)) {
        uint64_t missing = b->target - balloon_size(b) - batch->frames;
        bool is_block = choices[choice].order == BLOCK_ORDER;

        if (b->fill.frames) {
            use_fill(b, frames - batch->frames);
        } else if (is_block && missing < BLOCK_FRAMES) {
            choice++; /* the target is met to the frame, R-X-09 */
        } else if (is_block && batch->frames) {
            return batch->frames;
        } else if (!take(b, choice, &run, &state)) {
            choice++;
        } else if (run.frames == 1) {
            batch_add(batch, run);
        } else {
            b->fill = run;
            b->fill_state = state;
        }
    }
    if (batch->frames)
        pacing_progress(&b->pacing);
    if (batch->frames < frames) {
        b->count.take_failures++;
        pacing_back_off(&b->pacing, now_ns);
    }
    return batch->frames;
}

uint32_t balloon_choose_deflate(struct balloon *b, uint32_t frames)
{
    struct balloon_batch *batch = &b->deflating;
    struct page_run run;

    assert(batch->frames == 0 && frames <= BALLOON_BATCH);
    while (batch->frames < frames &&
           page_set_take(&b->held, frames - batch->frames, &run)) {
        batch_add(batch, run);
        if (b->held.whole && !b->held.window.frames)
            break;
    }
    return batch->frames;
}
