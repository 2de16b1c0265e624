// SPDX-License-Identifier: BSD-2-Clause
/*
 * The C half of the PVH front end: knows where start.asm put things, has the start info read, and
 * enters the kernel. Everything here lies in memory that the kernel takes back.
 */
#include "boot/pvh/start_info.h"

#define PVH_WINDOW       (4 * GIB) /* what the early page tables map */
#define PVH_CMDLINE_SIZE 4096

/* linker.ld and start.asm. */
extern uint8_t image_start[], scratch_end[], pvh_kernel_phys[];
extern struct boot_info pvh_boot_info;
extern char pvh_cmdline[PVH_CMDLINE_SIZE];

_Static_assert(sizeof(struct boot_info) <= 2 * 4096, "start.asm reserves two pages");

_Noreturn void kernel_entry(paddr_t info);
_Noreturn void pvh_main(paddr_t start_info);

static paddr_t image_phys(const void *ptr)
{
    return (uint64_t)ptr - (uint64_t)image_start + (uint64_t)pvh_kernel_phys;
}

void pvh_main(paddr_t start_info)
{
    const struct phys_window window = {
        .base = (const uint8_t *)DIRECT_MAP_BASE,
        .size_bytes = PVH_WINDOW,
    };
    const struct pvh_image image = {
        .start = image_phys(image_start),
        .end = image_phys(scratch_end),
        .cmdline = pvh_cmdline,
        .cmdline_addr = image_phys(pvh_cmdline),
        .cmdline_capacity = PVH_CMDLINE_SIZE,
    };

    start_info_read(&window, start_info, &image, &pvh_boot_info);
    kernel_entry(image_phys(&pvh_boot_info));
}
