// SPDX-License-Identifier: BSD-2-Clause
/*
 * From the firmware's memory map to an allocator: checks the map, has the final page tables built from
 * frames taken before there is an allocator, then hands all RAM that is left to mm/pmm.
 */
#pragma once

#include "boot/boot_info.h"
#include "mm/heap.h"
#include "mm/pmm.h"

#include <stdbool.h>

/* Refuses to boot when the map is not fit. Boot context, on the front end's stack and tables. */
void memory_check(const struct boot_info *info);

/* Build the final tables and go on in next() on the kernel's own stack. The front end's tables, stack
 * and boot_info are free RAM from then on. */
_Noreturn void memory_enter(const struct boot_info *info, void (*next)(void));

/* Set up the allocator, on the final tables. Settings must be loaded. */
void memory_start(void);

/* Bring the pools that serve when no memory is left back to their level. Task level, before each pass. */
void memory_refill(void);

struct pmm *memory_pmm(void);
struct heap *memory_heap(void);

/* RAM the firmware gave us, the image included. */
uint64_t memory_total_bytes(void);

/* RAM the allocator does not know: what page tables and stacks got before it was there, and the low page. */
uint64_t memory_early_bytes(void);

/* The frame below 1 MiB that is kept for the waking vector (x86/wake.h); 0: the firmware left none. */
paddr_t memory_low_page(void);

/* True when any byte of the range (which does not wrap) is RAM of ours, the image included: no device lies
 * there. */
bool memory_is_ram(paddr_t start, uint64_t size_bytes);
