// SPDX-License-Identifier: BSD-2-Clause
/* The core's state: target, size, and what to do next. */
#include "drivers/balloon/balloon_internal.h"

#include "base/assert.h"
#include "base/bits.h"
#include "drivers/balloon/frames.h"
#include "drivers/balloon/pacing.h"

void balloon_init(struct balloon *b, const struct balloon_hal *hal,
                  struct balloon_rules rules)
{
    *b = (struct balloon){
        .hal = hal, .pfn_limit = rules.pfn_limit, .max_frames = frames_limit(hal)};
    page_set_init(&b->held, hal);
    pacing_init(&b->pacing);
}

void balloon_fini(struct balloon *b)
{
    assert(balloon_size(b) == 0 && balloon_in_flight(b) == 0);
    page_set_fini(&b->held);
}

uint64_t balloon_owed(const struct balloon *b)
{
    return (b->held.blocks[PAGE_OWED] << BLOCK_ORDER) + b->given;
}

uint64_t balloon_size(const struct balloon *b)
{
    return b->held.frames + (b->held.blocks[PAGE_OWED] << BLOCK_ORDER) + b->deflating +
           b->moving;
}

static uint64_t absent_frames(const struct balloon *b)
{
    return b->held.blocks[PAGE_ABSENT] << BLOCK_ORDER;
}

uint64_t balloon_in_flight(const struct balloon *b)
{
    return b->inflating + b->deflating - b->given + b->reporting + absent_frames(b) +
           2 * b->moving + b->replaced;
}

bool balloon_set_target(struct balloon *b, uint64_t frames)
{
    if (frames == b->wish)
        return false;
    b->wish = frames;
    b->target = min_u64(frames, b->max_frames);
    b->count.target_changes++;
    b->cancel_from = pfn_of(0);
    b->is_cancelled = false;
    pacing_retry_now(&b->pacing);
    return true;
}

static struct balloon_plan plan_of(enum balloon_action action, uint64_t frames)
{
    return (struct balloon_plan){.action = action, .frames = frames};
}

/* `frames` too many are held or will be. */
static struct balloon_plan plan_shrink(const struct balloon *b, uint64_t frames)
{
    frames = min_u64(frames, b->held.frames); /* the rest must be acknowledged first */
    if (b->early_return && frames >= BLOCK_FRAMES && b->held.blocks[PAGE_HELD])
        return plan_of(BALLOON_RETURN, frames);
    if (frames)
        return plan_of(BALLOON_DEFLATE, frames);
    if (b->held.blocks[PAGE_OWED])
        return plan_of(BALLOON_TELL, BLOCK_FRAMES);
    return plan_of(BALLOON_BUSY, 0);
}

/* Frames are owed: until the host has heard of them all, none is inflated or reported (R-V-32). */
static struct balloon_plan plan_settle(const struct balloon *b, uint64_t missing,
                                       bool may_grow)
{
    if (may_grow && missing >= BLOCK_FRAMES && b->held.blocks[PAGE_OWED] &&
        !b->is_cancelled)
        return plan_of(BALLOON_CANCEL, missing);
    if (b->held.blocks[PAGE_OWED])
        return plan_of(BALLOON_TELL, BLOCK_FRAMES);
    return plan_of(BALLOON_BUSY, 0);
}

/* `missing` frames are neither held nor on their way in. Reports come first, all of them: they are what
 * makes the host's memory free. */
static struct balloon_plan plan_grow(struct balloon *b, uint64_t missing, uint64_t now_ns)
{
    uint64_t wanted = missing - absent_frames(b) - b->reporting;
    uint64_t until =
        wanted ? pacing_inflate_at(&b->pacing, b->hal, wanted, now_ns) : UINT64_MAX;

    if (until <= now_ns && wanted >= BLOCK_FRAMES && b->report_first)
        return plan_of(b->reporting ? BALLOON_BUSY : BALLOON_REPORT, wanted);
    if (absent_frames(b) && !pacing_is_paused(&b->pacing))
        return plan_of(BALLOON_INFLATE, BLOCK_FRAMES);
    if (absent_frames(b))
        return plan_of(BALLOON_RELEASE, absent_frames(b));
    if (!wanted)
        return plan_of(BALLOON_BUSY, 0);
    if (until <= now_ns)
        return plan_of(BALLOON_INFLATE, wanted);
    return (struct balloon_plan){.action = BALLOON_WAIT, .until_ns = until};
}

struct balloon_plan balloon_plan(struct balloon *b, uint64_t now_ns)
{
    /* Signed: either may be the larger one, R-V-11. */
    int64_t diff =
        (int64_t)b->target - (int64_t)(b->held.frames + b->inflating + b->moving);
    uint64_t missing = diff > 0 ? (uint64_t)diff : 0;
    uint64_t coming = absent_frames(b) + b->reporting;

    if (coming > missing && absent_frames(b))
        return plan_of(BALLOON_RELEASE, min_u64(align_up(coming - missing, BLOCK_FRAMES),
                                                absent_frames(b)));
    if (diff < 0)
        return plan_shrink(b, (uint64_t)-diff);
    if (balloon_owed(b))
        return plan_settle(b, missing, !pacing_is_paused(&b->pacing));
    if (missing > coming || absent_frames(b))
        return plan_grow(b, missing, now_ns);
    return plan_of(
        b->inflating || b->deflating || b->reporting ? BALLOON_BUSY : BALLOON_IDLE, 0);
}

void balloon_account(struct balloon *b, int64_t delta_frames)
{
    if (!b->is_reclaimable && delta_frames)
        b->hal->account(b->hal->ctx, delta_frames);
}

void balloon_settle(struct balloon *b)
{
    assert(!b->inflating && !b->deflating && !b->reporting && !b->moving && !b->replaced);
    if (b->needs_trim)
        page_set_trim(&b->held);
    b->needs_trim = false;
}

void balloon_memory_freed(struct balloon *b)
{
    pacing_retry_now(&b->pacing);
}
