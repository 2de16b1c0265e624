// SPDX-License-Identifier: BSD-2-Clause
/*
 * `make bench-micro`: the frame allocator on this host, over memory of several sizes. Nothing but the
 * allocator's metadata is touched, so the host needs little memory for it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/micro/pmm_recipe.h"
#include "tests/model/mmu.h"

static uint64_t now(void *ctx)
{
    struct timespec ts;

    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* As "12.34". */
static const char *hundredths(uint64_t value, char *buf, size_t size)
{
    snprintf(buf, size, "%llu.%02llu", (unsigned long long)(value / 100),
             (unsigned long long)(value % 100));
    return buf;
}

static void print(const char *what, uint64_t value, const char *unit)
{
    char buf[32];

    printf("  %-44s %8s %s\n", what, hundredths(value, buf, sizeof(buf)), unit);
}

static void print_speed(const struct pmm_speed *speed)
{
    print("frame take", speed->frame_take, "ns");
    print("frame give, as taken", speed->frame_give, "ns");
    print("frame give, random order", speed->frame_give_random, "ns");
    print("frame take and give in turn", speed->frame_pair, "ns");
    print("block take", speed->block_take, "ns");
    print("block give", speed->block_give, "ns");
}

static void print_fragmentation(const struct pmm_fragmentation *frag)
{
    print("free memory in whole blocks: 90 % filled", frag->whole_after_fill, "%");
    print("  half of it freed at random", frag->whole_after_free, "%");
    print("  after 100 rounds of 10 % taken anew", frag->whole_after_rounds, "%");
    print("  the most that is possible then", frag->whole_possible, "%");
}

/* An allocator over RAM of this size, and how long that took. */
static struct pmm *set_up(uint64_t size_bytes)
{
    struct region item = {MIB, MIB + size_bytes};
    struct region_set ram = {.items = &item, .count = 1};
    struct pmm_stats stats;
    struct pmm *pmm;

    model_ram_reset();
    model_ram_add(item.start, size_bytes);
    uint64_t start = now(NULL);
    if (pmm_init(&ram, 0, &pmm) != 0)
        return NULL;
    uint64_t init_ns = now(NULL) - start;

    pmm_stats(pmm, &stats);
    printf("%llu MiB, %llu KiB of metadata\n", (unsigned long long)(size_bytes / MIB),
           (unsigned long long)(stats.metadata_bytes / KIB));
    print("set up", init_ns / 10, "us");
    return pmm;
}

static int run(uint64_t size_bytes)
{
    struct pmm_recipe recipe = {.now = now, .seed = 88172645463325252u};
    struct pmm_fragmentation frag;
    struct pmm_speed speed;
    struct pmm_stats stats;

    recipe.pmm = set_up(size_bytes);
    if (!recipe.pmm)
        return 1;
    pmm_stats(recipe.pmm, &stats);
    recipe.capacity = stats.free_frames;
    recipe.held = calloc(recipe.capacity, sizeof(*recipe.held));
    int err = !recipe.held || pmm_recipe_speed(&recipe, &speed) != 0 ||
              pmm_recipe_fragmentation(&recipe, &frag) != 0;
    free(recipe.held);
    if (err)
        return 1;
    pmm_check(recipe.pmm);
    print_speed(&speed);
    print_fragmentation(&frag);
    return 0;
}

int main(void)
{
    if (!set_up(64 * GIB) || run(64 * MIB) || run(GIB) || run(4 * GIB)) {
        fprintf(stderr, "host_pmm: not enough memory\n");
        return 1;
    }
    return 0;
}
