// SPDX-License-Identifier: BSD-2-Clause
/*
 * The nested page tables: guest-physical = physical, RAM in 4 KiB entries up to NPT_RAM_MAX, everything
 * behind it in large ones. A frame that the host holds, and the monitor itself, are not present.
 */
#pragma once

#include "base/units.h"

#include <stdbool.h>

#define NPT_RAM_MAX GIB /* the guest's RAM ends below */

/* All of memory present, but for [hole, hole_end). */
void npt_init(paddr_t hole, paddr_t hole_end);

/* The value of N_CR3. */
uint64_t npt_root(void);

/* Take one frame below NPT_RAM_MAX away, give it back, or let it be read only. Call guest_flush() after. */
void npt_take(pfn_t frame);
void npt_give(pfn_t frame);
void npt_give_read_only(pfn_t frame);

bool npt_is_absent(paddr_t addr);
