// SPDX-License-Identifier: BSD-2-Clause
/* The `@` lines of the balloon (docs/events.md). Used by kernel/balloon.c alone; its task's context. */
#pragma once

#include "kernel/task.h"
#include "kernel/virtio_port.h"

#include "drivers/virtio/balloon.h"

/* `task` runs when a report that was held back may be made. Once. */
void balloon_report_init(struct task *task);

/* It runs (again): told in full. */
/* Blocks were wanted, and what could be moved out of them was: how many are free. */
void balloon_report_moved(const struct virtio_balloon *vb, uint64_t blocks_before,
                          uint64_t blocks_after);

void balloon_report_attached(const struct virtio_balloon *vb,
                             const struct virtio_port *port);

/* Tell what changed since the last call. */
void balloon_report(const struct virtio_balloon *vb, const struct virtio_port *port);

void balloon_report_detached(void);

/* The commands `balloon map` and `stats`. */
void balloon_report_map(const struct virtio_balloon *vb);
void balloon_report_stats(const struct virtio_balloon *vb,
                          const struct virtio_port *port);
