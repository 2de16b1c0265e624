// SPDX-License-Identifier: BSD-2-Clause
/* Statistics for the host, R-V-38 and R-V-39. */
#include "drivers/balloon/stats.h"

unsigned balloon_stats_sample(const struct balloon *b, uint64_t lent_bytes, bool classic,
                              struct balloon_stat out[BALLOON_STATS_FULL])
{
    struct mem_stats mem;

    b->hal->mem_stats(b->hal->ctx, &mem);
    mem.free_bytes += lent_bytes;
    mem.available_bytes += lent_bytes;
    /* R-V-44: frames that cannot be had back on demand are not memory of this guest now. */
    uint64_t lost =
        b->is_reclaimable ? 0 : (balloon_size(b) - balloon_owed(b)) << FRAME_SHIFT;
    const uint64_t values[BALLOON_STATS_FULL] = {
        /* There is no swap, and zero is the true figure. */
        [BALLOON_STAT_SWAP_IN] = 0,
        [BALLOON_STAT_SWAP_OUT] = 0,
        [BALLOON_STAT_MAJOR_FAULTS] = mem.major_faults,
        [BALLOON_STAT_MINOR_FAULTS] = mem.minor_faults,
        [BALLOON_STAT_FREE] = mem.free_bytes,
        [BALLOON_STAT_TOTAL] = mem.total_bytes > lost ? mem.total_bytes - lost : 0,
        [BALLOON_STAT_AVAILABLE] = mem.available_bytes,
        [BALLOON_STAT_CACHES] = mem.cache_bytes,
        [BALLOON_STAT_BLOCK_ALLOCS] = mem.block_allocs,
        [BALLOON_STAT_BLOCK_FAILURES] = mem.block_failures,
        [BALLOON_STAT_OOM_EVENTS] = mem.oom_events,
        [BALLOON_STAT_ALLOC_STALLS] = mem.alloc_stalls,
        [BALLOON_STAT_ASYNC_SCAN] = mem.async_scan,
        [BALLOON_STAT_DIRECT_SCAN] = mem.direct_scan,
        [BALLOON_STAT_ASYNC_RECLAIM] = mem.async_reclaim,
        [BALLOON_STAT_DIRECT_RECLAIM] = mem.direct_reclaim,
    };
    unsigned count = classic ? BALLOON_STATS_CLASSIC : BALLOON_STATS_FULL;

    for (unsigned i = 0; i < count; i++)
        out[i] = (struct balloon_stat){.tag = (uint16_t)i, .value = values[i]};
    return count;
}
