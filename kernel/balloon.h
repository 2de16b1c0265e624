// SPDX-License-Identifier: BSD-2-Clause
/*
 * The virtio balloon as a device of this kernel: its port, its task and its `@` lines. One at most is
 * active (R-V-02). Used by kernel/drivers.c alone.
 */
#pragma once

#include "kernel/driver.h"
#include "kernel/status_source.h"

#include "drivers/virtio/balloon.h"

extern const struct driver balloon_driver;

/* For the status page; balloon_status.c. */
extern const struct status_source balloon_status_source;

/* What it knows, and its port; NULL: it does not run. */
const struct virtio_port *balloon_device_status(struct virtio_balloon_status *out);

/* See kernel/drivers.h for what these do. */
int balloon_device_reattach(void);
int balloon_device_detach(void);
int balloon_device_map(void);
int balloon_device_stats(void);
uint64_t balloon_device_oom(uint64_t frames);
void balloon_device_memory_freed(void);
uint64_t balloon_device_frames(void);
uint64_t balloon_device_hinted(void);
uint64_t balloon_device_lent(void);
uint64_t balloon_device_recall(uint64_t frames);
uint64_t balloon_device_target(void);
bool balloon_device_has(pfn_t first, uint64_t frames);
uint64_t balloon_device_bytes(void);

/* What kernel/evacuation.h needs; the last two while it is live. */
bool balloon_device_is_live(void);
bool balloon_device_is_working(void);
int balloon_device_empty(pfn_t block);
void balloon_device_report_moved(uint64_t blocks_before, uint64_t blocks_after);
