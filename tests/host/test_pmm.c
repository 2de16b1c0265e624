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

#include <cmocka.h>

#include "base/bits.h"
#include "base/err.h"
#include "mm/pmm.h"
#include "tests/model/mmu.h"
#include "tests/model/seams.h"

#define RAM(...)                                                           \
    ram_of(sizeof((struct region[]){__VA_ARGS__}) / sizeof(struct region), \
           (struct region[]){__VA_ARGS__})

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
    assert_int_equal(stats.free_blocks_untouched, 510 - 1); /* cut: block 0, 1, 511 */
    assert_int_equal(stats.free_blocks_touched, 0);
    assert_int_equal(stats.reserve_frames, 1024);
    pfn_t pfn = take(pmm, FRAME);
    assert_true(pfn.n != 0x240 && pfn.n != 0x241 && pfn.n != 0x242);
    pmm_check(pmm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_usual_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
