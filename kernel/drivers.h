// SPDX-License-Identifier: BSD-2-Clause
/*
 * The drivers of this kernel: one table of them, the scan that feeds it, what happens to devices
 * later (hot-plug, suspend), and the balloon as the rest of the kernel sees it. What changes is told by `@` lines (docs/events.md).
 *
 * Context: task level; drivers_start() at boot, after clock, interrupts, memory and configuration.
 */
#pragma once

#include "drivers/bus/pci.h"

/* Find the buses, attach what the table knows. A machine without PCI or balloon is not an error. */
void drivers_start(void);

/* Configuration space, or NULL where there is no PCI. After drivers_start(). */
struct pci_host *drivers_pci_host(void);

/* May be called before the function that takes it returns. */
typedef void drivers_done_fn(void *ctx);

/* A function has appeared; its BARs are assigned. 0: a driver runs it. -ENODEV: no driver is for it, or
 * it is switched off; -EBUSY: that driver has a device already (this one is left reset), or the one that
 * was here before is not gone yet; -ENOSPC; or why it does not start. */
int drivers_add(const struct pci_dev *dev);

/* A function shall go: its driver gives everything back and closes it, then done(ctx). At once when
 * nobody drives it. Not twice for one function. A device that dies on the way is closed all the same. */
void drivers_release(const struct pci_dev *dev, drivers_done_fn *done, void *ctx);

/* A function has gone without warning: none of its registers is touched any more. */
void drivers_lost(const struct pci_dev *dev);

/* The machine will sleep: every device is closed, then done(ctx). Resume opens those again that ran;
 * registers and PCI configuration are as they were by then. Not twice in a row. */
void drivers_suspend(drivers_done_fn *done, void *ctx);
void drivers_resume(void);

/* Out of memory: ask the balloons for `frames`. Returns how many came back; 0: none will. Never waits
 * longer than 5 s, and a second more where a device has to be reset. Counts as an out-of-memory event. Not from inside a driver. */
uint64_t drivers_oom(uint64_t frames);

/* Memory was given back to the allocator: a balloon that waits for it may go on. */
void drivers_memory_freed(void);

/* Frames inside balloons now: told to the host, or on the way there or back. */
uint64_t drivers_ballooned_frames(void);

/* Frames that were hinted to a migrating host, which need not send them: no part of the balloon. */
uint64_t drivers_hinted_frames(void);

/* Memory is wanted: give hinted blocks back until they make `frames`, as far as the host is through with
 * them. How many came. The allocator asks by itself (mm/pmm.h); may be called from inside a driver. */
uint64_t drivers_release_hinted(uint64_t frames);

/* True when any of these frames is in a balloon. */
bool drivers_is_ballooned(pfn_t first, uint64_t frames);

/* Blocks are wanted that ballooned frames may lie in: a balloon asks mm/evacuate.h for them when it rests. */
void drivers_evacuate(void);

/* Frames: what the host wants taken, and what is. */
struct balloon_figures {
    uint64_t target, frames;
};
void drivers_balloon_figures(struct balloon_figures *out);

/* Bytes the balloons' own bookkeeping costs. */
uint64_t drivers_metadata_bytes(void);

/* The commands; for both balloons. They print `@` lines. 0; -ENODEV: no balloon device; -EBUSY: the last detach or reset
 * goes on; other errors of attaching. Detach goes on by itself until `event=detached`. */
int drivers_balloon_attach(void);
int drivers_balloon_detach(void);
int drivers_balloon_map(void);
int drivers_balloon_stats(void);

/* What the VMware balloon counts, for people and as `@` lines; -ENODEV: there is none. */
int drivers_vmmemctl(void);

/* The doctor's line about VMware. */
void drivers_vmware_doctor(void);
