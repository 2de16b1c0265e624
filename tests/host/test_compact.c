// SPDX-License-Identifier: BSD-2-Clause
/* Compaction: whole blocks out of pieces, under an app whose contents stay as they are. */
#include "tests/host/appmem_rig.h"

#include <time.h>

#define RAM     (32 * MIB)
#define RESERVE (1 * MIB)

static void seed(void)
{
    const char *text = getenv("TEST_SEED");
    unsigned value = text ? (unsigned)strtoul(text, NULL, 0) : (unsigned)time(NULL);

    print_message("TEST_SEED=%u\n", value);
    srand(value);
}

/* Pages of the app, of which some are there. */
struct pages {
    uint64_t start, size;
};

/* Fill `share` percent of the free memory frame by frame, then give half of that back at random. */
static struct pages fragment(struct rig *rig, unsigned share)
{
    struct pages pages = {.size = rig_free(rig) * share / 100 * FRAME_SIZE};

    pages.start = rig_map(rig, pages.size, APPMEM_FRAMES);
    rig_fill(rig, pages.start, pages.size);
    for (uint64_t at = 0; at < pages.size; at += FRAME_SIZE)
        if (rand() % 2)
            assert_int_equal(appmem_release(&rig->mem, pages.start + at, FRAME_SIZE), 0);
    return pages;
}

/* What is there has its contents. */
static void expect_intact(struct rig *rig, struct pages pages)
{
    uint64_t resident = rig->mem.stats.resident;

    for (uint64_t at = pages.start; at < pages.start + pages.size; at += FRAME_SIZE)
        if (rig_is_there(rig, at))
            assert_int_equal(rig_read(rig, at + 8), at ^ 0x5EED);
    assert_int_equal(rig->mem.stats.resident, resident);
    rig_check(rig);
}

static void compact_all(struct rig *rig)
{
    while (compact_step(&rig->mem, NS_PER_S))
        ;
    assert_false(rig->mem.compact.is_open);
}

/* Free frames that are not in whole blocks. */
static uint64_t in_pieces(const struct rig *rig)
{
    return rig_free(rig) - rig_free_blocks(rig) * BLOCK_FRAMES;
}

static void free_memory_in_pieces_becomes_whole(void **state)
{
    static const uint64_t sizes[] = {16 * MIB, 64 * MIB, 128 * MIB};

    (void)state;
    seed();
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
        struct rig *rig = rig_begin(sizes[i], RESERVE);
        struct pages pages = fragment(rig, 90);
        uint64_t free = rig_free(rig);

        assert_true(in_pieces(rig) > free * 3 / 4);
        compact_all(rig);
        print_message("%u MiB: %u of %u free frames are in whole blocks\n",
                      (unsigned)(sizes[i] / MIB), (unsigned)(free - in_pieces(rig)),
                      (unsigned)free);
        assert_int_equal(rig_free(rig), free);
        /* What is left over is in less than a movable and a fixed block. */
        assert_true(in_pieces(rig) < 2 * BLOCK_FRAMES);
        if (sizes[i] > 64 * MIB)
            assert_true(in_pieces(rig) <= free / 10);
        assert_true(rig->mem.stats.moved > 0);
        expect_intact(rig, pages);
        rig_finish(rig);
    }
}

static void nothing_to_do(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t blocks;

    (void)state;
    assert_false(compact_step(&rig->mem, NS_PER_S));
    rig_fill(rig, rig_map(rig, 4 * MIB, APPMEM_BLOCKS), 4 * MIB);
    rig_fill(rig, rig_map(rig, 3 * MIB, APPMEM_FRAMES), 3 * MIB);
    blocks = rig_free_blocks(rig);
    assert_false(compact_step(&rig->mem, NS_PER_S));
    assert_true(compact_for_blocks(&rig->mem, blocks));
    assert_true(compact_for_blocks(&rig->mem, blocks + 1)); /* some are free */
    assert_int_equal(rig_free_blocks(rig), blocks);
    assert_int_equal(rig->mem.stats.moved, 0);
    rig_finish(rig);
}

static void rounds_end_when_there_are_enough(void **state)
{
    struct rig *rig = rig_begin(128 * MIB, RESERVE);
    struct pages pages;

    (void)state;
    seed();
    pages = fragment(rig, 95);
    while (rig_free_blocks(rig) > 0) {
        struct pmm_run run;

        assert_int_equal(
            pmm_take(rig->pmm, (struct pmm_want){.order = BLOCK_ORDER}, &run), 0);
        rig_put(&rig->hostages, run.pfn, BLOCK_ORDER);
    }
    assert_true(compact_for_blocks(&rig->mem, 3));
    assert_true(rig_free_blocks(rig) >= 3);
    assert_false(rig->mem.compact.is_open);
    expect_intact(rig, pages);
    assert_true(compact_for_blocks(&rig->mem, UINT64_MAX));
    assert_true(rig_free_blocks(rig) > 20);
    expect_intact(rig, pages);
    rig_finish(rig);
}

static void a_request_for_blocks_compacts(void **state)
{
    struct rig *rig = rig_begin(64 * MIB, RESERVE);
    struct pages pages;
    uint64_t start, size = 0;

    (void)state;
    seed();
    pages = fragment(rig, 90);
    while (appmem_map(&rig->mem, 2 * MIB, APPMEM_BLOCKS, &start) == 0) {
        rig_fill(rig, start, 2 * MIB);
        size += 2 * MIB;
    }
    assert_true(size > 22 * MIB);
    assert_true(rig_free(rig) >= rig_min(rig));
    assert_int_equal(rig->mem.stats.refused, 1);
    assert_true(rig->pressure.stalls > 0 && rig->pressure.stalls <= size / (2 * MIB) + 1);
    expect_intact(rig, pages);
    rig_finish(rig);
}

static void every_kind_of_page_can_be_moved(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t stack = RIG_WINDOW - 1 * GIB + 3 * FRAME_SIZE, cache, dirty, at;
    struct pages pages;

    (void)state;
    seed();
    pages = (struct pages){rig_map(rig, 8 * MIB, APPMEM_FRAMES), 8 * MIB};
    cache = rig_map(rig, 100 * FRAME_SIZE, APPMEM_PURGEABLE);
    dirty = rig_map(rig, 100 * FRAME_SIZE, APPMEM_DIRTY);
    assert_int_equal(appmem_map_at(&rig->mem, stack, 100 * FRAME_SIZE), 0);
    for (at = 0; at < 100 * FRAME_SIZE; at += FRAME_SIZE) { /* in one another's blocks */
        rig_fill(rig, pages.start + 16 * at, 16 * FRAME_SIZE);
        rig_fill(rig, cache + at, FRAME_SIZE);
        rig_fill(rig, dirty + at, FRAME_SIZE);
        rig_fill(rig, stack + at, FRAME_SIZE);
    }
    assert_int_equal(appmem_set_volatile(&rig->mem, cache), 0);
    for (at = 0; at < 100 * 16 * FRAME_SIZE; at += FRAME_SIZE)
        if (at % (4 * FRAME_SIZE) != 0)
            appmem_release(&rig->mem, pages.start + at, FRAME_SIZE);
    compact_all(rig);
    assert_true(rig->mem.stats.moved > 100);
    assert_true(in_pieces(rig) < 2 * BLOCK_FRAMES);
    expect_intact(rig, pages);
    rig_expect_filled(rig, cache, 100 * FRAME_SIZE);
    rig_expect_filled(rig, dirty, 100 * FRAME_SIZE);
    rig_expect_filled(rig, stack, 100 * FRAME_SIZE);
    assert_int_equal(rig->mem.stats.purged, 0);
    rig_finish(rig);
}

/* One frame of each of `count` blocks stays in the balloon. */
static void scatter_balloon(struct rig *rig, unsigned count)
{
    struct rig_frames *balloon = &rig->balloon;

    assert_int_equal(rig_inflate(rig, (uint64_t)count * BLOCK_FRAMES),
                     count * BLOCK_FRAMES);
    balloon->count = 0;
    for (unsigned i = 0; i < count * BLOCK_FRAMES; i++)
        if (i % BLOCK_FRAMES == 100)
            rig_put(balloon, balloon->items[i], 0);
        else
            pmm_give(rig->pmm, balloon->items[i], 0, RUN_UNTOUCHED);
}

static void blocks_with_ballooned_frames_are_left_alone(void **state)
{
    struct rig *rig = rig_begin(64 * MIB, RESERVE);
    struct pages pages;
    uint64_t moved;

    (void)state;
    seed();
    scatter_balloon(rig, 8);
    pages = fragment(rig, 90);
    compact_all(rig);
    moved = rig->mem.stats.moved;
    assert_true(moved > 0);
    compact_all(rig); /* again: nothing comes of it */
    assert_int_equal(rig->mem.stats.moved, moved);
    assert_true(in_pieces(rig) < 10 * BLOCK_FRAMES);
    assert_true(rig_free_blocks(rig) >= 7);
    expect_intact(rig, pages);
    rig_finish(rig);
}

/* Somebody else works between the steps. */
static void meanwhile(struct rig *rig, struct pages *pages)
{
    uint64_t at =
        pages->start + (uint64_t)rand() % (pages->size / FRAME_SIZE) * FRAME_SIZE;
    uint64_t size = (uint64_t)(1 + rand() % 40) * FRAME_SIZE, start;

    switch (rand() % 6) {
    case 0:
        rig_fill(rig, at, FRAME_SIZE);
        break;
    case 1:
        assert_int_equal(appmem_release(&rig->mem, at, FRAME_SIZE), 0);
        break;
    case 2:
        start = rig_map(rig, size, 0);
        rig_fill(rig, start, size);
        assert_int_equal(appmem_unmap(&rig->mem, start, size), 0);
        break;
    case 3:
        rig_inflate(rig, 8);
        break;
    case 4:
        rig_deflate(rig, 8);
        break;
    default:
        heap_free(&rig->heap, heap_alloc(&rig->heap, 5000));
        rig_refill(rig);
        break;
    }
}

static void others_may_work_between_the_steps(void **state)
{
    (void)state;
    seed();
    for (unsigned i = 0; i < 8; i++) {
        struct rig *rig = rig_begin(RAM, RESERVE);
        struct pages pages = fragment(rig, 85);
        uint64_t before = in_pieces(rig);

        for (unsigned steps = 0; compact_step(&rig->mem, 0); steps++) {
            assert_true(steps < 100000);
            if (rand() % 4 == 0)
                meanwhile(rig, &pages);
            if (steps % 64 == 0)
                expect_intact(rig, pages);
        }
        assert_true(in_pieces(rig) < before / 2);
        expect_intact(rig, pages);
        assert_int_equal(rig->mem.stats.refused, 0);
        rig_finish(rig);
    }
}

static void others_fill_and_inflate(struct rig *rig)
{
    if (rig->pauses % 3 == 0)
        rig_inflate(rig, 16);
    else
        rig_deflate(rig, 16);
    heap_free(&rig->heap, heap_alloc(&rig->heap, 3000));
    appmem_join_step(&rig->mem);
    rig_check(rig);
}

/* A request for many blocks pauses for others; an app that is stopped gives it up. */
static void a_long_request_lets_others_work(void **state)
{
    (void)state;
    seed();
    for (uint64_t give_up_at = 0; give_up_at < 8; give_up_at++) {
        struct rig *rig = rig_begin(64 * MIB, RESERVE);
        struct pages pages = fragment(rig, 85);
        uint64_t start, promised = rig->mem.stats.promised;
        int err;

        rig->meanwhile = others_fill_and_inflate;
        rig->give_up_at = give_up_at;
        err = appmem_map(&rig->mem, 16 * MIB, APPMEM_BLOCKS, &start);
        assert_int_equal(err, give_up_at ? -ENOMEM : 0);
        assert_true(give_up_at ? rig->pauses <= give_up_at + 1 : rig->pauses >= 8);
        assert_int_equal(rig->mem.stats.promised, promised);
        assert_false(rig->pressure.is_stalled);
        assert_false(rig->mem.compact.is_open);
        expect_intact(rig, pages);
        rig_finish(rig);
    }
}

static void a_step_keeps_to_its_budget(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    struct pages pages;
    unsigned steps = 0;

    (void)state;
    seed();
    pages = fragment(rig, 90);
    for (uint64_t moved = 0; compact_step(&rig->mem, 0); steps++) {
        assert_true(rig->mem.stats.moved - moved <= 16);
        moved = rig->mem.stats.moved;
    }
    assert_true(steps > 50);
    assert_true(in_pieces(rig) < 2 * BLOCK_FRAMES);
    expect_intact(rig, pages);
    rig_finish(rig);
}

/* The app takes all there is while the victims are set aside: it gets them back. */
static void memory_that_is_needed_is_no_victim(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    struct pages pages;
    uint64_t more;
    void *object;

    (void)state;
    seed();
    pages = fragment(rig, 90);
    assert_true(compact_step(&rig->mem, 0));
    more = appmem_available(&rig->mem) * FRAME_SIZE;
    rig_fill(rig, rig_map(rig, more, APPMEM_FRAMES), more);
    object = heap_alloc(&rig->heap, 3000);
    assert_non_null(object);
    assert_int_equal(rig->mem.stats.refused, 0);
    expect_intact(rig, pages);
    compact_all(rig);
    expect_intact(rig, pages);
    heap_free(&rig->heap, object);
    rig_finish(rig);
}

static void a_round_of_one_app_is_none_of_the_next(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    struct pages pages;

    (void)state;
    seed();
    fragment(rig, 80);
    for (unsigned i = 0; i < 100; i++)
        assert_true(compact_step(&rig->mem, 0));
    appmem_clear(&rig->mem);
    rig_check(rig);
    assert_false(rig->mem.compact.is_open);
    rig->mem.regions.cursor = rig->mem.regions.first; /* lower addresses again */
    pages = fragment(rig, 80);
    compact_all(rig);
    assert_true(in_pieces(rig) < 2 * BLOCK_FRAMES);
    expect_intact(rig, pages);
    rig_finish(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(free_memory_in_pieces_becomes_whole),
        cmocka_unit_test(nothing_to_do),
        cmocka_unit_test(rounds_end_when_there_are_enough),
        cmocka_unit_test(a_request_for_blocks_compacts),
        cmocka_unit_test(every_kind_of_page_can_be_moved),
        cmocka_unit_test(blocks_with_ballooned_frames_are_left_alone),
        cmocka_unit_test(others_may_work_between_the_steps),
        cmocka_unit_test(a_long_request_lets_others_work),
        cmocka_unit_test(a_step_keeps_to_its_budget),
        cmocka_unit_test(memory_that_is_needed_is_no_victim),
        cmocka_unit_test(a_round_of_one_app_is_none_of_the_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
