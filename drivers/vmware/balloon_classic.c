// SPDX-License-Identifier: BSD-2-Clause
/*
 * The classic policy: one command a page, one cycle a second, and its rates (balloon_rates.c).
 */
#include "drivers/vmware/balloon_internal.h"

#include "base/bits.h"

/* R-W-25: the goal of a cycle is set at its start, R-W-12. The reserve is left to the allocations: a
 * goal cut to it would be lost whole in the turn that finds no memory. */
int64_t vmware_classic_change(struct vmware_balloon *vb)
{
    int64_t change = (int64_t)min_u64(vb->wish, vb->limit) - (int64_t)vmware_size(vb);
    struct vmware_cycle *cycle = &vb->cycle;

    cycle->goal =
        change > 0 ? (uint64_t)change : min_u64((uint64_t)-change, vb->rate_free);
    return change;
}

enum outcome {
    GOT_PAGE,
    NO_MEMORY,
    STOP, /* the host has had enough */
};

/* One page into the balloon, or as many refused as may be, R-W-18. */
static enum outcome get_page(struct vmware_balloon *vb)
{
    struct vmware_chunk *chunk = &vb->chunk;

    for (;;) {
        chunk->size = SMALL;
        chunk->count = 1;
        struct run_want want = {.free_only = !vb->cycle.can_sleep};
        if (!vmware_rates_take(vb, SMALL, want, &chunk->pages[0]))
            return NO_MEMORY;
        uint32_t status = vmware_lock(vb);
        if (status == VMWARE_SUCCESS)
            return GOT_PAGE;
        if (vb->cycle.is_over || vb->cycle.refused[SMALL] >= VMWARE_REFUSED_MAX)
            return STOP;
    }
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
        vmware_rates_short(vb);
    if (!cycle->is_over && cycle->turn >= cycle->rate)
        cycle->is_over = true;
    else if (!cycle->is_over)
        cycle->turn++;
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
        vmware_rates_end_inflate(vb);
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
        if (cycle->turn++ == cycle->goal)
            cycle->is_over = true;
        else if (!put_page(vb))
            cycle->has_error = cycle->is_over = true;
    }
    if (cycle->is_over)
        vmware_rates_end_deflate(vb);
}
