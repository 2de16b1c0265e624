// SPDX-License-Identifier: BSD-2-Clause
/*
 * The core's state: target, size, the way of frames through the two requests, and the end of it all.
 * Which frames is choose.c, when is pacing.c, statistics are stats.c.
 */
#include "drivers/balloon/balloon.h"

#include "base/assert.h"
#include "base/bits.h"
#include "drivers/balloon/pacing.h"

void balloon_init(struct balloon *b, const struct balloon_hal *hal,
                  struct balloon_rules rules)
{
    struct mem_stats mem;

    hal->mem_stats(hal->ctx, &mem);
    b->hal = hal;
    b->pfn_limit = rules.pfn_limit;
    b->is_reclaimable = rules.is_reclaimable;
    b->max_frames = mem.total_bytes > mem.reserve_bytes
                        ? (mem.total_bytes - mem.reserve_bytes) >> FRAME_SHIFT
                        : 0;
    b->wish = b->target = 0;
    b->inflating.frames = b->inflating.run_count = 0;
    b->deflating.frames = b->deflating.run_count = 0;
    b->fill = b->giving = (struct page_run){0};
    b->fill_state = RUN_UNTOUCHED;
    b->needs_trim = false;
    b->count = (struct balloon_counters){0};
    page_set_init(&b->held, hal);
    pacing_init(&b->pacing);
}

void balloon_fini(struct balloon *b)
{
    assert(balloon_size(b) == 0 && !b->inflating.frames && !b->fill.frames &&
           !b->giving.frames);
    page_set_fini(&b->held);
}

uint64_t balloon_size(const struct balloon *b)
{
    return b->held.frames + b->deflating.frames;
}

bool balloon_set_target(struct balloon *b, uint64_t frames)
{
    if (frames == b->wish)
        return false;
    b->wish = frames;
    b->target = min_u64(frames, b->max_frames);
    b->count.target_changes++;
    pacing_retry_now(&b->pacing);
    return true;
}

struct balloon_plan balloon_plan(struct balloon *b, uint64_t now_ns)
{
    /* Signed: either may be the larger one, R-V-11. */
    int64_t diff = (int64_t)b->target - (int64_t)balloon_size(b);

    if (diff == 0)
        return (struct balloon_plan){.action = BALLOON_IDLE};
    if (diff < 0)
        return (struct balloon_plan){
            .action = BALLOON_DEFLATE,
            .frames = (uint32_t)min_u64((uint64_t)-diff, BALLOON_BATCH)};
    uint64_t until = pacing_inflate_at(&b->pacing, b->hal, (uint64_t)diff, now_ns);
    if (until > now_ns)
        return (struct balloon_plan){.action = BALLOON_WAIT, .until_ns = until};
    return (struct balloon_plan){.action = BALLOON_INFLATE,
                                 .frames =
                                     (uint32_t)min_u64((uint64_t)diff, BALLOON_BATCH)};
}

static void account(struct balloon *b, int64_t delta_frames)
{
    if (!b->is_reclaimable && delta_frames)
        b->hal->account(b->hal->ctx, delta_frames);
}

static void give(struct balloon *b, struct page_run run, enum run_state state)
{
    const struct balloon_hal *hal = b->hal;

    if (run.frames == BLOCK_FRAMES) {
        hal->run_give(hal->ctx, run.first, BLOCK_ORDER, state);
        return;
    }
    for (uint32_t i = 0; i < run.frames; i++)
        hal->run_give(hal->ctx, pfn_add(run.first, i), 0, state);
}

static void flush_giving(struct balloon *b)
{
    struct page_run run = b->giving;

    b->giving.frames = 0;
    give(b, run, RUN_UNTOUCHED);
}

/* A block leaves in two requests: keep its first part back until the second follows, so that the
 * allocator gets it whole. */
static void give_joined(struct balloon *b, struct page_run run)
{
    struct page_run *giving = &b->giving;

    if (giving->frames && run.first.n == giving->first.n + giving->frames &&
        run.first.n % BLOCK_FRAMES) {
        giving->frames += run.frames;
    } else {
        flush_giving(b);
        if (run.first.n % BLOCK_FRAMES || run.frames < BLOCK_FRAMES / 2) {
            give(b, run, RUN_UNTOUCHED);
            return;
        }
        *giving = run;
    }
    if (giving->frames == BLOCK_FRAMES)
        flush_giving(b);
}

void balloon_inflated(struct balloon *b)
{
    struct balloon_batch *batch = &b->inflating;

    assert(batch->frames > 0);
    for (uint32_t i = 0; i < batch->run_count; i++)
        page_set_add(&b->held, batch->runs[i]);
    b->count.inflated += batch->frames;
    b->count.inflate_requests++;
    account(b, (int64_t)batch->frames);
    batch->frames = batch->run_count = 0;
}

void balloon_deflated(struct balloon *b)
{
    struct balloon_batch *batch = &b->deflating;

    assert(batch->frames > 0);
    account(b, -(int64_t)batch->frames);
    b->count.deflated += batch->frames;
    b->count.deflate_requests++;
    /* R-V-33: the frames come from the batch, which nobody else writes meanwhile. */
    for (uint32_t i = 0; i < batch->run_count; i++)
        give_joined(b, batch->runs[i]);
    batch->frames = batch->run_count = 0;
    b->needs_trim = true;
}

static uint64_t give_fill(struct balloon *b)
{
    struct page_run fill = b->fill;

    b->fill.frames = 0;
    give(b, fill, b->fill_state);
    return fill.frames;
}

void balloon_settle(struct balloon *b)
{
    assert(!b->inflating.frames && !b->deflating.frames);
    flush_giving(b);
    give_fill(b);
    if (b->needs_trim)
        page_set_trim(&b->held);
    b->needs_trim = false;
}

/* Whether the host has discarded them is not known; touched is the safe answer. */
static void return_batch(struct balloon *b, struct balloon_batch *batch)
{
    for (uint32_t i = 0; i < batch->run_count; i++)
        give(b, batch->runs[i], RUN_TOUCHED);
    batch->frames = batch->run_count = 0;
}

void balloon_abandon(struct balloon *b)
{
    struct page_run run;

    account(b, -(int64_t)balloon_size(b));
    return_batch(b, &b->deflating);
    flush_giving(b);
    give_fill(b);
    while (page_set_take(&b->held, BLOCK_FRAMES, &run))
        give(b, run, RUN_UNTOUCHED);
    page_set_trim(&b->held);
    b->needs_trim = false;
}

void balloon_return_all(struct balloon *b)
{
    return_batch(b, &b->inflating);
    balloon_abandon(b);
}

void balloon_forget(struct balloon *b)
{
    b->inflating.frames = b->inflating.run_count = 0;
}

void balloon_memory_freed(struct balloon *b)
{
    pacing_retry_now(&b->pacing);
}

uint64_t balloon_oom_begin(struct balloon *b)
{
    uint64_t given = b->giving.frames;

    b->count.oom_calls++;
    flush_giving(b);
    return given + give_fill(b);
}

void balloon_oom_end(struct balloon *b, uint64_t deflated_frames, uint64_t now_ns)
{
    b->count.oom_deflated += deflated_frames;
    flush_giving(b);
    if (deflated_frames)
        pacing_pause(&b->pacing, deflated_frames, now_ns);
}
