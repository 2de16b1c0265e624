// SPDX-License-Identifier: BSD-2-Clause
/* The guest's memory map: that of QEMU with the monitor cut out. */
#pragma once

#include "base/units.h"

#include <stdbool.h>
#include <stdint.h>

/* struct hvm_memmap_table_entry of the PVH start info. */
struct ram_range {
    paddr_t start;
    uint64_t size_bytes;
    uint32_t type, reserved;
};

#define RAM_RANGES_MAX 64
#define RAM_USABLE     1
#define RAM_RESERVED   2

/* Copy a range, in pieces where it holds the monitor. */
void ram_add(const struct ram_range *range);

const struct ram_range *ram_ranges(unsigned *count);

/* Whether the frame is usable RAM of the guest's. */
bool ram_is_guests(uint64_t pfn);

/* Whether all of [start, end) is. */
bool ram_holds(paddr_t start, paddr_t end);
