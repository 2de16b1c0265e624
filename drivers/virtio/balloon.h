// SPDX-License-Identifier: BSD-2-Clause
/*
 * The virtio balloon, virtio 1.3, 5.5, as a state machine fed with events. It sees its device
 * through a transport and its OS through a balloon_hal; docs/virtio.md lists what it follows.
 *
 *     virtio_balloon_attach(&transport, &hal, &opts, &vb);
 *     ...
 *     // level isr, when the device interrupts: true if it was ours; then wake the task
 *     virtio_balloon_isr(vb);
 *     // level task, whenever hal.wake() or hal.wake_at() ask for it, and after each interrupt
 *     virtio_balloon_step(vb);
 *     ...
 *     virtio_balloon_detach(vb);             // then step until the state is VIRTIO_BALLOON_OFF
 *     virtio_balloon_destroy(vb);
 *
 * A step does about 200 us of work of its own and wakes itself when there is more. Nothing waits but
 * attach (for the reset, bounded) and virtio_balloon_oom() (for acknowledgements, bounded).
 * Context: task level unless said otherwise; one owner, no locks.
 */
#pragma once

#include "drivers/balloon/balloon.h"
#include "drivers/virtio/device.h"

#define VIRTIO_BALLOON_DEVICE_ID 5 /* virtio 1.3, 5 */

/* virtio 1.3, 5.5.3. Bit numbers. */
enum virtio_balloon_feature {
    VIRTIO_BALLOON_F_MUST_TELL_HOST = 0,
    VIRTIO_BALLOON_F_STATS_VQ = 1,
    VIRTIO_BALLOON_F_DEFLATE_ON_OOM = 2,
    VIRTIO_BALLOON_F_FREE_PAGE_HINT = 3,
    VIRTIO_BALLOON_F_PAGE_POISON = 4,
    VIRTIO_BALLOON_F_REPORTING = 5,
    VIRTIO_BALLOON_F_CROSVM_WS = 8, /* private to crosvm: two queues more */
};

/* virtio 1.3, 5.5.2: in the order in which devices number them. */
enum virtio_balloon_queue {
    VIRTIO_BALLOON_INFLATE,
    VIRTIO_BALLOON_DEFLATE,
    VIRTIO_BALLOON_STATS,
    VIRTIO_BALLOON_HINT,
    VIRTIO_BALLOON_REPORT,
    VIRTIO_BALLOON_QUEUES,
};

#define VIRTIO_BALLOON_NO_QUEUE 0xFFFF

enum virtio_balloon_state {
    VIRTIO_BALLOON_LIVE,
    VIRTIO_BALLOON_DETACHING, /* giving everything back */
    VIRTIO_BALLOON_RESETTING, /* reset asked for, not yet seen */
    VIRTIO_BALLOON_RESTING, /* broke, was reset, holds nothing; tries again later, R-T-07 */
    VIRTIO_BALLOON_ASLEEP, /* quiesced: reset, holds nothing, its queues are gone; resume() starts it */
    VIRTIO_BALLOON_OFF,  /* detached: reset, holds nothing */
    VIRTIO_BALLOON_DEAD, /* does not even reset: given up */
};

#define VIRTIO_BALLOON_INFLIGHT_MAX 8u
#define VIRTIO_BALLOON_RESETS_MAX   16u

/* Whether a whole block is told as one element of two descriptors (R-X-01), which is what makes a host
 * with huge pages give them back, or as two elements, which every host takes. */
enum virtio_balloon_wide {
    VIRTIO_BALLOON_WIDE_AUTO, /* where INDIRECT_DESC is negotiated */
    VIRTIO_BALLOON_WIDE_ON,
    VIRTIO_BALLOON_WIDE_OFF,
};

struct virtio_balloon_opts {
    /* Give frames back before the host is told, where it allows that (R-V-32). */
    bool early_return;
    enum virtio_balloon_wide wide;
    unsigned
        inflight; /* requests at once per queue, brought into 1..INFLIGHT_MAX, R-X-08 */
    unsigned
        reset_limit; /* new starts a minute, up to RESETS_MAX; 0: any number, at once */
    bool accept_oom; /* take DEFLATE_ON_OOM when offered, R-V-41 */
    bool classic_stats; /* statistics of tags 0-9 only, R-V-38 */
    bool hint;          /* answer a request for hints with the free blocks, R-V-54 */
    bool frees_zeroed;  /* the OS fills freed memory with zeros: PAGE_POISON, R-V-57 */
    bool
        is_confidential; /* SEV or TDX: the host cannot take memory, no balloon, R-V-58 */
    bool is_polled;      /* nobody will call virtio_balloon_isr() or _irq() */
    struct virtio_vectors vectors; /* MSI-X: then _irq() is called, R-T-16 */
    uint64_t poll_interval_ns;
    /* What lies free for so long is reported, R-V-59; 0: nothing is, but for the balloon. */
    uint64_t report_delay_ns;
    unsigned report_batch; /* ranges in a report: 1 to BALLOON_REPORTS */
    unsigned
        report_order; /* they are multiples of 2^order frames; BLOCK_ORDER (at most): whole blocks alone */
};

#define VIRTIO_BALLOON_WORKS 4

/* A copy of what the driver knows: figures of R-X-12. Pages are balloon pages of 4 KiB. */
struct virtio_balloon_status {
    enum virtio_balloon_state state;
    uint64_t offered, features;
    /* index of each, or VIRTIO_BALLOON_NO_QUEUE */
    uint16_t queues[VIRTIO_BALLOON_QUEUES];
    bool is_polled;
    bool is_moving;        /* work goes on now; false: at the target, or waiting */
    bool is_emptying;      /* frames of a block are moved elsewhere, R-V-45 */
    bool is_returning;     /* whole blocks are given back just now, and there are more */
    uint64_t wish_pages;   /* the host's target as read */
    uint64_t target_pages; /* the same after the clamp of R-H-11 */
    uint64_t size_pages;
    uint64_t in_flight_pages;  /* in open requests, reports among them */
    uint64_t in_flight_frames; /* all that is neither held nor the allocator's */
    uint64_t
        deflating_frames; /* of these, in the balloon until the host has been told that they go, or move */
    uint64_t owed_frames;   /* the allocator's, but in the balloon for the host, R-V-32 */
    uint64_t absent_frames; /* in flight: dropped by the host, not told yet */
    bool is_wide, is_early, is_reporting; /* how it works with this host */
    uint64_t held_frames, set_bytes; /* the page set: what is in it, what all sets cost */
    uint64_t quarantined_frames;     /* with a dead device for ever */
    struct balloon_counters core;
    uint64_t actual_writes;
    uint64_t round_trip_ns; /* of the last request */
    uint64_t kicks;         /* doorbells rung for pages */
    uint64_t wide_requests,
        reports; /* elements of several descriptors; of the reporting queue */
    uint64_t freed_reports, freed_frames; /* of these, reports of free memory */
    uint64_t refaults; /* frames of it that the guest took back within a second or so */
    uint64_t report_delay_ns; /* how long memory must lie free for now */
    uint64_t page_ns
        [VIRTIO_BALLOON_WORKS]; /* what a page costs the host: inflated touched, absent, deflated, reported */
    /* The last time that whole blocks were returned early, from the host's signal on. */
    uint64_t returns, return_first_ns, return_all_ns, return_frames;
    uint64_t stats_answers;
    uint32_t stats_tags;    /* in the newest statistics that were handed over */
    uint64_t hinted_frames; /* lent to the host's migration: in the hint queue or kept */
    uint64_t hint_rounds, hint_bytes;
    uint64_t hint_recalled; /* frames taken back early */
    uint64_t missed_irqs, broken, silences, resets, restart_failures;
    uint64_t ring_errors; /* lies of the device found in its rings and registers */
};

struct virtio_balloon;

/*
 * Take the device over and start: reset, negotiate, queues, DRIVER_OK, actual = 0 (R-V-15). The
 * first step reads the target. `transport` and `hal` outlive the balloon. 0 and *out; -ENOMEM;
 * -ENOTSUP: the device refuses our features or has none of the needed queues; -ETIMEDOUT: it does
 * not reset; -EPROTO: it lies; -ENOSPC: it does not take the vectors: disable MSI-X and attach without
 * them. On failure the device is left reset or FAILED (R-V-16).
 */
int virtio_balloon_attach(const struct virtio_transport *transport,
                          const struct balloon_hal *hal,
                          const struct virtio_balloon_opts *opts,
                          struct virtio_balloon **out);

/* The device interrupted. Reads and clears the cause; true when there was one. Level isr. */
bool virtio_balloon_isr(struct virtio_balloon *vb);

/* The same for MSI-X: the vector says what the cause is, enum virtio_isr; both when they share one.
 * Touches no device. Level isr. */
void virtio_balloon_irq(struct virtio_balloon *vb, uint8_t causes);

/* No interrupt can be had after all: look for events by timer. */
void virtio_balloon_use_polling(struct virtio_balloon *vb);

/* Do what is due. */
void virtio_balloon_step(struct virtio_balloon *vb);

/* Begin to give everything back and stop (R-V-46). Steps do the rest; no effect when off. */
void virtio_balloon_detach(struct virtio_balloon *vb);

/* Before the machine sleeps: as detach, but it ends ASLEEP, with options and counters kept (R-V-48). */
void virtio_balloon_quiesce(struct virtio_balloon *vb);

/* Start again: the device is as after power-on, and so may be everything behind it, its interrupts too.
 * Steps do the rest; no effect when not ASLEEP. */
void virtio_balloon_resume(struct virtio_balloon *vb, struct virtio_vectors vectors);

/* The device is gone without a word: no register of it is touched any more, all frames return now, and the
 * state is OFF (R-V-47). It reaches no memory of ours from here on: the rings are freed. */
void virtio_balloon_remove(struct virtio_balloon *vb);

/* Free a balloon that is OFF, ASLEEP, RESTING or DEAD. Frames that a dead device may still discard stay
 * taken for ever, with the rings it may still write to. */
void virtio_balloon_destroy(struct virtio_balloon *vb);

/*
 * The guest is out of memory: get at least `frames` back, in requests of up to 256, waiting for the
 * host 5 s in all, and a second more where it has to be reset (R-V-41, R-X-07). Returns how many frames went back to the
 * allocator: hinted blocks only without DEFLATE_ON_OOM (R-V-42). Needs no memory, uses no interrupt. May not be
 * called from inside a HAL call.
 */
uint64_t virtio_balloon_oom(struct virtio_balloon *vb, uint64_t frames);

/* Blocks that were hinted and may be had again at any time (R-V-55); those still in the queue are not
 * among them. In frames. */
uint64_t virtio_balloon_hinted_frames(const struct virtio_balloon *vb);

/* Memory is short: give hinted blocks back to the allocator until they make `frames`. Returns how many
 * frames came; at once, in memory pressure's first measure. May be called from inside a HAL call. */
uint64_t virtio_balloon_recall_hinted(struct virtio_balloon *vb, uint64_t frames);

/*
 * The OS could do with the block that begins here, of which the balloon holds a part: move that elsewhere
 * (R-V-45), as far as there are frames in pieces of other blocks. Steps do it, while the balloon is at its target;
 * then is_emptying ends. 0, or -EBUSY: another block is being emptied, or the device does not work now.
 */
int virtio_balloon_empty(struct virtio_balloon *vb, pfn_t block);

/* Free memory grew by other means: try again to reach the target (R-X-04), and see what may be reported
 * (R-V-59). Cheap: to be called after each piece of work that frees. */
void virtio_balloon_memory_freed(struct virtio_balloon *vb);

void virtio_balloon_get_status(const struct virtio_balloon *vb,
                               struct virtio_balloon_status *out);

/* Whether any of these frames is held; what is on its way does not count. */
bool virtio_balloon_has_any(const struct virtio_balloon *vb, pfn_t first,
                            uint64_t frames);

/* Walk what the balloon holds, as ranges; start with pfn 0, go on behind the last one. */
bool virtio_balloon_next_range(const struct virtio_balloon *vb, pfn_t from, pfn_t *first,
                               uint64_t *frames);
