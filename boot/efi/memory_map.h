// SPDX-License-Identifier: BSD-2-Clause
/*
 * From the firmware's memory map to boot_info's: types translated, the kernel image cut out,
 * neighbours of one kind merged. Pure: also built for the host.
 */
#pragma once

#include "boot/boot_info.h"

#include <stddef.h>

/* Convert `bytes` of descriptors, each `stride` apart (UEFI 2.10, 7.2.3: at least 40, often 48), into
 * info->mem. What is wrong is left in info->error. */
void memory_map_convert(const uint8_t *map, size_t bytes, size_t stride,
                        uint64_t kernel_bytes, struct boot_info *info);
