// SPDX-License-Identifier: BSD-2-Clause
/* What the guest tells the host about its memory: which figures, in which order. */
#pragma once

#include "drivers/balloon/balloon.h"

/* Tags as virtio 5.5.6.4 and later headers number them. */
enum balloon_stat_tag {
    BALLOON_STAT_SWAP_IN = 0,
    BALLOON_STAT_SWAP_OUT = 1,
    BALLOON_STAT_MAJOR_FAULTS = 2,
    BALLOON_STAT_MINOR_FAULTS = 3,
    BALLOON_STAT_FREE = 4,
    BALLOON_STAT_TOTAL = 5,
    BALLOON_STAT_AVAILABLE = 6,
    BALLOON_STAT_CACHES = 7,
    BALLOON_STAT_BLOCK_ALLOCS = 8,
    BALLOON_STAT_BLOCK_FAILURES = 9,
    BALLOON_STAT_OOM_EVENTS = 10,
    BALLOON_STAT_ALLOC_STALLS = 11,
    BALLOON_STAT_ASYNC_SCAN = 12,
    BALLOON_STAT_DIRECT_SCAN = 13,
    BALLOON_STAT_ASYNC_RECLAIM = 14,
    BALLOON_STAT_DIRECT_RECLAIM = 15,
};

#define BALLOON_STATS_CLASSIC 10 /* tags 0-9: hosts that choke on later ones, R-V-38 */
#define BALLOON_STATS_FULL    16

struct balloon_stat {
    uint16_t tag;
    uint64_t value; /* bytes or events, by tag */
};

/* Sample now. `lent_bytes` of free memory are with the driver, which gives them back whenever they are
 * wanted. Always the same tags in the same order. Returns the number of entries. */
unsigned balloon_stats_sample(const struct balloon *b, uint64_t lent_bytes, bool classic,
                              struct balloon_stat out[BALLOON_STATS_FULL]);
