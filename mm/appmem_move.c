// SPDX-License-Identifier: BSD-2-Clause
/*
 * Frames of the app to other places, while it is stopped: out of a block that is to be emptied, or
 * together into one that becomes a block mapping.
 */
#include "mm/appmem_internal.h"

#include "base/assert.h"
#include "base/err.h"
#include "mm/mmu.h"

#define JOIN_MOVES 32 /* frames a step moves: about 100 us under TCG */
#define JOIN_LOOKS 64 /* block mappings that a step passes */

bool appmem_next_leaf(const struct appmem *mem, uint64_t from, struct vmm_leaf *leaf)
{
    const struct appmem_region *region = appmem_region_at_or_after(&mem->regions, from);

    for (; region; region = appmem_region_next(&mem->regions, region)) {
        if (vmm_next_leaf(mem->config.vmm, max_u64(from, region->start), region->end - 1,
                          leaf))
            return true;
    }
    return false;
}

static void copy_frame(pfn_t to, paddr_t from)
{
    __builtin_memcpy(mmu_phys_to_virt(pfn_to_paddr(to)), mmu_phys_to_virt(from),
                     FRAME_SIZE);
}

void appmem_move(struct appmem *mem, const struct vmm_leaf *leaf, pfn_t to)
{
    copy_frame(to, leaf->phys);
    int err = vmm_remap(mem->config.vmm, leaf->virt, pfn_to_paddr(to));

    assert(!err);
    pmm_give(mem->config.pmm, pfn_from_paddr(leaf->phys), 0, RUN_TOUCHED);
    mem->stats.moved++;
}

/* The 2 MiB at `piece` are pages of the app, all there, none of them part of a block mapping. */
static bool is_joinable(const struct appmem *mem, uint64_t piece)
{
    const struct appmem_region *region = appmem_region_find(&mem->regions, piece);
    struct vmm_leaf leaf;

    if (!region || (region->flags & APPMEM_FRAMES) || region->end - piece < BLOCK_SIZE)
        return false;
    for (uint64_t at = piece; at < piece + BLOCK_SIZE; at += FRAME_SIZE) {
        if (!vmm_lookup(mem->config.vmm, at, &leaf) || leaf.size_bytes != FRAME_SIZE)
            return false;
    }
    return true;
}

/* The block that is being filled goes back, but for what is in use already. */
static void join_abandon(struct appmem *mem)
{
    struct join *join = &mem->join;

    for (unsigned i = join->moved; i < BLOCK_FRAMES; i++)
        pmm_give(mem->config.pmm, pfn_add(join->block, i), 0, RUN_TOUCHED);
    join->is_open = false;
}

/* Nothing is promised, nor dropped, for the sake of a block mapping; nor is a block that somebody is making. */
static bool can_spare_block(const struct appmem *mem)
{
    return !mem->compact.is_open && appmem_free_frames(mem) >= BLOCK_FRAMES +
                                                                   appmem_promised(mem) +
                                                                   appmem_min_frames(mem);
}

/* Take a block for the piece, unless its frames make one already. */
static void join_begin(struct appmem *mem, uint64_t piece)
{
    const struct pmm_want want = {
        .order = BLOCK_ORDER, .class = PMM_MOVABLE, .keep_reserve = true};
    struct pmm_run run;

    if (!is_joinable(mem, piece))
        return;
    if (vmm_join(mem->config.vmm, piece) == 0) {
        mem->stats.joins++;
        return;
    }
    if (can_spare_block(mem) && pmm_take(mem->config.pmm, want, &run) == 0)
        mem->join = (struct join){.is_open = true, .piece = piece, .block = run.pfn};
}

static void join_end(struct appmem *mem)
{
    mem->join.is_open = false;
    if (vmm_join(mem->config.vmm, mem->join.piece) == 0)
        mem->stats.joins++;
}

static void join_go_on(struct appmem *mem)
{
    struct join *join = &mem->join;
    struct vmm_leaf leaf;

    /* The app ran meanwhile: a page it gave back, or touched anew elsewhere, ends it. */
    if (!is_joinable(mem, join->piece)) {
        join_abandon(mem);
        return;
    }
    for (unsigned i = 0; i < JOIN_MOVES && join->moved < BLOCK_FRAMES; i++) {
        vmm_lookup(mem->config.vmm, join->piece + join->moved * FRAME_SIZE, &leaf);
        appmem_move(mem, &leaf, pfn_add(join->block, join->moved));
        join->moved++;
    }
    if (join->moved == BLOCK_FRAMES)
        join_end(mem);
}

bool appmem_join_step(struct appmem *mem)
{
    struct vmm_leaf leaf;

    if (mem->join.is_open) {
        join_go_on(mem);
        return true;
    }
    for (unsigned i = 0; i < JOIN_LOOKS; i++) {
        if (!appmem_next_leaf(mem, mem->join_next, &leaf)) {
            mem->join_next = 0;
            return false;
        }
        uint64_t piece = align_down(leaf.virt, BLOCK_SIZE);

        mem->join_next = piece + BLOCK_SIZE;
        if (leaf.size_bytes == FRAME_SIZE) {
            join_begin(mem, piece);
            break;
        }
    }
    return true;
}

void appmem_join_stop(struct appmem *mem)
{
    if (mem->join.is_open)
        join_abandon(mem);
    mem->join_next = 0;
}
