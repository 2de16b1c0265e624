// SPDX-License-Identifier: BSD-2-Clause
/*
 * Builds the page table for the call, checks the firmware's tables on it, calls. Only runtime memory
 * below 4 GiB is supported: where x86 firmware puts it.
 */
#include "kernel/x86/efi_reset.h"

#include "base/bits.h"
#include "base/le.h"
#include "boot/boot_info.h"
#include "kernel/log.h"

#include <stdbool.h>
#include <stddef.h>

#define TABLE_ENTRIES 512
#define LOW_GIB       4

#define PTE_PRESENT  BIT64(0)
#define PTE_WRITE    BIT64(1)
#define PTE_LARGE    BIT64(7)
#define PTE_ADDRESS  UINT64_C(0x000FFFFFFFFFF000)
#define CR0_EMULATE  BIT64(2)
#define CR0_TS       BIT64(3)
#define CR4_SSE_BITS (BIT64(9) | BIT64(10)) /* OSFXSR, OSXMMEXCPT */

#define SYSTEM_SIGNATURE  UINT64_C(0x5453595320494249) /* "IBI SYST" */
#define RUNTIME_SIGNATURE UINT64_C(0x56524553544E5552) /* "RUNTSERV" */

typedef __attribute__((ms_abi)) void
reset_system_fn(uint64_t type, uint64_t status, uint64_t data_bytes, const void *data);

/* UEFI 2.10, 4.3: only the fields we read. */
struct system_table {
    le64 signature;
    uint8_t skipped[80];
    le64 runtime_services;
};
_Static_assert(offsetof(struct system_table, runtime_services) == 88, "UEFI 2.10, 4.3");

/* UEFI 2.10, 4.5 */
struct runtime_services {
    le64 signature;
    uint8_t skipped[96];
    le64 reset_system;
};
_Static_assert(offsetof(struct runtime_services, reset_system) == 104, "UEFI 2.10, 4.5");

/* Written by efi_reset_init(). */
static struct {
    paddr_t system_table; /* 0: no EFI */
    paddr_t kernel_phys;
} efi;

/* The page table for the call: runtime ranges in 2 MiB pages. A clear entry is not runtime memory. */
static uint64_t root[TABLE_ENTRIES] __attribute__((aligned(4096)));
static uint64_t low_512_gib[TABLE_ENTRIES] __attribute__((aligned(4096)));
static uint64_t low_gib[LOW_GIB][TABLE_ENTRIES] __attribute__((aligned(4096)));

static uint64_t image_phys(const void *p)
{
    return (uint64_t)(uintptr_t)p - KERNEL_VIRT + efi.kernel_phys;
}

static void map_range(paddr_t start, uint64_t size_bytes)
{
    paddr_t end;

    if (__builtin_add_overflow(start, size_bytes, &end) || end > LOW_GIB * GIB)
        return;
    for (paddr_t at = align_down(start, BLOCK_SIZE); at < end; at += BLOCK_SIZE)
        low_gib[at / GIB][at % GIB / BLOCK_SIZE] =
            at | PTE_PRESENT | PTE_WRITE | PTE_LARGE;
}

void efi_reset_init(const struct boot_info *info)
{
    if (info->front != BOOT_FRONT_EFI || info->efi_system_table == 0)
        return;
    efi.system_table = info->efi_system_table;
    efi.kernel_phys = info->kernel_phys;
    for (uint64_t i = 0; i < info->mem_count && i < BOOT_MEM_MAX; i++) {
        if (info->mem[i].type == BOOT_MEM_EFI_RUNTIME)
            map_range(info->mem[i].start, info->mem[i].size_bytes);
    }
    for (unsigned i = 0; i < LOW_GIB; i++)
        low_512_gib[i] = image_phys(low_gib[i]) | PTE_PRESENT | PTE_WRITE;
    root[0] = image_phys(low_512_gib) | PTE_PRESENT | PTE_WRITE;
}

static bool is_mapped(uint64_t addr, uint64_t size_bytes)
{
    if (addr == 0 || addr > LOW_GIB * GIB - size_bytes)
        return false;
    return low_gib[addr / GIB][addr % GIB / BLOCK_SIZE] != 0 &&
           low_gib[(addr + size_bytes - 1) / GIB]
                  [(addr + size_bytes - 1) % GIB / BLOCK_SIZE] != 0;
}

/* Switch to the table for the call. Our half of the address space stays as it is. */
static void enter_table(void)
{
    uint64_t cr3, cr0, cr4;
    const uint64_t *current;

    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    current = (const uint64_t *)(uintptr_t)(DIRECT_MAP_BASE + (cr3 & PTE_ADDRESS));
    for (unsigned i = TABLE_ENTRIES / 2; i < TABLE_ENTRIES; i++)
        root[i] = current[i];
    __asm__ volatile("mov %0, %%cr3" : : "r"(image_phys(root)) : "memory");

    /* UEFI 2.10, 2.3.4: the services may use SSE. */
    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("mov %0, %%cr0" : : "r"(cr0 & ~(CR0_EMULATE | CR0_TS)));
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | CR4_SSE_BITS));
}

static reset_system_fn *find_service(void)
{
    const struct system_table *system = (const void *)(uintptr_t)efi.system_table;
    const struct runtime_services *runtime;
    uint64_t runtime_addr, reset_addr;

    if (!is_mapped(efi.system_table, sizeof(*system)) ||
        le64_get(system->signature) != SYSTEM_SIGNATURE)
        return NULL;
    runtime_addr = le64_get(system->runtime_services);
    runtime = (const void *)(uintptr_t)runtime_addr;
    if (!is_mapped(runtime_addr, sizeof(*runtime)) ||
        le64_get(runtime->signature) != RUNTIME_SIGNATURE)
        return NULL;
    reset_addr = le64_get(runtime->reset_system);
    return is_mapped(reset_addr, 1) ? (reset_system_fn *)(uintptr_t)reset_addr : NULL;
}

void efi_reset(enum efi_reset_type type)
{
    reset_system_fn *reset_system;

    if (efi.system_table == 0)
        return;
    enter_table();
    reset_system = find_service();
    efi.system_table =
        0; /* a fault in there comes back here by way of the panic: not twice */
    if (reset_system)
        reset_system(type, 0, 0, NULL);
    log_error("power: EFI runtime services did not reset the machine");
}
