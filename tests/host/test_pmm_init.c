// SPDX-License-Identifier: BSD-2-Clause
/* mm/pmm_init.c: RAM of every shape and size, where the metadata lies, what it costs, what is refused. */
#include "tests/host/pmm_rig.h"

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
