// SPDX-License-Identifier: BSD-2-Clause
/*
 * The EFI application: gathers what the kernel wants to know, puts the kernel in place, leaves the
 * firmware and jumps. The kernel's ELF is part of our own file (kernel_blob.asm). Each step is a call
 * in efi_main(), in order.
 */
#include "boot/efi/leave.h"
#include "boot/efi/load_elf.h"
#include "boot/efi/load_options.h"
#include "boot/efi/loader.h"
#include "boot/efi/paging.h"

#define LOW_LIMIT   (4 * GIB - 1)
#define CMDLINE_MAX 4096
#define STACK_PAGES 4
#define CR4_LA57    (UINT64_C(1) << 12)

/* kernel_blob.asm */
extern const uint8_t kernel_start[], kernel_end[];

/* jump.asm */
extern const uint8_t jump_start[], jump_end[];
typedef void jump_fn(const void *root, uint64_t entry, const void *info,
                     const void *stack_top);

static EFI_GUID loaded_image_guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

/* Uninitialised pages below 4 GiB. */
static EFI_PHYSICAL_ADDRESS take_low(const struct loader *loader, EFI_MEMORY_TYPE type,
                                     UINTN pages)
{
    EFI_PHYSICAL_ADDRESS addr = LOW_LIMIT;
    EFI_STATUS status =
        loader->boot->AllocatePages(AllocateMaxAddress, type, pages, &addr);

    if (status != EFI_SUCCESS)
        refuse(loader, "not enough free memory below 4 GiB", status);
    return addr;
}

void *take_pages(const struct loader *loader, UINTN pages)
{
    void *memory = (void *)(uintptr_t)take_low(loader, EfiLoaderData, pages);

    return __builtin_memset(memory, 0, pages * FRAME_SIZE);
}

static struct loader start(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
    struct loader loader = {image, system, system->BootServices, NULL};
    EFI_STATUS status =
        loader.boot->HandleProtocol(image, &loaded_image_guid, (void **)&loader.loaded);
    uint64_t cr4;

    if (status != EFI_SUCCESS)
        refuse(&loader, "the firmware does not say how it loaded us", status);
    __asm__("mov %%cr4, %0" : "=r"(cr4));
    if (cr4 & CR4_LA57)
        refuse(&loader, "the firmware uses 5-level paging, which is not supported",
               EFI_SUCCESS);
    loader.boot->SetWatchdogTimer(0, 0, 0, NULL);
    return loader;
}

/* 2 MiB alignment by taking too much and giving back what lies before and behind. */
static void load_kernel(const struct loader *loader, struct elf_image *kernel,
                        struct boot_info *info)
{
    const char *why;
    UINTN pages, spare = BLOCK_FRAMES - 1;
    EFI_PHYSICAL_ADDRESS start_addr, addr;

    if (elf_check(kernel_start, (size_t)(kernel_end - kernel_start), kernel, &why))
        refuse(loader, why, EFI_SUCCESS);
    pages = pages_for(kernel->size_bytes);
    start_addr = take_low(loader, EfiLoaderData, pages + spare);
    addr = (start_addr + BLOCK_SIZE - 1) & ~(BLOCK_SIZE - 1);
    UINTN before = (UINTN)(addr - start_addr) / FRAME_SIZE;

    if (before > 0)
        loader->boot->FreePages(start_addr, before);
    if (before < spare)
        loader->boot->FreePages(addr + pages * FRAME_SIZE, spare - before);
    __builtin_memset((void *)(uintptr_t)addr, 0, pages * FRAME_SIZE);
    elf_copy(kernel_start, (uint8_t *)(uintptr_t)addr);
    info->kernel_phys = addr;
}

static void read_options(const struct loader *loader, struct boot_info *info)
{
    char *text = take_pages(loader, pages_for(CMDLINE_MAX));

    if (!loader->loaded->LoadOptions)
        return;
    info->cmdline_bytes = load_options_text(
        loader->loaded->LoadOptions, loader->loaded->LoadOptionsSize, text, CMDLINE_MAX);
    if (info->cmdline_bytes > 0)
        info->cmdline = (paddr_t)(uintptr_t)text;
}

static jump_fn *place_jump(const struct loader *loader)
{
    void *page = (void *)(uintptr_t)take_low(loader, EfiLoaderCode, 1);

    __builtin_memcpy(page, jump_start, (size_t)(jump_end - jump_start));
    return (jump_fn *)(uintptr_t)page;
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
    struct loader loader = start(image, system);
    struct boot_info *info = take_pages(&loader, pages_for(sizeof(*info)));
    struct elf_image kernel;

    info->magic = BOOT_INFO_MAGIC;
    info->version = BOOT_INFO_VERSION;
    info->front = BOOT_FRONT_EFI;
    say(&loader, "aerostat: EFI loader");
    load_kernel(&loader, &kernel, info);
    read_options(&loader, info);
    read_conf(&loader, info);
    find_tables(&loader, info);

    uint64_t(*tables)[512] = take_pages(&loader, PAGING_TABLES);
    uint8_t *stack = take_pages(&loader, STACK_PAGES);
    jump_fn *jump = place_jump(&loader);

    handover_paging_build(tables, (paddr_t)(uintptr_t)tables, info->kernel_phys,
                          kernel.size_bytes);
    leave_boot_services(&loader, info, kernel.size_bytes);
    __asm__ volatile("cli");
    jump(tables, kernel.entry, info, stack + STACK_PAGES * FRAME_SIZE);
    __builtin_unreachable();
}
