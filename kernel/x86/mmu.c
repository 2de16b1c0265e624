// SPDX-License-Identifier: BSD-2-Clause
/* mm/mmu.h on this CPU. */
#include "mm/mmu.h"

#include "boot/boot_info.h"
#include "kernel/x86/cpu.h"

void *mmu_phys_to_virt(paddr_t addr)
{
    return (void *)(DIRECT_MAP_BASE + addr);
}

void mmu_flush_page(uint64_t virt)
{
    __asm__ volatile("invlpg (%0)" : : "r"(virt) : "memory");
}

/* Clearing CR4.PGE drops global translations as well. */
void mmu_flush_all(void)
{
    uint64_t cr4 = cpu_read_cr4();

    cpu_write_cr4(cr4 & ~CR4_PGE);
    cpu_write_cr4(cr4);
    cpu_write_cr3(cpu_read_cr3());
}
