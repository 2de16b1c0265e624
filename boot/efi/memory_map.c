// SPDX-License-Identifier: BSD-2-Clause
/*
 * Translates EFI memory descriptors. Order, overlaps and amounts are checked by the kernel, which
 * sees every front end's map. Pure.
 */
#include "boot/efi/memory_map.h"

#include <stdbool.h>

/* UEFI 2.10, 7.2.3: the part all versions have. */
struct efi_descriptor {
    uint32_t type;
    uint32_t padding;
    uint64_t start;
    uint64_t virt;
    uint64_t pages;
    uint64_t attributes;
};
_Static_assert(sizeof(struct efi_descriptor) == 40, "UEFI 2.10, 7.2.3");

/* UEFI 2.10, table 7.6. */
enum efi_type {
    EFI_TYPE_LOADER_CODE = 1,
    EFI_TYPE_LOADER_DATA = 2,
    EFI_TYPE_BOOT_CODE = 3,
    EFI_TYPE_BOOT_DATA = 4,
    EFI_TYPE_RUNTIME_CODE = 5,
    EFI_TYPE_RUNTIME_DATA = 6,
    EFI_TYPE_CONVENTIONAL = 7,
    EFI_TYPE_UNUSABLE = 8,
    EFI_TYPE_ACPI_RECLAIM = 9,
    EFI_TYPE_ACPI_NVS = 10,
};

static uint32_t boot_type(uint32_t type)
{
    switch (type) {
    case EFI_TYPE_LOADER_CODE:
    case EFI_TYPE_LOADER_DATA:
        return BOOT_MEM_LOADER;
    case EFI_TYPE_BOOT_CODE: /* the firmware has left */
    case EFI_TYPE_BOOT_DATA:
    case EFI_TYPE_CONVENTIONAL:
        return BOOT_MEM_USABLE;
    case EFI_TYPE_RUNTIME_CODE:
    case EFI_TYPE_RUNTIME_DATA:
        return BOOT_MEM_EFI_RUNTIME;
    case EFI_TYPE_UNUSABLE:
        return BOOT_MEM_BAD;
    case EFI_TYPE_ACPI_RECLAIM:
        return BOOT_MEM_ACPI_RECLAIM;
    case EFI_TYPE_ACPI_NVS:
        return BOOT_MEM_ACPI_NVS;
    default:
        return BOOT_MEM_RESERVED;
    }
}

static void add(struct boot_info *info, struct boot_mem range)
{
    struct boot_mem *last = info->mem_count > 0 ? &info->mem[info->mem_count - 1] : NULL;

    if (range.size_bytes == 0 || info->error)
        return;
    if (last && last->type == range.type &&
        last->efi_executable == range.efi_executable &&
        last->start + last->size_bytes == range.start) {
        last->size_bytes += range.size_bytes;
        return;
    }
    if (info->mem_count == BOOT_MEM_MAX) {
        info->error = BOOT_ERROR_MAP_LONG;
        return;
    }
    info->mem[info->mem_count++] = range;
}

/* A range of the loader's memory, which may hold the kernel: before it, the kernel, behind it. */
static void add_around_kernel(struct boot_info *info, struct boot_mem range,
                              paddr_t kernel_end)
{
    paddr_t end = range.start + range.size_bytes, kernel = info->kernel_phys;

    if (range.type != BOOT_MEM_LOADER || range.start > kernel || end < kernel_end) {
        add(info, range);
        return;
    }
    range.size_bytes = kernel - range.start;
    add(info, range);
    add(info, (struct boot_mem){kernel, kernel_end - kernel, BOOT_MEM_KERNEL, 0});
    range.start = kernel_end;
    range.size_bytes = end - kernel_end;
    add(info, range);
}

void memory_map_convert(const uint8_t *map, size_t bytes, size_t stride,
                        uint64_t kernel_bytes, struct boot_info *info)
{
    paddr_t kernel_end =
        info->kernel_phys + ((kernel_bytes + FRAME_SIZE - 1) & ~(FRAME_SIZE - 1));

    info->mem_count = 0;
    if (stride < sizeof(struct efi_descriptor)) {
        info->error = BOOT_ERROR_MAP_MISSING;
        return;
    }
    for (size_t at = 0; at + sizeof(struct efi_descriptor) <= bytes; at += stride) {
        struct efi_descriptor entry;

        __builtin_memcpy(&entry, map + at, sizeof(entry));
        struct boot_mem range = {
            .start = entry.start,
            .type = boot_type(entry.type),
            .efi_executable = entry.type == EFI_TYPE_RUNTIME_CODE,
        };
        /* A size that does not fit is left for the kernel's check to refuse: all ones, unaligned. */
        if (__builtin_mul_overflow(entry.pages, FRAME_SIZE, &range.size_bytes) ||
            range.start + range.size_bytes < range.start) {
            range.size_bytes = UINT64_MAX;
            add(info, range);
            continue;
        }
        add_around_kernel(info, range, kernel_end);
    }
    if (info->mem_count == 0 && !info->error)
        info->error = BOOT_ERROR_MAP_MISSING;
}
