// SPDX-License-Identifier: BSD-2-Clause
/* Rounds of compaction: choose victims, walk the app's pages, move what lies in a victim. */
#include "mm/compact.h"

#include "base/err.h"
#include "mm/appmem_internal.h"

#define VICTIMS_MAX 64
#define STEP_NS     (200 * NS_PER_US)
#define LOOK_EACH   16 /* leaves between two looks at the clock */

static bool is_ballooned(void *ctx, pfn_t first)
{
    struct appmem *mem = ctx;

    return mem->config.is_ballooned(mem->config.ctx, first, BLOCK_FRAMES);
}

bool compact_begin(struct appmem *mem, pmm_skip_fn *skip)
{
    struct compact *round = &mem->compact;

    if (pmm_victims_begin(mem->config.pmm, VICTIMS_MAX, skip, mem) == 0)
        return false;
    *round = (struct compact){.is_open = true, .blocks_before = appmem_free_blocks(mem)};
    return true;
}

void compact_stop(struct appmem *mem)
{
    if (mem->compact.is_open)
        pmm_victims_end(mem->config.pmm);
    mem->compact.is_open = false;
}

bool compact_end(struct appmem *mem)
{
    compact_stop(mem);
    return appmem_free_blocks(mem) > mem->compact.blocks_before;
}

/* False when there is no frame for it: the round is over. */
static bool move_out(struct appmem *mem, const struct vmm_leaf *leaf)
{
    const struct pmm_want want = {.class = PMM_MOVABLE, .pieces_only = true};
    struct pmm_run run;

    if (leaf->size_bytes != FRAME_SIZE ||
        !pmm_is_victim(mem->config.pmm, pfn_from_paddr(leaf->phys)))
        return true;
    if (pmm_take(mem->config.pmm, want, &run))
        return false;
    appmem_move(mem, leaf, run.pfn);
    return true;
}

bool compact_walk(struct appmem *mem, uint64_t budget_ns)
{
    uint64_t end = appmem_now(mem) + budget_ns;
    struct compact *round = &mem->compact;
    struct vmm_leaf leaf;

    for (unsigned i = 1; appmem_next_leaf(mem, round->next, &leaf); i++) {
        if (!move_out(mem, &leaf))
            break;
        round->next = leaf.virt + leaf.size_bytes;
        if (i % LOOK_EACH == 0 && appmem_now(mem) >= end)
            return true;
    }
    return false;
}

bool compact_step(struct appmem *mem, uint64_t budget_ns)
{
    struct compact *round = &mem->compact;

    if (round->is_open && round->is_for_balloon)
        compact_stop(mem);
    if (!round->is_open && !compact_begin(mem, is_ballooned))
        return false;
    return compact_walk(mem, budget_ns) || compact_end(mem);
}

bool compact_for_blocks(struct appmem *mem, uint64_t count)
{
    while (appmem_free_blocks(mem) < count && compact_step(mem, STEP_NS) &&
           appmem_go_on(mem))
        ;
    compact_stop(mem);
    return appmem_free_blocks(mem) > 0;
}
