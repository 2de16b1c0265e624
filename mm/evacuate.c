// SPDX-License-Identifier: BSD-2-Clause
/* Which blocks the balloon shall empty, one after the other. */
#include "mm/evacuate.h"

#include "base/err.h"
#include "mm/appmem_internal.h"
#include "mm/compact.h"

static bool is_of_the_app(void *ctx, pfn_t first)
{
    struct appmem *mem = ctx;

    return !mem->config.is_ballooned(mem->config.ctx, first, BLOCK_FRAMES);
}

void evacuate_want(struct appmem *mem, uint64_t blocks)
{
    struct evacuation *e = &mem->evacuation;

    if (!mem->config.evacuate)
        return;
    if (!e->wanted)
        e->blocks_before = appmem_free_blocks(mem);
    e->wanted = max_u64(e->wanted, blocks);
    mem->config.evacuate(mem->config.ctx);
}

static void finish(struct appmem *mem)
{
    mem->evacuation.wanted = 0;
    mem->evacuation.blocks_after = appmem_free_blocks(mem);
}

static bool begin(struct appmem *mem)
{
    struct evacuation *e = &mem->evacuation;

    if (appmem_free_blocks(mem) >= e->wanted || !compact_begin(mem, is_of_the_app)) {
        finish(mem);
        return false;
    }
    mem->compact.is_for_balloon = true;
    e->is_walked = e->has_block = false;
    return true;
}

/* The victim after the last one, which is done with, emptied or not. */
static bool next_victim(struct appmem *mem)
{
    struct evacuation *e = &mem->evacuation;
    struct pmm *pmm = mem->config.pmm;

    if (e->has_block && pmm_is_victim(pmm, e->block))
        pmm_victim_end(pmm, e->block);
    e->has_block =
        appmem_free_blocks(mem) < e->wanted && pmm_victims_next(pmm, &e->block);
    return e->has_block;
}

int evacuate_next(struct appmem *mem, uint64_t budget_ns, pfn_t *block)
{
    struct evacuation *e = &mem->evacuation;
    struct compact *round = &mem->compact;

    if (round->is_open && !round->is_for_balloon)
        return 0; /* the app compacts; it asks again at its end */
    while (e->wanted && (round->is_open || begin(mem))) {
        if (!e->is_walked && compact_walk(mem, budget_ns))
            return -EAGAIN;
        e->is_walked = true;
        if (next_victim(mem)) {
            *block = e->block;
            return 1;
        }
        if (!compact_end(mem))
            finish(mem);
    }
    return 0;
}

void evacuate_stop(struct appmem *mem)
{
    mem->evacuation.wanted = 0;
    if (mem->compact.is_open && mem->compact.is_for_balloon)
        compact_stop(mem);
}
