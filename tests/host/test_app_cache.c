// SPDX-License-Identifier: BSD-2-Clause
/* apps/cache: every way a request can end, and the hit rate as memory shrinks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "apps/cache/cache.h"
#include "base/units.h"
#include "guest.h"
#include "tests/model/guest_host.h"
#include "workload/zipf.h"

#define OBJECT (16 * KIB)

static struct cache cache;

static int start(void **state)
{
    (void)state;
    guest_host_reset(4 * MIB);
    return cache_init(&cache, 1000, OBJECT, 1);
}

static int end(void **state)
{
    struct guest_memory memory;

    (void)state;
    cache_fini(&cache);
    guest_memory(&memory);
    return memory.resident_bytes != 0 || memory.volatile_bytes != 0;
}

static uint64_t volatile_bytes(void)
{
    struct guest_memory memory;

    guest_memory(&memory);
    return memory.volatile_bytes;
}

static void filled_then_hit(void **state)
{
    (void)state;
    assert_int_equal(cache_request(&cache, 3), CACHE_FILLED);
    assert_int_equal(cache_request(&cache, 3), CACHE_HIT);
    assert_int_equal(cache_request(&cache, 4), CACHE_FILLED);
    assert_int_equal(volatile_bytes(),
                     2 * OBJECT); /* between requests the kernel may have all */
}

static void dropped_then_lost_then_hit(void **state)
{
    (void)state;
    cache_request(&cache, 3);
    cache_request(&cache, 4);
    guest_host_resize(OBJECT); /* drops the older one */
    guest_host_resize(4 * MIB);
    assert_int_equal(cache_request(&cache, 4), CACHE_HIT);
    assert_int_equal(cache_request(&cache, 3), CACHE_LOST);
    assert_int_equal(cache_request(&cache, 3), CACHE_HIT);
    assert_int_equal(volatile_bytes(), 2 * OBJECT);
}

static void refused_but_served(void **state)
{
    void *all;

    (void)state;
    cache_request(&cache, 3);
    guest_host_resize(0);
    assert_int_equal(cache_request(&cache, 3), CACHE_REFUSED); /* had been there once */
    assert_int_equal(cache_request(&cache, 4), CACHE_REFUSED); /* never was */
    guest_host_resize(4 * MIB);
    assert_int_equal(cache_request(&cache, 3), CACHE_LOST);
    assert_int_equal(cache_request(&cache, 4), CACHE_FILLED);

    /* What is needed is not taken from others: they are refused. */
    all = guest_map(4 * MIB - 2 * OBJECT, 0);
    assert_non_null(all);
    assert_int_equal(guest_needed(cache.objects[3]), GUEST_INTACT);
    assert_int_equal(guest_needed(cache.objects[4]), GUEST_INTACT);
    assert_int_equal(cache_request(&cache, 5), CACHE_REFUSED);
    guest_unmap(all, 4 * MIB - 2 * OBJECT);
}

static void wrong_contents_are_found(void **state)
{
    (void)state;
    cache_request(&cache, 3);
    ((char *)cache.objects[3])[OBJECT - 1] ^= 1;
    assert_int_equal(cache_request(&cache, 3), CACHE_WRONG);
    cache_request(&cache, 4);
    memset(cache.objects[4], 0, OBJECT); /* dropped, and nobody said so */
    assert_int_equal(cache_request(&cache, 4), CACHE_WRONG);
}

static unsigned hits_of_1000(const struct zipf *zipf, struct rng *rng)
{
    unsigned hits = 0;

    for (int i = 0; i < 1000; i++) {
        enum cache_answer answer = cache_request(&cache, zipf_next(zipf, rng));

        assert_int_not_equal(answer, CACHE_WRONG);
        hits += answer == CACHE_HIT;
    }
    return hits;
}

static void the_hit_rate_falls_with_memory(void **state)
{
    const uint64_t sizes[] = {4 * MIB, 2 * MIB, MIB, MIB / 4, 0};
    unsigned before = 1000;
    struct zipf zipf;
    struct rng rng;

    (void)state;
    zipf_init(&zipf, 1000, 0.99);
    rng_seed(&rng, 1);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        guest_host_resize(sizes[i]);
        hits_of_1000(&zipf, &rng); /* settle */
        unsigned hits = hits_of_1000(&zipf, &rng);

        assert_true(hits < before);
        before = hits;
    }
    assert_int_equal(before, 0);
    guest_host_resize(4 * MIB);
    hits_of_1000(&zipf, &rng);
    assert_true(hits_of_1000(&zipf, &rng) > 500); /* and it recovers */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(filled_then_hit, start, end),
        cmocka_unit_test_setup_teardown(dropped_then_lost_then_hit, start, end),
        cmocka_unit_test_setup_teardown(refused_but_served, start, end),
        cmocka_unit_test_setup_teardown(wrong_contents_are_found, start, end),
        cmocka_unit_test_setup_teardown(the_hit_rate_falls_with_memory, start, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
