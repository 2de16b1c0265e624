// SPDX-License-Identifier: BSD-2-Clause
/* A page set that keeps its frames in pieces: found from the top by their number, removed, added again without
 * memory; a random walk against a plain array. */
#include "drivers/balloon/page_set.h"

#include "base/bits.h"
#include "base/err.h"
#include "tests/model/balloon_host.h"
#include "tests/model/seams.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define GIB_FRAMES  (UINT64_C(1) << 18)
#define WALK_FRAMES (70 * BLOCK_FRAMES) /* two groups of blocks */
#define WALK_BASE   (3 * GIB_FRAMES - 40 * BLOCK_FRAMES)

static struct hal_model hal;
static struct page_set set;

static void start(void)
{
    hal_model_init(&hal);
    page_set_init(&set, &hal.hal);
    set.keeps_pieces = true;
}

static void stop(void)
{
    page_set_fini(&set);
    assert_int_equal(hal_model_end(&hal), 0);
}

static void put(uint64_t pfn)
{
    assert_int_equal(page_set_reserve(&set, pfn_of(pfn), 0), 0);
    page_set_add(&set, (struct page_run){pfn_of(pfn), 1});
}

static void assert_found(uint64_t below, uint32_t max, uint64_t first, uint32_t frames)
{
    struct page_run run;

    assert_true(page_set_find_pieces(&set, pfn_of(below), max, &run));
    assert_int_equal(run.first.n, first);
    assert_int_equal(run.frames, frames);
}

/* However it comes: `step` frames at a time, or all at once. */
static void assert_stays_in_pieces(uint32_t step)
{
    struct page_blocks blocks;

    start();
    for (uint64_t i = 0; i < BLOCK_FRAMES; i++)
        assert_int_equal(page_set_reserve(&set, pfn_of(0x400 + i), 0), 0);
    for (uint64_t i = 0; i < BLOCK_FRAMES; i += step)
        page_set_add(&set, (struct page_run){pfn_of(0x400 + i), step});
    assert_int_equal(set.frames, BLOCK_FRAMES);
    assert_false(page_set_find_blocks(&set, PAGE_HELD, pfn_of(0), 1, &blocks));
    assert_found(UINT64_MAX, 1024, 0x400, BLOCK_FRAMES);
    assert_found(UINT64_MAX, 3, 0x5FD, 3);
    assert_found(0x443, 4, 0x43F, 4); /* over a word's border */
    stop();
}

static void a_full_block_stays_in_pieces(void **state)
{
    (void)state;
    assert_stays_in_pieces(1);
    assert_stays_in_pieces(32);
    assert_stays_in_pieces(BLOCK_FRAMES);
}

static void the_nearest_below_is_found(void **state)
{
    struct page_run run;

    (void)state;
    start();
    put(5);
    put(6);
    put(GIB_FRAMES * 7 + 511);
    assert_found(UINT64_MAX, 512, GIB_FRAMES * 7 + 511, 1);
    assert_found(GIB_FRAMES * 7 + 511, 512, 5, 2);
    assert_found(6, 512, 5, 1);
    assert_false(page_set_find_pieces(&set, pfn_of(5), 512, &run));
    assert_false(page_set_find_pieces(&set, pfn_of(0), 512, &run));
    stop();
}

/* Emptied, and not trimmed yet. */
static void an_empty_chunk_is_passed(void **state)
{
    struct page_run run;

    (void)state;
    start();
    put(5);
    put(GIB_FRAMES * 3 + 1);
    put(GIB_FRAMES * 7 + 1);
    page_set_remove(&set, (struct page_run){pfn_of(GIB_FRAMES * 3 + 1), 1});
    assert_found(GIB_FRAMES * 7 + 1, 512, 5, 1);
    assert_false(page_set_find_pieces(&set, pfn_of(UINT64_MAX), 0, &run));
    stop();
}

static void what_was_removed_comes_back_without_memory(void **state)
{
    (void)state;
    start();
    put(0x7FF);
    page_set_remove(&set, (struct page_run){pfn_of(0x7FF), 1});
    assert_int_equal(set.frames, 0);
    unsigned before = hal.allocs;
    page_set_add(&set, (struct page_run){pfn_of(0x7FF), 1});
    assert_int_equal(hal.allocs, before);
    assert_true(page_set_has(&set, pfn_of(0x7FF)));
    stop();
}

static bool in[WALK_FRAMES];

static void check_below(uint64_t below)
{
    uint64_t end = below;
    struct page_run run;

    while (end > 0 && !in[end - 1])
        end--;
    bool found = page_set_find_pieces(&set, pfn_of(WALK_BASE + below), 64, &run);
    assert_int_equal(found, end > 0);
    if (!found)
        return;
    assert_int_equal(run.first.n + run.frames, WALK_BASE + end);
    for (uint64_t i = 0; i < run.frames; i++)
        assert_true(in[run.first.n - WALK_BASE + i]);
    bool is_border = run.first.n % BLOCK_FRAMES == 0 || run.frames == 64;
    assert_true(is_border || !in[run.first.n - WALK_BASE - 1]);
}

static void random_walk_agrees_with_an_array(void **state)
{
    uint64_t count = 0;

    (void)state;
    random_seed();
    start();
    for (unsigned n = 0; n < 200000; n++) {
        uint64_t i = (uint64_t)rand() % WALK_FRAMES;
        bool is_growing = n / 20000 % 2 == 0;

        if (!in[i] && (is_growing || rand() % 8 == 0))
            put(WALK_BASE + i);
        else if (in[i] && (!is_growing || rand() % 8 == 0))
            page_set_remove(&set, (struct page_run){pfn_of(WALK_BASE + i), 1});
        else
            continue;
        in[i] = !in[i];
        count = in[i] ? count + 1 : count - 1;
        assert_int_equal(set.frames, count);
        if (n % 64 == 0)
            check_below((uint64_t)rand() % (WALK_FRAMES + 1));
        if (n % 5000 == 0)
            page_set_trim(&set);
    }
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_block_stays_in_pieces),
        cmocka_unit_test(the_nearest_below_is_found),
        cmocka_unit_test(an_empty_chunk_is_passed),
        cmocka_unit_test(what_was_removed_comes_back_without_memory),
        cmocka_unit_test(random_walk_agrees_with_an_array),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
