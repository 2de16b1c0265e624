// SPDX-License-Identifier: BSD-2-Clause
/* Tables of our own; the firmware's stay untouched. Pure. */
#include "boot/efi/paging.h"

#include "boot/boot_info.h"

#define ENTRY_PRESENT 1u
#define ENTRY_WRITE   2u
#define ENTRY_LARGE   0x80u
#define LOW_GIB       4

/* Places in `tables`. */
enum {
    ROOT,
    LOW_PDPT,
    IMAGE_PDPT,
    IMAGE_PD,
    LOW_PD, /* LOW_GIB of them */
};
_Static_assert(LOW_PD + LOW_GIB == PAGING_TABLES, "every table has its place");

static unsigned slot(uint64_t virt, unsigned shift)
{
    return (unsigned)(virt >> shift) & 511;
}

void handover_paging_build(uint64_t (*tables)[512], paddr_t phys, paddr_t kernel_phys,
                           uint64_t kernel_bytes)
{
    const uint64_t rights = ENTRY_PRESENT | ENTRY_WRITE;
    uint64_t blocks = (kernel_bytes + BLOCK_SIZE - 1) / BLOCK_SIZE;

    tables[ROOT][0] = (phys + LOW_PDPT * FRAME_SIZE) | rights;
    tables[ROOT][slot(DIRECT_MAP_BASE, 39)] = (phys + LOW_PDPT * FRAME_SIZE) | rights;
    tables[ROOT][slot(KERNEL_VIRT, 39)] = (phys + IMAGE_PDPT * FRAME_SIZE) | rights;
    tables[IMAGE_PDPT][slot(KERNEL_VIRT, 30)] = (phys + IMAGE_PD * FRAME_SIZE) | rights;
    for (unsigned i = 0; i < LOW_GIB; i++)
        tables[LOW_PDPT][i] = (phys + (LOW_PD + i) * FRAME_SIZE) | rights;
    for (unsigned i = 0; i < LOW_GIB * 512; i++)
        tables[LOW_PD + i / 512][i % 512] = i * BLOCK_SIZE | rights | ENTRY_LARGE;
    for (uint64_t i = 0; i < blocks; i++)
        tables[IMAGE_PD][i] = (kernel_phys + i * BLOCK_SIZE) | rights | ENTRY_LARGE;
}
