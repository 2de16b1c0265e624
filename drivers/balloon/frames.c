// SPDX-License-Identifier: BSD-2-Clause
/* Frames of the OS on their way to a page set. */
#include "drivers/balloon/frames.h"

#include "base/bits.h"
#include "base/err.h"

uint64_t frames_limit(const struct balloon_hal *hal)
{
    struct mem_stats mem;

    hal->mem_stats(hal->ctx, &mem);
    return (mem.total_bytes - min_u64(mem.reserve_bytes, mem.total_bytes)) >> FRAME_SHIFT;
}

int frames_take(struct page_set *set, unsigned order, struct run_want want, pfn_t *first,
                enum run_state *state)
{
    const struct balloon_hal *hal = set->hal;

    if (hal->run_take(hal->ctx, order, want, first, state))
        return -ENOMEM;
    if (!page_set_reserve(set, *first, order))
        return 0;
    hal->run_give(hal->ctx, *first, order, *state);
    return -ENOMEM;
}
