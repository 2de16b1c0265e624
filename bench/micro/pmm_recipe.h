// SPDX-License-Identifier: BSD-2-Clause
/*
 * Measures of the frame allocator: time per operation, and how much of the free memory is still in whole
 * blocks after a long mixed use. One recipe for host and guest: no libc, all memory and the clock come
 * from the caller.
 */
#pragma once

#include "mm/pmm.h"

struct pmm_recipe {
    struct pmm *pmm;            /* nothing else uses it meanwhile */
    uint64_t (*now)(void *ctx); /* monotonic ns */
    void *ctx;
    pfn_t *
        held; /* the recipe's notes: room for `capacity` frames, 90 % of the free ones or more */
    uint64_t capacity;
    uint64_t seed;
};

/* Hundredths of a nanosecond per operation, means over the whole pass. */
struct pmm_speed {
    uint64_t frames, blocks; /* operations timed */
    uint64_t frame_take, frame_give, frame_give_random, block_take, block_give;
    /* A frame taken and given in turn: what a hot path sees. */
    uint64_t frame_pair;
};

/* Free memory in whole blocks, in hundredths of a percent of the free memory. */
struct pmm_fragmentation {
    uint64_t frames_held;
    uint64_t whole_after_fill; /* 90 % of memory taken, frame by frame */
    uint64_t whole_after_free; /* half of it freed at random */
    /* 100 times: a tenth of the rest freed at random, taken again */
    uint64_t whole_after_rounds;
    uint64_t whole_possible; /* if the frames held lay as close as can be */
};

/* Both leave the allocator as they found it: all they took is given back. 0, or -ENOMEM when `capacity`
 * is too small or memory is short of two blocks. */
int pmm_recipe_speed(struct pmm_recipe *recipe, struct pmm_speed *out);
int pmm_recipe_fragmentation(struct pmm_recipe *recipe, struct pmm_fragmentation *out);
