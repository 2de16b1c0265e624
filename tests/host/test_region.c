// SPDX-License-Identifier: BSD-2-Clause
/* mm/region.c: merging, cutting, alignment, full sets, and a random comparison with a bitmap. */
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
#include "mm/region.h"

#define SET(n)                                               \
    (struct region_set)                                      \
    {                                                        \
        .items = (struct region[n]){{0, 0}}, .capacity = (n) \
    }

static void expect(const struct region_set *set, size_t count, const struct region *items)
{
    assert_int_equal(set->count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(set->items[i].start, items[i].start);
        assert_int_equal(set->items[i].end, items[i].end);
    }
}

#define EXPECT(set, ...)                                                        \
    expect(set, sizeof((struct region[]){__VA_ARGS__}) / sizeof(struct region), \
           (struct region[]){__VA_ARGS__})

static void add_sorts_and_merges(void **state)
{
    struct region_set set = SET(4);

    (void)state;
    assert_int_equal(region_add(&set, 40, 50), 0);
    assert_int_equal(region_add(&set, 10, 20), 0);
    assert_int_equal(region_add(&set, 25, 30), 0);
    EXPECT(&set, {10, 20}, {25, 30}, {40, 50});
    assert_int_equal(region_add(&set, 20, 25), 0); /* touches both neighbours */
    EXPECT(&set, {10, 30}, {40, 50});
    assert_int_equal(region_add(&set, 5, 60), 0);
    EXPECT(&set, {5, 60});
    assert_int_equal(region_add(&set, 10, 20), 0);
    assert_int_equal(region_add(&set, 70, 70), 0);
    EXPECT(&set, {5, 60});
    assert_int_equal(region_add(&set, 9, 8), -EINVAL);
}

static void remove_cuts(void **state)
{
    struct region_set set = SET(4);

    (void)state;
    region_add(&set, 0, 100);
    assert_int_equal(region_remove(&set, 40, 60), 0);
    EXPECT(&set, {0, 40}, {60, 100});
    assert_int_equal(region_remove(&set, 30, 70), 0);
    EXPECT(&set, {0, 30}, {70, 100});
    assert_int_equal(region_remove(&set, 30, 70), 0);
    assert_int_equal(region_remove(&set, 5, 5), 0);
    EXPECT(&set, {0, 30}, {70, 100});
    assert_int_equal(region_remove(&set, 0, 30), 0);
    assert_int_equal(region_remove(&set, 90, 200), 0);
    EXPECT(&set, {70, 90});
    assert_int_equal(region_remove(&set, 9, 8), -EINVAL);
    assert_int_equal(region_remove(&set, 0, UINT64_MAX), 0);
    assert_int_equal(set.count, 0);
}

static void a_full_set_says_so(void **state)
{
    struct region_set set = SET(2);

    (void)state;
    region_add(&set, 0, 10);
    region_add(&set, 20, 30);
    assert_int_equal(region_add(&set, 40, 50), -ENOSPC);
    assert_int_equal(region_remove(&set, 2, 3), -ENOSPC);
    EXPECT(&set, {0, 10}, {20, 30});
    assert_int_equal(region_add(&set, 10, 20), 0); /* needs no room */
    EXPECT(&set, {0, 30});
}

static void align_shrinks(void **state)
{
    struct region_set set = SET(4);

    (void)state;
    region_add(&set, 0x1001, 0x3fff);
    region_add(&set, 0x5001, 0x5fff);
    region_add(&set, UINT64_MAX - 5, UINT64_MAX);
    assert_int_equal(region_total(&set), 0x2ffe + 0xffe + 5);
    region_align(&set, 0x1000);
    EXPECT(&set, {0x2000, 0x3000});
    assert_int_equal(region_total(&set), 0x1000);
}

static void largest_is_cut_at_the_limit(void **state)
{
    struct region_set set = SET(4);
    struct region out = {1, 2};

    (void)state;
    assert_int_equal(region_largest_below(&set, 100, &out), -ENOMEM);
    region_add(&set, 10, 20);
    region_add(&set, 30, 35);
    region_add(&set, 50, 1000);
    assert_int_equal(region_largest_below(&set, 10, &out), -ENOMEM);
    assert_int_equal(out.start, 1);
    assert_int_equal(region_largest_below(&set, 55, &out), 0);
    assert_int_equal(out.start, 10);
    assert_int_equal(region_largest_below(&set, 100, &out), 0);
    assert_int_equal(out.start, 50);
    assert_int_equal(out.end, 100);
}

#define UNITS 256

static void compare(const struct region_set *set, const bool *bits)
{
    size_t at = 0;

    for (size_t i = 0; i < UNITS;) {
        size_t first = i;

        while (i < UNITS && bits[i] == bits[first])
            i++;
        if (!bits[first])
            continue;
        assert_true(at < set->count);
        assert_int_equal(set->items[at].start, first);
        assert_int_equal(set->items[at].end, i);
        at++;
    }
    assert_int_equal(at, set->count);
}

static void random_sets_equal_a_bitmap(void **state)
{
    const char *given = getenv("TEST_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : 1;
    bool bits[UNITS] = {false};
    struct region_set set = SET(40);

    (void)state;
    printf("seed %u (TEST_SEED sets it)\n", seed);
    for (unsigned i = 0; i < 100000; i++) {
        size_t start = (size_t)rand_r(&seed) % UNITS;
        size_t end = start + (size_t)rand_r(&seed) % min_u64(UNITS - start + 1, 24);
        bool is_add = rand_r(&seed) % 2;
        size_t before = set.count;
        int err = is_add ? region_add(&set, start, end) : region_remove(&set, start, end);

        if (err == -ENOSPC)
            assert_int_equal(before, set.capacity); /* and compare() shows it unchanged */
        else
            memset(&bits[start], is_add, end - start);
        compare(&set, bits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add_sorts_and_merges),
        cmocka_unit_test(remove_cuts),
        cmocka_unit_test(a_full_set_says_so),
        cmocka_unit_test(align_shrinks),
        cmocka_unit_test(largest_is_cut_at_the_limit),
        cmocka_unit_test(random_sets_equal_a_bitmap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
