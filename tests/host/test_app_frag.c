// SPDX-License-Identifier: BSD-2-Clause
/* apps/frag: the random half, contents of pages and blocks, refusals on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "apps/frag/blocks.h"
#include "apps/frag/pages.h"
#include "base/units.h"
#include "guest.h"
#include "tests/model/guest_host.h"

#define PAGES (2 * FRAG_REGION_PAGES + 101)

static struct frag_pages pages;
static struct frag_blocks blocks;
static struct rng rng;

static int start(void **state)
{
    (void)state;
    guest_host_reset(16 * MIB);
    rng_seed(&rng, 1);
    return frag_init(&pages, PAGES, 1) || frag_blocks_init(&blocks, 8, 1);
}

static uint64_t resident_bytes(void)
{
    struct guest_memory memory;

    guest_memory(&memory);
    return memory.resident_bytes;
}

static int end(void **state)
{
    (void)state;
    frag_fini(&pages);
    frag_blocks_fini(&blocks);
    return resident_bytes() != 0;
}

static unsigned char *at(size_t page)
{
    return pages.regions[page / FRAG_REGION_PAGES] +
           page % FRAG_REGION_PAGES * FRAME_SIZE;
}

static void exactly_half_is_released(void **state)
{
    size_t kept = 0, kept_in_first_half = 0;

    (void)state;
    assert_int_equal(frag_fill(&pages), PAGES);
    assert_int_equal(resident_bytes(), PAGES * FRAME_SIZE);
    assert_int_equal(frag_verify(&pages), PAGES);
    assert_int_equal(frag_release_half(&pages, 1, &rng), PAGES / 2);
    assert_int_equal(resident_bytes(), (PAGES - PAGES / 2) * FRAME_SIZE);
    for (size_t page = 0; page < PAGES; page++) {
        kept += pages.is_kept[page];
        kept_in_first_half += pages.is_kept[page] && page < PAGES / 2;
    }
    assert_int_equal(kept, PAGES - PAGES / 2);
    assert_in_range(kept_in_first_half, PAGES / 4 - 100, PAGES / 4 + 100);
    assert_int_equal(frag_verify(&pages), PAGES);
}

static void damage_to_kept_pages_is_found(void **state)
{
    size_t kept[2], found = 0;

    (void)state;
    frag_fill(&pages);
    frag_release_half(&pages, 1, &rng);
    for (size_t page = FRAG_REGION_PAGES; found < 2; page++) {
        if (pages.is_kept[page])
            kept[found++] = page;
        else
            *at(page) = 1; /* not ours any more: does not count */
    }
    assert_int_equal(frag_verify(&pages), PAGES);
    memcpy(at(kept[0]), at(kept[1]), FRAME_SIZE);
    assert_int_equal(frag_verify(&pages), kept[0]);
}

static void refused_half_way(void **state)
{
    (void)state;
    guest_host_resize(6 * MIB); /* one region fits, the second does not */
    assert_int_equal(frag_fill(&pages), FRAG_REGION_PAGES);
    assert_int_equal(frag_release_half(&pages, 1, &rng), FRAG_REGION_PAGES / 2);
    assert_int_equal(frag_verify(&pages), FRAG_REGION_PAGES);
    assert_int_equal(frag_blocks_take(&blocks), 2); /* 4 MiB are free */
    assert_int_equal(frag_blocks_verify(&blocks), 2);
}

static void blocks_until_refused(void **state)
{
    (void)state;
    assert_int_equal(frag_blocks_take(&blocks), 8); /* the table is full */
    assert_int_equal((uintptr_t)blocks.starts[7] % BLOCK_SIZE, 0);
    assert_int_equal(frag_blocks_verify(&blocks), 8);
    memcpy(blocks.starts[5], blocks.starts[6], FRAME_SIZE);
    assert_int_equal(frag_blocks_verify(&blocks), 5);
}

static void nothing_at_all(void **state)
{
    (void)state;
    guest_host_resize(0);
    assert_int_equal(frag_fill(&pages), 0);
    assert_int_equal(frag_release_half(&pages, 1, &rng), 0);
    assert_int_equal(frag_verify(&pages), 0);
    assert_int_equal(frag_blocks_take(&blocks), 0);
    assert_int_equal(frag_blocks_verify(&blocks), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(exactly_half_is_released, start, end),
        cmocka_unit_test_setup_teardown(damage_to_kept_pages_is_found, start, end),
        cmocka_unit_test_setup_teardown(refused_half_way, start, end),
        cmocka_unit_test_setup_teardown(blocks_until_refused, start, end),
        cmocka_unit_test_setup_teardown(nothing_at_all, start, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
