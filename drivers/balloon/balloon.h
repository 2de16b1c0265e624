// SPDX-License-Identifier: BSD-2-Clause
/*
 * The portable core of a balloon: how far to go, which frames, how fast, what to count. It knows no
 * device. A driver owns one struct balloon, feeds it the host's target and asks what to do next:
 *
 *     struct balloon_plan plan = balloon_plan(b, now);
 *
 *     if (plan.action == BALLOON_INFLATE && balloon_choose_inflate(b, plan.frames, now)) {
 *         ... tell the host about b->inflating, and when it has acknowledged:
 *         balloon_inflated(b);
 *     }
 *
 * A frame's way (R-V-13): the allocator's -> in `inflating` -> in `held` -> in `deflating` -> the
 * allocator's. It is in exactly one of these places, and only `held` and `deflating` count as size.
 * One request in each direction may be open at a time.
 *
 * Everything here is in frames of the guest; a driver whose host counts otherwise converts.
 * Context: the balloon's task. One owner, no locks, no waiting.
 */
#pragma once

#include "drivers/balloon/page_set.h"

#define BALLOON_BATCH 256u /* frames per request, R-V-18, R-V-29 */

/* The frames of one request, as runs, in the order they are told. */
struct balloon_batch {
    uint32_t frames;
    uint32_t run_count;
    struct page_run runs[BALLOON_BATCH];
};

/* Counters of R-X-12 that do not depend on the device; frames or events since attach. */
struct balloon_counters {
    uint64_t inflated, deflated;
    uint64_t inflate_requests, deflate_requests;
    uint64_t take_failures; /* allocations refused: out of memory or at the reserve */
    uint64_t retries;       /* new attempts after a back-off */
    uint64_t oom_calls, oom_deflated;
    uint64_t target_changes;
};

enum balloon_action {
    BALLOON_IDLE,    /* at the target */
    BALLOON_WAIT,    /* short of it; try again at until_ns */
    BALLOON_INFLATE, /* up to `frames` more */
    BALLOON_DEFLATE, /* `frames` fewer */
};

struct balloon_plan {
    enum balloon_action action;
    uint32_t frames;
    uint64_t until_ns;
};

/* Retry timer (R-V-24, R-X-04) and the pause after an out-of-memory deflation (R-X-06). */
struct balloon_pacing {
    uint64_t retry_at_ns; /* no attempt to take memory before */
    uint64_t retry_delay_ns;
    /* no inflation before, and then only with enough free memory */
    uint64_t pause_until_ns;
    uint64_t pause_ns;     /* length of the last pause; 0: there was none */
    uint64_t pause_frames; /* deflated since the pause began */
};

struct balloon {
    const struct balloon_hal *hal;
    uint64_t pfn_limit; /* frames the host can be told about lie below, R-V-10 */
    /* the guest may take frames back: not accounted as lost, R-V-44 */
    bool is_reclaimable;
    uint64_t max_frames;  /* all RAM less the reserve: the clamp of R-H-11 */
    uint64_t wish;        /* the host's target as it stands */
    uint64_t target;      /* the same, clamped */
    struct page_set held; /* told and acknowledged */
    struct balloon_batch inflating, deflating;
    struct page_run fill; /* rest of a block taken whole, for the next request */
    enum run_state fill_state;
    struct page_run giving; /* first part of a block whose rest is being deflated */
    bool needs_trim;        /* frames left `held` since its maps were last trimmed */
    struct balloon_pacing pacing;
    struct balloon_counters count;
};

/* What a driver decides when it attaches. */
struct balloon_rules {
    uint64_t pfn_limit;
    bool is_reclaimable;
};

void balloon_init(struct balloon *b, const struct balloon_hal *hal,
                  struct balloon_rules rules);

/* All frames must have been returned before. */
void balloon_fini(struct balloon *b);

/* Frames the host believes we hold: acknowledged and not yet acknowledged back. */
uint64_t balloon_size(const struct balloon *b);

/* A new target in frames, any number (R-H-11). True when it differs from the one before. */
bool balloon_set_target(struct balloon *b, uint64_t frames);

/* What to do next. No side effects but the re-arming of an ended pause. */
struct balloon_plan balloon_plan(struct balloon *b, uint64_t now_ns);

/* Fill b->inflating with up to `frames`, touched memory first (R-X-03). Returns how many there are;
 * fewer than asked arms the retry timer. */
uint32_t balloon_choose_inflate(struct balloon *b, uint32_t frames, uint64_t now_ns);

/* Fill b->deflating with `frames` of what is held, whole blocks first. */
uint32_t balloon_choose_deflate(struct balloon *b, uint32_t frames);

/* The host has acknowledged the open request. */
void balloon_inflated(struct balloon *b);
void balloon_deflated(struct balloon *b);

/* Nothing is open and no request follows at once: give back what was kept for whole blocks. */
void balloon_settle(struct balloon *b);

/* The device has been reset: no frame is in the balloon any more, all return to the OS (R-V-47). */
void balloon_return_all(struct balloon *b);

/* The device is dead and not even reset: the same, but frames it was told about and did not answer
 * for stay in `inflating`, because it may still discard them (R-H-10). */
void balloon_abandon(struct balloon *b);

/* After balloon_abandon(): give those up for ever, so that balloon_fini() may follow. */
void balloon_forget(struct balloon *b);

/* Memory became free: a waiting inflation tries again at once (R-X-04). */
void balloon_memory_freed(struct balloon *b);

/* Out of memory (R-X-07). begin() gives back what the host was not told about and returns how many
 * frames that was; the driver then deflates what is missing and reports the sum to end(), which
 * holds inflation off (R-X-06). */
uint64_t balloon_oom_begin(struct balloon *b);
void balloon_oom_end(struct balloon *b, uint64_t deflated_frames, uint64_t now_ns);
