// SPDX-License-Identifier: BSD-2-Clause
/*
 * The drivers of this kernel: one table of {match, attach, name}, the scan that feeds it, and the
 * balloon as the rest of the kernel sees it. What changes is told by `@` lines (docs/events.md).
 *
 * Context: task level; drivers_start() at boot, after clock, interrupts, memory and configuration.
 */
#pragma once

#include "base/units.h"

#include <stdbool.h>
#include <stdint.h>

/* Find the buses, attach what the table knows. A machine without PCI or balloon is not an error. */
void drivers_start(void);

/* Out of memory: ask the balloons for `frames`. Returns how many came back; 0: none will. Never waits
 * longer than 5 s. Counts as an out-of-memory event. Not from inside a driver. */
uint64_t drivers_oom(uint64_t frames);

/* Memory was given back to the allocator: a balloon that waits for it may go on. */
void drivers_memory_freed(void);

/* Frames inside balloons now: told to the host, or on the way there or back. */
uint64_t drivers_ballooned_frames(void);

/* True when any of these frames is in a balloon. */
bool drivers_is_ballooned(pfn_t first, uint64_t frames);

/* Frames: what the host wants taken, and what is. */
struct balloon_figures {
    uint64_t target, frames;
};
void drivers_balloon_figures(struct balloon_figures *out);

/* Bytes the balloons' own bookkeeping costs. */
uint64_t drivers_metadata_bytes(void);

/* The commands. They print `@` lines. 0; -ENODEV: no balloon device; -EBUSY: the last detach or reset
 * goes on; other errors of attaching. Detach goes on by itself until `event=detached`. */
int drivers_balloon_attach(void);
int drivers_balloon_detach(void);
int drivers_balloon_map(void);
int drivers_balloon_stats(void);
