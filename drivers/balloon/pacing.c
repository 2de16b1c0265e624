// SPDX-License-Identifier: BSD-2-Clause
/* Retry timer (R-V-24, R-X-04) and anti-thrash pause (R-X-06). */
#include "drivers/balloon/pacing.h"

#include "base/bits.h"

void pacing_init(struct balloon_pacing *p)
{
    *p = (struct balloon_pacing){.retry_delay_ns = PACING_RETRY_MIN_NS};
}

void pacing_back_off(struct balloon_pacing *p, uint64_t now_ns)
{
    p->retry_at_ns = now_ns + p->retry_delay_ns;
    p->retry_delay_ns = min_u64(p->retry_delay_ns * 2, PACING_RETRY_MAX_NS);
}

void pacing_progress(struct balloon_pacing *p)
{
    p->retry_delay_ns = PACING_RETRY_MIN_NS;
}

void pacing_retry_now(struct balloon_pacing *p)
{
    p->retry_at_ns = 0;
    p->retry_delay_ns = PACING_RETRY_MIN_NS;
}

void pacing_pause(struct balloon_pacing *p, uint64_t frames, uint64_t now_ns)
{
    bool is_same_trouble = p->pause_frames && now_ns < p->pause_until_ns;
    bool is_repetition = p->pause_ns && now_ns < p->pause_until_ns + PACING_PAUSE_MAX_NS;

    /* One shortage takes many calls; only a new one after the pause makes the next pause longer. */
    if (!is_same_trouble)
        p->pause_ns = is_repetition ? min_u64(p->pause_ns * 2, PACING_PAUSE_MAX_NS)
                                    : PACING_PAUSE_MIN_NS;
    p->pause_until_ns = now_ns + p->pause_ns;
    p->pause_frames += frames;
}

bool pacing_is_paused(const struct balloon_pacing *p)
{
    return p->pause_frames > 0;
}

/* What was given back is free again, or all that is wanted now is; or it has been waited for long enough:
 * a frame that the guest keeps for something else must not hold the balloon up for ever. */
static bool is_need_over(const struct balloon_pacing *p, const struct balloon_hal *hal,
                         uint64_t wanted_frames, uint64_t now_ns)
{
    struct mem_stats mem;

    if (now_ns >= p->pause_until_ns + PACING_PAUSE_MAX_NS)
        return true;
    hal->mem_stats(hal->ctx, &mem);
    return mem.free_bytes > mem.reserve_bytes + (p->pause_frames << FRAME_SHIFT) ||
           mem.free_bytes >= mem.reserve_bytes + (wanted_frames << FRAME_SHIFT);
}

uint64_t pacing_inflate_at(struct balloon_pacing *p, const struct balloon_hal *hal,
                           uint64_t wanted_frames, uint64_t now_ns)
{
    if (!p->pause_frames)
        return p->retry_at_ns;
    if (now_ns < p->pause_until_ns)
        return p->pause_until_ns;
    if (now_ns < p->retry_at_ns)
        return p->retry_at_ns;
    if (is_need_over(p, hal, wanted_frames, now_ns)) {
        p->pause_frames = 0;
        return now_ns;
    }
    pacing_back_off(p, now_ns);
    return p->retry_at_ns;
}
