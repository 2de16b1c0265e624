// SPDX-License-Identifier: BSD-2-Clause
/* Reading page tables: one address, the leaves of a range. */
#include "mm/vmm.h"

#include "base/assert.h"
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

static bool has_leaf(const uint64_t *table, unsigned level, uint64_t virt, uint64_t last)
{
    for (uint64_t end;; virt = end + 1) {
        uint64_t entry = table[level_index(virt, level)];

        end = piece_last(virt, level, last);
        if (entry_is_leaf(entry, level))
            return true;
        if (entry != 0 && has_leaf(entry_table(entry), level - 1, virt, end))
            return true;
        if (end == last)
            return false;
    }
}

bool vmm_is_empty(const struct vmm *vmm, uint64_t virt, uint64_t size_bytes)
{
    assert(is_range_valid(virt, size_bytes));
    return !has_leaf(mmu_phys_to_virt(vmm->root), VMM_ROOT_LEVEL, virt,
                     virt + size_bytes - 1);
}

/* What a walk carries along. */
struct walk {
    vmm_leaf_fn *fn;
    void *ctx;
};

static void walk_table(const struct walk *walk, const uint64_t *table, unsigned level,
                       uint64_t virt, uint64_t last)
{
    for (uint64_t end;; virt = end + 1) {
        uint64_t entry = table[level_index(virt, level)];

        end = piece_last(virt, level, last);
        if (entry_is_leaf(entry, level)) {
            struct vmm_leaf leaf = leaf_of(entry, level, virt);

            if (leaf.virt == virt) /* else it begins before the range */
                walk->fn(walk->ctx, &leaf);
        } else if (entry != 0) {
            walk_table(walk, entry_table(entry), level - 1, virt, end);
        }
        if (end == last)
            return;
    }
}

void vmm_walk_range(const struct vmm *vmm, uint64_t virt, uint64_t size_bytes,
                    vmm_leaf_fn *fn, void *ctx)
{
    struct walk walk = {fn, ctx};

    assert(is_range_valid(virt, size_bytes));
    walk_table(&walk, mmu_phys_to_virt(vmm->root), VMM_ROOT_LEVEL, virt,
               virt + size_bytes - 1);
}

void vmm_walk(const struct vmm *vmm, vmm_leaf_fn *fn, void *ctx)
{
    vmm_walk_range(vmm, 0, VMM_HALF_BYTES, fn, ctx);
    vmm_walk_range(vmm, -VMM_HALF_BYTES, VMM_HALF_BYTES, fn, ctx);
}
