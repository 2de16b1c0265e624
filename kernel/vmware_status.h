// SPDX-License-Identifier: BSD-2-Clause
/* The VMware balloon on the status page: its line there, and its group in the page of details. Pure: also built for the
 * host. */
#pragma once

#include "kernel/status_sheet.h"

#include "drivers/vmware/balloon.h"

#include <stddef.h>

/* What was agreed with the host. What has no room is cut. */
void vmware_status_describe(const struct vmware_balloon_status *now, char *text,
                            size_t size);

/* Commands that were never sent are left out. */
void vmware_status_put(struct status_sheet *sheet,
                       const struct vmware_balloon_status *now);
