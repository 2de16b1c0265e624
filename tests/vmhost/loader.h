// SPDX-License-Identifier: BSD-2-Clause
/*
 * The guest, which QEMU's -initrd brings: an ELF with a PVH entry, alone or in a package with an initrd
 * of its own (vmhost.py makes that). README.md has the package's layout.
 */
#pragma once

#include <stdint.h>

/* What the monitor was started with, copied out of memory that the guest may overwrite. */
struct start {
    const char *options; /* the command line up to " -- " */
    uint64_t rsdp;
};

/* Read QEMU's start info. Before anything else is written to memory. */
void loader_read(uint64_t start_info, struct start *out);

/* Copy the guest to where it belongs and write its start info. Returns the entry address. */
uint32_t loader_load(uint32_t *start_info);
