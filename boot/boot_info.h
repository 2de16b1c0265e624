// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the firmware told us, the same for every front end: nobody behind this header knows who
 * booted us. The front end fills one struct boot_info and calls kernel_entry with its
 * physical address in RDI and this machine state:
 *
 *   - 64-bit mode, interrupts off, on a stack of at least 16 KiB in memory described as BOOT_MEM_LOADER;
 *   - page tables that map [0, 4 GiB) at DIRECT_MAP_BASE and identically, writable, and the kernel
 *     image [kernel_phys, kernel_phys + image size) at KERNEL_VIRT, 2 MiB pages;
 *   - the struct and all it points to lies below 4 GiB and in memory that is not BOOT_MEM_USABLE
 *     (the kernel copies what it keeps, then turns BOOT_MEM_LOADER into usable RAM).
 *
 * Every pointer in here is a physical address. Every value is input from outside: the kernel checks
 * it (boot_info_check() in kernel/) before use.
 */
#pragma once

#include "base/units.h"

#include <stdint.h>

/* The kernel's fixed places in the address space (docs/memory.md has the whole map). */
/* image base; physically at kernel_phys */
#define KERNEL_VIRT UINT64_C(0xFFFFFFFF80000000)
/* all RAM: virtual = physical + this */
#define DIRECT_MAP_BASE  UINT64_C(0xFFFF800000000000)
#define DIRECT_MAP_BYTES (UINT64_C(1) << 46) /* 64 TiB; other windows follow it */

#define BOOT_INFO_MAGIC   UINT64_C(0x4F464E4954534541) /* "AESTINFO" */
#define BOOT_INFO_VERSION 1
/* ranges; firmware maps that are longer are merged, then refused */
#define BOOT_MEM_MAX 256

enum boot_front {
    BOOT_FRONT_PVH = 1,
    BOOT_FRONT_EFI = 2,
};

/* What went wrong before there was a console. kernel/boot_check.c has the readable lines. */
enum boot_error {
    BOOT_ERROR_NONE = 0,
    BOOT_ERROR_START_INFO = 1,  /* no PVH start info, or a bad one */
    BOOT_ERROR_MAP_MISSING = 2, /* no memory map */
    BOOT_ERROR_MAP_LONG = 3,    /* more than BOOT_MEM_MAX ranges */
    BOOT_ERROR_CMDLINE = 4,     /* the command line is unreadable or too long */
};

enum boot_mem_type {
    BOOT_MEM_USABLE = 1,
    BOOT_MEM_RESERVED = 2,
    BOOT_MEM_ACPI_RECLAIM = 3, /* tables; usable once read, kept by us */
    BOOT_MEM_ACPI_NVS = 4,
    BOOT_MEM_BAD = 5,
    /* our loader's own; usable once the kernel has copied boot_info */
    BOOT_MEM_LOADER = 6,
    BOOT_MEM_KERNEL = 7, /* the kernel image; what lies behind image_end becomes usable */
    BOOT_MEM_EFI_RUNTIME = 8, /* mapped only during a runtime call */
};

struct boot_mem {
    paddr_t start;
    uint64_t size_bytes;
    uint32_t type;           /* enum boot_mem_type */
    uint32_t efi_executable; /* EFI_RUNTIME: 1 = code */
};

/* A linear framebuffer of 32-bit pixels; width 0: there is none. */
struct boot_framebuffer {
    paddr_t addr;
    uint64_t size_bytes;
    uint32_t width, height;
    uint32_t stride_pixels;
    uint32_t is_rgb; /* 1: red in the low byte; 0: blue in the low byte */
};

struct boot_info {
    uint64_t magic;
    uint32_t version;
    uint32_t front; /* enum boot_front */

    paddr_t kernel_phys;    /* 2 MiB aligned; address of KERNEL_VIRT */
    paddr_t cmdline;        /* NUL-terminated ASCII; 0: none */
    uint64_t cmdline_bytes; /* without the NUL */
    paddr_t conf;           /* text of aerostat.conf; 0: none */
    uint64_t conf_bytes;
    paddr_t rsdp;             /* ACPI root pointer; 0: none */
    paddr_t smbios;           /* SMBIOS entry point, 2.1 or 3.0; 0: none */
    paddr_t efi_system_table; /* 0 unless BOOT_FRONT_EFI */

    struct boot_framebuffer framebuffer;

    /* enum boot_error: what the front end could not read; the kernel refuses */
    uint64_t error;
    uint64_t mem_count;
    struct boot_mem mem[BOOT_MEM_MAX]; /* as the firmware gave it: unsorted, unchecked */
};
