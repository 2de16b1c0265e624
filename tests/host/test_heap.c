// SPDX-License-Identifier: BSD-2-Clause
/*
 * mm/heap.c: zeroed and aligned objects of all sizes, balance of frames, no memory, misuse, and random
 * use in which every object keeps its own pattern.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mm/heap.h"
#include "tests/model/mmu.h"
#include "tests/model/seams.h"

struct rig {
    struct heap heap;
    struct pmm *pmm;
    uint64_t free_frames;
};

static uint64_t free_frames(const struct rig *rig)
{
    struct pmm_stats stats;

    pmm_stats(rig->pmm, &stats);
    return stats.free_frames;
}

static void rig_begin(struct rig *rig, uint64_t size_bytes)
{
    struct region item = {MIB, MIB + size_bytes};
    struct region_set ram = {.items = &item, .count = 1};

    model_ram_reset();
    model_ram_add(MIB, size_bytes);
    memset(mmu_phys_to_virt(MIB), 0xA5, size_bytes);
    assert_int_equal(pmm_init(&ram, 0, &rig->pmm), 0);
    heap_init(&rig->heap, rig->pmm);
    rig->free_frames = free_frames(rig);
}

/* All objects were freed: all frames are back, but for an empty one kept for each size. */
static void rig_end(struct rig *rig)
{
    const struct heap_stats *stats = &rig->heap.stats;

    assert_int_equal(stats->used_bytes, 0);
    assert_int_equal(stats->used_objects, 0);
    assert_true(stats->frames <= HEAP_CLASSES);
    assert_int_equal(stats->allocs, stats->frees);
    assert_int_equal(free_frames(rig) + stats->frames, rig->free_frames);
    pmm_check(rig->pmm);
}

static void all_sizes_are_zeroed_and_aligned(void **state)
{
    struct rig rig;

    (void)state;
    rig_begin(&rig, 8 * MIB);
    for (size_t size = 1; size < 20000; size = size < 300 ? size + 1 : size + 97) {
        unsigned char *a = heap_alloc(&rig.heap, size), *b = heap_alloc(&rig.heap, size);

        assert_non_null(a);
        assert_non_null(b);
        assert_int_equal((uintptr_t)a % 16, 0);
        assert_true(a + size <= b || b + size <= a);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(a[i] | b[i], 0);
        memset(a, 0xFF, size);
        memset(b, 0xFF, size);
        heap_free(&rig.heap, a);
        heap_free(&rig.heap, b);
    }
    rig_end(&rig);
}

static void nothing_and_too_much(void **state)
{
    struct rig rig;

    (void)state;
    rig_begin(&rig, 8 * MIB);
    assert_null(heap_alloc(&rig.heap, 0));
    assert_int_equal(rig.heap.stats.failures, 0);
    assert_null(heap_alloc(&rig.heap, 9 * MIB));
    assert_null(heap_alloc(&rig.heap, SIZE_MAX));
    assert_null(heap_alloc(&rig.heap, SIZE_MAX - 4096));
    assert_int_equal(rig.heap.stats.failures, 3);
    heap_free(&rig.heap, NULL);
    rig_end(&rig);
}

static void small_objects_share_frames(void **state)
{
    struct rig rig;
    void *objects[251];

    (void)state;
    rig_begin(&rig, 8 * MIB);
    for (unsigned i = 0; i < 251; i++)
        objects[i] = heap_alloc(&rig.heap, 16);
    assert_int_equal(rig.heap.stats.frames, 1);
    assert_int_equal(rig.heap.stats.used_bytes, 251 * 16);
    void *one_more = heap_alloc(&rig.heap, 9);
    assert_int_equal(rig.heap.stats.frames, 2);
    heap_free(&rig.heap, one_more); /* the only one with room: stays for the next */
    assert_int_equal(rig.heap.stats.frames, 2);
    heap_free(&rig.heap, objects[0]);
    heap_free(&rig.heap,
              heap_alloc(&rig.heap, 16)); /* comes from the frame that is in use */
    for (unsigned i = 1; i < 251; i++)
        heap_free(&rig.heap, objects[i]);
    assert_int_equal(rig.heap.stats.frames, 1);
    rig_end(&rig);
}

static void memory_ends_and_comes_back(void **state)
{
    static const size_t sizes[] = {16, 700, 2000, 3000, 70000};
    struct rig rig;

    (void)state;
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        void **objects = calloc(8 * MIB / 16, sizeof(*objects));
        unsigned count = 0;

        rig_begin(&rig, 8 * MIB);
        while ((objects[count] = heap_alloc(&rig.heap, sizes[s])) != NULL)
            count++;
        assert_true(count * sizes[s] > 3 * MIB);
        assert_int_equal(rig.heap.stats.failures, 1);
        heap_free(&rig.heap, objects[--count]);
        objects[count++] = heap_alloc(&rig.heap, sizes[s]);
        assert_non_null(objects[count - 1]);
        while (count > 0)
            heap_free(&rig.heap, objects[--count]);
        pmm_refill(rig.pmm);
        rig_end(&rig);
        free(objects);
    }
}

static void misuse_is_caught(void **state)
{
    struct rig rig;

    (void)state;
    rig_begin(&rig, 8 * MIB);
    char *a = heap_alloc(&rig.heap, 32), *b = heap_alloc(&rig.heap, 32);
    char *large = heap_alloc(&rig.heap, 10000);

    EXPECT_ASSERT(heap_free(&rig.heap, a + 1));
    EXPECT_ASSERT(heap_free(&rig.heap, a + 16));
    EXPECT_ASSERT(heap_free(&rig.heap, b + 32)); /* the next object: never taken */
    EXPECT_ASSERT(heap_free(&rig.heap, large + 16));
    EXPECT_ASSERT(heap_free(&rig.heap, large + 4096)); /* no header there */
    EXPECT_ASSERT(heap_free(&rig.heap, (void *)((uintptr_t)a & ~UINT64_C(4095))));
    heap_free(&rig.heap, a);
    EXPECT_ASSERT(heap_free(&rig.heap, a)); /* twice */
    heap_free(&rig.heap, large);
    EXPECT_ASSERT(heap_free(&rig.heap, large));
}

#define OBJECTS 2000

static void check_pattern(const unsigned char *object, size_t size, unsigned char pattern)
{
    for (size_t i = 0; i < size; i++)
        assert_int_equal(object[i], pattern);
}

static void random_objects_keep_their_contents(void **state)
{
    const char *given = getenv("TEST_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : 3;
    static struct {
        unsigned char *ptr;
        size_t size;
    } objects[OBJECTS];
    struct rig rig;

    (void)state;
    printf("seed %u (TEST_SEED sets it)\n", seed);
    rig_begin(&rig, 16 * MIB);
    memset(objects, 0, sizeof(objects));
    for (unsigned step = 0; step < 100000; step++) {
        unsigned i = (unsigned)rand_r(&seed) % OBJECTS;

        if (objects[i].ptr) {
            check_pattern(objects[i].ptr, objects[i].size, (unsigned char)i);
            heap_free(&rig.heap, objects[i].ptr);
            objects[i].ptr = NULL;
            continue;
        }
        size_t size = 1 + (size_t)rand_r(&seed) % (rand_r(&seed) % 8 ? 300 : 9000);
        objects[i].size = size;
        objects[i].ptr = heap_alloc(&rig.heap, size);
        assert_non_null(objects[i].ptr);
        check_pattern(objects[i].ptr, size, 0);
        memset(objects[i].ptr, (unsigned char)i, size);
    }
    for (unsigned i = 0; i < OBJECTS; i++)
        heap_free(&rig.heap, objects[i].ptr);
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_sizes_are_zeroed_and_aligned),
        cmocka_unit_test(nothing_and_too_much),
        cmocka_unit_test(small_objects_share_frames),
        cmocka_unit_test(memory_ends_and_comes_back),
        cmocka_unit_test(misuse_is_caught),
        cmocka_unit_test(random_objects_keep_their_contents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
