// SPDX-License-Identifier: BSD-2-Clause
/*
 * malloc on the app's memory, and all of it real: the heap's own state and the objects lie in the machine's
 * frames and are brought in by faults, moved, joined and given back beneath. Memory runs out at every step.
 */
#define _GNU_SOURCE /* memfd_create() */
#include "tests/host/appmem_tlb.h"

#include "lib/newlib/heap.h"

#include <time.h>

#define RAM     (16 * MIB)
#define RESERVE (1 * MIB)
#define OBJECTS 3000

static struct app_heap heap;
static struct {
    uint64_t *words; /* NULL: none */
    size_t count;
    uint64_t tag;
} objects[OBJECTS];

static uint64_t below(uint64_t limit)
{
    return (uint64_t)rand() % limit;
}

/* ---- the source, as in lib/newlib/malloc.c ---- */

static void *map_sparse(void *ctx, size_t bytes)
{
    struct rig *rig = ctx;
    uint64_t start;

    if (bytes > TLB_WINDOW / 2 ||
        appmem_map(&rig->mem, bytes, APPMEM_SPARSE | APPMEM_DIRTY, &start))
        return NULL;
    return (void *)start;
}

static int reserve(void *ctx, void *start, size_t bytes)
{
    struct rig *rig = ctx;

    return appmem_reserve(&rig->mem, (uint64_t)start, bytes) ? -1 : 0;
}

static void release(void *ctx, void *start, size_t bytes)
{
    struct rig *rig = ctx;

    assert_int_equal(appmem_release(&rig->mem, (uint64_t)start, bytes), 0);
}

static void *map(void *ctx, size_t bytes)
{
    struct rig *rig = ctx;
    uint64_t start;

    return appmem_map(&rig->mem, bytes, APPMEM_DIRTY, &start) ? NULL : (void *)start;
}

static void unmap(void *ctx, void *start, size_t bytes)
{
    struct rig *rig = ctx;

    assert_int_equal(appmem_unmap(&rig->mem, (uint64_t)start, bytes), 0);
}

static void corrupt(void *ctx, const void *ptr)
{
    (void)ctx;
    print_message("corrupt: %p\n", ptr);
    abort();
}

static struct rig *begin_with(uint64_t ram, uint64_t reserve_bytes)
{
    struct rig *rig = rig_begin(ram, reserve_bytes);
    const struct heap_source source = {.ctx = rig,
                                       .map_sparse = map_sparse,
                                       .reserve = reserve,
                                       .release = release,
                                       .map = map,
                                       .unmap = unmap,
                                       .corrupt = corrupt};

    appmem_regions_init(&rig->mem.regions, RIG_WINDOW, RIG_WINDOW + TLB_WINDOW);
    rig->mem.config.last = RIG_WINDOW + TLB_WINDOW;
    tlb_use(rig);
    assert_int_equal(app_heap_init(&heap, &source), 0);
    return rig;
}

static struct rig *begin(void)
{
    return begin_with(RAM, RESERVE);
}

/* ---- objects, every word of which is known ---- */

static void fill(unsigned i)
{
    objects[i].tag = (uint64_t)rand() << 32 | i;
    for (size_t k = 0; k < objects[i].count; k++)
        objects[i].words[k] = objects[i].tag + k;
}

static void expect_filled(unsigned i, size_t count)
{
    for (size_t k = 0; k < count; k++)
        assert_true(objects[i].words[k] == objects[i].tag + k);
}

/* Mostly small; some are regions of their own. */
static size_t some_words(void)
{
    uint64_t most = BIT64(below(10) == 0 ? 18 : below(14));

    return most / 2 + 1 + below(most / 2 + 1);
}

static void drop(unsigned i)
{
    expect_filled(i, objects[i].count);
    app_heap_free(&heap, objects[i].words);
    objects[i].words = NULL;
}

static void resize(unsigned i)
{
    size_t count = some_words();
    uint64_t *words = app_heap_realloc(&heap, objects[i].words, count * 8);

    if (words) {
        objects[i].words = words;
        expect_filled(i, count < objects[i].count ? count : objects[i].count);
        objects[i].count = count;
        fill(i);
    }
}

static void use(unsigned i)
{
    if (!objects[i].words) {
        objects[i].count = some_words();
        objects[i].words = app_heap_alloc(&heap, objects[i].count * 8, 16);
        if (objects[i].words)
            fill(i);
    } else if (below(3) == 0) {
        resize(i);
    } else {
        drop(i);
    }
}

static void drop_all(void)
{
    for (unsigned i = 0; i < OBJECTS; i++)
        if (objects[i].words)
            drop(i);
}

/* ---- the others ---- */

static void meanwhile(struct rig *rig)
{
    switch (below(6)) {
    case 0:
        rig_inflate(rig, below(1000));
        break;
    case 1:
        rig_deflate(rig, below(1000));
        break;
    case 2:
        for (unsigned i = 0; i < 40 && compact_step(&rig->mem, 0); i++)
            ;
        break;
    case 3:
        for (unsigned i = 0; i < 40; i++)
            appmem_join_step(&rig->mem);
        break;
    case 4:
        app_heap_trim(&heap);
        break;
    default:
        rig_refill(rig);
        break;
    }
}

static void objects_live_through_everything(void **state)
{
    const char *text = getenv("TEST_SEED");
    unsigned seed = text ? (unsigned)strtoul(text, NULL, 0) : (unsigned)time(NULL);
    uint64_t moved = 0;

    (void)state;
    print_message("TEST_SEED=%u\n", seed);
    srand(seed);
    for (unsigned life = 0; life < 4; life++) {
        struct rig *rig = begin();

        rig->may_deflate = life % 2;
        for (unsigned i = 0; i < 600; i++) {
            use((unsigned)below(400));
            if (below(3) == 0)
                meanwhile(rig);
        }
        rig_check(rig);
        moved += rig->mem.stats.moved;
        drop_all();
        app_heap_trim(&heap);
        assert_true(rig->mem.stats.resident <= 2); /* the bits of what chunks there are */
        assert_int_equal(rig->mem.stats.promised, 0);
        rig_finish(rig);
    }
    print_message("faults %lu, moved %lu, translations %lu, flushes %lu\n", tlb.faults,
                  moved, tlb.fills, tlb.flushes);
    assert_true(moved > 0);
}

/* 80 % filled through malloc in pieces of 64 bytes to 1 MiB, all freed: the host gets all but 10 %. */
static void what_was_freed_goes_to_the_host(void **state)
{
    struct rig *rig = begin_with(128 * MIB, 4 * MIB);
    uint64_t bytes = 0, wanted = rig->frames * 9 / 10;
    unsigned count = 0;

    (void)state;
    while (bytes < 128 * MIB * 8 / 10) {
        size_t words = BIT64(3 + below(14));

        assert_true(count < OBJECTS);
        words = words / 2 + below(words);
        objects[count].count = words < 8 ? 8 : words > MIB / 8 ? MIB / 8 : words;
        objects[count].words = app_heap_alloc(&heap, objects[count].count * 8, 16);
        assert_non_null(objects[count].words);
        bytes += objects[count].count * 8;
        fill(count++);
    }
    assert_true(rig_inflate(rig, wanted) < rig->frames / 5);
    drop_all();
    rig_inflate(rig, wanted - rig->balloon.count);
    assert_int_equal(rig->balloon.count, wanted);
    rig_finish(rig);
}

/* The first touch of each 2 MiB finds no free block: they come as frames. */
static void touch_in_pieces(struct rig *rig, volatile uint64_t *words, size_t size)
{
    struct pmm_run run;

    while (pmm_take(rig->pmm, (struct pmm_want){.order = BLOCK_ORDER}, &run) == 0)
        rig_put(&rig->hostages, run.pfn, BLOCK_ORDER);
    for (size_t at = 0; at < size; at += BLOCK_SIZE)
        words[at / 8] = 1;
    rig_free_hostages(rig);
}

static void blocks_are_joined_beneath(void **state)
{
    struct rig *rig = begin();

    (void)state;
    objects[0].count = 4 * MIB / 8;
    objects[0].words = app_heap_alloc(&heap, 4 * MIB, 16);
    assert_non_null(objects[0].words);
    touch_in_pieces(rig, objects[0].words, 4 * MIB);
    fill(0);
    for (unsigned i = 0; appmem_join_step(&rig->mem); i++) {
        expect_filled(0, i % 8 ? 1000 : objects[0].count);
        if (i % 8 == 4)
            fill(0); /* with something else */
    }
    assert_int_equal(rig->mem.stats.joins, 2);
    resize(0);
    drop_all();
    rig_finish(rig);
}

static void write_pages(volatile uint64_t *words, size_t size)
{
    for (size_t at = 0; at < size; at += FRAME_SIZE)
        words[at / 8 + 5] = at + 1;
}

static void expect_zero(volatile uint64_t *words, size_t size)
{
    for (size_t at = 0; at < size; at += FRAME_SIZE)
        assert_int_equal(words[at / 8 + 5], 0);
}

/* Few are dropped one by one, many all at once; those of a joined block are small ones still. */
static void no_translation_outlives_its_page(void **state)
{
    static const size_t sizes[] = {FRAME_SIZE, 31 * FRAME_SIZE, 33 * FRAME_SIZE, 2 * MIB,
                                   3 * MIB};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
        struct rig *rig = begin();
        uint64_t frames = rig_map(rig, sizes[i], APPMEM_FRAMES),
                 blocks = rig_map(rig, 4 * MIB, 0);
        uint64_t cache = rig_map(rig, sizes[i], APPMEM_PURGEABLE);

        write_pages((uint64_t *)frames, sizes[i]);
        assert_int_equal(appmem_release(&rig->mem, frames, sizes[i]), 0);
        expect_zero((uint64_t *)frames, sizes[i]);

        write_pages((uint64_t *)cache, sizes[i]);
        appmem_set_volatile(&rig->mem, cache);
        assert_true(appmem_purge_oldest(&rig->mem) > 0);
        assert_int_equal(appmem_set_needed(&rig->mem, cache), 1);
        expect_zero((uint64_t *)cache, sizes[i]);

        touch_in_pieces(rig, (uint64_t *)blocks, 4 * MIB);
        while (appmem_join_step(&rig->mem))
            write_pages((uint64_t *)blocks, 4 * MIB);
        assert_int_equal(rig->mem.stats.joins, 2);
        assert_int_equal(vmm_split(&rig->vmm, blocks + FRAME_SIZE), 0);
        write_pages((uint64_t *)blocks, 4 * MIB); /* each has its translation again */
        while (appmem_join_step(&rig->mem))
            ;
        assert_int_equal(rig->mem.stats.joins, 3); /* without a move */
        assert_int_equal(appmem_release(&rig->mem, blocks, sizes[i]), 0);
        expect_zero((uint64_t *)blocks, sizes[i]);
        assert_int_equal(((volatile uint64_t *)blocks)[4 * MIB / 8 - 512 + 5],
                         4 * MIB - 4095);
        rig_finish(rig);
    }
}

/* `left` frames are left beyond what was promised: NULL, or an object that can be used. */
static bool can_allocate(size_t words, uint64_t left, bool is_first)
{
    struct rig *rig = begin();
    bool is_refused;

    if (!is_first) { /* there is a chunk */
        objects[1].count = 1000;
        objects[1].words = app_heap_alloc(&heap, 8000, 16);
        fill(1);
    }
    rig_leave(rig, rig->mem.stats.promised + rig->mem.tables + rig_min(rig) + left);
    objects[0].count = words;
    objects[0].words = app_heap_alloc(&heap, words * 8, 16);
    is_refused = !objects[0].words;
    rig_check(rig);
    if (is_refused) {
        rig_free_hostages(rig);
        objects[0].words = app_heap_alloc(&heap, words * 8, 16);
        assert_non_null(objects[0].words);
    }
    fill(0);
    rig_check(rig);
    drop_all();
    rig_finish(rig);
    return !is_refused;
}

static void memory_runs_out_in_malloc(void **state)
{
    static const size_t words[] = {2, 600, 20000, 200000};

    (void)state;
    for (unsigned k = 0; k < ARRAY_LEN(words); k++) {
        unsigned failures = 0, runs = 0;

        for (uint64_t left = 0; left < 1100; left += left < 24 ? 1 : 71)
            failures += !can_allocate(words[k], left, runs++ % 3);
        print_message("%lu bytes: refused %u times of %u\n", words[k] * 8, failures,
                      runs);
        assert_true(failures > 0 && failures < runs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_live_through_everything),
        cmocka_unit_test(what_was_freed_goes_to_the_host),
        cmocka_unit_test(blocks_are_joined_beneath),
        cmocka_unit_test(no_translation_outlives_its_page),
        cmocka_unit_test(memory_runs_out_in_malloc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
