// SPDX-License-Identifier: BSD-2-Clause
/* Changing leaves that are there: many small ones into a large one, another frame below one. */
#include "mm/vmm.h"

#include "base/err.h"
#include "mm/vmm_entry.h"

/* The entry of `level` for `virt`; NULL where the tables do not reach down to it. */
static uint64_t *entry_at(const struct vmm *vmm, uint64_t virt, unsigned level)
{
    uint64_t *table = mmu_phys_to_virt(vmm->root);

    for (unsigned above = VMM_ROOT_LEVEL; above > level; above--) {
        uint64_t entry = table[level_index(virt, above)];

        if (!entry_is_table(entry, above))
            return NULL;
        table = entry_table(entry);
    }
    return &table[level_index(virt, level)];
}

/* The 2 MiB leaf that stands for all 512 of a table, or 0: they differ by more than they may. */
static uint64_t joined_leaf(const uint64_t *table)
{
    const uint64_t by_cpu = ENTRY_ACCESSED | ENTRY_DIRTY;
    uint64_t first = table[0] & ~by_cpu, leaf = table[0] | ENTRY_LARGE;

    if (!entry_is_leaf(first, 0) || (first & ENTRY_ADDR) % BLOCK_SIZE != 0)
        return 0;
    for (unsigned i = 1; i < VMM_TABLE_LENGTH; i++) {
        if ((table[i] & ~by_cpu) != first + i * FRAME_SIZE)
            return 0;
        leaf |= table[i] & by_cpu;
    }
    return leaf;
}

int vmm_join(struct vmm *vmm, uint64_t virt)
{
    if (!is_range_valid(virt, BLOCK_SIZE) || virt % BLOCK_SIZE != 0)
        return -EINVAL;

    uint64_t *entry = entry_at(vmm, virt, 1);

    if (!entry || !entry_is_table(*entry, 1))
        return -EINVAL;

    paddr_t table = *entry & ENTRY_ADDR;
    uint64_t leaf = joined_leaf(entry_table(*entry));

    if (leaf == 0)
        return -EINVAL;
    *entry = leaf;
    /* All: flushing the leaf later would drop the large translation only, not the small ones. */
    mmu_flush_all();
    vmm_table_give(vmm, table);
    return 0;
}

int vmm_remap(struct vmm *vmm, uint64_t virt, paddr_t phys)
{
    if (!is_range_valid(virt, FRAME_SIZE) || phys % FRAME_SIZE != 0 || phys >= BIT64(52))
        return -EINVAL;

    uint64_t *entry = entry_at(vmm, virt, 0);

    if (!entry || !entry_is_leaf(*entry, 0))
        return -EINVAL;
    *entry = (*entry & ~ENTRY_ADDR) | phys;
    mmu_flush_page(virt);
    return 0;
}
