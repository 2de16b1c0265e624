// SPDX-License-Identifier: BSD-2-Clause
/* Reading page tables: one address, all leaves. */
#include "mm/vmm.h"

#include "mm/vmm_entry.h"

static struct vmm_leaf leaf_of(uint64_t entry, unsigned level, uint64_t virt)
{
    struct vmm_leaf leaf = {
        .virt = align_down(virt, level_bytes(level)),
        .phys = entry & ENTRY_ADDR,
        .size_bytes = level_bytes(level),
    };

    leaf.flags |= entry & ENTRY_WRITE ? VMM_WRITE : 0;
    leaf.flags |= entry & ENTRY_NX ? 0 : VMM_EXEC;
    leaf.flags |= entry & ENTRY_PCD ? VMM_UNCACHED : 0;
    leaf.flags |= entry & ENTRY_GLOBAL ? VMM_GLOBAL : 0;
    return leaf;
}

bool vmm_lookup(const struct vmm *vmm, uint64_t virt, struct vmm_leaf *out)
{
    const uint64_t *table = mmu_phys_to_virt(vmm->root);

    for (unsigned level = VMM_ROOT_LEVEL;; level--) {
        uint64_t entry = table[level_index(virt, level)];

        if (entry_is_leaf(entry, level)) {
            *out = leaf_of(entry, level, virt);
            return true;
        }
        if (entry == 0)
            return false;
        table = entry_table(entry);
    }
}

static void walk_table(const uint64_t *table, unsigned level, uint64_t virt,
                       vmm_leaf_fn *fn, void *ctx)
{
    for (unsigned i = 0; i < VMM_TABLE_LENGTH; i++) {
        uint64_t at = virt + i * level_bytes(level);

        if (level == VMM_ROOT_LEVEL && i >= VMM_UPPER_FIRST)
            at |= UINT64_C(0xFFFF) << 48;
        if (entry_is_leaf(table[i], level)) {
            struct vmm_leaf leaf = leaf_of(table[i], level, at);

            fn(ctx, &leaf);
        } else if (table[i] != 0) {
            walk_table(entry_table(table[i]), level - 1, at, fn, ctx);
        }
    }
}

void vmm_walk(const struct vmm *vmm, vmm_leaf_fn *fn, void *ctx)
{
    walk_table(mmu_phys_to_virt(vmm->root), VMM_ROOT_LEVEL, 0, fn, ctx);
}
