// SPDX-License-Identifier: BSD-2-Clause
/*
 * frag: fragment memory, then ask for blocks. Fills most of it with single pages, releases every other one (or run of them)
 * at random, so that hardly a whole block is left, then has the kernel compact and takes all whole blocks
 * it can get. What was kept must be intact after all that moving.
 *
 *     run frag --percent=90
 */
#include <guest.h>
#include <stdio.h>
#include <time.h>

#include "blocks.h"
#include "pages.h"
#include "workload/options.h"
#include "workload/report.h"

static struct {
    uint64_t percent, run, hold_ns, seed;
} options;

static struct frag_pages pages;
static struct frag_blocks blocks;
static struct refusals refusals;
static struct guest_memory before, after; /* compaction */

static int parse(int argc, char **argv)
{
    const struct option table[] = {
        OPTION_NUMBER("percent", &options.percent, "90",
                      "of the available memory to fill", .min = 1, .max = 100),
        OPTION_NUMBER("run", &options.run, "1", "pages that are released together",
                      .min = 1, .max = GUEST_BLOCK_BYTES / GUEST_PAGE_BYTES),
        OPTION_TIME("hold", &options.hold_ns, "0s",
                    "how long what was released lies free before compaction"),
        OPTION_NUMBER("seed", &options.seed, "1", "the same seed, the same run"),
    };
    const struct options all = {"frag", "fragments memory, then asks for blocks", table,
                                sizeof(table) / sizeof(table[0])};

    return options_parse(&all, argc, argv);
}

/* How much of the free memory is in whole blocks, in hundredths of a percent. */
static uint64_t whole_share(const struct guest_memory *memory)
{
    return report_share(memory->free_blocks * GUEST_BLOCK_BYTES, memory->free_bytes);
}

/* Where a phase left the memory. */
static void tell(const char *phase, uint64_t count, struct guest_memory *memory)
{
    guest_memory(memory);
    printf("%-9s %8lu; %.1f MiB free, %lu whole blocks: %.2f %%; %lu pages moved\n",
           phase, count, report_mib(memory->free_bytes), memory->free_blocks,
           (double)whole_share(memory) / 100, memory->pages_moved);
    guest_event(
        "event=frag_%s count=%lu free=%lu free_blocks=%lu whole_share=%lu resident=%lu "
        "ballooned=%lu pages_moved=%lu refused=%lu",
        phase, count, memory->free_bytes, memory->free_blocks, whole_share(memory),
        memory->resident_bytes, memory->ballooned_bytes, memory->pages_moved,
        refusals.count);
}

static void tell_all(bool ok)
{
    uint64_t taken_share =
        report_share(blocks.count * GUEST_BLOCK_BYTES, after.free_bytes);

    printf(
        "whole blocks: %.2f %% of the free memory before, %.2f %% after; %.2f %% could be had\n",
        (double)whole_share(&before) / 100, (double)whole_share(&after) / 100,
        (double)taken_share / 100);
    guest_event(
        "event=frag_done ok=%d pages=%zu blocks_before=%lu blocks_after=%lu blocks_taken=%zu "
        "share_before=%lu share_after=%lu share_taken=%lu refused=%lu",
        ok, pages.count, before.free_blocks, after.free_blocks, blocks.count,
        whole_share(&before), whole_share(&after), taken_share, refusals.count);
}

static bool verify(void)
{
    size_t page = frag_verify(&pages);
    size_t block = frag_blocks_verify(&blocks);

    if (page < pages.count)
        report_wrong("page", page, 0);
    if (block < blocks.count)
        report_wrong("block", block, 0);
    return page == pages.count && block == blocks.count;
}

static bool set_up(void)
{
    struct guest_memory memory;

    guest_memory(&memory);
    size_t room = memory.available_bytes / 100 * options.percent / GUEST_PAGE_BYTES;
    size_t block_room = memory.total_bytes / GUEST_BLOCK_BYTES + 1;

    if (frag_init(&pages, room, options.seed) == 0 &&
        frag_blocks_init(&blocks, block_room, options.seed) == 0)
        return true;
    report_refused(&refusals, room + block_room * sizeof(void *));
    return false;
}

static void hold(void)
{
    const struct timespec rest = {.tv_sec = (time_t)(options.hold_ns / 1000000000),
                                  .tv_nsec = (long)(options.hold_ns % 1000000000)};

    nanosleep(&rest, NULL);
}

static bool fragment(void)
{
    struct guest_memory filled;
    struct rng rng;

    rng_seed(&rng, options.seed);
    if (frag_fill(&pages) < pages.room)
        report_refused(&refusals, FRAG_REGION_PAGES * GUEST_PAGE_BYTES);
    tell("filled", pages.count, &filled);
    tell("released", frag_release_half(&pages, options.run, &rng), &before);
    hold();
    return verify();
}

static bool take_blocks(void)
{
    struct guest_memory taken;

    tell("compacted", guest_compact(), &after);
    if (frag_blocks_take(&blocks) < blocks.room)
        report_refused(&refusals, GUEST_BLOCK_BYTES); /* how it is meant to end */
    tell("taken", blocks.count, &taken);
    return verify();
}

int main(int argc, char **argv)
{
    int code = parse(argc, argv);

    if (code != OPTIONS_RUN)
        return code;
    bool ok = !set_up() || (fragment() && take_blocks());

    tell_all(ok);
    frag_blocks_fini(&blocks);
    frag_fini(&pages);
    return ok ? WORKLOAD_OK : WORKLOAD_WRONG;
}
