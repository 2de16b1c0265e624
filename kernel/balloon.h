// SPDX-License-Identifier: BSD-2-Clause
/*
 * The virtio balloon as a device of this kernel: its place on the bus, its interrupt line, its task
 * and its `@` lines. One at most is active (R-V-02). Used by kernel/drivers.c alone.
 */
#pragma once

#include "drivers/bus/pci.h"

#include <stdbool.h>
#include <stdint.h>

/* R-V-01: by vendor and device number, nothing else. */
bool balloon_device_match(const struct pci_dev *dev);

/* Take it and start its task; a second one is reset and left alone. 0 or why not. */
int balloon_device_attach(const struct pci_dev *dev);

/* See kernel/drivers.h for what these do. */
int balloon_device_reattach(void);
int balloon_device_detach(void);
int balloon_device_map(void);
int balloon_device_stats(void);
uint64_t balloon_device_oom(uint64_t frames);
void balloon_device_memory_freed(void);
uint64_t balloon_device_frames(void);
uint64_t balloon_device_target(void);
bool balloon_device_has(pfn_t first, uint64_t frames);
uint64_t balloon_device_bytes(void);
