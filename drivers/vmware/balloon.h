// SPDX-License-Identifier: BSD-2-Clause
/*
 * The VMware balloon ("vmmemctl") as a state machine fed with events. It sees its host through a
 * backdoor and its OS through a balloon_hal; docs/vmware-driver.md lists what it follows.
 *
 *     vmware_balloon_attach(&door, &hal, &opts, &vb);
 *     ...
 *     // whenever hal.wake() or hal.wake_at() ask for it
 *     vmware_balloon_step(vb);
 *     ...
 *     vmware_balloon_detach(vb);             // then step until the state is VMWARE_BALLOON_OFF
 *     vmware_balloon_destroy(vb);
 *
 * Work comes in cycles. One begins every `period_ns` after the end of the last, or when the host rings:
 * reset if one is due, ask for the target, lock or unlock frames until it is met. A cycle is cut into
 * steps of up to 32 single commands or one batch, so that other tasks run in between; but for a doorbell
 * or a host that says so nothing interrupts it.
 *
 * Two policies, one mechanism:
 *   modern   asks for all capabilities. Runs until the target is met, memory is short or the host refuses:
 *            a batch as a whole, or 16 pages. Each answer's target counts, but in a basic session only
 *            GET_TARGET's. Less than 512 frames too many are kept, unless the target is 0. Single commands:
 *            a status that is about the page (2 to 5) is treated as that of an entry, so one frame that
 *            the host cannot take does not end every cycle; any other ends it.
 *   classic  protocol 2, single commands, one cycle a second, bounded rates that halve under pressure.
 * Modern may have the rates, too: then a cycle a second moves no more than they say, rounded up to whole pages of the
 * size it works with, and no doorbell is asked for, as a ring would begin a cycle before its time.
 *
 * Context: task level; one owner, no locks. Nothing here waits.
 */
#pragma once

#include "drivers/balloon/page_set.h"
#include "drivers/vmware/backdoor.h"

#define VMWARE_PERIOD_NS        NS_PER_S          /* classic, and a START that failed */
#define VMWARE_PERIOD_MODERN_NS (100 * NS_PER_MS) /* the default of modern */
#define VMWARE_SLACK_FRAMES     512u /* modern: so much more is as good as the target */
#define VMWARE_REFUSED_MAX      16u

/* The rates: frames in a cycle. */
#define VMWARE_RATE_NOSLEEP   16384u
#define VMWARE_RATE_ALLOC_MIN 512u
#define VMWARE_RATE_ALLOC_MAX 2048u
#define VMWARE_RATE_ALLOC_INC 16u
#define VMWARE_RATE_FREE_MIN  512u
#define VMWARE_RATE_FREE_MAX  16384u
#define VMWARE_RATE_FREE_INC  16u
#define VMWARE_SLOW_CYCLES    4u

enum vmware_policy {
    VMWARE_POLICY_MODERN,
    VMWARE_POLICY_CLASSIC,
};

/* The way a host tells that the target changed; vmci.h has the one there is. NULL in the options: the
 * capability is not asked for. */
struct vmware_doorbell {
    void *ctx;
    /* Make a bell (again: a bell of before is gone) and say what to tell the host. 0 or a negative errno. */
    int (*link)(void *ctx, uint32_t *context, uint32_t *resource);
    void (*unlink)(void *ctx);
};

struct vmware_balloon_opts {
    enum vmware_policy policy;
    enum vmware_guest guest;
    uint32_t caps;      /* modern: what to ask for, VMWARE_CAPS_ALL or less */
    uint64_t period_ns; /* modern: between cycles; 0: VMWARE_PERIOD_MODERN_NS */
    bool rates;         /* modern: the rates of classic, and its one cycle a second */
    bool shrink;        /* memory may be taken back when the guest is out of it, R-L-17 */
    const struct vmware_doorbell *doorbell; /* or NULL; outlives the balloon */
};

enum vmware_balloon_state {
    VMWARE_BALLOON_RESETTING, /* no session: a START is due */
    VMWARE_BALLOON_LIVE,
    VMWARE_BALLOON_DETACHING, /* the host was told; giving everything back */
    VMWARE_BALLOON_ASLEEP,    /* suspended: keeps its frames, sends no command */
    VMWARE_BALLOON_OFF,       /* detached: holds nothing */
};

/* How a session moves frames; what the capabilities come to. */
enum vmware_level {
    VMWARE_LEVEL_NONE, /* no session, or one without page commands: only the target is asked for */
    VMWARE_LEVEL_BASIC,
    VMWARE_LEVEL_BATCHED,
    VMWARE_LEVEL_BATCHED_2M,
};

/* "batched-2m"; "modern". For people, and as in the settings. */
const char *vmware_level_name(enum vmware_level level);
const char *vmware_policy_name(enum vmware_policy policy);

struct vmware_tally {
    uint64_t total, failed;
};

/* By size of page: 0 is 4 KiB, 1 is 2 MiB. */
#define VMWARE_SIZES 2

/* Counters since attach. Pages, commands or events; the names are those that users of this balloon know. */
struct vmware_counters {
    uint64_t timer; /* cycles */
    struct vmware_tally command[VMWARE_COMMANDS];
    struct vmware_tally nosleep_alloc;       /* of free memory only */
    struct vmware_tally cansleep_alloc;      /* caches were dropped for it */
    struct vmware_tally alloc[VMWARE_SIZES]; /* with frames of groups that were split */
    uint64_t refused[VMWARE_SIZES];          /* errAlloc: LOCKs refused */
    /* errFree: of these, kept until the end of their cycle, or until they were split into frames. */
    uint64_t refused_free[VMWARE_SIZES];
    uint64_t freed[VMWARE_SIZES]; /* primFree: by deflating, popping or moving */
    uint64_t popped_frames;       /* of these, without a word to the host; in frames */
    uint64_t resets;    /* sessions opened after the first START that was accepted */
    uint64_t doorbells; /* rung */
    uint64_t shrinks, shrink_frames;
    uint64_t moved;         /* frames exchanged for others, R-L-16 */
    uint64_t unlock_stale;  /* frames the host did not hold any more */
    uint64_t split_groups;  /* 2 MiB groups refused and offered as frames */
    uint64_t wrong_entries; /* entries of a batch whose frame number the host changed */
};

/* A copy of what the driver knows. */
struct vmware_balloon_status {
    enum vmware_balloon_state state;
    enum vmware_policy policy;
    enum vmware_level level;
    uint32_t wished_caps, caps; /* asked for and granted */
    bool has_doorbell;          /* the host was told of one and took it */
    /* The host granted single commands and does not know these: until the next session pages go one way, or
     * neither. */
    bool no_lock, no_unlock;
    bool is_reset_due;
    bool is_emptying;       /* small pages of a block go elsewhere */
    bool is_moving;         /* in the middle of a cycle's work */
    uint64_t wish_frames;   /* the host's target as it said it */
    uint64_t target_frames; /* the same, no more than the guest can give */
    uint64_t limit_frames;  /* what the host was told that we have */
    uint64_t size_frames;
    uint64_t huge_frames; /* of these, in groups of 2 MiB */
    /* Kept until the end of the cycle: neither in the balloon nor free. */
    uint64_t refused_frames;
    uint32_t rate_alloc, rate_free, slow_cycles;
    uint32_t last_start; /* status of the last START */
    uint64_t set_bytes;  /* memory for the page sets */
    uint64_t all_bytes;  /* with them: for the driver as a whole, and its batch page */
    struct vmware_counters count;
};

struct vmware_balloon;

/*
 * Open the session. `door` and `hal` outlive the balloon. 0 and *out: the first cycle is due at once;
 * -ENODEV: nobody listens (the first START answered all ones), no further call is made; -EIO: classic
 * only, START or GUEST_ID failed otherwise (R-W-04, R-W-05); -ENOMEM.
 */
int vmware_balloon_attach(const struct vmware_backdoor *door,
                          const struct balloon_hal *hal,
                          const struct vmware_balloon_opts *opts,
                          struct vmware_balloon **out);

/* Do what is due. */
void vmware_balloon_step(struct vmware_balloon *vb);

/* The host rang the doorbell: the next cycle begins now, or follows the one that runs. */
void vmware_balloon_ring(struct vmware_balloon *vb);

/* End the cycle, tell the host, and begin to give everything back (R-W-07); steps do the rest. No effect
 * when off. */
void vmware_balloon_detach(struct vmware_balloon *vb);

/* The machine will sleep: the cycle ends, no further call is made, the frames stay where they are (R-W-09). It is
 * ASLEEP on return, unless it is being detached or off. */
void vmware_balloon_suspend(struct vmware_balloon *vb);

/* The machine is awake: the next cycle begins at once. No effect when not ASLEEP. */
void vmware_balloon_resume(struct vmware_balloon *vb);

/* Free a balloon that is OFF. */
void vmware_balloon_destroy(struct vmware_balloon *vb);

/* The guest is out of memory: take at least `frames` back if that is allowed, and let no more go for 5 s
 * (R-L-17). Returns how many came; 0: none, as while a reset is due. Not from inside a HAL call. */
uint64_t vmware_balloon_oom(struct vmware_balloon *vb, uint64_t frames);

/*
 * The OS could do with the block that begins here, of which the balloon holds small pages: exchange them for
 * others (R-L-16), as far as there are frames in pieces of other blocks. Steps do it, between cycles; then
 * is_emptying ends. 0, or -EBUSY: another block is being emptied, or there is no session.
 */
int vmware_balloon_empty(struct vmware_balloon *vb, pfn_t block);

void vmware_balloon_get_status(const struct vmware_balloon *vb,
                               struct vmware_balloon_status *out);

/* Walk what the balloon holds, as ranges; start with pfn 0, go on behind the last one. */
bool vmware_balloon_next_range(const struct vmware_balloon *vb, pfn_t from, pfn_t *first,
                               uint64_t *frames);
