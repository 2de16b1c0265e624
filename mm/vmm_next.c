// SPDX-License-Identifier: BSD-2-Clause
/* Going from leaf to leaf, for walks that change what they pass. */
#include "mm/vmm.h"

#include "mm/vmm_entry.h"

/* The entry that decides about `virt`: a leaf, or none; *level is its level. */
static uint64_t deciding_entry(const struct vmm *vmm, uint64_t virt, unsigned *level)
{
    const uint64_t *table = mmu_phys_to_virt(vmm->root);

    for (*level = VMM_ROOT_LEVEL;; (*level)--) {
        uint64_t entry = table[level_index(virt, *level)];

        if (!entry_is_table(entry, *level))
            return entry;
        table = entry_table(entry);
    }
}

bool vmm_next_leaf(const struct vmm *vmm, uint64_t from, uint64_t last,
                   struct vmm_leaf *out)
{
    uint64_t virt = from, end;

    do {
        unsigned level;
        uint64_t entry = deciding_entry(vmm, virt, &level);

        if (entry != 0 && virt % level_bytes(level) == 0)
            return vmm_lookup(vmm, virt, out);
        end = virt | (level_bytes(level) - 1);
        virt = end + 1;
    } while (end < last);
    return false;
}
