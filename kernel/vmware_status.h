// SPDX-License-Identifier: BSD-2-Clause
/* The VMware balloon on the status page: its group in the page of details. Pure: also built for the host. */
#pragma once

#include "kernel/status_sheet.h"

#include "drivers/vmware/balloon.h"

/* Commands that were never sent are left out. */
void vmware_status_put(struct status_sheet *sheet,
                       const struct vmware_balloon_status *now);
