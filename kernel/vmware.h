// SPDX-License-Identifier: BSD-2-Clause
/*
 * The VMware balloon in this kernel: found by what the machine says of itself, driven by its own task, told of
 * by `@` lines. Beside the virtio balloon, which knows nothing of it. Used by kernel/drivers.c alone.
 */
#pragma once

#include "kernel/status_source.h"

#include "base/units.h"

/* Detect and attach, if the settings allow. Not finding it is no error. Boot context, after the buses. */
void vmware_device_start(void);

/* See kernel/drivers.h for what these do; all of them work without a balloon. */
int vmware_device_reattach(void);
int vmware_device_detach(void);
int vmware_device_map(void);
int vmware_device_stats(void);
int vmware_device_vmmemctl(void);
uint64_t vmware_device_oom(uint64_t frames);
uint64_t vmware_device_frames(void);
uint64_t vmware_device_target(void);
bool vmware_device_has(pfn_t first, uint64_t frames);
uint64_t vmware_device_bytes(void);

/* What kernel/evacuation.h needs; the last two while it is live. */
bool vmware_device_is_live(void);
bool vmware_device_is_working(void);
int vmware_device_empty(pfn_t block);
void vmware_device_report_moved(uint64_t blocks_before, uint64_t blocks_after);

/* Around a sleep of the machine: it keeps its frames and sends nothing meanwhile. */
void vmware_device_suspend(void);
void vmware_device_resume(void);

/* One line: how it was detected, and what was agreed upon, or why there is no balloon. False: not VMware. */
bool vmware_device_describe(char *text, size_t size);

/* The same for the command doctor. */
void vmware_device_doctor(void);

/* For the status page. */
extern const struct status_source vmware_status_source;
