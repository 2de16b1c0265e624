// SPDX-License-Identifier: BSD-2-Clause
/* Checks struct boot_info and derives the RAM from its memory map. */
#include "kernel/boot_check.h"
#include "kernel/format.h"

#include "base/bits.h"
#include "base/err.h"

#include <stdbool.h>

#define ADDRESS_END (UINT64_C(1) << 52)

typedef unsigned long long ull;

struct reason {
    char *text;
    size_t size;
};

static const char *type_name(uint32_t type)
{
    static const char *const names[] = {
        [BOOT_MEM_USABLE] = "usable",     [BOOT_MEM_RESERVED] = "reserved",
        [BOOT_MEM_ACPI_RECLAIM] = "ACPI", [BOOT_MEM_ACPI_NVS] = "ACPI NVS",
        [BOOT_MEM_BAD] = "bad",           [BOOT_MEM_LOADER] = "loader",
        [BOOT_MEM_KERNEL] = "kernel",     [BOOT_MEM_EFI_RUNTIME] = "EFI runtime",
    };

    return type < ARRAY_LEN(names) && names[type] ? names[type] : "unknown";
}

static const char *error_line(uint64_t error)
{
    switch (error) {
    case BOOT_ERROR_START_INFO:
        return "no PVH start info, or a broken one";
    case BOOT_ERROR_MAP_MISSING:
        return "the firmware gave no memory map";
    case BOOT_ERROR_MAP_LONG:
        return "the memory map has too many ranges";
    case BOOT_ERROR_CMDLINE:
        return "the command line is unreadable or too long";
    default:
        return "the loader reports an unknown error";
    }
}

static bool is_ram(uint32_t type)
{
    return type == BOOT_MEM_USABLE || type == BOOT_MEM_LOADER || type == BOOT_MEM_KERNEL;
}

static bool is_skipped(const struct boot_mem *mem)
{
    return mem->size_bytes == 0 || mem->type == 0;
}

static int check_header(const struct boot_info *info, const struct reason *why)
{
    if (info->magic != BOOT_INFO_MAGIC || info->version != BOOT_INFO_VERSION)
        format_s(why->text, why->size, "the loader's boot_info is not of version %u",
                 BOOT_INFO_VERSION);
    else if (info->error != BOOT_ERROR_NONE)
        format_s(why->text, why->size, "%s", error_line(info->error));
    else if (info->mem_count == 0 || info->mem_count > BOOT_MEM_MAX)
        format_s(why->text, why->size, "broken memory map: %llu ranges",
                 (ull)info->mem_count);
    else if (info->kernel_phys % BLOCK_SIZE != 0 || info->kernel_phys >= 4 * GIB)
        format_s(why->text, why->size,
                 "the kernel was loaded at 0x%llx, not 2 MiB aligned below "
                 "4 GiB",
                 (ull)info->kernel_phys);
    else
        return 0;
    return -EINVAL;
}

static int check_range(const struct boot_mem *mem, paddr_t phys_end,
                       const struct reason *why)
{
    paddr_t end = is_ram(mem->type) ? min_u64(phys_end, DIRECT_MAP_BYTES) : ADDRESS_END;

    if (mem->start < end && mem->size_bytes <= end - mem->start)
        return 0;
    format_s(why->text, why->size,
             "broken memory map: range at 0x%llx of 0x%llx bytes leaves "
             "the address space",
             (ull)mem->start, (ull)mem->size_bytes);
    return -EINVAL;
}

/* Quadratic, over at most 256 ranges, once. */
static int check_overlap(const struct boot_info *info, uint64_t i,
                         const struct reason *why)
{
    const struct boot_mem *a = &info->mem[i];

    for (uint64_t j = 0; j < i; j++) {
        const struct boot_mem *b = &info->mem[j];

        if (is_skipped(b) || a->start >= b->start + b->size_bytes ||
            b->start >= a->start + a->size_bytes)
            continue;
        if (a->type != b->type && (is_ram(a->type) || is_ram(b->type))) {
            format_s(why->text, why->size,
                     "broken memory map: overlapping entries, 0x%llx-0x%llx "
                     "%s and 0x%llx-0x%llx %s",
                     (ull)b->start, (ull)(b->start + b->size_bytes), type_name(b->type),
                     (ull)a->start, (ull)(a->start + a->size_bytes), type_name(a->type));
            return -EINVAL;
        }
    }
    return 0;
}

/* The front end marks what it uses, the image with it. */
static int check_image(const struct boot_info *info, const struct boot_mem *mem,
                       paddr_t image_end, const struct reason *why)
{
    if (mem->type != BOOT_MEM_USABLE || mem->start >= image_end ||
        mem->start + mem->size_bytes <= info->kernel_phys)
        return 0;
    format_s(why->text, why->size,
             "broken memory map: the kernel at 0x%llx lies in memory that is called free",
             (ull)info->kernel_phys);
    return -EINVAL;
}

static int add_all(const struct boot_info *info, struct boot_ram *out,
                   const struct reason *why)
{
    for (uint64_t i = 0; i < info->mem_count; i++) {
        const struct boot_mem *mem = &info->mem[i];

        if (is_skipped(mem))
            continue;
        if (check_range(mem, out->phys_end, why) || check_overlap(info, i, why) ||
            check_image(info, mem, out->image_end, why))
            return -EINVAL;
        if (is_ram(mem->type) &&
            region_add(out->ram, mem->start, mem->start + mem->size_bytes)) {
            format_s(why->text, why->size, "%s", error_line(BOOT_ERROR_MAP_LONG));
            return -EINVAL;
        }
    }
    return 0;
}

static bool holds(const struct region_set *set, paddr_t start, paddr_t end)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->items[i].start <= start && set->items[i].end >= end)
            return true;
    }
    return false;
}

int boot_check(const struct boot_info *info, struct boot_ram *out, char *text,
               size_t size)
{
    const struct reason why = {text, size};

    if (check_header(info, &why) || add_all(info, out, &why))
        return -EINVAL;
    out->total_bytes = region_total(out->ram);
    if (out->total_bytes < BOOT_RAM_MIN) {
        format_s(text, size, "too little RAM: %llu KiB, at least %llu KiB are needed",
                 (ull)(out->total_bytes / KIB), (ull)(BOOT_RAM_MIN / KIB));
        return -EINVAL;
    }
    if (!holds(out->ram, info->kernel_phys, out->image_end)) {
        format_s(text, size, "broken memory map: the kernel at 0x%llx lies outside RAM",
                 (ull)info->kernel_phys);
        return -EINVAL;
    }
    /* Page 0 belongs to the firmware's real-mode vectors. Cuts fit: see BOOT_REGION_MAX. */
    region_align(out->ram, FRAME_SIZE);
    if (region_remove(out->ram, 0, FRAME_SIZE) ||
        region_remove(out->ram, info->kernel_phys, out->image_end)) {
        format_s(text, size, "%s", error_line(BOOT_ERROR_MAP_LONG));
        return -EINVAL;
    }
    return 0;
}
