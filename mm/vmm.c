// SPDX-License-Identifier: BSD-2-Clause
/*
 * Changing page tables. Ranges are [virt, last], last included, because the highest one ends at 2^64.
 * Changes to leaves that are there are in mm/vmm_leaf.c, reading in mm/vmm_walk.c.
 */
#include "mm/vmm.h"

#include "base/assert.h"
#include "base/err.h"
#include "mm/vmm_entry.h"

#define FLUSH_ONE_BY_ONE 32 /* so many leaves; more are cheaper to flush all at once */

/* Changes made to translations that a CPU may have cached. */
struct flush {
    unsigned leaves;
    bool has_freed_table;
};

static void flush_leaf(struct flush *flush, uint64_t virt)
{
    if (flush->leaves++ < FLUSH_ONE_BY_ONE)
        mmu_flush_page(virt);
}

static void flush_end(const struct flush *flush)
{
    if (flush->leaves > FLUSH_ONE_BY_ONE || flush->has_freed_table)
        mmu_flush_all();
}

/* The bits of a leaf but its address. */
static uint64_t leaf_bits(const struct vmm *vmm, unsigned level, unsigned flags)
{
    uint64_t bits = ENTRY_PRESENT | ENTRY_ACCESSED;

    if (flags & VMM_WRITE)
        bits |= ENTRY_WRITE | ENTRY_DIRTY;
    if (!(flags & VMM_EXEC) && (vmm->cpu & VMM_CPU_NX))
        bits |= ENTRY_NX;
    if (flags & VMM_UNCACHED)
        bits |= ENTRY_PCD | ENTRY_PWT;
    if (flags & VMM_GLOBAL)
        bits |= ENTRY_GLOBAL;
    return level == 0 ? bits : bits | ENTRY_LARGE;
}

/* A new table; what it allows, its leaves restrict. */
static int table_take(struct vmm *vmm, uint64_t *entry)
{
    paddr_t frame;
    int err = vmm->source.take(vmm->source.ctx, &frame);

    if (err)
        return err;
    assert((frame & ~ENTRY_ADDR) == 0);
    __builtin_memset(mmu_phys_to_virt(frame), 0, FRAME_SIZE);
    vmm->table_frames++;
    *entry = frame | ENTRY_PRESENT | ENTRY_WRITE | ENTRY_ACCESSED;
    return 0;
}

void vmm_table_give(struct vmm *vmm, paddr_t frame)
{
    vmm->table_frames--;
    vmm->source.give(vmm->source.ctx, frame);
}

/* Drop the table below `entry` if nothing is left in it. */
static bool prune(struct vmm *vmm, uint64_t *entry)
{
    const uint64_t *table = entry_table(*entry);
    paddr_t frame = *entry & ENTRY_ADDR;

    for (unsigned i = 0; i < VMM_TABLE_LENGTH; i++) {
        if (table[i] != 0)
            return false;
    }
    *entry = 0;
    vmm_table_give(vmm, frame);
    return true;
}

int vmm_init(struct vmm *vmm, struct vmm_source source, unsigned cpu)
{
    uint64_t entry;

    *vmm = (struct vmm){.source = source, .cpu = cpu};
    int err = table_take(vmm, &entry);
    if (err)
        return err;
    vmm->root = entry & ENTRY_ADDR;
    return 0;
}

/* Clear all leaves in the range; every leaf lies in it as a whole. */
static void clear_range(struct vmm *vmm, uint64_t *table, unsigned level, uint64_t virt,
                        uint64_t last, struct flush *flush)
{
    for (uint64_t end;; virt = end + 1) {
        uint64_t *entry = &table[level_index(virt, level)];

        end = piece_last(virt, level, last);
        if (entry_is_leaf(*entry, level)) {
            assert(end - virt == level_bytes(level) - 1);
            *entry = 0;
            flush_leaf(flush, virt);
        } else if (*entry != 0) {
            clear_range(vmm, entry_table(*entry), level - 1, virt, end, flush);
            if (prune(vmm, entry))
                flush->has_freed_table = true;
        }
        if (end == last)
            return;
    }
}

/* A vmm_map() under way: all up to `next` is mapped. */
struct map_job {
    struct vmm *vmm;
    uint64_t next;
    paddr_t phys; /* of `next` */
    unsigned flags;
};

static bool can_be_leaf(const struct map_job *job, unsigned level, uint64_t end)
{
    uint64_t mask = level_bytes(level) - 1;
    unsigned largest = job->vmm->cpu & VMM_CPU_1G ? 2 : 1;

    return level <= largest && end - job->next == mask && (job->next & mask) == 0 &&
           (job->phys & mask) == 0;
}

/* Map from job->next to `last`. */
static int map_range(struct map_job *job, uint64_t *table, unsigned level, uint64_t last)
{
    for (;;) {
        uint64_t end = piece_last(job->next, level, last);
        uint64_t *entry = &table[level_index(job->next, level)];
        int err = 0;

        if (can_be_leaf(job, level, end)) {
            if (*entry != 0)
                return -EBUSY;
            *entry = job->phys | leaf_bits(job->vmm, level, job->flags);
            job->phys += level_bytes(level);
            job->next = end + 1;
        } else {
            if (entry_is_leaf(*entry, level))
                return -EBUSY;
            if (*entry == 0)
                err = table_take(job->vmm, entry);
            if (err)
                return err;
            err = map_range(job, entry_table(*entry), level - 1, end);
            if (err) {
                prune(job->vmm, entry);
                return err;
            }
        }
        if (end == last)
            return 0;
    }
}

int vmm_map(struct vmm *vmm, uint64_t virt, paddr_t phys, uint64_t size_bytes,
            unsigned flags)
{
    struct map_job job = {.vmm = vmm, .next = virt, .phys = phys, .flags = flags};
    uint64_t *root = mmu_phys_to_virt(vmm->root);
    struct flush flush = {0};

    if (!is_range_valid(virt, size_bytes) || phys % FRAME_SIZE != 0 ||
        phys >= BIT64(52) || size_bytes > BIT64(52) - phys)
        return -EINVAL;

    int err = map_range(&job, root, VMM_ROOT_LEVEL, virt + size_bytes - 1);
    if (err) {
        flush.has_freed_table = true; /* the way down to what failed was pruned */
        if (job.next != virt)
            clear_range(vmm, root, VMM_ROOT_LEVEL, virt, job.next - 1, &flush);
        flush_end(&flush);
    }
    return err;
}

/* Replace a large leaf by a table of the next smaller ones. */
static int split_leaf(struct vmm *vmm, uint64_t *entry, unsigned level, uint64_t virt)
{
    uint64_t leaf = *entry, table;
    int err = table_take(vmm, &table);

    if (err)
        return err;
    if (level == 1)
        leaf &= ~ENTRY_LARGE;
    for (unsigned i = 0; i < VMM_TABLE_LENGTH; i++)
        entry_table(table)[i] = leaf + i * level_bytes(level - 1);
    *entry = table;
    mmu_flush_page(virt);
    return 0;
}

/* Make `virt` a border between leaves. */
static int split_at(struct vmm *vmm, uint64_t virt)
{
    uint64_t *table = mmu_phys_to_virt(vmm->root);

    for (unsigned level = VMM_ROOT_LEVEL; virt % level_bytes(level) != 0; level--) {
        uint64_t *entry = &table[level_index(virt, level)];

        if (*entry == 0)
            return 0;
        if (entry_is_leaf(*entry, level)) {
            int err = split_leaf(vmm, entry, level, virt);

            if (err)
                return err;
        }
        table = entry_table(*entry);
    }
    return 0;
}

int vmm_split(struct vmm *vmm, uint64_t virt)
{
    return is_range_valid(virt, FRAME_SIZE) ? split_at(vmm, virt) : -EINVAL;
}

static int split_ends(struct vmm *vmm, uint64_t virt, uint64_t size_bytes)
{
    int err = split_at(vmm, virt);

    return err ? err : split_at(vmm, virt + size_bytes);
}

int vmm_unmap(struct vmm *vmm, uint64_t virt, uint64_t size_bytes)
{
    uint64_t *root = mmu_phys_to_virt(vmm->root);
    struct flush flush = {0};

    if (!is_range_valid(virt, size_bytes))
        return -EINVAL;
    int err = split_ends(vmm, virt, size_bytes);
    if (err)
        return err;
    clear_range(vmm, root, VMM_ROOT_LEVEL, virt, virt + size_bytes - 1, &flush);
    flush_end(&flush);
    return 0;
}
