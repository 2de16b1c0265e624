// SPDX-License-Identifier: BSD-2-Clause
/*
 * Both ends of a balloon as a host program: a guest's frames (who owns each, what the host has behind
 * it), a host that plays the balloon device on a virtio model, and the driver between them on a
 * virtio_rig. Whoever breaks a rule is noted: a frame given back while the host still has it, taken
 * twice, told twice, a request of wrong shape, `actual` written in pieces.
 *
 *     struct balloon_rig r;
 *
 *     balloon_rig_init(&r, features, frames);   // bend things now
 *     assert_int_equal(balloon_rig_attach(&r), 0);
 *     balloon_rig_target(&r, 1000);
 *     balloon_rig_settle(&r);
 *     ...
 *     balloon_rig_end(&r);                      // fails the test when a frame has no or two owners
 */
#pragma once

#include "drivers/virtio/balloon.h"
#include "tests/model/virtio_rig.h"

#define GUEST_MAX_FRAMES 65536u

/* Both sides end the program when they disagree; no test framework, so that fuzz entries have them. */
_Noreturn void model_fail(const char *what, int line);

#define model_true(expr)  ((expr) ? (void)0 : model_fail(#expr, __LINE__))
#define model_equal(a, b) model_true((uint64_t)(a) == (uint64_t)(b))

/* ---- the guest's frames ---- */

enum frame_owner {
    FRAME_FREE,   /* the allocator's */
    FRAME_USED,   /* somebody in the guest has it */
    FRAME_DRIVER, /* run_take() gave it out */
};

struct guest_frames {
    uint64_t base; /* pfn of frame 0, a multiple of a block */
    uint64_t count;
    uint64_t reserve;
    uint8_t owner[GUEST_MAX_FRAMES];
    bool touched[GUEST_MAX_FRAMES];
    bool host_has
        [GUEST_MAX_FRAMES]; /* inflated and not deflated: written by the host model */
    uint64_t free, driver, told;  /* how many of each */
    uint64_t takes, take_fail_at; /* the n-th run_take() fails, from 1; 0: none */
    uint64_t call_ns;             /* what a run_take() or run_give() costs */
    uint64_t first_free;          /* no frame below it is free */
    uint64_t
        cache;    /* of the used frames, how many are dropped for a run_take() that may */
    bool may_owe; /* frames may be given back before the host was told, R-V-32 */
    uint64_t owed;       /* of these, how many there are now */
    uint64_t least_idle; /* touched blocks, since idle_blocks() was last called */
    unsigned idle_looks; /* how often it was */
    uint64_t cold;       /* untouched frames that the guest took */
    bool watches_pieces; /* blocks remember that something was freed in them */
    enum { PIECES_NONE, PIECES_NEW, PIECES_DUE } pieces[GUEST_MAX_FRAMES / BLOCK_FRAMES];
    int64_t accounted;
    const unsigned *resets; /* of the device: a reset ends what the host has */
    unsigned resets_seen;
    unsigned returned_twice; /* frames given back that nobody had */
    unsigned misuse;         /* `complaint` names the last */
    const char *complaint;
    uint64_t oom_events;
};

/* Put the page services into `hal`, whose ctx is hal_model; frames start free and untouched. */
void guest_frames_init(struct guest_frames *g, struct hal_model *hal, uint64_t base,
                       uint64_t count, uint64_t reserve);
/* The guest takes `count` free frames for itself, lowest first, and touches them / gives them back. */
uint64_t guest_use(struct guest_frames *g, uint64_t count);
void guest_unuse(struct guest_frames *g, uint64_t count);
/* Of each `step` frames it gives back the first `run`. */
void guest_unuse_runs(struct guest_frames *g, uint64_t run, uint64_t step);
/* The first frame of a block / how many frames of it the driver has. */
pfn_t guest_block(const struct guest_frames *g, unsigned block);
uint64_t guest_held_in(const struct guest_frames *g, unsigned block);
/* Has the device been reset since the last look? Then the host has nothing any more. */
bool guest_notice_reset(struct guest_frames *g);
/* Count again and compare with the running figures. */
void guest_check(const struct guest_frames *g);

/* ---- the host ---- */

#define HOST_STATS 32
#define HOST_KEPT  32

/* Requests by what they are. */
enum host_kind {
    HOST_INFLATE,
    HOST_DEFLATE,
    HOST_REPORT,
    HOST_KINDS,
};

struct host_profile;

struct balloon_host {
    struct guest_frames *guest;
    struct hal_model *hal;
    uint64_t request_ns; /* what one request costs the guest inside the doorbell */
    bool is_slow;        /* keeps requests and reports until balloon_rig_answer() */
    bool is_narrow;      /* takes elements of one descriptor only, R-V-29 */
    struct virtio_chain kept[HOST_KINDS][HOST_KEPT];
    unsigned kept_count[HOST_KINDS];
    unsigned most_kept;
    uint16_t queue_of[VIRTIO_BALLOON_QUEUES]; /* model queue index; NO_QUEUE: none */
    uint32_t actual;
    unsigned actual_writes;
    unsigned requests[HOST_KINDS];
    uint64_t pages[HOST_KINDS];
    unsigned wide; /* requests of several descriptors */
    unsigned longest_report;
    unsigned report_order; /* the ranges it takes are of so many frames, aligned */
    uint64_t descending;   /* PFNs not above the one before, in one request */
    const struct host_profile
        *profile;         /* tests/model/profiles.h; NULL: none in particular */
    bool has_stale_stats; /* what is in the first statistics buffer does not count */
    struct virtio_chain stats;
    bool has_stats;
    unsigned stats_answers;
    unsigned stats_count;
    uint16_t stats_tag[HOST_STATS];
    uint64_t stats_value[HOST_STATS];
    uint32_t hint_words[64];
    unsigned hint_count;
    uint32_t
        hint_id; /* what is asked for; the register shows it until the guest begins */
    bool keeps_hint_id;   /* the register does not become 0 with the start word */
    bool done_on_stop;    /* our STOP is answered by DONE */
    bool is_hint_slow;    /* keeps hint buffers until balloon_rig_answer_hints() */
    bool is_hinting;      /* between a start and a stop word */
    uint64_t hint_blocks; /* offered */
    uint64_t hint_stale;  /* offered outside of a round */
    unsigned resets_seen;
    unsigned strays; /* PFNs that are no RAM of the guest */
    unsigned misuse;
    const char *complaint;
};

/* srand() by the environment's TEST_SEED or the time of day, printed so that a failure can be repeated. */
void random_seed(void);

/* ---- all together ---- */

struct balloon_rig {
    struct virtio_rig v;
    struct guest_frames guest;
    struct balloon_host host;
    struct virtio_balloon_opts opts;
    struct virtio_balloon *vb;
    bool irq_works; /* false: the device's interrupts are lost */
    unsigned steps;
    uint64_t longest_step_ns; /* by the clock of the HAL */
};

#define BALLOON_FEATURES                                                \
    (BIT64(VIRTIO_BALLOON_F_STATS_VQ) | BIT64(VIRTIO_F_INDIRECT_DESC) | \
     BIT64(VIRTIO_F_EVENT_IDX) | BIT64(VIRTIO_F_VERSION_1))

/* A device in QEMU's numbering: stats always there, hint and reporting dense behind it. */
void balloon_rig_init(struct balloon_rig *r, uint64_t features, uint64_t frames);
void balloon_rig_init_on(struct balloon_rig *r, enum rig_kind kind, uint64_t features,
                         uint64_t frames);
/* Lay the queues out by hand: `number[i]` is where balloon queue i is, size 128 each. */
void balloon_rig_queues(struct balloon_rig *r,
                        const uint16_t number[VIRTIO_BALLOON_QUEUES]);
int balloon_rig_attach(struct balloon_rig *r);

/* Deliver interrupts, wakes and timers for at most `for_ns` of model time or until nothing is due
 * within it. */
void balloon_rig_run(struct balloon_rig *r, uint64_t for_ns);
/* Run until the driver rests: no work, nothing to wait for within 150 ms. */
void balloon_rig_settle(struct balloon_rig *r);
/* The host wants this many pages. */
void balloon_rig_target(struct balloon_rig *r, uint32_t pages);
/* A slow host answers what it kept, in the order of arrival / one of them, any that there is. */
void balloon_rig_answer(struct balloon_rig *r);
bool balloon_rig_answer_any(struct balloon_rig *r, unsigned which);
/* The host asks for hints, as QEMU does: the register shows the id until the guest's start word came, then
 * 0; DONE is told by id 1. */
void balloon_rig_ask_hints(struct balloon_rig *r, uint32_t id);
/* A slow host answers up to `max` hint buffers that it kept. */
void balloon_rig_answer_hints(struct balloon_rig *r, unsigned max);
/* The host asks for statistics. */
void balloon_rig_ask_stats(struct balloon_rig *r);
/* The value of a tag in the last answer; UINT64_MAX when it was not in it. */
uint64_t balloon_rig_stat(const struct balloon_rig *r, uint16_t tag);

/* Every frame has one owner, both sides agree on each, size is what was published. */
void balloon_rig_check(struct balloon_rig *r);
struct virtio_balloon_status balloon_rig_status(const struct balloon_rig *r);
/* Detach, destroy, balance. */
void balloon_rig_end(struct balloon_rig *r);
