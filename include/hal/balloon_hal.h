// SPDX-License-Identifier: BSD-2-Clause
/*
 * The OS seam: the services the balloon library needs. The kernel, the host tests and other firmware
 * each implement it; docs/porting-balloon.md shows a complete small one.
 *
 * Context: every call comes from the balloon's task, one at a time; only now() is called from the ISR as
 * well. None of them may wait for the host, and none may call back into the balloon.
 */
#pragma once

#include "base/log.h"
#include "base/units.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the host has behind free memory (mm/pmm.h keeps free blocks apart by it). */
enum run_state {
    RUN_TOUCHED,   /* the guest wrote it: the host has backing for it */
    RUN_UNTOUCHED, /* never written, or given back to the host: no backing */
};

/* What a balloon asks of run_take(). */
struct run_want {
    uint64_t pfn_limit; /* every frame number lies below this, R-V-10 */
    bool touched_only; /* refuse with -ENOMEM rather than take untouched memory, R-X-03 */
    bool free_only;    /* only what is free now: drop no cache, move nothing */
    bool
        pieces_only; /* frames: break no whole block for them, and take none of a block that is being emptied */
};

/* Figures for statistics, R-V-39. Bytes or counts since boot; counters only ever grow. What the balloon holds
 * is not free, hinted blocks neither: the balloon adds these itself. */
struct mem_stats {
    /* all RAM the allocator was given at boot; ballooned RAM counts */
    uint64_t total_bytes;
    uint64_t free_bytes;      /* could be taken now, the reserve included */
    uint64_t available_bytes; /* free and reclaimable, less the reserve */
    uint64_t cache_bytes;     /* reclaimable without I/O */
    uint64_t minor_faults, major_faults;
    uint64_t block_allocs, block_failures; /* 2 MiB allocations */
    uint64_t oom_events, alloc_stalls;
    /* Bytes that reclaim looked at and freed: in the background, and inside allocations. */
    uint64_t async_scan, async_reclaim, direct_scan, direct_reclaim;
    uint64_t reserve_bytes; /* a balloon never takes the last of these, R-X-05 */
};

/* Memory shared with the device: zeroed, physically contiguous, frame aligned. */
struct dma_mem {
    void *ptr;
    paddr_t addr; /* as the device sees it */
    size_t size_bytes;
};

/* Whole blocks that the host has backing for and nobody needs. */
struct idle_blocks {
    uint64_t now;   /* free now */
    uint64_t least; /* the fewest that were free at any time since the last question */
    /* Blocks that are free in part, with memory in them that may be lent (piece_take()): in all, and those
     * that were among them at the last question. Each of these is told of until it was taken from. */
    uint64_t pieces, pieces_due;
    uint64_t
        cold_frames; /* without backing, that others than the balloon took; since boot */
};

struct balloon_hal {
    void *ctx; /* passed back untouched; all instance state of the implementer */

    /* Take a run of 2^order frames (order 0 or 9), aligned to its size. Returns 0 and *out and
     * *state, or -ENOMEM when the guest would fall below its reserve. Best effort (R-V-23): never
     * triggers the out-of-memory path. */
    int (*run_take)(void *ctx, unsigned order, struct run_want want, pfn_t *out,
                    enum run_state *state);

    /* Return a run obtained from run_take(), whole or in parts. Cannot fail. */
    void (*run_give)(void *ctx, pfn_t first, unsigned order, enum run_state state);

    /* Return up to 64 whole blocks: bit i of `mask` is the block at first + i * BLOCK_FRAMES. Cannot
     * fail. A balloon of many GiB comes back through this, while the guest waits for it (R-V-32): it
     * should take a handful of instructions a block. */
    void (*blocks_give)(void *ctx, pfn_t first, uint64_t mask, enum run_state state);

    /* The host wants blocks after all that it was not yet told we gave back: take again those that were
     * given as RUN_UNTOUCHED and that nobody has had since, as far as the reserve allows. Returns the
     * part of `mask` that was taken; 0 is always right. */
    uint64_t (*blocks_take_back)(void *ctx, pfn_t first, uint64_t mask);

    /* How many blocks lie idle: the question of free page reporting, which leaves alone what comes and goes
     * faster than it asks (R-V-59). {0} where nobody counts them: then nothing is reported but for the balloon. */
    void (*idle_blocks)(void *ctx, struct idle_blocks *out);

    /* Take a run of free frames, as long as possible but at most `max`, out of a block that is free in part
     * and due by idle_blocks(): its start and its length are multiples of 2^order, order below that of a
     * block. Returns 0 and *first and *frames, or -ENOMEM: none is left, or the guest would fall below its
     * reserve. It is given back soon, RUN_UNTOUCHED once the host has dropped it. Both may be NULL where
     * idle_blocks() tells of no pieces. */
    int (*piece_take)(void *ctx, unsigned order, uint64_t max, pfn_t *first,
                      uint64_t *frames);
    void (*piece_give)(void *ctx, pfn_t first, uint64_t frames, enum run_state state);

    /* The balloon holds `delta` frames more (or, negative, fewer) that it counts as taken from the
     * OS's managed memory: R-V-44. Not called for frames that DEFLATE_ON_OOM can bring back. */
    void (*account)(void *ctx, int64_t delta_frames);

    /* Memory for rings and buffers. Returns 0 or -ENOMEM. */
    int (*dma_alloc)(void *ctx, size_t size_bytes, struct dma_mem *out);
    void (*dma_free)(void *ctx, struct dma_mem *mem);

    /* Memory for the library's own state: zeroed, aligned to 16; NULL when there is none. */
    void *(*mem_alloc)(void *ctx, size_t size_bytes);
    void (*mem_free)(void *ctx, void *ptr, size_t size_bytes);

    /* Monotonic time in ns. */
    uint64_t (*now)(void *ctx);

    /* Run the balloon's task again as soon as possible / not later than `when_ns`. A new wake_at()
     * replaces the former; UINT64_MAX cancels. A wake before its time is harmless. */
    void (*wake)(void *ctx);
    void (*wake_at)(void *ctx, uint64_t when_ns);

    /* Sample the statistics. */
    void (*mem_stats)(void *ctx, struct mem_stats *out);

    /* Pause the CPU for a moment inside a bounded poll (device reset, the out-of-memory path). */
    void (*relax)(void *ctx);

    struct log_sink log;
};
