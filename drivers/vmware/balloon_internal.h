// SPDX-License-Identifier: BSD-2-Clause
/*
 * Inside the VMware balloon. Nobody but drivers/vmware/ includes it:
 *
 *   balloon.c          attach, the cycle and its steps, sleep, the end
 *   balloon_session.c  from RESET to an open session: START, capabilities, batch page, doorbell
 *   balloon_lock.c     pages into the balloon: taken, told, refused
 *   balloon_batch.c    the command for a chunk of pages
 *   balloon_unlock.c   pages out of it, with a word to the host or without one
 *   balloon_modern.c   how far a cycle goes by the modern policy
 *   balloon_classic.c  the same by the classic policy
 *   balloon_rates.c    rates: of classic, and of modern where it has them
 *   balloon_shrink.c   out of memory
 *   balloon_move.c     small pages exchanged for others
 *   balloon_status.c   figures and warnings
 *
 * What is in the balloon is in one of two sets: 4 KiB pages one by one, and 2 MiB groups. A page leaves as it
 * came: the host would not take it otherwise.
 */
#pragma once

#include "drivers/vmware/balloon.h"

#define SMALL 0u /* index of a size: 4 KiB */
#define HUGE  1u /* 2 MiB */

#define STEP_COMMANDS 32u   /* single commands in a step */
#define STEP_FRAMES   1024u /* small pages given back in a step without a command */

/* Before we start anew: pages that the host knows otherwise than we do, LOCKs in a row answered with all ones. */
#define STALE_MAX  16u
#define SILENT_MAX 3u

/* Between two warnings of a kind: a host may repeat their cause for ever, in one session or in many. */
#define WARN_GAP_NS (60 * NS_PER_S)

#define PFN_LIMIT_BASIC   (UINT64_C(1) << 32)
#define PFN_LIMIT_BATCHED (UINT64_C(1) << 52)

/* What is left to do in a cycle, in this order. */
enum vmware_phase {
    PHASE_IDLE,  /* no cycle runs */
    PHASE_POP,   /* the host has forgotten us: everything back */
    PHASE_START, /* a reset is due */
    PHASE_TARGET,
    PHASE_INFLATE,
    PHASE_DEFLATE,
    PHASE_END,
};

/* What goes wrong in a session and is said once in it. */
enum vmware_warning {
    WARN_NO_LOCK,
    WARN_NO_UNLOCK,
    WARN_NO_BATCH,
    WARN_NO_BATCH_2M,
    WARN_BATCH_PAGE,
    WARN_REFUSALS,
    /* We ask for a new session ourselves. */
    WARN_SILENT,
    WARN_LOCKED,
    WARN_STALE,
    WARN_KINDS,
};

/* A page of either size that is ours and not in the balloon. */
struct vmware_page {
    pfn_t first;
    enum run_state state;
};

/* What one command is about. */
struct vmware_chunk {
    unsigned size;
    uint32_t count;
    struct vmware_page pages[VMWARE_BATCH_ENTRIES];
    uint8_t status[VMWARE_BATCH_ENTRIES]; /* of each, when the command succeeded */
};

/* Refused, and kept until the end of the cycle so that the OS does not offer them again (R-W-19). The last
 * batch may be refused as a whole. */
struct vmware_refused {
    uint32_t count;
    struct vmware_page pages[VMWARE_REFUSED_MAX + VMWARE_BATCH_ENTRIES];
};

/* What a cycle knows of itself; all zero at its start. */
struct vmware_cycle {
    unsigned size;                  /* that it works with now */
    bool is_over;                   /* nothing more in this one */
    uint32_t refused[VMWARE_SIZES]; /* by the host, in this cycle */
    bool no_touched[VMWARE_SIZES];  /* memory with backing has run out */
    struct vmware_page split; /* a refused group offered frame by frame (R-L-09) ... */
    uint32_t split_left;      /* ... of which so many are left */
    unsigned choice;          /* inflating: of what to take, balloon_modern.c */
    uint64_t left;            /* deflating: pages of this size not offered yet */
    uint32_t stale;           /* pages the host did not hold */
    uint64_t goal;            /* the classic policy's */
    /* where there are rates: pages tried, or in modern frames moved, and how many may be */
    uint64_t turn;
    uint32_t rate;
    bool can_sleep; /* caches may be dropped from now on */
    bool has_error; /* in the last turn; deflating: in any */
};

struct vmware_balloon {
    const struct vmware_backdoor *door;
    const struct balloon_hal *hal;
    struct vmware_balloon_opts opts;

    enum vmware_balloon_state state;
    enum vmware_phase phase;
    uint64_t next_ns;  /* when the next cycle begins */
    bool is_rung;      /* a cycle more, at once */
    bool is_reset_due; /* START is the only command that is allowed */
    /* The host holds none of our frames: it said RESET, or took START. */
    bool is_forgotten;
    uint64_t shrunk_ns; /* no inflation before: memory was short */
    uint64_t caches_ns; /* modern: no caches are dropped before: it was not enough */

    uint32_t wished_caps, caps;
    uint32_t unwanted_caps; /* granted and then refused: not asked for the next time */
    /* Single commands that turned out not to be known are left alone until the next START. */
    bool no_lock, no_unlock;
    bool has_caps; /* the session began with capabilities, not as protocol 2 */
    bool has_doorbell;
    bool is_bell_lost; /* the machine slept: it is to be set again */
    uint32_t last_start;
    uint32_t locked_twice; /* in this session: pages the host had already */
    uint32_t silent_locks; /* answered with all ones, in a row */
    struct dma_mem batch;  /* the batch page; ptr NULL: none */
    bool is_batch_bad;     /* the host does not take it: another one, please */

    uint64_t wish, target, limit;
    struct page_set sets[VMWARE_SIZES];
    bool needs_trim;             /* pages left them since they were last trimmed */
    pfn_t cursors[VMWARE_SIZES]; /* pages to leave are looked for below (small), above */

    uint32_t rate_alloc, rate_free, slow_cycles;

    /* A block whose small pages go elsewhere, between cycles. */
    bool is_emptying;
    pfn_t emptied, empty_below; /* it begins here; and from here down is left */
    struct vmware_page spare[VMWARE_BATCH_ENTRIES]; /* the new ones */

    struct vmware_cycle cycle;
    struct vmware_chunk chunk;
    struct vmware_refused refused[VMWARE_SIZES];
    struct vmware_counters count;
    uint32_t warned; /* BIT32() of enum vmware_warning, in this session */
    uint64_t warn_at_ns[WARN_KINDS]; /* not before */
    /* Logged once. */
    bool told_limit, told_session, told_start_failure, told_guest, told_doorbell;
    bool told_entry, told_states, told_beyond;
};

static inline uint64_t vmware_frames(unsigned size)
{
    return size == HUGE ? BLOCK_FRAMES : 1;
}

static inline unsigned vmware_order(unsigned size)
{
    return size == HUGE ? BLOCK_ORDER : 0;
}

static inline uint64_t vmware_size(const struct vmware_balloon *vb)
{
    return vb->sets[SMALL].frames + vb->sets[HUGE].frames;
}

/* A status that is about the page and not about the command: others may do better. */
static inline bool vmware_is_about_page(uint32_t status)
{
    return status == VMWARE_SUCCESS ||
           (status >= VMWARE_PPN_INVALID && status <= VMWARE_PPN_PINNED);
}

static inline bool vmware_is_classic(const struct vmware_balloon *vb)
{
    return vb->opts.policy == VMWARE_POLICY_CLASSIC;
}

/* ---- balloon.c ---- */

/* Send, count, and note a RESET; of any command but START. */
uint32_t vmware_send(struct vmware_balloon *vb, enum vmware_command cmd, uint64_t arg1,
                     uint64_t arg2, uint64_t *data);

/* The host said RESET. */
void vmware_note_reset(struct vmware_balloon *vb);

/* The host wants so many: of its answer what the session allows. */
void vmware_adopt(struct vmware_balloon *vb, uint64_t frames);

/* Give up what the cycle keeps, and end it. */
void vmware_end_cycle(struct vmware_balloon *vb);

/* ---- balloon_status.c ---- */

/* Log it, unless that was done in this session, or less than WARN_GAP_NS ago in another. */
__attribute__((format(printf, 3, 4))) void
vmware_warn(struct vmware_balloon *vb, enum vmware_warning what, const char *fmt, ...);

/* ---- balloon_session.c ---- */

/* START and what follows it. True: the session may be used. */
bool vmware_open(struct vmware_balloon *vb);

/* Tell the host where to ring, if it can. */
void vmware_set_doorbell(struct vmware_balloon *vb);

/* The last START, by which the host forgets us. */
void vmware_close(struct vmware_balloon *vb);

enum vmware_level vmware_level(const struct vmware_balloon *vb);

/* Whether this session has a command for it. */
bool vmware_can_lock(const struct vmware_balloon *vb);
bool vmware_can_unlock(const struct vmware_balloon *vb);

/* Pages in a command, R-L-04. */
static inline uint32_t vmware_chunk_max(const struct vmware_balloon *vb)
{
    return vmware_level(vb) == VMWARE_LEVEL_BASIC ? 1 : VMWARE_BATCH_ENTRIES;
}

/* Ask the host for the target. True: it said one. */
bool vmware_get_target(struct vmware_balloon *vb);

/* At the end of a cycle: the batch page is replaced if the host does not take it. */
void vmware_mend_batch(struct vmware_balloon *vb);

/* ---- balloon_lock.c ---- */

/* Take a page from the OS as `want` says of freedom and pieces; it has its place in the set. */
bool vmware_take(struct vmware_balloon *vb, unsigned size, struct run_want want,
                 struct vmware_page *out);

void vmware_give(struct vmware_balloon *vb, unsigned size, struct vmware_page page);

/* Lock the chunk: one command, which is single when the level is basic. The cycle is over where the host
 * says so. Returns the status of the command. */
uint32_t vmware_lock(struct vmware_balloon *vb);

/* Give refused pages back, and what is left of a group that was split. */
void vmware_free_refused(struct vmware_balloon *vb);

/* A group that was refused becomes frames to offer. False: there is none. */
bool vmware_split_refused(struct vmware_balloon *vb);

/* ---- balloon_batch.c ---- */

/* The chunk's pages in one command: `single` where the level is basic, else that of its size. The status of
 * each is in the chunk where the command succeeded. */
uint32_t vmware_send_chunk(struct vmware_balloon *vb, enum vmware_command single,
                           const enum vmware_command batched[VMWARE_SIZES]);

/* ---- balloon_unlock.c ---- */

/* Fill the chunk with up to `max` pages from the cursor on; they stay in their set. */
void vmware_pick(struct vmware_balloon *vb, unsigned size, uint64_t max);

/* Unlock the chunk, by one command. Returns its status, and how many pages left the balloon. */
uint32_t vmware_unlock(struct vmware_balloon *vb, uint32_t *gone);

/* A page of a set is the OS's again. */
void vmware_drop(struct vmware_balloon *vb, unsigned size, pfn_t first);

/* Give some back without a word to the host. True: nothing is left. */
bool vmware_pop(struct vmware_balloon *vb);

/* Give memory of the sets back. Not while a page is taken that is not in its set yet. */
void vmware_trim(struct vmware_balloon *vb);

/* ---- balloon_move.c ---- */

/* Between cycles, while is_emptying. */
void vmware_step_move(struct vmware_balloon *vb);

/* ---- balloon_rates.c; the modern policy's calls are where vmware_has_rates() only ---- */

/* The target is known: the cycle's rate. */
void vmware_rates_begin(struct vmware_balloon *vb, bool is_inflating);

/* As vmware_take(); what is free only while there is plenty of it. */
bool vmware_rates_take(struct vmware_balloon *vb, unsigned size, struct run_want want,
                       struct vmware_page *out);

/* There was no small page: the cycle goes on slowly, or is over. */
void vmware_rates_short(struct vmware_balloon *vb);

/* The cycle is over: the next one's rate. */
void vmware_rates_end_inflate(struct vmware_balloon *vb);
void vmware_rates_end_deflate(struct vmware_balloon *vb);

static inline bool vmware_has_rates(const struct vmware_balloon *vb)
{
    return vb->opts.rates || vmware_is_classic(vb);
}

/* ---- policies: what a cycle begins with when the target is known, and steps of it ---- */

/* Frames missing in the balloon, or too many if negative; 0: as it should be. */
int64_t vmware_modern_change(const struct vmware_balloon *vb);
void vmware_modern_inflate(struct vmware_balloon *vb);
void vmware_modern_deflate(struct vmware_balloon *vb);

int64_t vmware_classic_change(struct vmware_balloon *vb);
void vmware_classic_inflate(struct vmware_balloon *vb);
void vmware_classic_deflate(struct vmware_balloon *vb);
