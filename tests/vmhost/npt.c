// SPDX-License-Identifier: BSD-2-Clause
/* The tables are static: 2 MiB for 1 GiB of RAM in 4 KiB entries. User rights everywhere, because nested
 * walks count as user accesses (APM volume 2, 15.25.5). */
#include "tests/vmhost/npt.h"

#include "base/bits.h"

#define ENTRY       UINT64_C(0x67) /* present, writable, user, accessed, dirty */
#define ENTRY_LARGE UINT64_C(0xe7)
#define READ_ONLY   UINT64_C(0x65)
#define ENTRIES     512

typedef uint64_t table[ENTRIES] __attribute__((aligned(4096)));

static table pml4, pdpt, directories[4], ram[NPT_RAM_MAX / BLOCK_SIZE];

static uint64_t *entry_of(pfn_t frame)
{
    return &ram[frame.n / ENTRIES][frame.n % ENTRIES];
}

void npt_init(paddr_t hole, paddr_t hole_end)
{
    pml4[0] = (uint64_t)pdpt | ENTRY;
    for (uint64_t gib = 0; gib < ENTRIES; gib++)
        pdpt[gib] =
            gib < 4 ? (uint64_t)directories[gib] | ENTRY : gib * GIB | ENTRY_LARGE;
    for (uint64_t block = 0; block < 4 * ENTRIES; block++) {
        bool is_ram = block < ARRAY_LEN(ram);
        directories[block / ENTRIES][block % ENTRIES] =
            is_ram ? (uint64_t)ram[block] | ENTRY : block * BLOCK_SIZE | ENTRY_LARGE;
    }
    for (uint64_t n = 0; n < NPT_RAM_MAX / FRAME_SIZE; n++)
        npt_give(pfn_of(n));
    for (paddr_t at = hole; at < hole_end; at += FRAME_SIZE)
        npt_take(pfn_from_paddr(at));
}

uint64_t npt_root(void)
{
    return (uint64_t)pml4;
}

void npt_take(pfn_t frame)
{
    *entry_of(frame) = 0;
}

void npt_give(pfn_t frame)
{
    *entry_of(frame) = pfn_to_paddr(frame) | ENTRY;
}

void npt_give_read_only(pfn_t frame)
{
    *entry_of(frame) = pfn_to_paddr(frame) | READ_ONLY;
}

bool npt_is_absent(paddr_t addr)
{
    return addr < NPT_RAM_MAX && *entry_of(pfn_from_paddr(addr)) == 0;
}
