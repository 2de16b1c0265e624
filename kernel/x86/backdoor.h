// SPDX-License-Identifier: BSD-2-Clause
/* The VMware backdoor on this machine: the instruction behind the seam of drivers/vmware/backdoor.h. */
#pragma once

#include "drivers/vmware/backdoor.h"

/* Harmless at this level of privilege on a machine that has no such port: it answers all ones. */
extern const struct vmware_backdoor machine_backdoor;
