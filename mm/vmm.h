// SPDX-License-Identifier: BSD-2-Clause
/*
 * Page tables: 4 levels, leaves of 4 KiB, 2 MiB and, where the CPU has them, 1 GiB.
 *
 *     struct vmm vmm;
 *
 *     vmm_init(&vmm, source, VMM_CPU_NX);
 *     vmm_map(&vmm, DIRECT_MAP_BASE, 0, 4 * GIB, VMM_WRITE | VMM_GLOBAL);
 *     ... load vmm.root into CR3 ...
 *
 * Mapped memory is always readable, by the kernel only. A range takes the largest leaves that fit; a
 * later change of a part splits them. Tables come from a source that the caller supplies, so they can be
 * built before there is an allocator; a table whose last entry goes is given back. Cached translations
 * are dropped as needed through mm/mmu.h.
 *
 * An operation that fails changes nothing that translation can see. Context: boot or task, one owner.
 */
#pragma once

#include "base/units.h"

#include <stdbool.h>
#include <stdint.h>

/* Rights and kind of a mapping. */
enum vmm_flags {
    VMM_WRITE = 1,
    VMM_EXEC = 2,
    VMM_UNCACHED = 4, /* device registers */
    VMM_GLOBAL = 8,   /* stays cached when CR3 changes (where CR4.PGE is on) */
};

/* What the CPU can do. */
enum vmm_cpu {
    VMM_CPU_NX = 1, /* EFER.NXE is on; without it everything is executable */
    VMM_CPU_1G = 2,
};

/* Where table frames come from: take() returns 0 and a frame of any contents, or -ENOMEM. */
struct vmm_source {
    void *ctx;
    int (*take)(void *ctx, paddr_t *out);
    void (*give)(void *ctx, paddr_t frame);
};

struct vmm {
    paddr_t root;          /* for CR3 */
    uint64_t table_frames; /* frames taken for tables now, the root included */
    struct vmm_source source;
    unsigned cpu; /* enum vmm_cpu */
};

struct vmm_leaf {
    uint64_t virt;
    paddr_t phys;
    uint64_t size_bytes; /* 4 KiB, 2 MiB or 1 GiB */
    unsigned flags;      /* enum vmm_flags */
};

/* An empty address space. 0 or -ENOMEM. */
int vmm_init(struct vmm *vmm, struct vmm_source source, unsigned cpu);

/*
 * Map [virt, virt + size) to [phys, phys + size). -EINVAL: not frame aligned, empty, not canonical, or
 * past 52 bits; -EBUSY: something is mapped there; -ENOMEM: no frame for a table.
 */
int vmm_map(struct vmm *vmm, uint64_t virt, paddr_t phys, uint64_t size_bytes,
            unsigned flags);

/* Unmap what is mapped in the range; holes are fine. -EINVAL as above, -ENOMEM when a larger leaf has
 * to be split and there is no frame for it: a range mapped as one can always be unmapped as one. */
int vmm_unmap(struct vmm *vmm, uint64_t virt, uint64_t size_bytes);

/* Make `virt` a border between leaves. -EINVAL: not frame aligned or not canonical; -ENOMEM. */
int vmm_split(struct vmm *vmm, uint64_t virt);

/*
 * Make one leaf of the 2 MiB at `virt` and give their table back. -EINVAL unless they are 512 leaves of
 * 4 KiB with equal flags that map the memory of a block in order, and `virt` is a multiple of 2 MiB.
 */
int vmm_join(struct vmm *vmm, uint64_t virt);

/* Let the 4 KiB leaf at `virt` map another frame; it keeps its flags. -EINVAL: there is no such leaf, or
 * `phys` is not frame aligned or past 52 bits. */
int vmm_remap(struct vmm *vmm, uint64_t virt, paddr_t phys);

/* The leaf that translates `virt`; false when none does. */
bool vmm_lookup(const struct vmm *vmm, uint64_t virt, struct vmm_leaf *out);

/* The lowest leaf that begins in [from, last], `from` being frame aligned; false when none does. For
 * walks whose steps change the tables. */
bool vmm_next_leaf(const struct vmm *vmm, uint64_t from, uint64_t last,
                   struct vmm_leaf *out);

/* Whether no address of [virt, virt + size) is mapped. This and the walks skip what is empty in large
 * steps; a range is as for vmm_map() (assert). */
bool vmm_is_empty(const struct vmm *vmm, uint64_t virt, uint64_t size_bytes);

/* Call `fn` for each leaf that begins in the range / for each leaf of all, by ascending address. It may
 * vmm_remap() this leaf but change nothing else. */
typedef void vmm_leaf_fn(void *ctx, const struct vmm_leaf *leaf);
void vmm_walk_range(const struct vmm *vmm, uint64_t virt, uint64_t size_bytes,
                    vmm_leaf_fn *fn, void *ctx);
void vmm_walk(const struct vmm *vmm, vmm_leaf_fn *fn, void *ctx);
