// SPDX-License-Identifier: BSD-2-Clause
/*
 * How much a cycle may move: always in the classic policy, in the modern one where that is asked for. A cycle
 * takes memory that lies free; when there is no more, it goes on slowly with what caches give, and so do
 * the next three.
 */
#include "drivers/vmware/balloon_internal.h"

#include "base/bits.h"

/* R-W-20. */
void vmware_rates_begin(struct vmware_balloon *vb, bool is_inflating)
{
    if (!is_inflating)
        vb->cycle.rate = vb->rate_free;
    else
        vb->cycle.rate = vb->slow_cycles ? vb->rate_alloc : VMWARE_RATE_NOSLEEP;
}

/* Beside this, the reserve the OS keeps from every balloon holds as well: a page that needs nothing dropped is
 * only taken while twice that is free. */
static bool has_plenty(const struct vmware_balloon *vb, unsigned size)
{
    struct mem_stats mem;

    vb->hal->mem_stats(vb->hal->ctx, &mem);
    return mem.free_bytes >= 2 * mem.reserve_bytes + vmware_frames(size) * FRAME_SIZE;
}

/* R-W-15. */
bool vmware_rates_take(struct vmware_balloon *vb, unsigned size, struct run_want want,
                       struct vmware_page *out)
{
    if (want.free_only && !has_plenty(vb, size)) {
        vb->count.nosleep_alloc.total++;
        vb->count.nosleep_alloc.failed++;
        vb->count.alloc[size].total++;
        vb->count.alloc[size].failed++;
        return false;
    }
    return vmware_take(vb, size, want, out);
}

/* R-W-21. */
void vmware_rates_short(struct vmware_balloon *vb)
{
    struct vmware_cycle *cycle = &vb->cycle;

    cycle->has_error = true;
    if (cycle->can_sleep) {
        vb->rate_alloc = (uint32_t)max_u64(vb->rate_alloc / 2, VMWARE_RATE_ALLOC_MIN);
        cycle->is_over = true;
        return;
    }
    vb->slow_cycles = VMWARE_SLOW_CYCLES;
    if (cycle->turn >= vb->rate_alloc) {
        cycle->is_over = true;
        return;
    }
    cycle->can_sleep = true;
    cycle->rate = vb->rate_alloc;
}

/* R-W-23: faster after a cycle that ended well. */
void vmware_rates_end_inflate(struct vmware_balloon *vb)
{
    const struct vmware_cycle *cycle = &vb->cycle;
    uint64_t turns = cycle->turn;

    if (cycle->has_error || turns < vb->rate_alloc)
        return;
    vb->rate_alloc =
        (uint32_t)min_u64(vb->rate_alloc + turns / vb->rate_alloc * VMWARE_RATE_ALLOC_INC,
                          VMWARE_RATE_ALLOC_MAX);
}

/* R-W-26, R-W-27. */
void vmware_rates_end_deflate(struct vmware_balloon *vb)
{
    if (vb->cycle.has_error)
        vb->rate_free = (uint32_t)max_u64(vb->rate_free / 2, VMWARE_RATE_FREE_MIN);
    else
        vb->rate_free =
            (uint32_t)min_u64(vb->rate_free + VMWARE_RATE_FREE_INC, VMWARE_RATE_FREE_MAX);
}
