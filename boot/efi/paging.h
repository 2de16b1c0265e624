// SPDX-License-Identifier: BSD-2-Clause
/*
 * The page tables boot_info.h promises the kernel: [0, 4 GiB) identically and at DIRECT_MAP_BASE, the
 * image at KERNEL_VIRT, 2 MiB pages. Pure: also built for the host.
 */
#pragma once

#include "base/units.h"

#define PAGING_TABLES 8 /* 4 KiB each */

/* Build them in `tables`, zeroed memory at physical address `phys`. The root is the first one. The kernel
 * is smaller than 1 GiB: elf_check() bounds it. */
void handover_paging_build(uint64_t (*tables)[512], paddr_t phys, paddr_t kernel_phys,
                           uint64_t kernel_bytes);
