// SPDX-License-Identifier: BSD-2-Clause
/*
 * From the PVH start info (struct hvm_start_info of Xen's x86/HVM direct boot ABI, version 1) to
 * struct boot_info. Pure: memory is reached through a window, so a host test hands in any bytes. All
 * of it is input from outside: every address and count is checked before it is followed.
 */
#pragma once

#include "boot/boot_info.h"

/* Physical memory [0, size_bytes) as it can be read at `base`. */
struct phys_window {
    const uint8_t *base;
    uint64_t size_bytes;
};

/* Where the image and its scratch memory lie, and a place for the command line. */
struct pvh_image {
    paddr_t start, end;
    char *cmdline;        /* storage for the copy */
    paddr_t cmdline_addr; /* its physical address */
    uint64_t cmdline_capacity;
};

/*
 * Fill *out from the start info at `start_info`. The image is cut out of the usable ranges and
 * appears as BOOT_MEM_KERNEL. Never fails as a call: what is wrong is left in out->error, and the
 * kernel refuses with a readable line once it has a console.
 */
void start_info_read(const struct phys_window *mem, paddr_t start_info,
                     const struct pvh_image *image, struct boot_info *out);
