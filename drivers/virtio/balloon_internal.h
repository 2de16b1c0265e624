// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the files of the virtio balloon share. balloon.c: attach, events, steps; balloon_reset.c: the end of
 * a device and its next start; balloon_negotiate.c: features, queue numbers, start; balloon_resize.c: from
 * the core's plan to requests; balloon_queue.c: requests in the rings; balloon_report.c: free page
 * reporting; balloon_report_pace.c: its pace; balloon_report_queue.c: ranges the host drops;
 * balloon_stats.c: statistics; balloon_hint.c: free page hints; balloon_move.c: frames to other places;
 * balloon_oom.c: the synchronous path.
 */
#pragma once

#include "base/le.h"
#include "drivers/balloon/stats.h"
#include "drivers/virtio/balloon.h"

/* R-V-14: balloon pages per guest frame. One here; the code is written for any that fits. */
#define VB_RATIO        ((uint32_t)(FRAME_SIZE >> 12))
#define VB_PART_PAGES   256u /* per descriptor, R-V-29 */
#define VB_BATCH_FRAMES (VB_PART_PAGES / VB_RATIO)
#define VB_BLOCK_PAGES  ((uint32_t)BLOCK_FRAMES * VB_RATIO)
#define VB_BLOCK_PARTS  (VB_BLOCK_PAGES / VB_PART_PAGES)
_Static_assert(VB_RATIO <= VB_PART_PAGES && VB_BATCH_FRAMES <= BALLOON_PIECES, "R-V-14");

static inline uint64_t vb_frames(uint64_t pages)
{
    return (pages + VB_RATIO - 1) / VB_RATIO;
}

/* virtio 1.3, 5.5.4. */
enum vb_config {
    VB_CONFIG_NUM_PAGES = 0,
    VB_CONFIG_ACTUAL = 4,
    VB_CONFIG_HINT_CMD_ID = 8,
    VB_CONFIG_POISON_VAL = 12,
};

/* Command ids of the hint queue, virtio 1.3, 5.5.6.5. */
#define VB_HINT_STOP  0
#define VB_HINT_DONE  1
#define VB_HINT_FIRST 2

/* virtio 1.3, 5.5.6.3: one statistic. Packed because the spec leaves val unaligned. */
struct vb_stat {
    le16 tag;
    le64 val;
} __attribute__((packed));
_Static_assert(sizeof(struct vb_stat) == 10, "virtio 1.3, 5.5.6.3");

/* Beside the page numbers of requests all that the device reads from; one frame, zeroed, ours alone
 * (R-H-13). */
struct vb_shared {
    struct vb_stat stats[BALLOON_STATS_FULL];
    le32 hint_start, hint_stop; /* separate words: both may be in the ring, R-V-56 */
};
_Static_assert(sizeof(struct vb_shared) <= FRAME_SIZE, "one frame");

#define VB_SILENCE_LOG_NS    NS_PER_S /* R-H-10 */
#define VB_SILENCE_BREAK_NS  (5 * NS_PER_S)
#define VB_STEP_OWN_NS       (200 * NS_PER_US) /* docs/architecture.md: levels */
#define VB_STEP_TOTAL_NS     (2 * NS_PER_MS)   /* with the host's part */
#define VB_DOORBELL_NS       (2 * NS_PER_MS)  /* of the host's work behind one doorbell */
#define VB_PUBLISH_NS        NS_PER_MS        /* between writes of actual, R-V-35 */
#define VB_REQUEST_POLL_NS   NS_PER_MS        /* R-T-30 */
#define VB_ANSWER_NS         (10 * NS_PER_MS) /* between answers to the host, R-V-40 */
#define VB_RESET_POLL_NS     NS_PER_MS
#define VB_RESTART_WINDOW_NS (60 * NS_PER_S) /* R-T-07 */
#define VB_RESTART_MIN_NS    (200 * NS_PER_MS)
#define VB_QUEUE_ENTRIES \
    16 /* 8 requests of two descriptors; more than any other queue holds */
#define VB_REPORT_ENTRIES BALLOON_REPORTS
#define VB_HINT_ENTRIES   1024 /* 2 GiB: QEMU takes hints in bursts, tens of ms apart */

/* What the host may take its time for; see struct virtio_balloon.page_ns. */
enum vb_work {
    VB_WORK_TOUCHED, /* inflating memory that it has backing for */
    VB_WORK_ABSENT,  /* inflating memory that it has none for */
    VB_WORK_DEFLATE,
    VB_WORK_REPORT,
    VB_WORKS,
};
_Static_assert(VB_WORKS == VIRTIO_BALLOON_WORKS, "one measure each");

/* Requests on one queue that the host has not answered. */
struct vb_wait {
    struct vq *vq;
    unsigned open;
    bool is_logged;  /* silent for a second */
    bool is_irq_due; /* the device owes an interrupt for an answer */
    uint64_t
        heard_ns; /* of the last answer, or of the request that ended idleness; moved on while the
                          guest itself stood still */
};

/* One request: an element of the ring, or as many as it takes where a descriptor may not be longer. */
struct vb_request {
    struct balloon_batch batch;
    le32 *pfns; /* its own memory: the device reads it from the doorbell to the answer */
    paddr_t addr;
    unsigned parts, sent, done; /* elements: in all, given to the ring, answered */
    uint64_t sent_ns;
};

/* One direction. */
struct vb_channel {
    struct vb_wait wait;
    struct vb_request *requests; /* opts.inflight of them */
};

/* Whose ranges the open element of the reporting queue holds. */
enum vb_report_owner {
    VB_REPORT_INFLATE, /* blocks on their way into the balloon */
    VB_REPORT_FREE,    /* free blocks, lent for the time of the report */
};

struct vb_report {
    struct vb_wait wait; /* vq: NULL without the queue */
    enum vb_report_owner owner;
    struct balloon_report ranges;
    uint64_t sent_ns;
};

struct vb_pace {
    uint64_t delay_ns;       /* that memory must lie free for now */
    unsigned fine;           /* verdicts in a row that nothing was regretted */
    uint64_t quiet_since_ns; /* the end of the last period */
    uint64_t debt_ns,
        charged_ns; /* what reports have cost and time has not paid; as of when */
    /* Reports of which it is not known yet whether they are regretted. */
    uint64_t judge_at_ns;              /* 0: there are none */
    uint64_t lent;                     /* frames in them */
    uint64_t cold_before, cold_frames; /* idle_blocks(): before them, and last seen */
};

/* Free page reporting. */
struct vb_free {
    uint64_t look_at_ns;  /* the end of the period; 0: nothing was freed */
    uint64_t due;         /* blocks that this period leaves to report */
    bool has_pieces;      /* and blocks in pieces */
    uint64_t open_frames; /* in the open element; with a dead device for ever */
    struct vb_pace pace;
};

/* A block in the hint queue: the device's until its buffer was used (R-V-56). */
struct vb_hint_block {
    struct vb_hint_block *next; /* of the free ones */
    pfn_t first;
    enum run_state state;
    bool is_open;
};

/* Free page hints, R-V-53..56. */
struct vb_hint {
    uint32_t id;         /* as latched on a change of the configuration */
    uint32_t served_id;  /* of the last round that was begun */
    bool is_round;       /* one is under way: STOP was not sent yet */
    bool is_busy;        /* the sets below are being changed */
    unsigned words_open; /* start and stop words in the ring */
    unsigned blocks_open;
    struct vb_hint_block *blocks, *unused; /* as many as the ring has entries */
    size_t block_count;
    struct page_set held[2]; /* used by the device, kept until DONE; by enum run_state */
    uint64_t begin_at_ns;    /* no round before */
    uint64_t seen_ns;        /* the device last gave something back, or had nothing */
    bool is_logged;          /* silent for a second */
    uint64_t take_failures;  /* of the balloon, when it was last looked at */
};

/* A block that is being emptied, R-V-45: one batch after another, the new frames of each first. */
struct vb_move {
    bool is_wanted; /* nobody knows yet that it is done */
    pfn_t block;
    struct vb_request *in,
        *out; /* its own: neither the target nor a shortage waits for them */
};

enum vb_irq {
    VB_IRQ_UNPROVEN, /* none seen yet: look now and then as well */
    VB_IRQ_PROVEN,
    VB_IRQ_POLLED, /* none comes, or none was asked for */
};

/* Owned by the balloon's task, but the two fields marked isr. */
struct virtio_balloon {
    const struct balloon_hal *hal;
    struct virtio_device dev;
    struct virtio_balloon_opts opts;
    struct balloon core;
    enum virtio_balloon_state state;
    bool in_step; /* the HAL must not call back, virtio_balloon_oom() least of all */
    bool is_moving;
    bool is_gone; /* removed: its registers must not be touched */
    enum virtio_balloon_state
        goal; /* after the reset: OFF, ASLEEP, or RESTING for another start */

    struct dma_mem shared_mem;
    struct vb_shared *shared;
    uint16_t queue_index[VIRTIO_BALLOON_QUEUES];
    struct vq *vqs[VIRTIO_BALLOON_QUEUES];
    struct vb_channel inflate, deflate;
    struct vb_report report;
    struct vb_free free;
    struct vb_move move;
    struct vb_request *requests; /* of both channels, and of moving */
    struct dma_mem pfn_mem;      /* theirs */
    bool is_wide; /* a block is one element of several descriptors, R-X-01 */

    /* Speed: what a page costs the host, by kind of work, as measured; the host's part of this step. */
    uint64_t page_ns[VB_WORKS];
    uint64_t host_ns;
    struct vb_return {
        uint64_t since_ns; /* the target fell; 0: nothing is being returned */
        uint64_t first_ns, last_ns;
        uint64_t frames;
    } returning;

    /* Events and time. */
    uint32_t isr_causes; /* isr: set, task: cleared */
    bool isr_seen;       /* isr: set, task: cleared */
    uint64_t isr_ns;     /* isr: when it was first set */
    uint64_t
        cause_ns; /* when the change of configuration that this step sees was signalled; or 0 */
    bool is_config_due; /* a config-change notification was seen, R-V-17 */
    enum vb_irq irq;
    unsigned missed_in_row;
    bool had_isr;         /* one came since the step before */
    uint64_t now_ns;      /* at the last look */
    uint64_t forgiven_ns; /* of all gaps, see vb_now() */
    uint64_t wake_ns;     /* earliest next step this one asks for */
    uint64_t poll_at_ns;
    uint32_t
        generation; /* of the configuration, when its change was last taken notice of */

    /* Size as published. */
    uint32_t actual;
    uint64_t published_ns;

    /* Answers. */
    uint64_t stats_at_ns; /* not before */
    struct vb_hint hint;

    /* Reset and restart. */
    uint64_t restart_at_ns;
    bool is_restarting; /* the reset before the next start is under way */
    uint64_t restarts[VIRTIO_BALLOON_RESETS_MAX]; /* times, oldest replaced first */
    unsigned restart_next;
    uint64_t dropped_features; /* queues that are not where they may be, R-V-04 */

    uint64_t lost_ring_errors;          /* of rings that are gone */
    struct virtio_balloon_status count; /* only its counters are kept here */
};

/* balloon.c */
/* The time. A guest that was stopped as a whole must not take that for the host's silence, so a gap since
 * the last look is forgiven but for a second: a task that is kept waiting all the time still finds the
 * host silent. */
uint64_t vb_now(struct virtio_balloon *vb);
void vb_wake_by(struct virtio_balloon *vb, uint64_t when_ns);
bool vb_is_running(const struct virtio_balloon *vb); /* LIVE or DETACHING */
void vb_note_missed_irq(struct virtio_balloon *vb);

/* balloon_status.c */
uint64_t vb_ring_errors(const struct virtio_balloon *vb); /* of the rings there are */

/* balloon_negotiate.c */
int vb_start(struct virtio_balloon *vb);
/* Numbers for the queues of `accepted`, R-V-04; 0, or the feature bits to do without. */
uint64_t vb_number_queues(uint64_t offered, uint64_t accepted,
                          const uint16_t max[VIRTIO_MAX_QUEUES],
                          uint16_t index[VIRTIO_BALLOON_QUEUES]);

/* balloon_reset.c */
void vb_fail(struct virtio_balloon *vb, const char *why);
void vb_begin_reset(struct virtio_balloon *vb);
void vb_step_reset(struct virtio_balloon *vb); /* RESETTING */
void vb_step_rest(struct virtio_balloon *vb);  /* RESTING */

/* balloon_resize.c */
void vb_resize(struct virtio_balloon *vb);
void vb_publish(struct virtio_balloon *vb, bool now);

/* balloon_queue.c */
int vb_requests_alloc(struct virtio_balloon *vb); /* 0 or -ENOMEM */
void vb_requests_free(struct virtio_balloon *vb);
void vb_requests_start(struct virtio_balloon *vb); /* the queues are there */
struct vb_request *vb_request_free(struct virtio_balloon *vb, struct vb_channel *channel);
/* Send what balloon_choose_*() put into the request's batch, without the doorbell. False: the device is
 * broken. */
bool vb_send(struct virtio_balloon *vb, struct vb_channel *channel,
             struct vb_request *request);
/* The ring takes no more elements now, R-X-08. */
bool vb_is_full(const struct virtio_balloon *vb, const struct vb_wait *wait);
/* About to send: answers will be looked for, no interrupt is needed. */
void vb_quiet(struct virtio_balloon *vb, struct vb_wait *wait);
/* Ring the doorbell. Returns how long that took. */
uint64_t vb_ring(struct virtio_balloon *vb, struct vb_wait *wait);
/* A request more is open / an answer came. */
void vb_wait_begin(struct virtio_balloon *vb, struct vb_wait *wait);
void vb_wait_heard(struct virtio_balloon *vb, struct vb_wait *wait, bool is_end);
/* Take the answers there are. False: the device is broken. */
bool vb_reap(struct virtio_balloon *vb);
bool vb_is_any_open(const struct virtio_balloon *vb);
/* Answers are due: see that somebody wakes us, and that silence has an end. */
void vb_await(struct virtio_balloon *vb);
/* The device does not answer any more; `is_reset`: nor will it discard what it was told. */
void vb_requests_drop(struct virtio_balloon *vb, bool is_reset);

/* balloon_move.c */
/* Send what is next; a new batch only if `may_begin`. False: there is nothing to send. */
bool vb_move_step(struct virtio_balloon *vb, bool may_begin);
bool vb_move_is_open(const struct virtio_balloon *vb);
/* An answer came to one of its requests; false: it is not one of them. */
bool vb_move_finish(struct virtio_balloon *vb, struct vb_request *request);
void vb_move_drop(struct virtio_balloon *vb, bool is_reset);

/* balloon_report_queue.c */
bool vb_may_report(const struct virtio_balloon *vb);
/* Ranges that an element may have now: the ring's length, and what the host does in VB_DOORBELL_NS. */
unsigned vb_report_room(const struct virtio_balloon *vb);
/* Send vb->report.ranges; nothing is open. What comes of it goes to `owner`. */
void vb_report_send(struct virtio_balloon *vb, enum vb_report_owner owner);
void vb_report_reap(struct virtio_balloon *vb);
void vb_report_drop(struct virtio_balloon *vb, bool is_reset);

/* balloon_report.c */
void vb_free_start(struct virtio_balloon *vb);
/* Memory was freed: begin a period, unless one is under way. */
void vb_free_note(struct virtio_balloon *vb);
/* The balloon rests: report what is due. */
void vb_free_step(struct virtio_balloon *vb);
bool vb_free_is_open(const struct virtio_balloon *vb);
/* The element came back / never will. */
void vb_free_reported(struct virtio_balloon *vb, struct balloon_report *report);
void vb_free_drop(struct virtio_balloon *vb, struct balloon_report *report);

/* balloon_report_pace.c */
void vb_pace_start(struct virtio_balloon *vb);
/* Reports took `cost_ns`; the time since the last ones pays for them. */
void vb_pace_charge(struct virtio_balloon *vb, uint64_t cost_ns);
/* So many frames are the allocator's again. */
void vb_pace_reported(struct virtio_balloon *vb, uint64_t frames);
/* What idle_blocks() says: judge the reports there were. */
void vb_pace_look(struct virtio_balloon *vb, uint64_t cold_frames, uint64_t now_ns);
/* Something was freed: how long to wait. */
uint64_t vb_pace_period(struct virtio_balloon *vb, uint64_t now_ns);

/* balloon_status.c: what is assumed of a host before it was measured; what a page costs the host by the newest measure, averaged. */
void vb_costs_init(struct virtio_balloon *vb);
void vb_note_cost(struct virtio_balloon *vb, enum vb_work work, uint64_t ns,
                  uint64_t frames);

/* balloon_stats.c */
int vb_stats_prime(struct virtio_balloon *vb);
void vb_stats_step(struct virtio_balloon *vb);
/* Where the device finds a field of vb->shared. */
paddr_t vb_shared_addr(const struct virtio_balloon *vb, const void *field);

/* balloon_hint.c */
void vb_hint_init(struct virtio_balloon *vb);
void vb_hint_fini(struct virtio_balloon *vb);
/* The queues are new. 0 or -ENOMEM. */
int vb_hint_start(struct virtio_balloon *vb);
void vb_hint_step(struct virtio_balloon *vb);
/* The register's value after a notification. */
void vb_hint_latch(struct virtio_balloon *vb, uint32_t id);
/* A look at the register where there is no notification. */
bool vb_hint_is_new(const struct virtio_balloon *vb);
/* The balloon could not grow: it may have what is held. */
void vb_hint_make_room(struct virtio_balloon *vb);
/* The reset is complete, or (`is_dead`) will never be: then blocks in the ring stay taken. */
void vb_hint_end(struct virtio_balloon *vb, bool is_dead);
uint64_t vb_hint_open_frames(const struct virtio_balloon *vb);
