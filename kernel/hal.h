// SPDX-License-Identifier: BSD-2-Clause
/*
 * The seams of include/hal/ implemented on this kernel: a balloon_hal over the allocator, the clock,
 * timers and tasks. Also the home of the counters that the host's statistics are made of.
 */
#pragma once

#include "kernel/timer.h"

#include "hal/balloon_hal.h"
#include "mm/heap.h"
#include "mm/pmm.h"

/* One driver's view: its task and its deadline. Lives as long as the driver. */
struct hal_client {
    struct balloon_hal hal; /* hand this to the driver; its ctx is this object */
    bool gives_anything;    /* what it gives back may hold anything: pmm_give() looks at it */
    struct task task;
    struct timer timer;
};

/* Remember the allocators. Boot context, before any other call here. */
void hal_init(struct pmm *pmm, struct heap *heap);

/* Make the table and its task, which runs `run(ctx)`. Boot context, once per client. */
void hal_client_init(struct hal_client *client, const char *name, void (*run)(void *ctx),
                     void *ctx);

/* Sample what hal.mem_stats() gives. Task context. */
void hal_mem_stats(struct mem_stats *out);

/* An allocation found no memory, whatever the balloon could do about it then. */
void hal_note_oom(void);

/* Minor faults of an app that has ended: the host's counter goes on. */
void hal_note_faults(uint64_t faults);

/* Frames that balloons took from managed memory and do not bring back on demand (R-V-44). */
uint64_t hal_accounted_frames(void);
