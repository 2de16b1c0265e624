// SPDX-License-Identifier: BSD-2-Clause
/* The `@` lines of the VMware balloon (docs/events.md), and the command vmmemctl. Used by kernel/vmware.c alone;
 * its task's context. */
#pragma once

#include "kernel/task.h"
#include "kernel/vmware_detect.h"

#include "drivers/vmware/balloon.h"

/* `task` runs when a report that was held back may be made. Once. */
void vmware_report_init(struct task *task);

/* It runs (again): told in full. */
void vmware_report_attached(const struct vmware_balloon *vb,
                            const struct vmware_found *found);

/* It does not: what START answered. */
void vmware_report_refused(const char *reason);

/* Tell what changed since the last call. */
void vmware_report(const struct vmware_balloon *vb);

/* Blocks were wanted, and what could be moved out of them was: how many are free. */
void vmware_report_moved(const struct vmware_balloon *vb, uint64_t blocks_before,
                         uint64_t blocks_after);

void vmware_report_detached(void);

/* The commands `balloon map`, `stats` and `vmmemctl`. */
void vmware_report_map(const struct vmware_balloon *vb);
void vmware_report_stats(const struct vmware_balloon *vb);
void vmware_report_vmmemctl(const struct vmware_balloon *vb);
