// SPDX-License-Identifier: BSD-2-Clause
/*
 * mm/pmm*.c by example: set-up of every shape of RAM, the order of choice, whole and in pieces, limits,
 * reserve, runs, an empty pool, misuse, bounds. tests/host/test_pmm_random.c compares with a model.
 */
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
static struct region_set ram_of(size_t count, struct region *items)
{
    model_ram_reset();
    for (size_t i = 0; i < count; i++)
        model_ram_add(items[i].start, items[i].end - items[i].start);
    return (struct region_set){.items = items, .count = count, .capacity = count};
}

static struct pmm *make(struct region_set ram, uint64_t reserve_bytes)
{
    struct pmm *pmm;

    assert_int_equal(pmm_init(&ram, reserve_bytes, &pmm), 0);
    pmm_check(pmm);
    return pmm;
}

static struct pmm_stats stats_of(const struct pmm *pmm)
{
    struct pmm_stats stats;

    pmm_stats(pmm, &stats);
    return stats;
}

static pfn_t take(struct pmm *pmm, struct pmm_want want)
{
    struct pmm_run run;

    assert_int_equal(pmm_take(pmm, want, &run), 0);
    return run.pfn;
}

static const struct pmm_want FRAME = {.order = 0, .class = PMM_MOVABLE};
static const struct pmm_want FIXED = {.order = 0, .class = PMM_FIXED};
static const struct pmm_want BLOCK = {.order = BLOCK_ORDER, .class = PMM_MOVABLE};

static void expect_enomem(struct pmm *pmm, struct pmm_want want)
{
    struct pmm_run run = {.pfn = {77}};

    assert_int_equal(pmm_take(pmm, want, &run), -ENOMEM);
    assert_int_equal(run.pfn.n, 77); /* written on success only */
}

/* `count` whole blocks from 0 on, the metadata in a frame range of its own below them. */
static struct pmm *blocks_only(uint64_t count)
{
    return make(RAM({16 * MIB, 17 * MIB}, {GIB, GIB + count * BLOCK_SIZE}), 0);
}

/* ... of which the low range is used up, so that everything comes from the blocks. */
static struct pmm *blocks_only_used_low(uint64_t count)
{
    struct pmm *pmm =
        make(RAM({GIB - 1 * MIB, GIB}, {5 * GIB, 5 * GIB + count * BLOCK_SIZE}), 0);
    struct pmm_want low = {.class = PMM_MOVABLE, .pfn_limit = GIB >> FRAME_SHIFT};
    struct pmm_run run;

    while (pmm_take(pmm, low, &run) == 0)
        assert_true(run.pfn.n < GIB >> FRAME_SHIFT);
    assert_int_equal(stats_of(pmm).free_frames, count * BLOCK_FRAMES);
    return pmm;
}

/* What PVH on q35 gives with 1 GiB, after the kernel's image is taken out. */
static void a_usual_machine(void **state)
{
    struct region_set ram =
        RAM({0, 0x9f000}, {0x100000, 0x200000}, {0x240000, 0x3ffdf000});
    struct pmm *pmm = make(ram, 4 * MIB);
    struct pmm_stats stats = stats_of(pmm);

    (void)state;
    assert_int_equal(stats.total_frames, region_total(&ram) / FRAME_SIZE);
    assert_int_equal(stats.metadata_bytes, pmm_metadata_bytes(&ram));
    assert_int_equal(stats.metadata_bytes, 12 * KIB);
    assert_int_equal(stats.free_frames, stats.total_frames - 3);
    assert_int_equal(stats.free_blocks_untouched, 512 - 3); /* cut ones: 0, 1 and 511 */
    assert_int_equal(stats.free_blocks_touched, 0);
    assert_int_equal(stats.reserve_frames, 1024);
    pmm_check(pmm);
}

/* Every frame is handed out once, lies in RAM and not in the metadata, and all come back. */
static void every_frame_of_8_mib(void **state)
{
    struct region_set ram = RAM({0x1000, 0x9f000}, {0x100000, 0x200000},
                                {0x240000, 0x300000}, {0x301000, 0x7df000});
    struct pmm *pmm = make(ram, 0);
    struct pmm_stats before = stats_of(pmm), after;
    bool is_taken[0x800] = {false};
    struct pmm_run run;
    uint64_t count = 0;

    (void)state;
    for (; pmm_take(pmm, count % 3 ? FRAME : FIXED, &run) == 0; count++) {
        struct region_set copy = ram;
        struct region items[8];

        copy.items = memcpy(items, ram.items, ram.count * sizeof(items[0]));
        copy.capacity = 8;
        assert_int_equal(
            region_remove(&copy, pfn_to_paddr(run.pfn), pfn_to_paddr(run.pfn) + 1), 0);
        assert_int_equal(region_total(&copy),
                         region_total(&ram) - 1); /* it was in there */
        assert_false(is_taken[run.pfn.n]);
        is_taken[run.pfn.n] = true;
    }
    after = stats_of(pmm);
    assert_int_equal(after.free_frames, 0);
    assert_int_equal(count,
                     before.free_frames -
                         (after.metadata_bytes - before.metadata_bytes) / FRAME_SIZE);
    pmm_check(pmm);
    for (uint64_t n = 0; n < ARRAY_LEN(is_taken); n++) {
        if (is_taken[n])
            pmm_give(pmm, pfn_of(n), 0, RUN_TOUCHED);
    }
    assert_int_equal(pmm_refill(pmm), 0);
    pmm_check(pmm);
    after = stats_of(pmm);
    assert_int_equal(after.free_frames, before.free_frames);
    assert_int_equal(after.free_blocks_touched, before.free_blocks_untouched);
    assert_int_equal(after.frame_allocs, after.frame_frees);
    assert_int_equal(after.blocks_split, after.blocks_rejoined);
}

static void a_hole_costs_nothing(void **state)
{
    struct region_set ram =
        RAM({MIB, 2 * GIB}, {4 * GIB, 5 * GIB}, {1024 * GIB, 1025 * GIB});
    struct pmm *pmm = make(ram, 0);
    struct pmm_want low = {.order = BLOCK_ORDER, .pfn_limit = 1023 * GIB >> FRAME_SHIFT};
    struct pmm_run run;
    uint64_t count = 0;

    (void)state;
    assert_true(stats_of(pmm).metadata_bytes <= 4 * 8704 + FRAME_SIZE);
    while (pmm_take(pmm, low, &run) == 0)
        count++;
    assert_int_equal(count, 2 * 512 - 1 + 512);
    assert_int_equal(take(pmm, BLOCK).n, 1024 * GIB >> FRAME_SHIFT);
}

/* 64 GiB: bytes touched by pmm_init(), metadata per GiB whole and all in pieces. */
static void bounds_at_64_gib(void **state)
{
    struct region_set ram = RAM({0, 0x9f000}, {0x100000, 0x200000},
                                {0x240000, 0x7ffdf000}, {4 * GIB, 66 * GIB});
    struct pmm *pmm = make(ram, 4 * MIB);
    uint64_t gib = 64, blocks = 0;
    struct pmm_stats stats = stats_of(pmm);
    pfn_t *taken = calloc(gib * 512, sizeof(*taken));
    struct pmm_run run;

    (void)state;
    assert_true(stats.metadata_bytes <= gib * 8704);
    assert_true(model_ram_touched() <= stats.metadata_bytes);
    printf("64 GiB: %u KiB of metadata at boot\n",
           (unsigned)(stats.metadata_bytes / KIB));

    while (pmm_take(pmm, BLOCK, &run) == 0)
        taken[blocks++] = run.pfn;
    for (uint64_t i = 0; i < blocks; i++)
        pmm_give(pmm, pfn_add(taken[i], i % BLOCK_FRAMES), 0, RUN_UNTOUCHED);
    stats = stats_of(pmm);
    printf("64 GiB: %u KiB when all blocks are in pieces\n",
           (unsigned)(stats.metadata_bytes / KIB));
    assert_true(stats.partial_blocks[0] + stats.partial_blocks[1] >= blocks);
    assert_true(stats.metadata_bytes <= gib * 41 * KIB);
    pmm_check(pmm);
    free(taken);
}

/* The per-GiB bounds hold where whole frames do not matter; below, one more for the head and one for
 * rounding. */
static void bounds_of_smaller_machines(void **state)
{
    static const uint64_t sizes[] = {8 * MIB, 16 * MIB, 64 * MIB, 256 * MIB, 511 * MIB,
                                     1 * GIB, 2 * GIB,  3 * GIB,  4 * GIB,   16 * GIB};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct region_set ram = RAM({0x1000, 0x9f000}, {0x240000, 0x240000 + sizes[i]});
        struct pmm *pmm = make(ram, 0);
        uint64_t metadata = stats_of(pmm).metadata_bytes,
                 blocks = sizes[i] / BLOCK_SIZE + 2;
        struct pmm_run run;

        printf("%5u MiB: %4u KiB of metadata at boot", (unsigned)(sizes[i] / MIB),
               (unsigned)(metadata / KIB));
        assert_true(metadata <= blocks * 16 + 2 * FRAME_SIZE);
        while (pmm_take(pmm, FRAME, &run) == 0)
            ;
        metadata = stats_of(pmm).metadata_bytes;
        printf(", %5u KiB with all in pieces\n", (unsigned)(metadata / KIB));
        assert_true(metadata <= blocks * (41 * KIB / 512) + 3 * FRAME_SIZE);
    }
}

static void bad_ranges_are_refused(void **state)
{
    struct pmm *pmm = NULL;
    struct region_set sets[] = {
        RANGES({4 * MIB, 8 * MIB}, {0, MIB}),
        RANGES({0, 4 * MIB}, {3 * MIB, 8 * MIB}),
        RANGES({0, 4 * MIB + 1}),
        RANGES({1, 4 * MIB}),
        RANGES({4096, 4096}, {MIB, 8 * MIB}),
        RANGES({MIB, BIT64(52) + 4096}),
    };
    struct region_set tiny = RANGES({0, 0x1000}), none = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sets); i++)
        assert_int_equal(pmm_init(&sets[i], 0, &pmm), -EINVAL);
    assert_int_equal(pmm_init(&tiny, 0, &pmm), -ENOMEM);
    assert_int_equal(pmm_init(&none, 0, &pmm), -ENOMEM);
    assert_null(pmm);
}

/* More cut blocks than the first metadata frame has maps for, two to a block. */
static void many_ranges(void **state)
{
    struct region items[200];
    struct region_set ram = {.items = items, .count = 200, .capacity = 200};
    uint64_t count = 0;
    struct pmm_run run;

    (void)state;
    model_ram_reset();
    model_ram_add(0, 256 * MIB);
    for (size_t i = 0; i < 200; i++)
        items[i] = (struct region){MIB * i + 0x3000, MIB * i + 0xf0000};
    items[199].end = 210 * MIB;
    struct pmm *pmm = make(ram, 0);
    while (pmm_take(pmm, FRAME, &run) == 0)
        count++;
    struct pmm_stats stats = stats_of(pmm);
    assert_int_equal(count + stats.metadata_bytes / FRAME_SIZE, stats.total_frames);
    pmm_check(pmm);
}

static void metadata_lies_below_4_gib_if_it_can(void **state)
{
    struct pmm *pmm =
        make(RAM({MIB, 2 * MIB}, {8 * MIB, 64 * MIB}, {4 * GIB, 8 * GIB}), 0);

    (void)state;
    assert_int_equal(model_virt_to_phys(pmm) >> FRAME_SHIFT, 8 * MIB >> FRAME_SHIFT);
    pmm = make(RAM({MIB, MIB + 0x2000}, {4 * GIB, 8 * GIB}), 0);
    assert_int_equal(model_virt_to_phys(pmm) >> FRAME_SHIFT, 4 * GIB >> FRAME_SHIFT);
}

static void frames_come_from_the_fullest_block(void **state)
{
    struct pmm *pmm = blocks_only_used_low(4);
    pfn_t pfn[3 * BLOCK_FRAMES];

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(pfn); i++)
        pfn[i] = take(pmm, FRAME);
    assert_int_equal(stats_of(pmm).free_blocks_untouched, 1);
    for (unsigned i = 0; i < 300; i++)
        pmm_give(pmm, pfn[i], 0, RUN_TOUCHED);
    for (unsigned i = 0; i < 100; i++)
        pmm_give(pmm, pfn[BLOCK_FRAMES + i], 0, RUN_TOUCHED);
    for (unsigned i = 0; i < 200; i++)
        pmm_give(pmm, pfn[2 * BLOCK_FRAMES + i], 0, RUN_TOUCHED);
    for (unsigned i = 0; i < 600; i++) {
        unsigned from = i < 100 ? 1 : i < 300 ? 2 : 0;

        assert_int_equal(take(pmm, FRAME).n / BLOCK_FRAMES,
                         pfn[from * BLOCK_FRAMES].n / BLOCK_FRAMES);
    }
    assert_int_equal(stats_of(pmm).free_blocks_untouched, 1);
    pmm_check(pmm);
}

static void touched_memory_goes_first(void **state)
{
    struct pmm *pmm = blocks_only_used_low(4);
    struct pmm_want touched_block = BLOCK, touched_frame = FRAME;
    struct pmm_run run;

    (void)state;
    touched_block.touched_only = touched_frame.touched_only = true;
    expect_enomem(pmm, touched_block);
    expect_enomem(pmm, touched_frame);

    pfn_t a = take(pmm, BLOCK), b = take(pmm, BLOCK);
    pmm_give(pmm, a, BLOCK_ORDER, RUN_TOUCHED);
    pmm_give(pmm, b, BLOCK_ORDER, RUN_UNTOUCHED);
    assert_int_equal(stats_of(pmm).free_blocks_touched, 1);
    assert_int_equal(stats_of(pmm).free_blocks_untouched, 3);
    assert_int_equal(pmm_take(pmm, BLOCK, &run), 0);
    assert_int_equal(run.pfn.n, a.n);
    assert_int_equal(run.state, RUN_TOUCHED);
    assert_int_equal(pmm_take(pmm, BLOCK, &run), 0);
    assert_int_equal(run.state, RUN_UNTOUCHED);
    pmm_give(pmm, a, BLOCK_ORDER, RUN_TOUCHED);

    /* A frame of it: the rest of the block stays touched, and so does the block when it is whole. */
    assert_int_equal(pmm_take(pmm, touched_frame, &run), 0);
    assert_int_equal(run.pfn.n, a.n);
    expect_enomem(pmm, touched_block);
    pmm_give(pmm, run.pfn, 0, RUN_UNTOUCHED);
    assert_int_equal(stats_of(pmm).free_blocks_touched, 1);
}

static void a_block_in_pieces_remembers_its_state(void **state)
{
    struct pmm *pmm = blocks_only_used_low(2);
    struct pmm_want touched = FRAME;
    struct pmm_run run;
    pfn_t first = {0};

    (void)state;
    touched.touched_only = true;
    for (unsigned i = 0; i < BLOCK_FRAMES; i++) {
        assert_int_equal(pmm_take(pmm, FRAME, &run), 0);
        assert_int_equal(run.state, RUN_UNTOUCHED);
        first = i == 0 ? run.pfn : first;
    }
    pmm_give(pmm, first, 0, RUN_UNTOUCHED);
    expect_enomem(pmm, touched);
    pmm_give(pmm, pfn_add(first, 1), 0, RUN_TOUCHED);
    assert_int_equal(pmm_take(pmm, touched, &run), 0);
    assert_int_equal(run.state, RUN_TOUCHED);
    assert_int_equal(pmm_take(pmm, touched, &run), 0);
    expect_enomem(pmm, touched); /* none free: forgotten */
    for (unsigned i = 0; i < BLOCK_FRAMES; i++)
        pmm_give(pmm, pfn_add(first, i), 0, RUN_UNTOUCHED);
    assert_int_equal(stats_of(pmm).free_blocks_untouched, 2);
    pmm_check(pmm);
}

static void classes_share_a_block_only_at_the_end(void **state)
{
    struct pmm *pmm = blocks_only_used_low(3);
    pfn_t fixed = take(pmm, FIXED), movable = take(pmm, FRAME);

    (void)state;
    assert_int_not_equal(fixed.n / BLOCK_FRAMES, movable.n / BLOCK_FRAMES);
    for (unsigned i = 1; i < 2 * BLOCK_FRAMES; i++)
        assert_int_not_equal(take(pmm, FRAME).n / BLOCK_FRAMES, fixed.n / BLOCK_FRAMES);
    assert_int_equal(stats_of(pmm).class_mixes, 0);
    assert_int_equal(stats_of(pmm).partial_blocks[PMM_FIXED], 1);
    assert_int_equal(stats_of(pmm).partial_blocks[PMM_MOVABLE],
                     3); /* the low one as well */

    assert_int_equal(take(pmm, FRAME).n / BLOCK_FRAMES, fixed.n / BLOCK_FRAMES);
    assert_int_equal(stats_of(pmm).class_mixes, 1);
    while (stats_of(pmm).free_frames > 0)
        take(pmm, FIXED);
    /* A fixed frame among movable ones makes their block fixed. */
    pmm_give(pmm, movable, 0, RUN_TOUCHED);
    take(pmm, FIXED);
    assert_int_equal(stats_of(pmm).partial_blocks[PMM_FIXED], 2);
    pmm_check(pmm);
}

static void cut_blocks_serve_both_classes(void **state)
{
    struct pmm *pmm = make(RAM({0x3000, 0x100000}, {5 * GIB, 5 * GIB + MIB}), 0);
    pfn_t a = take(pmm, FIXED), b = take(pmm, FRAME);

    (void)state;
    assert_int_not_equal(a.n / BLOCK_FRAMES, b.n / BLOCK_FRAMES);
    pmm_give(pmm, a, 0, RUN_TOUCHED);
    pmm_give(pmm, b, 0, RUN_TOUCHED);
    pmm_check(pmm);
    assert_int_equal(stats_of(pmm).partial_blocks[0] + stats_of(pmm).partial_blocks[1],
                     0);
    for (uint64_t left = stats_of(pmm).free_frames; left > 0; left--)
        take(pmm, left > 200 ? FRAME : FIXED);
    expect_enomem(pmm, FRAME);
    expect_enomem(pmm, BLOCK);
}

static void limits_hold(void **state)
{
    struct pmm *pmm = make(RAM({8 * MIB, 12 * MIB}, {5 * GIB, 5 * GIB + 8 * MIB}), 0);
    struct pmm_want frame = FRAME, block = BLOCK;
    uint64_t count = 0;
    struct pmm_run run;
    pfn_t pfn;

    (void)state;
    block.pfn_limit = (12 * MIB >> FRAME_SHIFT) - 1;
    expect_enomem(pmm, block); /* the metadata cut the first one */
    block.pfn_limit++;
    assert_int_equal(take(pmm, block).n, 10 * MIB >> FRAME_SHIFT);
    expect_enomem(pmm, block);
    pmm_give(pmm, pfn_of(10 * MIB >> FRAME_SHIFT), BLOCK_ORDER, RUN_TOUCHED);

    frame.pfn_limit = (10 * MIB >> FRAME_SHIFT) + 3;
    while (pmm_take(pmm, frame, &run) == 0) {
        assert_true(run.pfn.n < frame.pfn_limit);
        count++;
    }
    assert_int_equal(count, BLOCK_FRAMES + 3 - stats_of(pmm).metadata_bytes / FRAME_SIZE);
    frame.pfn_limit = 1;
    expect_enomem(pmm, frame);
    block.pfn_limit = 5;
    expect_enomem(pmm, block);
    assert_int_equal(pmm_take_run(pmm, 4, 1, (10 * MIB >> FRAME_SHIFT) + 6, &pfn),
                     -ENOMEM);
    assert_int_equal(pmm_take_run(pmm, 4, 1, (10 * MIB >> FRAME_SHIFT) + 7, &pfn), 0);
    assert_int_equal(pmm_take_run(pmm, 1024, 1, 5 * GIB >> FRAME_SHIFT, &pfn), -ENOMEM);
    pmm_check(pmm);
}

static void the_reserve_is_kept(void **state)
{
    struct pmm *pmm = blocks_only_used_low(4);
    struct pmm_want frame = FRAME, block = BLOCK;
    struct pmm_run run;

    (void)state;
    frame.keep_reserve = block.keep_reserve = true;
    pmm_set_reserve(pmm, 3 * MIB);
    take(pmm, block);
    take(pmm, block);
    expect_enomem(pmm, block);
    while (pmm_take(pmm, frame, &run) == 0)
        ;
    assert_int_equal(stats_of(pmm).free_frames, 3 * MIB / FRAME_SIZE);
    take(pmm, FRAME); /* others may use it */
    pmm_set_reserve(pmm, 0);
    take(pmm, frame);
}

static void parts_of_a_block_come_back(void **state)
{
    struct pmm *pmm = blocks_only_used_low(2);
    pfn_t block = take(pmm, BLOCK);

    (void)state;
    for (unsigned i = 0; i < BLOCK_FRAMES; i++) {
        pmm_give(pmm, pfn_add(block, (i * 77) % BLOCK_FRAMES), 0, RUN_UNTOUCHED);
        assert_int_equal(stats_of(pmm).free_frames, BLOCK_FRAMES + i + 1);
    }
    pmm_check(pmm);
    assert_int_equal(stats_of(pmm).free_blocks_untouched, 2);
    /* And 512 frames that are a block, as one. */
    for (unsigned i = 0; i < BLOCK_FRAMES; i++)
        block = take(pmm, FRAME);
    pmm_give(pmm, pfn_of(align_down(block.n, BLOCK_FRAMES)), BLOCK_ORDER, RUN_TOUCHED);
    pmm_check(pmm);
    assert_int_equal(stats_of(pmm).free_blocks_touched, 1);
}

static void runs(void **state)
{
    struct pmm *pmm = blocks_only(8);
    uint64_t before = stats_of(pmm).free_frames;
    pfn_t a, b, c, d, e;

    (void)state;
    assert_int_equal(pmm_take_run(pmm, 0, 1, 0, &a), -EINVAL);
    assert_int_equal(pmm_take_run(pmm, 4, 3, 0, &a), -EINVAL);
    assert_int_equal(pmm_take_run(pmm, 5, 4, 0, &a), 0);
    assert_int_equal(a.n % 4, 0);
    assert_int_equal(pmm_take_run(pmm, 300, 64, 0, &b), 0);
    assert_int_equal(b.n % 64, 0);
    assert_int_equal(pmm_take_run(pmm, 512, 512, 0, &c), 0);
    assert_int_equal(c.n % 512, 0);
    assert_int_equal(pmm_take_run(pmm, 1025, 1024, 0, &d), 0);
    assert_int_equal(d.n % 1024, 0);
    assert_int_equal(pmm_take_run(pmm, 4096, 1, 0, &e), -ENOMEM);
    assert_int_equal(pmm_take_run(pmm, UINT64_MAX, 1, 0, &e), -ENOMEM);
    assert_int_equal(stats_of(pmm).free_frames, before - 5 - 300 - 512 - 1025);
    pmm_check(pmm);
    pmm_give_run(pmm, d, 1025);
    pmm_give_run(pmm, a, 5);
    pmm_give_run(pmm, c, 512);
    pmm_give_run(pmm, b, 300);
    pmm_check(pmm);
    assert_int_equal(stats_of(pmm).free_frames, before);
    assert_int_equal(stats_of(pmm).run_allocs, stats_of(pmm).run_frees);
}

/* A pool without a single map left: giving feeds it, and so does breaking up a block. */
static void an_empty_pool_stops_nothing(void **state)
{
    enum { COUNT = 100 };
    struct pmm *pmm = blocks_only_used_low(COUNT);
    struct pmm_stats before = stats_of(pmm), after;
    pfn_t blocks[COUNT];
    unsigned given = 0;

    (void)state;
    for (unsigned i = 0; i < COUNT; i++)
        blocks[i] = take(pmm, BLOCK);
    for (; stats_of(pmm).maps_free > 0; given++)
        pmm_give(pmm, blocks[given], 0, RUN_UNTOUCHED);
    assert_true(given < 64);

    pmm_give(pmm, blocks[given], 0, RUN_UNTOUCHED); /* becomes pool memory */
    assert_int_equal(stats_of(pmm).maps_free, 62);
    assert_int_equal(stats_of(pmm).free_frames, given);
    assert_int_equal(stats_of(pmm).metadata_bytes, before.metadata_bytes + FRAME_SIZE);
    pmm_check(pmm);

    while (stats_of(pmm).maps_free > 0)
        pmm_give(pmm, blocks[++given], 0, RUN_UNTOUCHED);
    while (stats_of(pmm).free_frames > 0)
        take(pmm, FRAME);
    pmm_give(pmm, blocks[COUNT - 1], BLOCK_ORDER, RUN_UNTOUCHED);
    assert_int_equal(take(pmm, FRAME).n / BLOCK_FRAMES,
                     blocks[COUNT - 1].n / BLOCK_FRAMES);
    after = stats_of(pmm);
    assert_int_equal(after.free_frames,
                     BLOCK_FRAMES - 1 -
                         (after.metadata_bytes - before.metadata_bytes) / FRAME_SIZE + 1);
    pmm_check(pmm);
}

static void the_pool_grows_and_shrinks(void **state)
{
    enum { COUNT = 400 };
    struct pmm *pmm = blocks_only_used_low(COUNT);
    struct pmm_stats before = stats_of(pmm), after;
    pfn_t *taken = calloc(COUNT * BLOCK_FRAMES, sizeof(*taken));
    struct pmm_run run;
    unsigned count = 0;

    (void)state;
    while (pmm_take(pmm, FRAME, &run) == 0)
        taken[count++] = run.pfn;
    assert_true(stats_of(pmm).metadata_bytes > before.metadata_bytes + 5 * FRAME_SIZE);
    while (count > 0)
        pmm_give(pmm, taken[--count], 0, RUN_TOUCHED);
    assert_int_equal(pmm_refill(pmm), 0);
    pmm_check(pmm);
    after = stats_of(pmm);
    assert_true(after.maps_free >= 16);
    assert_true(after.metadata_bytes <= before.metadata_bytes + FRAME_SIZE);
    free(taken);
}

static void refill_reports_no_memory(void **state)
{
    struct pmm *pmm = blocks_only_used_low(30);
    pfn_t last = {0};

    (void)state;
    while (stats_of(pmm).free_frames > 0)
        last = take(pmm, stats_of(pmm).free_blocks_untouched ? BLOCK : FRAME);
    for (unsigned i = 0; stats_of(pmm).maps_free > 10; i++) {
        pfn_t part = pfn_add(last, -(uint64_t)(i * BLOCK_FRAMES));

        pmm_give(pmm, part, 0, RUN_TOUCHED);
        take(pmm, FRAME);
    }
    assert_int_equal(pmm_refill(pmm), -ENOMEM);
    pmm_give(pmm, last, 0, RUN_TOUCHED);
    assert_int_equal(pmm_refill(pmm), 0);
    assert_true(stats_of(pmm).maps_free > 16);
    pmm_check(pmm);
}

static void misuse_is_caught(void **state)
{
    struct pmm *pmm = blocks_only_used_low(4);
    struct pmm_run run;
    pfn_t a = take(pmm, FRAME), b = take(pmm, BLOCK);

    (void)state;
    assert_int_equal(pmm_take(pmm, (struct pmm_want){.order = 1}, &run), -EINVAL);
    assert_int_equal(pmm_take(pmm, (struct pmm_want){.order = 10}, &run), -EINVAL);
    pmm_give(pmm, b, BLOCK_ORDER, RUN_TOUCHED);
    EXPECT_ASSERT(pmm_give(pmm, b, BLOCK_ORDER, RUN_TOUCHED));
    EXPECT_ASSERT(pmm_give(pmm, pfn_add(b, 3), 0, RUN_TOUCHED));
    EXPECT_ASSERT(pmm_give(pmm, pfn_add(b, 3), BLOCK_ORDER, RUN_TOUCHED));
    EXPECT_ASSERT(pmm_give(pmm, pfn_of(align_down(a.n, 512)), BLOCK_ORDER, RUN_TOUCHED));
    EXPECT_ASSERT(pmm_give(pmm, pfn_add(a, 1), 0, RUN_TOUCHED));
    EXPECT_ASSERT(pmm_give(pmm, pfn_of(5), 0, RUN_TOUCHED));
    EXPECT_ASSERT(pmm_give(pmm, pfn_of(100 * GIB >> FRAME_SHIFT), 0, RUN_TOUCHED));
    EXPECT_ASSERT(pmm_give(pmm, pfn_from_paddr(model_virt_to_phys(pmm)), 0, RUN_TOUCHED));
    EXPECT_ASSERT(pmm_give(pmm, a, 3, RUN_TOUCHED));
    pmm_check(pmm); /* each was seen before anything changed */
    pmm_give(pmm, a, 0, RUN_TOUCHED);
    EXPECT_ASSERT(pmm_give(pmm, a, 0, RUN_TOUCHED));
}

/* The check itself finds a damaged descriptor: the frame map no longer agrees with its count. */
static void the_check_sees_damage(void **state)
{
    struct pmm *pmm = blocks_only_used_low(2);
    pfn_t kept = take(pmm, FRAME);

    (void)state;
    pmm_check(pmm);
    uint64_t *words = mmu_phys_to_virt(align_down(model_virt_to_phys(pmm), FRAME_SIZE));
    bool is_seen = false;

    /* The block's map is the last slot of the first frame that reads "first frame taken". */
    for (size_t i = FRAME_SIZE / 8 - 8; i > 0 && !is_seen; i -= 8) {
        if (words[i] != 1 || words[i + 1] != 0)
            continue;
        words[i] = 3;
        EXPECT_ASSERT(pmm_check(pmm));
        words[i] = 1;
        is_seen = true;
    }
    assert_true(is_seen);
    pmm_give(pmm, kept, 0, RUN_TOUCHED);
    pmm_check(pmm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_usual_machine),
        cmocka_unit_test(every_frame_of_8_mib),
        cmocka_unit_test(a_hole_costs_nothing),
        cmocka_unit_test(bounds_at_64_gib),
        cmocka_unit_test(bounds_of_smaller_machines),
        cmocka_unit_test(bad_ranges_are_refused),
        cmocka_unit_test(many_ranges),
        cmocka_unit_test(metadata_lies_below_4_gib_if_it_can),
        cmocka_unit_test(frames_come_from_the_fullest_block),
        cmocka_unit_test(touched_memory_goes_first),
        cmocka_unit_test(a_block_in_pieces_remembers_its_state),
        cmocka_unit_test(classes_share_a_block_only_at_the_end),
        cmocka_unit_test(cut_blocks_serve_both_classes),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(the_reserve_is_kept),
        cmocka_unit_test(parts_of_a_block_come_back),
        cmocka_unit_test(runs),
        cmocka_unit_test(an_empty_pool_stops_nothing),
        cmocka_unit_test(the_pool_grows_and_shrinks),
        cmocka_unit_test(refill_reports_no_memory),
        cmocka_unit_test(misuse_is_caught),
        cmocka_unit_test(the_check_sees_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
