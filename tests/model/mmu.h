// SPDX-License-Identifier: BSD-2-Clause
/*
 * Guest-physical memory for host tests: windows of physical addresses, each backed by host memory that
 * costs only what is touched. An access outside of all windows fails the test.
 */
#pragma once

#include "mm/mmu.h"

#include <stddef.h>

/* Make [start, start + size_bytes) exist; contents start as zero. */
void model_ram_add(paddr_t start, uint64_t size_bytes);

/* Forget all windows and counters. */
void model_ram_reset(void);

/* The inverse of mmu_phys_to_virt(). */
paddr_t model_virt_to_phys(const void *ptr);

/* Bytes of host memory that the windows have come to use: what was touched. */
uint64_t model_ram_touched(void);

/* Since the last reset. */
uint64_t model_page_flushes(void);
uint64_t model_full_flushes(void);
