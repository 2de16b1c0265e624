// SPDX-License-Identifier: BSD-2-Clause
/*
 * lib/newlib/heap*.c, memory: what is reserved and given back, and when. test_app_heap_oom.c has
 * the end of it.
 */
#include "tests/host/app_heap_check.h"

/* Data: pages of chunks and regions, without metadata. */
static size_t data_bytes(const struct rig *rig)
{
    struct app_heap_stats stats = rig_stats(rig);

    return stats.reserved_bytes - stats.metadata_bytes;
}

static void addresses_are_asked_for_by_halves(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    (void)state;
    rig->range_limit = 600 * GIB;
    rig->limit_bytes = GIB;
    assert_int_equal(rig_init_heap(rig), 0);
    assert_int_equal(rig->heap.chunks_max * HEAP_CHUNK, 512 * GIB);
    assert_int_equal(rig->promised_bytes, 0);
    must_free(rig, must_alloc(rig, 100));
    rig_end(rig);
}

static void without_addresses_all_is_refused(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    int local;

    (void)state;
    rig->limit_bytes = GIB;
    assert_int_equal(rig_init_heap(rig), -1);
    assert_null(app_heap_alloc(&rig->heap, 100, APP_HEAP_ALIGN));
    assert_null(app_heap_alloc(&rig->heap, 100 * KIB, APP_HEAP_ALIGN));
    assert_null(app_heap_alloc(&rig->heap, 10 * MIB, APP_HEAP_ALIGN));
    assert_int_equal(app_heap_trim(&rig->heap), 0);
    rig->corrupt_ptr = &local;
    if (setjmp(rig->corrupt) == 0) {
        app_heap_free(&rig->heap, &local);
        fail();
    }
    free(rig);
}

/* On a heap that holds nothing else, and beside objects of the same size and others. */
static void one_object_in_turn_makes_no_calls(void **state)
{
    struct rig *rig = rig_begin(GIB);

    (void)state;
    for (unsigned crowd = 0; crowd < 4; crowd++) {
        for (size_t size = 16; size <= MIB; size = size * 5 / 4 + 16) {
            struct many others = many_begin(1000);

            for (unsigned i = 0; i < crowd * 20; i++) {
                many_add(rig, &others, size);
                many_add(rig, &others, 600 * KIB);
            }
            for (size_t i = 0; i < others.count; i += crowd)
                many_free_one(rig, &others, i);
            /* The first may reserve memory and set off a release, the second may reserve again. */
            must_free(rig, must_alloc(rig, size));
            must_free(rig, must_alloc(rig, size));
            uint64_t calls = rig->calls;
            for (unsigned i = 0; i < 20; i++)
                must_free(rig, must_alloc(rig, size));
            assert_int_equal(rig->calls, calls);
            many_end(rig, &others);
        }
    }
    rig_end(rig);
}

static void a_free_chunk_goes_back_whole(void **state)
{
    struct rig *rig = rig_begin(GIB);
    struct many many = many_begin(500000);

    (void)state;
    while (rig_stats(rig).used_bytes < 10 * HEAP_CHUNK)
        many_add(rig, &many, 64);
    assert_int_equal(rig_stats(rig).chunks, 10);
    assert_int_equal(rig_stats(rig).spans, 10 * HEAP_CHUNK_SPANS);
    assert_int_equal(rig->chunk_releases, 0);
    many_end(rig, &many);
    assert_int_equal(rig->chunk_releases, 9);
    assert_int_equal(rig_stats(rig).chunks, 1);
    assert_int_equal(rig_stats(rig).idle_bytes, HEAP_CHUNK);
    assert_int_equal(rig_stats(rig).released_bytes, 9 * HEAP_CHUNK);
    assert_int_equal(app_heap_trim(&rig->heap), HEAP_CHUNK);
    assert_int_equal(app_heap_trim(&rig->heap), 0);
    rig_end(rig);
}

static void a_large_object_is_a_region(void **state)
{
    struct rig *rig = rig_begin(GIB);
    char *small = must_alloc(rig, 16), *ptr;
    size_t before = rig->promised_bytes;

    (void)state;
    ptr = must_alloc(rig, MIB + 1);
    assert_false(heap_is_in_arena(&rig->heap, ptr));
    assert_int_equal(rig_stats(rig).large, 1);
    assert_int_equal(rig_stats(rig).used_bytes, 16 + MIB + 4 * KIB);
    assert_int_equal(rig->promised_bytes, before + MIB + 4 * KIB);
    must_free(rig, ptr);
    assert_int_equal(rig->promised_bytes, before);
    must_free(rig, small);
    rig_end(rig);
}

static void many_large_objects_are_told_apart(void **state)
{
    struct rig *rig = rig_begin(8 * GIB);
    struct many many = many_begin(2000);

    (void)state;
    for (unsigned i = 0; i < 2000; i++)
        assert_true(many_add(rig, &many, 2 * MIB));
    for (unsigned i = 0; i < 2000; i += 3)
        many_free_one(rig, &many, i);
    assert_int_equal(rig_stats(rig).large, 2000 - 667);
    many_end(rig, &many);
    rig_end(rig);
}

static void metadata_is_a_hundredth_at_most(void **state)
{
    static const size_t sizes[] = {16, 32, 64, 1040, 70000};

    (void)state;
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct rig *rig = rig_begin(GIB);
        struct many many = many_begin(2 * MIB);

        while (rig_stats(rig).used_bytes < 32 * MIB - 64 * KIB)
            many_add(rig, &many, sizes[i]);
        struct app_heap_stats stats = rig_stats(rig);
        assert_true(stats.metadata_bytes * 100 <= stats.used_bytes);
        many_end(rig, &many);
        rig_end(rig);
    }
}

/* What the heap may keep beside the pages of objects: the spare chunk and idle pages. */
static size_t budget(const struct rig *rig)
{
    size_t eighth = rig->heap.used_pages * HEAP_PAGE / 8;

    return HEAP_CHUNK + (eighth > HEAP_CHUNK ? eighth : HEAP_CHUNK);
}

/* The app's way at 80 % of a GiB: pieces of all sizes, half of them freed at random, then all. */
static void what_is_freed_goes_back(void **state)
{
    unsigned seed =
        getenv("TEST_SEED") ? (unsigned)strtoul(getenv("TEST_SEED"), NULL, 0) : 1;
    struct rig *rig = rig_begin(GIB);
    struct many many = many_begin(100000);
    size_t full, half_used;

    (void)state;
    printf("TEST_SEED=%u\n", seed);
    while (rig->promised_bytes < GIB / 10 * 8)
        many_add(rig, &many, piece_size(&seed));
    full = rig->promised_bytes;
    assert_true(rig_stats(rig).used_bytes > full / 100 * 90);

    for (size_t i = 0; i < many.count; i++) {
        if (rand_r(&seed) % 2 == 0)
            many_free_one(rig, &many, i);
        if (i % 1024 == 0)
            assert_true(rig_stats(rig).idle_bytes <= budget(rig));
    }
    rig_check(rig);
    half_used = rig_stats(rig).used_bytes;
    assert_true(rig_stats(rig).idle_bytes <= budget(rig));
    assert_true(rig->promised_bytes <= half_used / 100 * 120);

    many_end(rig, &many);
    assert_true(data_bytes(rig) <= HEAP_CHUNK);
    rig_end(rig);
}

/* Objects of one size, most of them freed: new ones go where most others are, so that chunks
 * become free. */
static void the_fullest_serves_first(void **state)
{
    static const size_t sizes[] = {64, 64 * KIB};

    (void)state;
    for (unsigned s = 0; s < 2; s++) {
        struct rig *rig = rig_begin(GIB);
        struct many many = many_begin(500000);
        size_t per_chunk, empty, full;

        while (rig->promised_bytes < 16 * MIB)
            many_add(rig, &many, sizes[s]);
        per_chunk = many.count / 8;
        /* Of the first chunk's objects a few stay, of the others' most. */
        for (size_t i = 0; i < many.count; i++) {
            if (i < per_chunk ? i % 8 != 0 : i % 8 == 0)
                many_free_one(rig, &many, i);
        }
        empty = (size_t)many.objects[0], full = empty + HEAP_CHUNK;
        for (size_t i = per_chunk; i < many.count; i += 8) {
            uint64_t *object = must_alloc(rig, sizes[s]);

            assert_false((size_t)object >= empty && (size_t)object < full);
            must_free(rig, object);
        }
        many_end(rig, &many);
        rig_end(rig);
    }
}

/* A hole serves the next object of the size that left it, whatever the size. */
static void holes_are_filled(void **state)
{
    (void)state;
    for (size_t size = 20 * KIB; size < 300 * KIB; size += 4 * KIB) {
        struct rig *rig = rig_begin(GIB);
        struct many many = many_begin(2000);
        size_t count, chunks;

        while (rig_stats(rig).chunks < 5)
            many_add(rig, &many, size);
        count = many.count, chunks = rig_stats(rig).chunks;
        for (size_t i = 0; i < count; i += 2)
            many_free_one(rig, &many, i);
        for (size_t i = 0; i < count; i += 2)
            assert_true(many_add(rig, &many, size));
        assert_int_equal(rig_stats(rig).chunks, chunks);
        many_end(rig, &many);
        rig_end(rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_asked_for_by_halves),
        cmocka_unit_test(without_addresses_all_is_refused),
        cmocka_unit_test(one_object_in_turn_makes_no_calls),
        cmocka_unit_test(a_free_chunk_goes_back_whole),
        cmocka_unit_test(a_large_object_is_a_region),
        cmocka_unit_test(many_large_objects_are_told_apart),
        cmocka_unit_test(metadata_is_a_hundredth_at_most),
        cmocka_unit_test(what_is_freed_goes_back),
        cmocka_unit_test(the_fullest_serves_first),
        cmocka_unit_test(holes_are_filled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
