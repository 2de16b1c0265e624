// SPDX-License-Identifier: BSD-2-Clause
/*
 * The kernel's address space (docs/memory.md has the map): all RAM at DIRECT_MAP_BASE, the image by
 * section rights, stacks with guard pages, windows for registers. Nothing is writable and executable,
 * nothing is mapped low.
 */
#pragma once

#include "mm/region.h"
#include "mm/vmm.h"

#include <stdint.h>

#define MMIO_BASE  UINT64_C(0xFFFFC00000000000)
#define STACK_BASE UINT64_C(0xFFFFD00000000000)

/* Every stack ends at a multiple of this; below its lowest page nothing is mapped. */
#define STACK_SLOT       UINT64_C(0x10000)
#define STACK_MAIN_BYTES UINT64_C(0x8000)
#define STACK_TRAP_BYTES UINT64_C(0x2000)

/* Switch on what protects us (NXE, WP, SMEP, SMAP, UMIP, PGE) as far as the CPU has it, and build
 * the final tables. 0 or -ENOMEM. Boot context, on the front end's tables. */
int paging_build(const struct region_set *ram, paddr_t kernel_phys,
                 struct vmm_source early);

/* Load them and go on in next() on the main stack. */
_Noreturn void paging_enter(void (*next)(void));

/* The lowest address of a stack: enum trap_stack, STACK_COUNT for the main one. */
uint64_t paging_stack_bottom(unsigned slot);

/* Where the image lies. */
paddr_t paging_image_phys(void);

/* From here on tables come from `source`. */
void paging_use(struct vmm_source source);

struct vmm *paging_vmm(void);
uint64_t paging_table_bytes(void);

/* Leaves that can be written and executed, counted by walking the tables: 0 on a CPU with NX. */
uint64_t paging_count_wx(void);

/* The words "nx wp smep smap umip" that are on, for the log. Static storage. */
const char *paging_features(void);
