// SPDX-License-Identifier: BSD-2-Clause
/* Register windows on this machine: MMIO mapped uncached on request, anywhere in 52 bits, and ports. */
#pragma once

#include "hal/reg_io.h"

/* The machine's address spaces; see reg_io.h for the rules. */
extern const struct reg_space machine_reg_space;

/* Firmware tables: `size_bytes` at `addr`, mapped read-only and cached, for ever. NULL when there is no
 * room or the range is impossible. Task or boot context, after paging_init(). */
const void *mmio_map_table(paddr_t addr, uint64_t size_bytes);

/* Device memory without side effects, such as a framebuffer: writable and uncached, for ever. NULL as above. Boot context, after paging_init(). */
void *mmio_map_memory(paddr_t addr, uint64_t size_bytes);
