// SPDX-License-Identifier: BSD-2-Clause
/*
 * A small machine with everything that an app's memory is made from: RAM, the frame allocator, page tables
 * whose frames come from it as in kernel/memory.c, the kernel heap, watermarks, a clock that ticks with
 * every look at it, and a pretended balloon that takes frames as kernel/hal.c does. Hostages are frames
 * that nobody else can have: with them memory runs out exactly where a test wants it to. How to begin and
 * end one, and its CPU, is in appmem_rig.h.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/err.h"
#include "mm/appmem.h"
#include "mm/compact.h"
#include "mm/reclaim.h"
#include "tests/model/mmu.h"
#include "tests/model/seams.h"

#define RIG_RAM         (64 * MIB) /* where RAM begins */
#define RIG_WINDOW      UINT64_C(0x200000000000)
#define RIG_TABLES_KEPT 4 /* as kernel/memory.c */
#define RIG_TICK_NS     100

/* Frames in a row of `count`, each once. */
struct rig_frames {
    pfn_t *items;
    uint64_t count;
};

struct rig {
    struct pmm *pmm;
    struct vmm vmm;
    struct heap heap;
    struct pressure pressure;
    struct appmem mem;
    uint64_t frames; /* of RAM */
    uint64_t now;
    uint8_t *owner; /* of each frame: by rig_check() */

    paddr_t kept[RIG_TABLES_KEPT]; /* frames for page tables */
    unsigned kept_count;
    uint64_t table_fail_at; /* the n-th take from now fails; 0: none */

    struct rig_frames balloon, hostages;
    bool may_deflate; /* DEFLATE_ON_OOM */
    bool is_silent;   /* a host that does not answer */
    uint64_t oom_calls, oom_frames;
    uint64_t lent; /* frames that another balloon has, one that keeps its own books */

    void (*meanwhile)(struct rig *rig);
    uint64_t pauses, give_up_at; /* of long requests; 0: never */
    bool has_given_up;           /* at the last one */
};

static inline struct pmm_stats rig_pmm(const struct rig *rig)
{
    struct pmm_stats stats;

    pmm_stats(rig->pmm, &stats);
    return stats;
}

static inline uint64_t rig_free(const struct rig *rig)
{
    return rig_pmm(rig).free_frames;
}

static inline uint64_t rig_free_blocks(const struct rig *rig)
{
    struct pmm_stats stats = rig_pmm(rig);

    return stats.free_blocks_touched + stats.free_blocks_untouched;
}

static inline uint64_t rig_min(const struct rig *rig)
{
    return rig->pressure.min_bytes >> FRAME_SHIFT;
}

/* ---- page tables ---- */

static inline int rig_table_take(void *ctx, paddr_t *out)
{
    struct rig *rig = ctx;
    struct pmm_run run;

    if (rig->table_fail_at != 0 && --rig->table_fail_at == 0)
        return -ENOMEM;
    if (pmm_take(rig->pmm, (struct pmm_want){.class = PMM_FIXED}, &run) == 0) {
        *out = pfn_to_paddr(run.pfn);
        return 0;
    }
    if (rig->kept_count == 0)
        return -ENOMEM;
    *out = rig->kept[--rig->kept_count];
    return 0;
}

static inline void rig_table_give(void *ctx, paddr_t frame)
{
    struct rig *rig = ctx;

    pmm_give(rig->pmm, pfn_from_paddr(frame), 0, RUN_TOUCHED);
}

static inline void rig_keep(struct rig *rig, unsigned count)
{
    while (rig->kept_count > count)
        rig_table_give(rig, rig->kept[--rig->kept_count]);
}

/* What the kernel does before it sleeps. */
static inline void rig_refill(struct rig *rig)
{
    struct pmm_run run;

    pmm_refill(rig->pmm);
    while (rig->kept_count < RIG_TABLES_KEPT &&
           pmm_take(rig->pmm, (struct pmm_want){.class = PMM_FIXED}, &run) == 0)
        rig->kept[rig->kept_count++] = pfn_to_paddr(run.pfn);
}

/* ---- frames of others ---- */

static inline void rig_put(struct rig_frames *frames, pfn_t first, unsigned order)
{
    for (uint64_t i = 0; i < UINT64_C(1) << order; i++)
        frames->items[frames->count++] = pfn_add(first, i);
}

/* Give back the frames taken last. */
static inline void rig_give(struct rig *rig, struct rig_frames *frames, uint64_t count,
                            enum run_state state)
{
    for (; count > 0; count--)
        pmm_give(rig->pmm, frames->items[--frames->count], 0, state);
}

/* Take frames until so many are left. Nothing in the machine can have them. */
static inline void rig_leave(struct rig *rig, uint64_t left)
{
    struct pmm_run run;

    while (rig_free(rig) > left) {
        assert_int_equal(
            pmm_take(rig->pmm, (struct pmm_want){.class = PMM_MOVABLE}, &run), 0);
        rig_put(&rig->hostages, run.pfn, 0);
    }
}

static inline void rig_free_hostages(struct rig *rig)
{
    rig_give(rig, &rig->hostages, rig->hostages.count, RUN_TOUCHED);
}

/* ---- the balloon ---- */

/* One request of run_take() in kernel/hal.c. */
static inline bool rig_inflate_one(struct rig *rig, unsigned order)
{
    const struct pmm_want want = {
        .order = order, .class = PMM_MOVABLE, .keep_reserve = true};
    struct pmm_run run;

    if (!reclaim_for_balloon(&rig->mem, UINT64_C(1) << order) ||
        pmm_take(rig->pmm, want, &run))
        return false;
    rig_put(&rig->balloon, run.pfn, order);
    return true;
}

/* Inflate by up to so many frames, whole blocks first. How many came. */
static inline uint64_t rig_inflate(struct rig *rig, uint64_t frames)
{
    uint64_t before = rig->balloon.count, end = before + frames;

    while (rig->balloon.count + BLOCK_FRAMES <= end && rig_inflate_one(rig, BLOCK_ORDER))
        ;
    while (rig->balloon.count < end && rig_inflate_one(rig, 0))
        ;
    return rig->balloon.count - before;
}

static inline void rig_deflate(struct rig *rig, uint64_t frames)
{
    rig_give(rig, &rig->balloon, min_u64(frames, rig->balloon.count), RUN_UNTOUCHED);
}

/* As the driver: a request is 256 frames. */
static inline uint64_t rig_oom(void *ctx, uint64_t frames)
{
    struct rig *rig = ctx;
    uint64_t got = min_u64(align_up(frames, 256), rig->balloon.count);

    rig->oom_calls++;
    rig->oom_frames += frames;
    rig->now += NS_PER_MS;
    if (!rig->may_deflate || rig->is_silent)
        return 0;
    rig_deflate(rig, got);
    return got;
}

static inline uint64_t rig_ballooned(void *ctx)
{
    const struct rig *rig = ctx;

    return rig->balloon.count;
}

static inline bool rig_is_ballooned(void *ctx, pfn_t first, uint64_t frames)
{
    const struct rig *rig = ctx;

    for (uint64_t i = 0; i < rig->balloon.count; i++)
        if (rig->balloon.items[i].n - first.n < frames)
            return true;
    return false;
}

/* A long request pauses: what a test does meanwhile, unless it gives up. */
static inline bool rig_go_on(void *ctx)
{
    struct rig *rig = ctx;

    if (rig->meanwhile)
        rig->meanwhile(rig);
    rig->has_given_up = ++rig->pauses >= rig->give_up_at && rig->give_up_at != 0;
    return !rig->has_given_up;
}

static inline uint64_t rig_now(void *ctx)
{
    struct rig *rig = ctx;

    return rig->now += RIG_TICK_NS;
}
