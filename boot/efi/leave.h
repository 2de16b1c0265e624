// SPDX-License-Identifier: BSD-2-Clause
/* The way out of boot services. Pure but for the firmware's calls: a test plays the firmware. */
#pragma once

#include "boot/efi/loader.h"

/* ExitBootServices(), with the memory map in info->mem. Nothing of the firmware but its runtime
 * services may be used afterwards. The kernel occupies [info->kernel_phys, + kernel_bytes). Refuses when
 * the firmware does not let go. */
void leave_boot_services(const struct loader *loader, struct boot_info *info,
                         uint64_t kernel_bytes);
