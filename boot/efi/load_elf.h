// SPDX-License-Identifier: BSD-2-Clause
/*
 * The kernel's ELF: checked, then copied where it shall run. It is linked at KERNEL_VIRT and has no
 * relocations: any 2 MiB aligned place does, the page tables make up for it. Segments keep their
 * distances in physical memory; for the kernel's own these are those of its addresses, but the apps'
 * data is linked to run elsewhere (linker.ld). Pure: also built for the host.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct elf_image {
    uint64_t entry;      /* virtual address, inside an executable segment */
    uint64_t size_bytes; /* memory from the first segment to the end of the last one */
};

/* Check the file of `len` bytes. 0, or -EINVAL: not a kernel of ours; *why says what is wrong. */
int elf_check(const uint8_t *file, size_t len, struct elf_image *out, const char **why);

/* Copy the segments of a checked file to `to`, zeroed memory of size_bytes. */
void elf_copy(const uint8_t *file, uint8_t *to);
