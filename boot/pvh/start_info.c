// SPDX-License-Identifier: BSD-2-Clause
/*
 * Reads the PVH start info. Owns the wire layout and its checks; the meaning of the memory map
 * (order, overlaps, enough RAM) is boot_check's, which sees every front end's map.
 */
#include "boot/pvh/start_info.h"

#include <stdbool.h>
#include <stddef.h>

#define START_INFO_MAGIC UINT32_C(0x336EC578)

/* struct hvm_start_info, version 1. */
struct start_info {
    uint32_t magic;
    uint32_t version;
    uint32_t flags;
    uint32_t nr_modules;
    uint64_t modlist_paddr;
    uint64_t cmdline_paddr;
    uint64_t rsdp_paddr;
    uint64_t memmap_paddr; /* version 1 and later */
    uint32_t memmap_entries;
    uint32_t reserved;
};
_Static_assert(sizeof(struct start_info) == 56, "hvm_start_info, version 1");
_Static_assert(offsetof(struct start_info, memmap_paddr) == 40,
               "hvm_start_info, version 1");

/* struct hvm_memmap_table_entry. */
struct start_info_mem {
    uint64_t addr;
    uint64_t size_bytes;
    uint32_t type;
    uint32_t reserved;
};
_Static_assert(sizeof(struct start_info_mem) == 24, "hvm_memmap_table_entry");

/* hvm_memmap_table_entry.type; the first five are those of enum boot_mem_type. */
enum start_info_mem_type {
    MEM_RAM = 1,
    MEM_RESERVED = 2,
    MEM_ACPI = 3,
    MEM_NVS = 4,
    MEM_UNUSABLE = 5,
};

/* `count` objects of `size` bytes at `addr`, or NULL when they leave the window. */
static const void *window_at(const struct phys_window *mem, paddr_t addr, uint64_t size,
                             uint64_t count)
{
    if (addr == 0 || addr >= mem->size_bytes)
        return NULL;
    if (count > (mem->size_bytes - addr) / size)
        return NULL;
    return mem->base + addr;
}

static uint32_t mem_type(uint32_t wire)
{
    switch (wire) {
    case MEM_RAM:
        return BOOT_MEM_USABLE;
    case MEM_ACPI:
        return BOOT_MEM_ACPI_RECLAIM;
    case MEM_NVS:
        return BOOT_MEM_ACPI_NVS;
    case MEM_UNUSABLE:
        return BOOT_MEM_BAD;
    default:
        return BOOT_MEM_RESERVED;
    }
}

static void mem_add(struct boot_info *out, paddr_t start, uint64_t size_bytes,
                    uint32_t type)
{
    if (out->mem_count == BOOT_MEM_MAX) {
        out->error = BOOT_ERROR_MAP_LONG;
        return;
    }
    out->mem[out->mem_count++] = (struct boot_mem){
        .start = start,
        .size_bytes = size_bytes,
        .type = type,
    };
}

/* RAM that holds the image falls into what lies before, the image, and what lies behind. */
static void mem_add_ram(struct boot_info *out, const struct start_info_mem *entry,
                        const struct pvh_image *image)
{
    uint64_t end = entry->addr + entry->size_bytes;

    if (entry->addr > image->start || end < image->end) {
        mem_add(out, entry->addr, entry->size_bytes, BOOT_MEM_USABLE);
        return;
    }
    if (entry->addr < image->start)
        mem_add(out, entry->addr, image->start - entry->addr, BOOT_MEM_USABLE);
    mem_add(out, image->start, image->end - image->start, BOOT_MEM_KERNEL);
    if (end > image->end)
        mem_add(out, image->end, end - image->end, BOOT_MEM_USABLE);
}

static void read_map(const struct phys_window *mem, const struct start_info *info,
                     const struct pvh_image *image, struct boot_info *out)
{
    const uint8_t *at = window_at(mem, info->memmap_paddr, sizeof(struct start_info_mem),
                                  info->memmap_entries);

    if (info->version < 1 || info->memmap_entries == 0 || !at) {
        out->error = BOOT_ERROR_MAP_MISSING;
        return;
    }
    for (uint32_t i = 0; i < info->memmap_entries && !out->error; i++) {
        struct start_info_mem entry;

        __builtin_memcpy(&entry, at + i * sizeof(entry), sizeof(entry));
        /* microvm ends its map with a zero-length entry of type 0. */
        if (entry.size_bytes == 0)
            continue;
        if (entry.type == MEM_RAM && entry.addr + entry.size_bytes > entry.addr)
            mem_add_ram(out, &entry, image);
        else
            mem_add(out, entry.addr, entry.size_bytes, mem_type(entry.type));
    }
}

/* Copied out of memory that the map calls free. */
static void read_cmdline(const struct phys_window *mem, paddr_t addr,
                         const struct pvh_image *image, struct boot_info *out)
{
    uint64_t len = 0;

    if (addr == 0)
        return;
    const char *text = window_at(mem, addr, 1, 1);
    if (!text) {
        out->error = BOOT_ERROR_CMDLINE;
        return;
    }
    while (addr + len < mem->size_bytes && len < image->cmdline_capacity && text[len]) {
        image->cmdline[len] = text[len];
        len++;
    }
    if (addr + len == mem->size_bytes || len == image->cmdline_capacity) {
        out->error = BOOT_ERROR_CMDLINE;
        return;
    }
    image->cmdline[len] = '\0';
    out->cmdline = image->cmdline_addr;
    out->cmdline_bytes = len;
}

void start_info_read(const struct phys_window *mem, paddr_t start_info,
                     const struct pvh_image *image, struct boot_info *out)
{
    struct start_info info;

    __builtin_memset(out, 0, sizeof(*out));
    out->magic = BOOT_INFO_MAGIC;
    out->version = BOOT_INFO_VERSION;
    out->front = BOOT_FRONT_PVH;
    out->kernel_phys = image->start;

    const void *at = window_at(mem, start_info, sizeof(info), 1);
    if (!at) {
        out->error = BOOT_ERROR_START_INFO;
        return;
    }
    __builtin_memcpy(&info, at, sizeof(info));
    if (info.magic != START_INFO_MAGIC) {
        out->error = BOOT_ERROR_START_INFO;
        return;
    }
    out->rsdp = info.rsdp_paddr;
    read_map(mem, &info, image, out);
    if (!out->error)
        read_cmdline(mem, info.cmdline_paddr, image, out);
}
