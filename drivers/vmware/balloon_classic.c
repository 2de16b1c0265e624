// SPDX-License-Identifier: BSD-2-Clause
/*
 * The classic policy: one command a page, one cycle a second, and a rate. A cycle takes memory that lies
 * free; when there is no more, it goes on slowly with what caches give, and so do the next three.
 */
#include "drivers/vmware/balloon_internal.h"

#include "base/bits.h"

/* Beside this, the reserve the OS keeps from every balloon holds as well: a page that needs nothing dropped is
 * only taken while twice that is free. */
static bool has_plenty(const struct vmware_balloon *vb)
{
    struct mem_stats mem;

    vb->hal->mem_stats(vb->hal->ctx, &mem);
    return mem.free_bytes >= 2 * mem.reserve_bytes + FRAME_SIZE;
}

/* R-W-20, R-W-25: the goal of a cycle is set at its start, R-W-12. The reserve is left to the allocations: a
 * goal cut to it would be lost whole in the turn that finds no memory. */
int64_t vmware_classic_change(struct vmware_balloon *vb)
{
    int64_t change = (int64_t)min_u64(vb->wish, vb->limit) - (int64_t)vmware_size(vb);
    struct vmware_cycle *cycle = &vb->cycle;

    cycle->goal =
        change > 0 ? (uint64_t)change : min_u64((uint64_t)-change, vb->rate_free);
    cycle->rate = vb->slow_cycles ? vb->rate_alloc : VMWARE_RATE_NOSLEEP;
    return change;
}

enum outcome {
    GOT_PAGE,
    NO_MEMORY,
    STOP, /* the host has had enough */
};

static bool take(struct vmware_balloon *vb, struct vmware_page *out)
{
    bool free_only = !vb->cycle.can_sleep;

    if (free_only && !has_plenty(vb)) {
        vb->count.nosleep_alloc.total++;
        vb->count.nosleep_alloc.failed++;
        vb->count.alloc[SMALL].total++;
        vb->count.alloc[SMALL].failed++;
        return false;
    }
    return vmware_take(vb, SMALL, (struct run_want){.free_only = free_only}, out);
}

/* One page into the balloon, or as many refused as may be, R-W-18. */
static enum outcome get_page(struct vmware_balloon *vb)
{
    struct vmware_chunk *chunk = &vb->chunk;

    for (;;) {
        chunk->size = SMALL;
        chunk->count = 1;
        if (!take(vb, &chunk->pages[0]))
            return NO_MEMORY;
        uint32_t status = vmware_lock(vb);
        if (status == VMWARE_SUCCESS)
            return GOT_PAGE;
        if (vb->cycle.is_over || vb->cycle.refused[SMALL] >= VMWARE_REFUSED_MAX)
            return STOP;
    }
}

static void run_short(struct vmware_balloon *vb)
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

/* R-W-21. The test follows the allocation, so a cycle takes rate + 1 pages (D-W-05), and a turn that finds
 * no memory is used up (D-W-06). */
static void inflate_turn(struct vmware_balloon *vb)
{
    struct vmware_cycle *cycle = &vb->cycle;
    enum outcome outcome = get_page(vb);

    cycle->has_error = outcome != GOT_PAGE;
    if (outcome == STOP)
        cycle->is_over = true;
    else if (outcome == NO_MEMORY)
        run_short(vb);
    if (!cycle->is_over && cycle->turn >= cycle->rate)
        cycle->is_over = true;
    else if (!cycle->is_over)
        cycle->turn++;
}

/* R-W-23: faster after a cycle that ended well. */
static void end_inflate(struct vmware_balloon *vb)
{
    const struct vmware_cycle *cycle = &vb->cycle;
    uint64_t turns = cycle->turn;

    if (cycle->has_error || turns < vb->rate_alloc)
        return;
    vb->rate_alloc =
        (uint32_t)min_u64(vb->rate_alloc + turns / vb->rate_alloc * VMWARE_RATE_ALLOC_INC,
                          VMWARE_RATE_ALLOC_MAX);
}

void vmware_classic_inflate(struct vmware_balloon *vb)
{
    struct vmware_cycle *cycle = &vb->cycle;

    for (unsigned n = 0; n < STEP_COMMANDS && !cycle->is_over; n++) {
        if (cycle->turn < cycle->goal)
            inflate_turn(vb);
        else
            cycle->is_over = true;
    }
    if (cycle->is_over)
        end_inflate(vb);
}

/* R-W-26. False: the host keeps it. */
static bool put_page(struct vmware_balloon *vb)
{
    uint32_t gone;

    vmware_pick(vb, SMALL, 1);
    vmware_unlock(vb, &gone);
    return gone == 1;
}

void vmware_classic_deflate(struct vmware_balloon *vb)
{
    struct vmware_cycle *cycle = &vb->cycle;

    for (unsigned n = 0; n < STEP_COMMANDS && !cycle->is_over; n++) {
        if (cycle->turn++ == cycle->goal) { /* R-W-27 */
            vb->rate_free = (uint32_t)min_u64(vb->rate_free + VMWARE_RATE_FREE_INC,
                                              VMWARE_RATE_FREE_MAX);
            cycle->is_over = true;
        } else if (!put_page(vb)) {
            vb->rate_free = (uint32_t)max_u64(vb->rate_free / 2, VMWARE_RATE_FREE_MIN);
            cycle->is_over = true;
        }
    }
}
