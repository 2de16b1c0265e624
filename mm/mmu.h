// SPDX-License-Identifier: BSD-2-Clause
/*
 * What mm/ asks of the CPU. kernel/x86/mmu.c implements it for the machine; tests/model/mmu.c for the
 * host. A seam: declared here, defined elsewhere, functions only.
 */
#pragma once

#include "base/units.h"

/* Where guest-physical memory can be read and written. Any context. */
void *mmu_phys_to_virt(paddr_t addr);

/* Forget cached translations of one page / of everything. Any context. */
void mmu_flush_page(uint64_t virt);
void mmu_flush_all(void);
