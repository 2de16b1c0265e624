// SPDX-License-Identifier: BSD-2-Clause
/* mm/appmem_region.c: order, borders, places with their guards, and random changes against an array of
 * pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "mm/appmem_region.h"
#include "tests/model/seams.h"

#define FIRST UINT64_C(0x10000000)
#define PAGE  FRAME_SIZE

/* An address so many pages into the window. */
static uint64_t at(uint64_t page)
{
    return FIRST + page * PAGE;
}

static void window(struct appmem_regions *set, uint64_t pages)
{
    appmem_regions_init(set, FIRST, at(pages));
}

static void add(struct appmem_regions *set, struct appmem_region *region, uint64_t page,
                uint64_t pages)
{
    *region = (struct appmem_region){.start = at(page), .end = at(page + pages)};
    appmem_region_add(set, region);
}

static void an_empty_set_has_nothing(void **state)
{
    struct appmem_regions set;

    (void)state;
    window(&set, 100);
    assert_int_equal(set.count, 0);
    assert_null(appmem_region_find(&set, FIRST));
    assert_null(appmem_region_at_or_after(&set, 0));
    assert_null(appmem_region_at_or_after(&set, UINT64_MAX));
}

static void regions_are_found_up_to_their_borders(void **state)
{
    struct appmem_regions set;
    struct appmem_region low, middle, high;

    (void)state;
    window(&set, 100);
    add(&set, &middle, 20, 5);
    add(&set, &high, 25, 1); /* touches: neighbours may */
    add(&set, &low, 10, 2);
    assert_int_equal(set.count, 3);

    assert_null(appmem_region_find(&set, at(10) - 1));
    assert_ptr_equal(appmem_region_find(&set, at(10)), &low);
    assert_ptr_equal(appmem_region_find(&set, at(12) - 1), &low);
    assert_null(appmem_region_find(&set, at(12)));
    assert_ptr_equal(appmem_region_find(&set, at(25) - 1), &middle);
    assert_ptr_equal(appmem_region_find(&set, at(25)), &high);
    assert_null(appmem_region_find(&set, at(26)));
    assert_null(appmem_region_find(&set, UINT64_MAX));

    assert_ptr_equal(appmem_region_at_or_after(&set, 0), &low);
    assert_ptr_equal(appmem_region_at_or_after(&set, at(12) - 1), &low);
    assert_ptr_equal(appmem_region_at_or_after(&set, at(12)), &middle);
    assert_null(appmem_region_at_or_after(&set, at(26)));
    assert_ptr_equal(appmem_region_next(&set, &low), &middle);
    assert_ptr_equal(appmem_region_next(&set, &middle), &high);
    assert_null(appmem_region_next(&set, &high));
}

static void what_is_removed_is_gone_and_can_come_back(void **state)
{
    struct appmem_regions set;
    struct appmem_region regions[3];

    (void)state;
    window(&set, 100);
    for (uint64_t i = 0; i < 3; i++)
        add(&set, &regions[i], 10 + 10 * i, 5);
    appmem_region_remove(&set, &regions[1]);
    assert_int_equal(set.count, 2);
    assert_null(appmem_region_find(&set, at(20)));
    assert_ptr_equal(appmem_region_next(&set, &regions[0]), &regions[2]);
    add(&set, &regions[1], 16, 14);
    assert_ptr_equal(appmem_region_next(&set, &regions[0]), &regions[1]);
    for (unsigned i = 0; i < 3; i++)
        appmem_region_remove(&set, &regions[i]);
    assert_int_equal(set.count, 0);
    assert_null(set.root);
}

static void a_region_can_shrink_in_place(void **state)
{
    struct appmem_regions set;
    struct appmem_region regions[3], rest;

    (void)state;
    window(&set, 100);
    for (uint64_t i = 0; i < 3; i++)
        add(&set, &regions[i], 10 + 10 * i, 10);
    /* An unmap in the middle: one end moves, the rest is a new region. */
    regions[1].end = at(23);
    add(&set, &rest, 27, 3);
    regions[0].start = at(19);
    assert_ptr_equal(appmem_region_find(&set, at(22)), &regions[1]);
    assert_null(appmem_region_find(&set, at(23)));
    assert_ptr_equal(appmem_region_next(&set, &regions[1]), &rest);
    assert_null(appmem_region_find(&set, at(18)));
    appmem_region_remove(&set, &regions[0]);
    appmem_region_remove(&set, &regions[1]);
    assert_ptr_equal(appmem_region_at_or_after(&set, 0), &rest);
}

static void mistakes_are_caught(void **state)
{
    static const struct {
        uint64_t start, end;
    } bad[] = {
        {FIRST + 15 * PAGE, FIRST + 21 * PAGE}, /* overlaps from below */
        {FIRST + 24 * PAGE, FIRST + 26 * PAGE}, /* ... from above */
        {FIRST + 22 * PAGE, FIRST + 23 * PAGE}, /* ... lies inside */
        {FIRST + 15 * PAGE, FIRST + 30 * PAGE}, /* ... covers */
        {FIRST + 30 * PAGE, FIRST + 30 * PAGE}, /* empty */
        {FIRST + 40 * PAGE, FIRST + 30 * PAGE}, /* backwards */
        {FIRST + 30 * PAGE + 1, FIRST + 40 * PAGE},
        {FIRST + 30 * PAGE, FIRST + 40 * PAGE + 1},
    };
    struct appmem_regions set;
    struct appmem_region there, stranger = {.start = at(50), .end = at(51)};

    (void)state;
    window(&set, 100);
    add(&set, &there, 20, 5);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct appmem_region region = {.start = bad[i].start, .end = bad[i].end};

        EXPECT_ASSERT(appmem_region_add(&set, &region));
        assert_int_equal(set.count, 1);
    }
    EXPECT_ASSERT(appmem_region_remove(&set, &stranger));
    EXPECT_ASSERT(appmem_region_place(&set, PAGE - 1, PAGE));
    EXPECT_ASSERT(appmem_region_place(&set, 0, PAGE));
    EXPECT_ASSERT(appmem_region_place(&set, PAGE, 3 * PAGE));
    EXPECT_ASSERT(appmem_region_place(&set, PAGE, PAGE / 2));
    EXPECT_ASSERT(window(&set, 2));
}

static void places_keep_a_guard_on_both_sides(void **state)
{
    struct appmem_regions set;
    struct appmem_region low, high;

    (void)state;
    window(&set, 20);
    add(&set, &low, 5, 3);
    add(&set, &high, 12, 3);
    /* Holes: 0-4, 8-11, 15-19, of which 1-3, 9-10, 16-18 can be used. */
    assert_int_equal(appmem_region_place(&set, 4 * PAGE, PAGE), 0);
    assert_int_equal(appmem_region_place(&set, 3 * PAGE, PAGE), at(1));
    set.cursor = at(8);
    assert_int_equal(appmem_region_place(&set, 2 * PAGE, PAGE), at(9));
    set.cursor = at(8);
    assert_int_equal(appmem_region_place(&set, 3 * PAGE, PAGE), at(16));
    set.cursor = at(10); /* in a hole whose rest is too small */
    assert_int_equal(appmem_region_place(&set, PAGE, PAGE), at(16));
    set.cursor = at(6); /* in a region */
    assert_int_equal(appmem_region_place(&set, PAGE, PAGE), at(9));
}

static void a_window_can_be_filled_to_its_guards(void **state)
{
    struct appmem_regions set;
    struct appmem_region region;

    (void)state;
    window(&set, 20);
    assert_int_equal(appmem_region_place(&set, 19 * PAGE, PAGE), 0);
    assert_int_equal(appmem_region_place(&set, 20 * PAGE, PAGE), 0);
    assert_int_equal(appmem_region_place(&set, -PAGE, PAGE), 0);
    assert_int_equal(appmem_region_place(&set, 18 * PAGE, PAGE), at(1));
    add(&set, &region, 1, 18);
    assert_int_equal(appmem_region_place(&set, PAGE, PAGE), 0);
}

static void regions_may_lie_outside_the_window(void **state)
{
    struct appmem_regions set;
    struct appmem_region below, above, over_the_end;

    (void)state;
    appmem_regions_init(&set, at(100), at(120));
    add(&set, &below, 0, 10);
    add(&set, &above, 200, 10);
    assert_ptr_equal(appmem_region_find(&set, at(5)), &below);
    assert_ptr_equal(appmem_region_next(&set, &below), &above);
    assert_int_equal(appmem_region_place(&set, 18 * PAGE, PAGE), at(101));
    add(&set, &over_the_end, 110, 50);
    assert_int_equal(appmem_region_place(&set, 9 * PAGE, PAGE), 0);
    assert_int_equal(appmem_region_place(&set, 8 * PAGE, PAGE), at(101));
}

static void places_are_aligned(void **state)
{
    struct appmem_regions set;
    struct appmem_region region;

    (void)state;
    appmem_regions_init(&set, BLOCK_SIZE - PAGE, 4 * BLOCK_SIZE);
    assert_int_equal(appmem_region_place(&set, PAGE, BLOCK_SIZE), BLOCK_SIZE);
    assert_int_equal(appmem_region_place(&set, PAGE, BLOCK_SIZE), 2 * BLOCK_SIZE);
    assert_int_equal(appmem_region_place(&set, PAGE, BLOCK_SIZE), 3 * BLOCK_SIZE);
    assert_int_equal(appmem_region_place(&set, BLOCK_SIZE, BLOCK_SIZE), BLOCK_SIZE);
    region =
        (struct appmem_region){.start = 2 * BLOCK_SIZE, .end = 2 * BLOCK_SIZE + PAGE};
    appmem_region_add(&set, &region);
    /* Only a place with its guard fits below: none of a whole block now. */
    assert_int_equal(appmem_region_place(&set, BLOCK_SIZE, BLOCK_SIZE), 0);
    assert_int_equal(appmem_region_place(&set, BLOCK_SIZE - PAGE, BLOCK_SIZE),
                     3 * BLOCK_SIZE);
}

static void the_end_of_all_addresses_does_not_wrap(void **state)
{
    uint64_t last = UINT64_MAX - PAGE + 1; /* no window holds the last page */
    struct appmem_regions set;

    (void)state;
    appmem_regions_init(&set, last - 3 * PAGE, last);
    assert_int_equal(appmem_region_place(&set, PAGE, GIB), 0);
    assert_int_equal(appmem_region_place(&set, PAGE, PAGE), last - 2 * PAGE);
    assert_int_equal(appmem_region_place(&set, 2 * PAGE, PAGE), 0);
    appmem_regions_init(&set, 0, last);
    assert_int_equal(appmem_region_place(&set, last, PAGE), 0);
    assert_int_equal(appmem_region_place(&set, last - PAGE, PAGE), 0);
    assert_int_equal(appmem_region_place(&set, last - 2 * PAGE, PAGE), PAGE);
    assert_int_equal(appmem_region_place(&set, PAGE, BIT64(63)), BIT64(63));
}

static void addresses_rest_before_they_are_used_again(void **state)
{
    struct appmem_regions set;
    struct appmem_region region;
    uint64_t rounds = 0, last = 0;

    (void)state;
    window(&set, 1000);
    for (;;) {
        uint64_t start = appmem_region_place(&set, 3 * PAGE, PAGE);

        if (start < last)
            break;
        last = start;
        rounds++;
        add(&set, &region, (start - FIRST) / PAGE, 3);
        appmem_region_remove(&set, &region);
    }
    assert_int_equal(rounds, 249); /* 4 pages each: the whole window came first */
}

#define MANY 100000

static unsigned depth_of(const struct appmem_region *region)
{
    if (!region)
        return 0;
    unsigned left = depth_of(region->left), right = depth_of(region->right);

    return 1 + (left > right ? left : right);
}

/* The worst order for a plain search tree. */
static void ascending_regions_make_no_deep_tree(void **state)
{
    struct appmem_region *regions = calloc(MANY, sizeof(*regions));
    struct appmem_regions set;

    (void)state;
    window(&set, 2 * MANY + 2);
    for (uint64_t i = 0; i < MANY; i++) {
        uint64_t start = appmem_region_place(&set, PAGE, PAGE);

        assert_int_equal(start, at(1 + 2 * i));
        add(&set, &regions[i], 1 + 2 * i, 1);
    }
    assert_in_range(depth_of(set.root), 17, 60); /* expected for random order: about 40 */
    for (uint64_t i = 0; i < MANY; i++)
        assert_ptr_equal(appmem_region_find(&set, regions[i].start), &regions[i]);
    for (uint64_t i = 0; i < MANY; i += 2)
        appmem_region_remove(&set, &regions[i]);
    assert_in_range(depth_of(set.root), 16, 60);
    free(regions);
}

/* The random test's world: the owner of each page of the window, NULL for none. */
#define WORLD_PAGES 600

struct world {
    struct appmem_regions set;
    struct appmem_region *owner[WORLD_PAGES];
    unsigned seed;
};

static uint64_t rnd(struct world *w, uint64_t below)
{
    return (uint64_t)rand_r(&w->seed) % below;
}

static void own(struct world *w, uint64_t start, uint64_t end, struct appmem_region *who)
{
    for (uint64_t page = (start - FIRST) / PAGE; page < (end - FIRST) / PAGE; page++)
        w->owner[page] = who;
}

static bool is_free(const struct world *w, uint64_t page, uint64_t pages)
{
    for (uint64_t i = page; i < page + pages; i++) {
        if (w->owner[i])
            return false;
    }
    return true;
}

/* What appmem_region_place() should say: the slow way, from the cursor and then from the start. */
static uint64_t expected_place(const struct world *w, uint64_t pages, uint64_t align)
{
    const uint64_t from[] = {(w->set.cursor - FIRST) / PAGE, 0};

    for (size_t i = 0; i < ARRAY_LEN(from); i++) {
        for (uint64_t guard = from[i]; guard + pages + 2 <= WORLD_PAGES; guard++) {
            if (at(guard + 1) % align == 0 && is_free(w, guard, pages + 2))
                return at(guard + 1);
        }
    }
    return 0;
}

static void random_place(struct world *w)
{
    uint64_t pages = 1 + rnd(w, rnd(w, 8) ? 8 : 80), align = PAGE << rnd(w, 5);
    uint64_t expected = expected_place(w, pages, align);
    uint64_t start = appmem_region_place(&w->set, pages * PAGE, align);

    assert_int_equal(start, expected);
    if (start == 0)
        return;

    struct appmem_region *region = calloc(1, sizeof(*region));

    region->start = start;
    region->end = start + pages * PAGE;
    appmem_region_add(&w->set, region);
    own(w, region->start, region->end, region);
}

static void drop(struct world *w, struct appmem_region *region)
{
    appmem_region_remove(&w->set, region);
    own(w, region->start, region->end, NULL);
    free(region);
}

/* Take away one page of a region, as an unmap would: from an end, the middle, or all of it. */
static void random_cut(struct world *w, struct appmem_region *region)
{
    uint64_t pages = (region->end - region->start) / PAGE;
    uint64_t cut = region->start + rnd(w, pages) * PAGE;

    if (pages == 1) {
        drop(w, region);
        return;
    }
    own(w, cut, cut + PAGE, NULL);
    if (cut == region->start) {
        region->start += PAGE;
    } else if (cut + PAGE == region->end) {
        region->end -= PAGE;
    } else {
        struct appmem_region *rest = calloc(1, sizeof(*rest));

        rest->start = cut + PAGE;
        rest->end = region->end;
        region->end = cut;
        appmem_region_add(&w->set, rest);
        own(w, rest->start, rest->end, rest);
    }
}

static void compare(const struct world *w)
{
    struct appmem_region *above = NULL;
    size_t count = 0;

    for (uint64_t page = WORLD_PAGES; page-- > 0;) {
        struct appmem_region *owner = w->owner[page];

        assert_ptr_equal(appmem_region_find(&w->set, at(page) + 7), owner);
        if (owner && owner != above) {
            assert_ptr_equal(appmem_region_next(&w->set, owner), above);
            above = owner;
            count++;
        }
        assert_ptr_equal(appmem_region_at_or_after(&w->set, at(page)), above);
    }
    assert_int_equal(w->set.count, count);
}

static void random_changes_equal_an_array(void **state)
{
    const char *given = getenv("TEST_SEED");
    struct world *w = calloc(1, sizeof(*w));
    unsigned places = 0;

    (void)state;
    w->seed = given ? (unsigned)strtoul(given, NULL, 0) : 7;
    printf("seed %u (TEST_SEED sets it)\n", w->seed);
    window(&w->set, WORLD_PAGES);
    for (unsigned i = 0; i < 100000; i++) {
        struct appmem_region *region = w->owner[rnd(w, WORLD_PAGES)];
        bool is_growing = i / 5000 % 2 == 0;

        if (rnd(w, 10) < (is_growing ? 6 : 2))
            random_place(w);
        else if (region && rnd(w, 3) == 0)
            random_cut(w, region);
        else if (region)
            drop(w, region);
        places += w->set.count > 40;
        if (i % 20 == 0)
            compare(w);
    }
    assert_true(places > 1000); /* sets of some size came up */
    while (w->set.root)
        drop(w, w->set.root);
    compare(w);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_set_has_nothing),
        cmocka_unit_test(regions_are_found_up_to_their_borders),
        cmocka_unit_test(what_is_removed_is_gone_and_can_come_back),
        cmocka_unit_test(a_region_can_shrink_in_place),
        cmocka_unit_test(mistakes_are_caught),
        cmocka_unit_test(places_keep_a_guard_on_both_sides),
        cmocka_unit_test(a_window_can_be_filled_to_its_guards),
        cmocka_unit_test(regions_may_lie_outside_the_window),
        cmocka_unit_test(places_are_aligned),
        cmocka_unit_test(the_end_of_all_addresses_does_not_wrap),
        cmocka_unit_test(addresses_rest_before_they_are_used_again),
        cmocka_unit_test(ascending_regions_make_no_deep_tree),
        cmocka_unit_test(random_changes_equal_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
