// SPDX-License-Identifier: BSD-2-Clause
/*
 * lib/newlib/heap*.c, objects: sizes, alignment, waste, realloc, misuse. test_app_heap_memory.c has
 * where the memory comes from and goes to.
 */
#include "tests/host/app_heap_check.h"

/* Sizes around every border: of steps, classes, small, medium and large. */
static size_t next_size(size_t size)
{
    return size < 40000 ? size + 1 : size + size / 37;
}

static void every_size_has_room_and_little_waste(void **state)
{
    struct rig *rig = rig_begin(GIB);

    (void)state;
    for (size_t size = 1; size < 4 * MIB; size = next_size(size)) {
        char *ptr = app_heap_alloc(&rig->heap, size, APP_HEAP_ALIGN);
        size_t usable = app_heap_usable(&rig->heap, ptr), waste = usable - size;

        assert_int_equal((uintptr_t)ptr % APP_HEAP_ALIGN, 0);
        assert_true(usable >= size);
        /* An eighth and a rounding, but from 4 to 32 KiB, where few objects fit a span, a quarter. */
        assert_true(waste <=
                        (size > 4 * KIB && size < 32 * KIB ? size / 4 : size / 8) + 16 ||
                    (size > MIB && waste < HEAP_PAGE));
        memset(ptr, 0x5A, usable);
        app_heap_free(&rig->heap, ptr);
    }
    rig_end(rig);
}

/* Thousands of neighbours of a size: none touches another. */
static void objects_do_not_overlap(void **state)
{
    static const size_t sizes[] = {16,   48,    64,    112,   1040, 4096,
                                   5000, 13104, 16384, 20000, 70000};
    static unsigned char *objects[5000];
    struct rig *rig = rig_begin(GIB);

    (void)state;
    for (unsigned s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        unsigned count = sizes[s] < KIB ? 5000 : 200;

        for (unsigned i = 0; i < count; i++) {
            objects[i] = app_heap_alloc(&rig->heap, sizes[s], APP_HEAP_ALIGN);
            memset(objects[i], (int)(i % 251), app_heap_usable(&rig->heap, objects[i]));
        }
        rig_check(rig);
        for (unsigned i = 0; i < count; i++) {
            for (size_t at = 0; at < sizes[s]; at++)
                assert_int_equal(objects[i][at], i % 251);
            app_heap_free(&rig->heap, objects[i]);
        }
    }
    rig_end(rig);
}

static void any_alignment_up_to_a_chunk(void **state)
{
    static const size_t sizes[] = {1,    24,    100,       1000,    4096,    5000,
                                   9000, 20000, 300 * KIB, 1 * MIB, MIB + 1, 3 * MIB};
    struct rig *rig = rig_begin(GIB);

    (void)state;
    for (size_t align = 1; align <= APP_HEAP_ALIGN_MAX; align *= 2) {
        char *objects[sizeof(sizes) / sizeof(sizes[0])][3];

        for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]) * 3; i++) {
            char *ptr = app_heap_alloc(&rig->heap, sizes[i / 3], align);

            assert_non_null(ptr);
            assert_int_equal((uintptr_t)ptr % align, 0);
            assert_int_equal((uintptr_t)ptr % APP_HEAP_ALIGN, 0);
            memset(ptr, 1, sizes[i / 3]);
            objects[i / 3][i % 3] = ptr;
        }
        rig_check(rig);
        for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]) * 3; i++)
            app_heap_free(&rig->heap, objects[i / 3][i % 3]);
    }
    rig_end(rig);
}

static void what_cannot_be_is_refused(void **state)
{
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 4095, SIZE_MAX / 2,
                                   (size_t)PTRDIFF_MAX + 1};
    static const size_t aligns[] = {0, 3, 48, 2 * APP_HEAP_ALIGN_MAX, SIZE_MAX};
    struct rig *rig = rig_begin(16 * MIB);
    char *ptr = app_heap_alloc(&rig->heap, 100, APP_HEAP_ALIGN);
    uint64_t calls = rig->calls;

    (void)state;
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        assert_null(app_heap_alloc(&rig->heap, sizes[i], APP_HEAP_ALIGN));
        assert_null(app_heap_alloc(&rig->heap, sizes[i], APP_HEAP_ALIGN_MAX));
        assert_null(app_heap_realloc(&rig->heap, ptr, sizes[i]));
    }
    for (unsigned i = 0; i < sizeof(aligns) / sizeof(aligns[0]); i++)
        assert_null(app_heap_alloc(&rig->heap, 100, aligns[i]));
    assert_int_equal(rig->calls, calls);
    app_heap_free(&rig->heap, ptr);
    rig_end(rig);
}

static void nothing_is_an_object_too(void **state)
{
    struct rig *rig = rig_begin(16 * MIB);
    char *a = app_heap_alloc(&rig->heap, 0, APP_HEAP_ALIGN);
    char *b = app_heap_realloc(&rig->heap, NULL, 0);

    (void)state;
    assert_non_null(a);
    assert_non_null(b);
    assert_ptr_not_equal(a, b);
    assert_ptr_equal(app_heap_realloc(&rig->heap, a, 0), a);
    app_heap_free(&rig->heap, NULL);
    app_heap_free(&rig->heap, a);
    app_heap_free(&rig->heap, b);
    rig_end(rig);
}

static void realloc_keeps_contents(void **state)
{
    static const size_t sizes[] = {1,       100,     90,      5000,      4900, 20000,
                                   200000,  3 * MIB, 5 * MIB, 2 * MIB,   MIB,  300000,
                                   5 * MIB, 17000,   16,      400 * KIB, 64,   32};
    struct rig *rig = rig_begin(GIB);
    unsigned char *ptr = app_heap_realloc(&rig->heap, NULL, 1);
    size_t size = 1;

    (void)state;
    ptr[0] = 0;
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        ptr = app_heap_realloc(&rig->heap, ptr, sizes[i]);
        for (size_t at = 0; at < size && at < sizes[i]; at++)
            assert_int_equal(ptr[at], (unsigned char)(at * 7 + i));
        size = sizes[i];
        for (size_t at = 0; at < size; at++)
            ptr[at] = (unsigned char)(at * 7 + i + 1);
        rig_check(rig);
    }
    app_heap_free(&rig->heap, ptr);
    rig_end(rig);
}

static void realloc_moves_only_when_it_must(void **state)
{
    struct rig *rig = rig_begin(GIB);
    char *ptr = app_heap_alloc(&rig->heap, 1000, APP_HEAP_ALIGN), *large;
    unsigned moves = 0;

    (void)state;
    assert_ptr_equal(app_heap_realloc(&rig->heap, ptr, app_heap_usable(&rig->heap, ptr)),
                     ptr);
    assert_ptr_equal(app_heap_realloc(&rig->heap, ptr, 600), ptr);
    ptr = app_heap_realloc(&rig->heap, ptr, 100);
    assert_true(app_heap_usable(&rig->heap, ptr) < 128);
    app_heap_free(&rig->heap, ptr);

    /* A large one that grows by a little moves now and then. */
    large = app_heap_alloc(&rig->heap, 2 * MIB, APP_HEAP_ALIGN);
    for (size_t size = 2 * MIB; size < 16 * MIB; size += 5000) {
        char *moved = app_heap_realloc(&rig->heap, large, size);

        moves += moved != large;
        large = moved;
    }
    assert_in_range(moves, 1, 20);
    app_heap_free(&rig->heap, large);
    rig_end(rig);
}

static void realloc_without_memory_changes_nothing(void **state)
{
    static const size_t sizes[] = {2000, 100000, 3 * MIB};
    struct rig *rig = rig_begin(GIB);

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        char *ptr = app_heap_alloc(&rig->heap, sizes[i], APP_HEAP_ALIGN);

        memset(ptr, 0x77, sizes[i]);
        app_heap_trim(&rig->heap);
        rig->limit_bytes = rig->promised_bytes;
        assert_null(app_heap_realloc(&rig->heap, ptr, 16 * MIB));
        /* To a page: where no span has room for that, and none can be had, it stays. */
        ptr = app_heap_realloc(&rig->heap, ptr, sizes[i] < 4096 ? 64 : 4096);
        assert_non_null(ptr);
        assert_int_equal(ptr[0], 0x77);
        rig->limit_bytes = GIB;
        app_heap_free(&rig->heap, ptr);
        rig_check(rig);
    }
    rig_end(rig);
}

static void use_free(struct rig *rig, void *ptr)
{
    app_heap_free(&rig->heap, ptr);
}

static void use_usable(struct rig *rig, void *ptr)
{
    app_heap_usable(&rig->heap, ptr);
}

static void use_realloc(struct rig *rig, void *ptr)
{
    app_heap_realloc(&rig->heap, ptr, 5000);
}

/* No object starts there: all that take a pointer see it, and nothing is changed. */
static void expect_corrupt(struct rig *rig, void *ptr)
{
    assert_true(rig_is_corrupt(rig, ptr, use_free));
    assert_true(rig_is_corrupt(rig, ptr, use_usable));
    assert_true(rig_is_corrupt(rig, ptr, use_realloc));
    rig_check(rig);
}

static void pointers_into_objects_are_found_out(void **state)
{
    static const size_t sizes[] = {16, 100, 5000, 9000, 20000, MIB, 2 * MIB};
    struct rig *rig = rig_begin(GIB);

    (void)state;
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char *ptr = app_heap_alloc(&rig->heap, sizes[i], APP_HEAP_ALIGN);

        expect_corrupt(rig, ptr + 1);
        expect_corrupt(rig, ptr + 8);
        expect_corrupt(rig, ptr + sizes[i] - 1);
        expect_corrupt(rig,
                       (char *)(((uintptr_t)ptr + sizes[i]) & ~(HEAP_PAGE - 1)) + 4096);
        if (sizes[i] > HEAP_PAGE)
            expect_corrupt(rig, ptr + HEAP_PAGE);
        app_heap_free(&rig->heap, ptr);
    }
    rig_end(rig);
}

/* With a neighbour that keeps span or chunk alive, and without. */
static void a_second_free_is_found_out(void **state)
{
    static const size_t sizes[] = {16, 100, 5000, 9000, 20000, MIB, 2 * MIB};
    struct rig *rig = rig_begin(GIB);

    (void)state;
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char *neighbour = app_heap_alloc(&rig->heap, sizes[i], APP_HEAP_ALIGN);
        char *ptr = app_heap_alloc(&rig->heap, sizes[i], APP_HEAP_ALIGN);

        app_heap_free(&rig->heap, ptr);
        expect_corrupt(rig, ptr);
        app_heap_free(&rig->heap, neighbour);
        expect_corrupt(rig, ptr);
        app_heap_trim(&rig->heap);
        expect_corrupt(rig, ptr);
    }
    rig_end(rig);
}

static void pointers_to_elsewhere_are_found_out(void **state)
{
    struct rig *rig = rig_begin(GIB);
    int local = 0;
    char *arena = rig->heap.arena, *ptr;

    (void)state;
    expect_corrupt(rig, arena);
    ptr = app_heap_alloc(&rig->heap, 100, APP_HEAP_ALIGN);
    expect_corrupt(rig, &local);
    expect_corrupt(rig, rig);
    expect_corrupt(rig, (void *)(uintptr_t)16);
    expect_corrupt(rig, arena - 16);
    expect_corrupt(rig, arena + HEAP_SPAN);
    expect_corrupt(rig, arena + HEAP_CHUNK);
    expect_corrupt(rig, arena + rig->heap.chunks_max * HEAP_CHUNK - 16);
    expect_corrupt(rig, rig->heap.present);
    expect_corrupt(rig, rig->heap.metadata);
    expect_corrupt(rig, rig->range + rig->range_bytes);
    /* The rest of a span behind its last object. */
    expect_corrupt(rig, ptr + HEAP_SPAN / 112 * 112);
    app_heap_free(&rig->heap, ptr);
    rig_end(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_has_room_and_little_waste),
        cmocka_unit_test(objects_do_not_overlap),
        cmocka_unit_test(any_alignment_up_to_a_chunk),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(nothing_is_an_object_too),
        cmocka_unit_test(realloc_keeps_contents),
        cmocka_unit_test(realloc_moves_only_when_it_must),
        cmocka_unit_test(realloc_without_memory_changes_nothing),
        cmocka_unit_test(pointers_into_objects_are_found_out),
        cmocka_unit_test(a_second_free_is_found_out),
        cmocka_unit_test(pointers_to_elsewhere_are_found_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
