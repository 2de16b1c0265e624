// SPDX-License-Identifier: BSD-2-Clause
/* What the tests of the frame allocator share: machines of any shape, and wants. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/err.h"
#include "mm/pmm.h"
#include "tests/model/mmu.h"
#include "tests/model/seams.h"

#define RAM(...)                                                           \
    ram_of(sizeof((struct region[]){__VA_ARGS__}) / sizeof(struct region), \
           (struct region[]){__VA_ARGS__})

/* Ranges without memory behind them. */
#define RANGES(...)                                                              \
    (struct region_set)                                                          \
    {                                                                            \
        .items = (struct region[]){__VA_ARGS__},                                 \
        .count = sizeof((struct region[]){__VA_ARGS__}) / sizeof(struct region), \
    }

/* Host memory behind these ranges. */
static inline struct region_set ram_of(size_t count, struct region *items)
{
    model_ram_reset();
    for (size_t i = 0; i < count; i++)
        model_ram_add(items[i].start, items[i].end - items[i].start);
    return (struct region_set){.items = items, .count = count, .capacity = count};
}

static inline struct pmm *make(struct region_set ram, uint64_t reserve_bytes)
{
    struct pmm *pmm;

    assert_int_equal(pmm_init(&ram, reserve_bytes, &pmm), 0);
    pmm_check(pmm);
    return pmm;
}

static inline struct pmm_stats stats_of(const struct pmm *pmm)
{
    struct pmm_stats stats;

    pmm_stats(pmm, &stats);
    return stats;
}

static inline pfn_t take(struct pmm *pmm, struct pmm_want want)
{
    struct pmm_run run;

    assert_int_equal(pmm_take(pmm, want, &run), 0);
    return run.pfn;
}

static const struct pmm_want FRAME = {.order = 0, .class = PMM_MOVABLE};
static const struct pmm_want FIXED = {.order = 0, .class = PMM_FIXED};
static const struct pmm_want BLOCK = {.order = BLOCK_ORDER, .class = PMM_MOVABLE};

static inline void expect_enomem(struct pmm *pmm, struct pmm_want want)
{
    struct pmm_run run = {.pfn = {77}};

    assert_int_equal(pmm_take(pmm, want, &run), -ENOMEM);
    assert_int_equal(run.pfn.n, 77); /* written on success only */
}

/* `count` whole blocks from 0 on, the metadata in a frame range of its own below them. */
static inline struct pmm *blocks_only(uint64_t count)
{
    return make(RAM({16 * MIB, 17 * MIB}, {GIB, GIB + count * BLOCK_SIZE}), 0);
}

/* ... of which the low range is used up, so that everything comes from the blocks. */
static inline struct pmm *blocks_only_with_reserve(uint64_t count, uint64_t reserve_bytes)
{
    struct pmm *pmm =
        make(RAM({GIB - 1 * MIB, GIB}, {5 * GIB, 5 * GIB + count * BLOCK_SIZE}),
             reserve_bytes);
    struct pmm_want low = {.class = PMM_MOVABLE, .pfn_limit = GIB >> FRAME_SHIFT};
    struct pmm_run run;

    while (pmm_take(pmm, low, &run) == 0)
        assert_true(run.pfn.n < GIB >> FRAME_SHIFT);
    assert_int_equal(stats_of(pmm).free_frames, count * BLOCK_FRAMES);
    return pmm;
}

static inline struct pmm *blocks_only_used_low(uint64_t count)
{
    return blocks_only_with_reserve(count, 0);
}
