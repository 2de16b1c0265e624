// SPDX-License-Identifier: BSD-2-Clause
/*
 * One page-table entry: its bits (AMD64 manual vol. 2, 5.3) and what a level means. Level 0 tables hold
 * 4 KiB leaves, level 1 2 MiB, level 2 1 GiB, level 3 is the root. For mm/vmm*.c only.
 */
#pragma once

#include "mm/mmu.h"
#include "mm/vmm.h"

#include "base/bits.h"

#define ENTRY_PRESENT  BIT64(0)
#define ENTRY_WRITE    BIT64(1)
#define ENTRY_PWT      BIT64(3)
#define ENTRY_PCD      BIT64(4)
#define ENTRY_ACCESSED BIT64(5)
#define ENTRY_DIRTY    BIT64(6)
#define ENTRY_LARGE    BIT64(7) /* a leaf above level 0 */
#define ENTRY_GLOBAL   BIT64(8)
#define ENTRY_NX       BIT64(63)
#define ENTRY_ADDR     UINT64_C(0x000FFFFFFFFFF000)

#define VMM_ROOT_LEVEL   3
#define VMM_TABLE_LENGTH 512
#define VMM_HALF_BYTES   BIT64(47) /* the addresses are [0, this) and [-this, 2^64) */

static inline uint64_t level_bytes(unsigned level)
{
    return FRAME_SIZE << (9 * level);
}

static inline unsigned level_index(uint64_t virt, unsigned level)
{
    return (unsigned)(virt >> (FRAME_SHIFT + 9 * level)) % VMM_TABLE_LENGTH;
}

static inline bool entry_is_leaf(uint64_t entry, unsigned level)
{
    return (entry & ENTRY_PRESENT) && (level == 0 || (entry & ENTRY_LARGE));
}

static inline bool entry_is_table(uint64_t entry, unsigned level)
{
    return (entry & ENTRY_PRESENT) && !entry_is_leaf(entry, level);
}

/* The table that the entry points to. */
static inline uint64_t *entry_table(uint64_t entry)
{
    return mmu_phys_to_virt(entry & ENTRY_ADDR);
}

/* The last address of the entry that holds `virt`, but not past `last`. */
static inline uint64_t piece_last(uint64_t virt, unsigned level, uint64_t last)
{
    return min_u64(virt | (level_bytes(level) - 1), last);
}

static inline bool is_canonical(uint64_t virt)
{
    return virt >> 47 == 0 || virt >> 47 == 0x1FFFF;
}

static inline bool is_range_valid(uint64_t virt, uint64_t size_bytes)
{
    uint64_t last = virt + size_bytes - 1;

    return virt % FRAME_SIZE == 0 && size_bytes % FRAME_SIZE == 0 && size_bytes != 0 &&
           last > virt && is_canonical(virt) && is_canonical(last) &&
           virt >> 63 == last >> 63;
}

/* Give back the frame of a table that no entry points to. In vmm.c. */
void vmm_table_give(struct vmm *vmm, paddr_t frame);
