// SPDX-License-Identifier: BSD-2-Clause
/* The allocator's speed and fragmentation on the machine's own RAM: bench/micro's recipe, as events. */
#include "bench/micro/pmm_recipe.h"
#include "kernel/clock.h"
#include "kernel/event.h"
#include "kernel/memory.h"
#include "tests/guest/suite.h"

#define SEED 20

typedef unsigned long long ull;

static uint64_t now(void *ctx)
{
    (void)ctx;
    return clock_ns();
}

static enum suite_result run(void)
{
    struct pmm_stats stats;
    struct pmm_speed speed;
    struct pmm_fragmentation kept;

    pmm_stats(memory_pmm(), &stats);
    uint64_t capacity = stats.free_frames;
    struct pmm_recipe recipe = {
        .pmm = memory_pmm(),
        .now = now,
        .held = heap_alloc(memory_heap(), capacity * sizeof(pfn_t)),
        .capacity = capacity,
        .seed = SEED,
    };

    CHECK(recipe.held, "no memory for %llu frames", (ull)capacity);
    int err = pmm_recipe_speed(&recipe, &speed);
    CHECK(err == 0, "speed: %d", err);
    err = pmm_recipe_fragmentation(&recipe, &kept);
    CHECK(err == 0, "fragmentation: %d", err);
    heap_free(memory_heap(), recipe.held);
    pmm_check(memory_pmm());
    event_emit(
        "event=bench unit=ns/100 frames=%llu blocks=%llu frame_take=%llu frame_give=%llu "
        "frame_give_random=%llu frame_pair=%llu block_take=%llu block_give=%llu",
        (ull)speed.frames, (ull)speed.blocks, (ull)speed.frame_take,
        (ull)speed.frame_give, (ull)speed.frame_give_random, (ull)speed.frame_pair,
        (ull)speed.block_take, (ull)speed.block_give);
    event_emit("event=bench unit=%%/100 whole_after_fill=%llu whole_after_free=%llu "
               "whole_after_rounds=%llu whole_possible=%llu",
               (ull)kept.whole_after_fill, (ull)kept.whole_after_free,
               (ull)kept.whole_after_rounds, (ull)kept.whole_possible);
    return SUITE_PASS;
}

GUEST_SUITE(bench, run);
