// SPDX-License-Identifier: BSD-2-Clause
/* apps/touch: the orders of pages, contents under reads and writes, what happens when memory is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "apps/touch/touch.h"
#include "base/units.h"
#include "guest.h"
#include "tests/model/guest_host.h"

#define PAGES 256

static struct touch set;
static struct refusals refusals;

static int start(void **state)
{
    (void)state;
    guest_host_reset(4 * MIB);
    set = (struct touch){.seed = 1, .pattern = TOUCH_RANDOM, .write_percent = 50};
    refusals = (struct refusals){0};
    rng_seed(&set.rng, 1);
    return !touch_map(&set, PAGES * FRAME_SIZE, 0, &refusals);
}

static int end(void **state)
{
    (void)state;
    touch_unmap(&set);
    return 0;
}

static void touch_many(int count)
{
    uint64_t latency_ns;

    for (int i = 0; i < count; i++)
        assert_true(touch_page(&set, touch_pick(&set), &latency_ns));
}

static void each_pattern_covers_its_pages(void **state)
{
    (void)state;
    for (unsigned pattern = TOUCH_SEQUENTIAL; pattern <= TOUCH_ZIPF; pattern++) {
        unsigned seen[PAGES] = {0}, pages = 0;

        set.pattern = pattern;
        zipf_init(&set.zipf, PAGES, 0.99);
        for (int i = 0; i < 20 * PAGES; i++)
            seen[touch_pick(&set)]++;
        for (int i = 0; i < PAGES; i++)
            pages += seen[i] > 0;
        assert_in_range(pages, PAGES * 9 / 10, PAGES);
        if (pattern == TOUCH_SEQUENTIAL)
            assert_int_equal(seen[0], seen[PAGES - 1]);
        if (pattern == TOUCH_ZIPF) /* rank 0 gets 1 / sum of 1/k^0.99, a sixth */
            assert_in_range(seen[0], 20 * PAGES / 8, 20 * PAGES / 4);
    }
}

static void contents_stay_right(void **state)
{
    (void)state;
    assert_int_equal(touch_verify(&set), PAGES); /* zeroed */
    touch_many(200 * PAGES);                     /* about 100 versions of each */
    assert_int_equal(touch_verify(&set), PAGES);
    set.write_percent = 100;
    touch_many(300 * PAGES); /* the version comes around */
    assert_int_equal(touch_verify(&set), PAGES);
}

static void the_share_of_writes(void **state)
{
    const unsigned percents[] = {0, 20, 100};
    uint64_t latency_ns;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        unsigned writes = 0;

        set.write_percent = percents[i];
        for (int k = 0; k < 10000; k++) {
            uint8_t version = set.versions[k % PAGES];

            touch_page(&set, (uint64_t)k % PAGES, &latency_ns);
            writes += set.versions[k % PAGES] != version;
        }
        assert_in_range(writes, percents[i] * 90, percents[i] * 110);
    }
}

static void a_lost_page_is_found(void **state)
{
    uint64_t latency_ns;
    unsigned char old[FRAME_SIZE];

    (void)state;
    set.write_percent = 100;
    touch_page(&set, 7, &latency_ns);
    memcpy(old, set.pages + 7 * FRAME_SIZE, FRAME_SIZE);
    touch_page(&set, 7, &latency_ns);
    assert_int_equal(touch_verify(&set), PAGES);
    memcpy(set.pages + 7 * FRAME_SIZE, old, FRAME_SIZE); /* contents of the past */
    assert_int_equal(touch_verify(&set), 7);
    set.write_percent = 0;
    assert_false(touch_page(&set, 7, &latency_ns));
    memset(set.pages + 7 * FRAME_SIZE, 0, FRAME_SIZE); /* zeroed */
    assert_false(touch_page(&set, 7, &latency_ns));
    set.pages[5 * FRAME_SIZE + 4095] = 1; /* never written, and yet */
    assert_int_equal(touch_verify(&set), 5);
}

static void what_is_refused_is_halved(void **state)
{
    struct touch large = {.seed = 1};

    (void)state;
    assert_true(touch_map(&large, 8 * MIB, 0, &refusals)); /* 3 MiB are left */
    assert_int_equal(refusals.count, 2);
    assert_int_equal(large.count * FRAME_SIZE, 2 * MIB);
    touch_unmap(&large);

    void *rest = guest_map(3 * MIB, 0);

    assert_non_null(rest);
    assert_false(touch_map(&large, MIB, 0, &refusals));
    assert_int_equal(refusals.count, 2 + 9); /* 256 pages, 128, ... 1 */
    guest_unmap(rest, 3 * MIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_pattern_covers_its_pages, start, end),
        cmocka_unit_test_setup_teardown(contents_stay_right, start, end),
        cmocka_unit_test_setup_teardown(the_share_of_writes, start, end),
        cmocka_unit_test_setup_teardown(a_lost_page_is_found, start, end),
        cmocka_unit_test_setup_teardown(what_is_refused_is_halved, start, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
