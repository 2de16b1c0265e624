// SPDX-License-Identifier: BSD-2-Clause
/*
 * The portable core of a balloon: how far to go, which frames, how fast, what to count. It knows no
 * device. A driver owns one struct balloon and a few batches, feeds it the host's target and asks what to
 * do next:
 *
 *     struct balloon_plan plan = balloon_plan(b, now);
 *
 *     if (plan.action == BALLOON_INFLATE && balloon_choose_inflate(b, batch, plan.frames, now)) {
 *         ... tell the host about the batch, and when it has acknowledged:
 *         balloon_inflated(b, batch);
 *     }
 *
 * A frame's way (R-V-13): the allocator's -> in a batch -> held -> in a batch -> the allocator's. Two
 * detours make it faster, each where the driver says that its host allows it:
 *
 *   early_return   held -> the allocator's and owed -> in a batch -> nobody's business (R-V-32). The guest
 *                  has its memory at once; the host is told behind its back, and until it has acknowledged
 *                  nothing at all is inflated or reported.
 *   report_first   the allocator's -> in a report -> absent -> in a batch -> held. The host drops whole
 *                  blocks, which is far cheaper than frame by frame, and hears later that they are in the
 *                  balloon.
 *
 * A frame that is in the way where it is moves (R-V-45): another is inflated first and takes its place in
 * the set, then it is deflated. The size stays, and the host never has fewer frames than it says.
 *
 * What the host counts (the size) is held, owed and in a batch on its way out. As many batches may be open
 * as the driver likes, acknowledged in any order. A batch is one whole block, or frames in pieces.
 *
 * Everything here is in frames of the guest; a driver whose host counts otherwise converts.
 * Context: the balloon's task. One owner, no locks, no waiting.
 */
#pragma once

#include "drivers/balloon/page_set.h"

#define BALLOON_PIECES  256u /* frames in pieces per batch, R-V-18, R-V-29 */
#define BALLOON_REPORTS 32u  /* ranges per report, R-V-63 */

/* What one request is about, as runs, in the order they are told. Owned by the driver. */
struct balloon_batch {
    uint32_t frames; /* 0: the batch is free */
    uint32_t run_count;
    bool is_given;  /* on the way out: the frames are the allocator's already */
    bool is_absent; /* on the way in: the host has no backing for them */
    struct page_run runs[BALLOON_PIECES];
};

/* What the host is told to drop; it stays ours. Whole blocks, where the core chooses. Owned by the driver. */
struct balloon_report {
    uint32_t count; /* 0: the report is free */
    struct page_run runs[BALLOON_REPORTS];
};

/* Counters of R-X-12 that do not depend on the device; frames or events since attach. */
struct balloon_counters {
    uint64_t inflated, deflated;
    uint64_t inflate_requests, deflate_requests;
    uint64_t returned_early; /* given back before the host heard of it */
    uint64_t cancelled;      /* of these, taken again before it heard */
    uint64_t reported;       /* dropped by the host before they were inflated */
    uint64_t released;       /* of these, given back instead */
    uint64_t moved;          /* their place was taken by others, R-V-45 */
    uint64_t take_failures;  /* allocations refused: out of memory or at the reserve */
    uint64_t retries;        /* new attempts after a back-off */
    uint64_t oom_calls, oom_deflated;
    uint64_t target_changes;
};

enum balloon_action {
    BALLOON_IDLE,    /* at the target, and the host knows it */
    BALLOON_BUSY,    /* nothing to do before an open request is acknowledged */
    BALLOON_WAIT,    /* short of the target; try again at until_ns */
    BALLOON_RETURN,  /* balloon_return_blocks() */
    BALLOON_CANCEL,  /* balloon_cancel_blocks() */
    BALLOON_RELEASE, /* balloon_release_blocks() */
    BALLOON_REPORT,  /* balloon_choose_report(); where that finds nothing, as INFLATE */
    BALLOON_INFLATE, /* balloon_choose_inflate() of up to `frames` */
    BALLOON_DEFLATE, /* balloon_choose_deflate() of up to `frames` */
    BALLOON_TELL,    /* balloon_choose_owed() */
};

struct balloon_plan {
    enum balloon_action action;
    uint64_t frames;
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
    /* What the driver found out about its host; may change while nothing is held. */
    bool
        is_reclaimable; /* the guest may take frames back: not accounted as lost, R-V-44 */
    bool early_return;  /* frames are the allocator's before the host is told, R-V-32 */
    bool report_first;  /* blocks are reported before they are inflated */

    uint64_t max_frames;  /* all RAM less the reserve: the clamp of R-H-11 */
    uint64_t wish;        /* the host's target as it stands */
    uint64_t target;      /* the same, clamped */
    struct page_set held; /* told and acknowledged; beside them absent and owed blocks */

    /* Frames in open batches and in the open report. */
    uint64_t inflating, deflating, reporting;
    uint64_t given;    /* of `deflating`, those that are the allocator's already */
    uint64_t moving;   /* in the balloon until others have taken their place */
    uint64_t replaced; /* these, when they have: told, and not the allocator's yet */
    pfn_t cancel_from; /* owed blocks below were asked back for the present target */
    bool is_cancelled; /* and those above as well */
    bool needs_trim;   /* frames left `held` since its maps were last trimmed */
    struct balloon_pacing pacing;
    struct balloon_counters count;
};

/* What a driver decides when it attaches. */
struct balloon_rules {
    uint64_t pfn_limit;
};

void balloon_init(struct balloon *b, const struct balloon_hal *hal,
                  struct balloon_rules rules);

/* All frames must have been returned before. */
void balloon_fini(struct balloon *b);

/* Frames the host believes we hold: acknowledged and not yet acknowledged back. */
uint64_t balloon_size(const struct balloon *b);

/* Frames that are neither held nor the allocator's: in batches, in the report, absent. */
uint64_t balloon_in_flight(const struct balloon *b);

/* Frames that are the allocator's and still in the balloon in the eyes of the host. */
uint64_t balloon_owed(const struct balloon *b);

/* A new target in frames, any number (R-H-11). True when it differs from the one before. */
bool balloon_set_target(struct balloon *b, uint64_t frames);

/* What to do next. No side effects but the re-arming of an ended pause. */
struct balloon_plan balloon_plan(struct balloon *b, uint64_t now_ns);

/* ---- without the host: up to 64 blocks a call, at most `frames`; returns how many frames moved ---- */

/* Held blocks become the allocator's, and owed. */
uint64_t balloon_return_blocks(struct balloon *b, uint64_t frames);

/* The target rose again: owed blocks that nobody has had since become held again. 0: none this time. */
uint64_t balloon_cancel_blocks(struct balloon *b, uint64_t frames);

/* Absent blocks are given back after all. */
uint64_t balloon_release_blocks(struct balloon *b, uint64_t frames);

/* ---- requests: fill a free batch; returns the frames in it, 0: none ---- */

/* Absent blocks first, then memory the host has backing for (R-X-03), up to `frames`: one whole block, or
 * up to BALLOON_PIECES. Finding no memory arms the retry timer. */
uint32_t balloon_choose_inflate(struct balloon *b, struct balloon_batch *batch,
                                uint64_t frames, uint64_t now_ns);

/* Of what is held: one whole block, or fewer frames in pieces. With early_return they are the allocator's
 * from here on. */
uint32_t balloon_choose_deflate(struct balloon *b, struct balloon_batch *batch,
                                uint64_t frames);

/* One owed block. */
uint32_t balloon_choose_owed(struct balloon *b, struct balloon_batch *batch);

/* Up to `max` whole blocks that the host has backing for, of `frames` in all. */
uint32_t balloon_choose_report(struct balloon *b, struct balloon_report *report,
                               uint32_t max, uint64_t frames);

/* The host has acknowledged; the batch or report is free again. */
void balloon_inflated(struct balloon *b, struct balloon_batch *batch);
void balloon_deflated(struct balloon *b, struct balloon_batch *batch);
void balloon_reported(struct balloon *b, struct balloon_report *report);

/* ---- moving ---- */

/* For up to BALLOON_PIECES frames that are held of this block, not all of it: as many others, in pieces and
 * of other blocks, in `in`, which is told first, and them in `out`. At rest only. 0: there is nothing to move, or
 * nowhere to. */
uint32_t balloon_choose_move(struct balloon *b, pfn_t block, struct balloon_batch *in,
                             struct balloon_batch *out);

/* The host has acknowledged `in`: now `out` may be told / has acknowledged `out`. */
void balloon_moved_in(struct balloon *b, struct balloon_batch *in);
void balloon_moved_out(struct balloon *b, struct balloon_batch *out);

/* Nothing is open and no request follows at once: give memory of the set back. */
void balloon_settle(struct balloon *b);

/* ---- the end ---- */

/* The device has been reset and answers no more: what it was told in these goes back to the OS. */
void balloon_drop_inflate(struct balloon *b, struct balloon_batch *batch);
void balloon_drop_deflate(struct balloon *b, struct balloon_batch *batch);
void balloon_drop_report(struct balloon *b, struct balloon_report *report);

/* The same for a move; `is_dead`: what it was told is not given back. */
void balloon_drop_move(struct balloon *b, struct balloon_batch *in,
                       struct balloon_batch *out, bool is_dead);

/* The device has been reset, or is dead: no frame is in the balloon any more, all return to the OS
 * (R-V-47), but for those in open batches: the driver drops these, or keeps them where a dead device may
 * still discard them (R-H-10). */
void balloon_return_all(struct balloon *b);

/* Give up for ever what is still in open batches, so that balloon_fini() may follow. */
void balloon_forget(struct balloon *b);

/* Memory became free: a waiting inflation tries again at once (R-X-04). */
void balloon_memory_freed(struct balloon *b);

/* Out of memory (R-X-07). begin() gives back what takes no word with the host, up to `frames` rounded up to
 * a block, and returns how many frames that was; the driver then deflates what is missing and reports the
 * sum to end(), which holds inflation off (R-X-06). */
uint64_t balloon_oom_begin(struct balloon *b, uint64_t frames);
void balloon_oom_end(struct balloon *b, uint64_t frames, uint64_t now_ns);
