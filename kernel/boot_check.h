// SPDX-License-Identifier: BSD-2-Clause
/*
 * Is what the front end told us fit to start from? Every reason to refuse is one readable line. Pure:
 * host tests feed it broken maps.
 */
#pragma once

#include "boot/boot_info.h"
#include "mm/region.h"

#include <stddef.h>

/* less is refused: image, firmware and reserve would not fit */
#define BOOT_RAM_MIN (4 * MIB)

/* A set with this capacity holds every map: each range may be cut by the image and by our low pages. */
#define BOOT_REGION_MAX (BOOT_MEM_MAX + 8)

struct boot_ram {
    struct region_set *ram; /* out: frame-aligned RAM without the image and page 0 */
    paddr_t phys_end;       /* in: past what the CPU can address */
    /* in: past the image's last byte; what the loader gave more is RAM */
    paddr_t image_end;
    uint64_t total_bytes; /* out: RAM the firmware gave, image included */
};

/*
 * Check `info` and turn its map into RAM: usable, the loader's and the kernel's ranges. Zero-length
 * entries and entries of type 0 are skipped. Refuses ranges that wrap, RAM that the CPU cannot address or
 * that the direct map has no place for, and RAM that overlaps an entry of any other type: free memory
 * must not be what the front end left for us. 0, or -EINVAL with a line in `why`.
 */
int boot_check(const struct boot_info *info, struct boot_ram *out, char *why,
               size_t why_size);
