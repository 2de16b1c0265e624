// SPDX-License-Identifier: BSD-2-Clause
/*
 * The virtio console as a device of this kernel: text out and commands in on its text channel, the `@`
 * lines alone, and commands too, on its event channel (docs/console.md). What is said before it is
 * attached, or while it is away, is sent when it is there.
 */
#pragma once

#include "kernel/driver.h"

extern const struct driver virtio_console_driver;

/* Print its counters as `@` lines, if it is there. */
void virtio_console_device_stats(void);
