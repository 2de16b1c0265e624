// SPDX-License-Identifier: BSD-2-Clause
/*
 * lib/newlib/heap*.c at the end of memory: small machines, refusals, and every call of the source
 * failing once.
 */
#include "tests/host/app_heap_check.h"

/* A range for two chunks holds two chunks, and then serves again. */
static void addresses_run_out(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    struct many many = many_begin(100);

    (void)state;
    rig->range_limit = 7 * MIB;
    rig->limit_bytes = GIB;
    assert_int_equal(rig_init_heap(rig), 0);
    assert_int_equal(rig->heap.chunks_max, 2);
    for (unsigned round = 0; round < 2; round++) {
        many.count = 0;
        while (many_add(rig, &many, HEAP_MEDIUM_MAX))
            rig_check(rig);
        assert_int_equal(many.count, 4);
        for (size_t i = 0; i < many.count; i++)
            many_free_one(rig, &many, i);
    }
    many_end(rig, &many);
    rig_end(rig);
}

/* 8 MiB in all, and then some less: chunks are refused, pieces are not. All of it can be used,
 * twice. */
static void small_machines_are_used_to_the_end(void **state)
{
    static const size_t sizes[] = {64, 1000, 64 * KIB, 300 * KIB};

    (void)state;
    for (size_t limit = 8 * MIB; limit > 512 * KIB; limit -= 700 * KIB) {
        struct rig *rig = rig_begin(limit / HEAP_PAGE * HEAP_PAGE);
        struct many many = many_begin(200000);

        for (unsigned i = 0; i < 8; i++) {
            size_t size = sizes[i % 4], expected = (limit - 64 * KIB - size) / 100 * 96;

            many.count = 0;
            while (many_add(rig, &many, size))
                continue;
            rig_check(rig);
            assert_true(rig_stats(rig).used_bytes >= expected);
            for (size_t j = 0; j < many.count; j++)
                many_free_one(rig, &many, j);
        }
        many_end(rig, &many);
        rig_end(rig);
    }
}

/* What is kept for reuse does not stand in the way of an allocation that it does not fit. */
static void what_is_kept_is_given_up_for_need(void **state)
{
    struct rig *rig = rig_begin(8 * MIB);
    struct many many = many_begin(100);
    void *rest;

    (void)state;
    for (unsigned i = 0; i < 60; i++)
        assert_true(many_add(rig, &many, 100 * KIB));
    for (unsigned i = 0; i < 60; i += 2)
        many_free_one(rig, &many, i);
    assert_true(rig_stats(rig).idle_bytes > 512 * KIB);
    /* 3 MiB are in use. A region, or a run that fits no hole. */
    rest = must_alloc(rig, 9 * MIB / 2);
    rig_check(rig);
    assert_int_equal(rig_stats(rig).idle_bytes, 0);
    must_free(rig, rest);
    for (unsigned i = 0; i < 4; i++)
        assert_true(many_add(rig, &many, MIB));
    many_end(rig, &many);
    rig_end(rig);
}

/* An app of all kinds of calls, of which any may be refused. */
static void scenario(struct rig *rig)
{
    static const size_t sizes[] = {64,        3000,      16,        20000,    2 * MIB,
                                   700 * KIB, MIB,       3000,      16 * KIB, 3 * MIB,
                                   100,       900 * KIB, 800 * KIB, 48};
    struct many many = many_begin(100);

    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
            many_add(rig, &many, sizes[i]);
        for (size_t i = round; i < many.count; i += 2) {
            uint64_t *object = many.objects[i], *moved;

            if (i % 3 != 0) {
                many_free_one(rig, &many, i);
                continue;
            }
            moved = app_heap_realloc(&rig->heap, object, sizes[i % 14] + 100000);
            if (moved)
                many.objects[i] = moved;
        }
        rig_check(rig);
        app_heap_trim(&rig->heap);
    }
    many_end(rig, &many);
}

static void any_call_may_fail(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        struct rig *rig = rig_begin(GIB);

        rig->fail_at = n;
        scenario(rig);
        bool is_over = rig->fail_at != 0;
        rig->fail_at = 0;
        scenario(rig);
        assert_int_equal(rig->refusals, !is_over);
        rig_end(rig);
        if (is_over) {
            assert_true(n > 30);
            return;
        }
    }
}

/* Memory ends after so many bytes, page by page at first: in any operation. */
static void memory_may_end_anywhere(void **state)
{
    (void)state;
    for (size_t limit = 0; limit < 14 * MIB;
         limit += limit < 64 * KIB ? HEAP_PAGE : 37 * HEAP_PAGE) {
        struct rig *rig = rig_begin(limit);

        scenario(rig);
        rig->limit_bytes = GIB;
        must_free(rig, must_alloc(rig, 100));
        must_free(rig, must_alloc(rig, 100 * KIB));
        must_free(rig, must_alloc(rig, 10 * MIB));
        rig_end(rig);
    }
}

/* An empty heap keeps nothing for an allocation that it refused: but the page of bits. */
static void a_refusal_leaves_nothing_behind(void **state)
{
    (void)state;
    for (size_t limit = 0; limit < 100 * KIB; limit += HEAP_PAGE) {
        struct rig *rig = rig_begin(limit);

        assert_null(app_heap_alloc(&rig->heap, 100 * KIB, APP_HEAP_ALIGN));
        assert_true(rig->promised_bytes <= HEAP_PAGE);
        assert_int_equal(rig_stats(rig).chunks, 0);
        rig_end(rig);
    }
}

/* Memory for a span, but none for its bits: the span is given back, and no pointer is an object
 * of it. */
static void a_span_needs_its_bits(void **state)
{
    struct rig *rig = rig_begin((2 + HEAP_SPAN_PAGES) * HEAP_PAGE);

    (void)state;
    assert_null(app_heap_alloc(&rig->heap, 64, APP_HEAP_ALIGN));
    rig_check(rig);
    rig->corrupt_ptr = rig->heap.arena;
    if (setjmp(rig->corrupt) == 0) {
        app_heap_free(&rig->heap, rig->heap.arena);
        fail();
    }
    must_free(rig, must_alloc(rig, 4000));
    rig_end(rig);
}

static void a_heap_without_memory_frees(void **state)
{
    struct rig *rig = rig_begin(64 * MIB);
    struct many many = many_begin(100000);
    unsigned seed = 5;

    (void)state;
    while (many_add(rig, &many, piece_size(&seed)))
        continue;
    rig->limit_bytes = rig->promised_bytes;
    for (size_t i = 0; i < many.count; i++) {
        uint64_t refusals = rig->refusals;

        many_free_one(rig, &many, i);
        assert_int_equal(rig->refusals, refusals);
        rig->limit_bytes = rig->promised_bytes;
    }
    many_end(rig, &many);
    rig_end(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_run_out),
        cmocka_unit_test(small_machines_are_used_to_the_end),
        cmocka_unit_test(what_is_kept_is_given_up_for_need),
        cmocka_unit_test(any_call_may_fail),
        cmocka_unit_test(memory_may_end_anywhere),
        cmocka_unit_test(a_refusal_leaves_nothing_behind),
        cmocka_unit_test(a_span_needs_its_bits),
        cmocka_unit_test(a_heap_without_memory_frees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
