// SPDX-License-Identifier: BSD-2-Clause
/* See the header: runs on the host (bench/micro/host_pmm.c) and in the guest's test image. */
#include "bench/micro/pmm_recipe.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/err.h"

#define ROUNDS 100

static const struct pmm_want FRAME = {.order = 0, .class = PMM_MOVABLE};
static const struct pmm_want BLOCK = {.order = BLOCK_ORDER, .class = PMM_MOVABLE};

static uint64_t random_below(struct pmm_recipe *recipe, uint64_t below)
{
    recipe->seed ^= recipe->seed << 13;
    recipe->seed ^= recipe->seed >> 7;
    recipe->seed ^= recipe->seed << 17;
    return recipe->seed % below;
}

static struct pmm_stats stats_of(const struct pmm_recipe *recipe)
{
    struct pmm_stats stats;

    pmm_stats(recipe->pmm, &stats);
    return stats;
}

/* Take up to `count` runs of the want into held[from...]; how many there were. */
static uint64_t take_many(struct pmm_recipe *recipe, struct pmm_want want, uint64_t from,
                          uint64_t count)
{
    struct pmm_run run;
    uint64_t i = 0;

    for (; i < count && pmm_take(recipe->pmm, want, &run) == 0; i++)
        recipe->held[from + i] = run.pfn;
    return i;
}

static void give_many(struct pmm_recipe *recipe, unsigned order, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        pmm_give(recipe->pmm, recipe->held[i], order, RUN_TOUCHED);
}

static void shuffle(struct pmm_recipe *recipe, uint64_t count)
{
    for (uint64_t i = count; i > 1; i--) {
        uint64_t other = random_below(recipe, i);
        pfn_t swap = recipe->held[i - 1];

        recipe->held[i - 1] = recipe->held[other];
        recipe->held[other] = swap;
    }
}

static uint64_t per_operation(struct pmm_recipe *recipe, uint64_t start_ns,
                              uint64_t count)
{
    return (recipe->now(recipe->ctx) - start_ns) * 100 / count;
}

static void time_frames(struct pmm_recipe *recipe, struct pmm_speed *out)
{
    uint64_t start = recipe->now(recipe->ctx);
    uint64_t taken = take_many(recipe, FRAME, 0, out->frames);

    out->frame_take = per_operation(recipe, start, taken);
    start = recipe->now(recipe->ctx);
    give_many(recipe, 0, taken);
    out->frame_give = per_operation(recipe, start, taken);

    taken = take_many(recipe, FRAME, 0, out->frames);
    shuffle(recipe, taken);
    start = recipe->now(recipe->ctx);
    give_many(recipe, 0, taken);
    out->frame_give_random = per_operation(recipe, start, taken);

    /* Beside one that stays, or each pair would break up a block and join it again. */
    taken = take_many(recipe, FRAME, 1, 1);
    start = recipe->now(recipe->ctx);
    for (uint64_t i = 0; i < out->frames; i++)
        give_many(recipe, 0, take_many(recipe, FRAME, 0, 1));
    out->frame_pair = per_operation(recipe, start, out->frames);
    if (taken == 1)
        pmm_give(recipe->pmm, recipe->held[1], 0, RUN_TOUCHED);
}

static void time_blocks(struct pmm_recipe *recipe, struct pmm_speed *out)
{
    uint64_t take_ns = 0, give_ns = 0, passes = 1 + 100000 / out->blocks;

    for (uint64_t pass = 0; pass < passes; pass++) {
        uint64_t start = recipe->now(recipe->ctx);
        uint64_t taken = take_many(recipe, BLOCK, 0, out->blocks);
        uint64_t middle = recipe->now(recipe->ctx);

        give_many(recipe, BLOCK_ORDER, taken);
        take_ns += middle - start;
        give_ns += recipe->now(recipe->ctx) - middle;
    }
    out->blocks *= passes;
    out->block_take = take_ns * 100 / out->blocks;
    out->block_give = give_ns * 100 / out->blocks;
}

int pmm_recipe_speed(struct pmm_recipe *recipe, struct pmm_speed *out)
{
    struct pmm_stats stats = stats_of(recipe);

    *out = (struct pmm_speed){
        .frames = min_u64(stats.free_frames * 9 / 10, recipe->capacity),
        .blocks = min_u64(stats.free_blocks_touched + stats.free_blocks_untouched,
                          recipe->capacity),
    };
    if (out->frames < 2 * BLOCK_FRAMES || out->blocks < 2)
        return -ENOMEM;
    time_frames(recipe, out);
    time_blocks(recipe, out);
    pmm_refill(recipe->pmm);
    return 0;
}

static uint64_t whole_share(const struct pmm_recipe *recipe)
{
    struct pmm_stats stats = stats_of(recipe);
    uint64_t blocks = stats.free_blocks_touched + stats.free_blocks_untouched;

    return blocks * BLOCK_FRAMES * 10000 / stats.free_frames;
}

/* Free the last `count` of `held` frames, in random order from now on. */
static void free_at_random(struct pmm_recipe *recipe, uint64_t held, uint64_t count)
{
    shuffle(recipe, held);
    for (uint64_t i = held - count; i < held; i++)
        pmm_give(recipe->pmm, recipe->held[i], 0, RUN_TOUCHED);
}

int pmm_recipe_fragmentation(struct pmm_recipe *recipe, struct pmm_fragmentation *out)
{
    struct pmm_stats before = stats_of(recipe);
    uint64_t blocks = before.free_blocks_touched + before.free_blocks_untouched;
    uint64_t held = before.free_frames * 9 / 10;

    if (held > recipe->capacity || blocks < 2)
        return -ENOMEM;
    held = take_many(recipe, FRAME, 0, held);
    out->whole_after_fill = whole_share(recipe);
    free_at_random(recipe, held, held / 2);
    held -= held / 2;
    out->whole_after_free = whole_share(recipe);

    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t tenth = held / 10;

        free_at_random(recipe, held, tenth);
        held = held - tenth + take_many(recipe, FRAME, held - tenth, tenth);
        pmm_refill(recipe->pmm); /* as the kernel's task does */
    }
    out->frames_held = held;
    out->whole_after_rounds = whole_share(recipe);
    /* Cut blocks, which never count as whole, hold as many as they can. */
    uint64_t in_cut = min_u64(held, before.free_frames - blocks * BLOCK_FRAMES);
    uint64_t needed = align_up(held - in_cut, BLOCK_FRAMES) >> BLOCK_ORDER;
    out->whole_possible = (blocks - min_u64(needed, blocks)) * BLOCK_FRAMES * 10000 /
                          stats_of(recipe).free_frames;

    give_many(recipe, 0, held);
    pmm_refill(recipe->pmm);
    return 0;
}
