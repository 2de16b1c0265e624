// SPDX-License-Identifier: BSD-2-Clause
/* The balloon's page set: parts, wholes and their kinds, what it costs, no memory at the wrong moment. */
#include "tests/host/page_set_rig.h"

#define CHUNK_FRAMES (64u * 8 * BLOCK_FRAMES)

/* 64 blocks in one move, the most there are in a word; and a frame of a part nobody ever looked at. */
static void many_blocks_move_at_once(void **state)
{
    struct page_blocks blocks;
    struct rig r;

    (void)state;
    rig_start(&r);
    for (unsigned i = 0; i < 64; i++)
        put(&r, i * BLOCK_FRAMES, BLOCK_FRAMES);
    assert_true(page_set_find_blocks(&r.set, PAGE_HELD, pfn_of(0), 1000, &blocks));
    assert_true(blocks.mask == UINT64_MAX);
    page_set_move(&r.set, blocks, PAGE_HELD, PAGE_OWED);
    assert_int_equal(r.set.blocks[PAGE_HELD], 0);
    assert_int_equal(r.set.blocks[PAGE_OWED], 64);
    assert_false(page_set_has(&r.set, pfn_of(0)));
    assert_false(page_set_has(&r.set, pfn_of(100 * (uint64_t)CHUNK_FRAMES)));
    rig_stop(&r);
}

/* What is being taken apart keeps its place; what is empty elsewhere goes. */
static void trimming_spares_the_block_in_pieces(void **state)
{
    struct rig r;
    struct page_run run;

    (void)state;
    rig_start(&r);
    put(&r, 7 * (uint64_t)CHUNK_FRAMES, 1);
    put(&r, 0, BLOCK_FRAMES);
    assert_true(page_set_take(&r.set, 1, &run));
    assert_int_equal(run.first.n, 7 * (uint64_t)CHUNK_FRAMES);
    assert_true(page_set_take(&r.set, 100, &run));
    assert_int_equal(run.first.n, 0);
    page_set_trim(&r.set);
    assert_int_equal(r.set.count, 1);
    assert_true(page_set_take(&r.set, BLOCK_FRAMES, &run));
    assert_int_equal(run.first.n, 100);
    assert_int_equal(run.frames, BLOCK_FRAMES - 100);
    rig_stop(&r);
}

static void a_block_enters_whole_and_leaves_in_parts_without_a_map(void **state)
{
    struct rig r;
    struct page_run run;

    (void)state;
    rig_start(&r);
    assert_int_equal(page_set_reserve(&r.set, pfn_of(0x200), BLOCK_ORDER), 0);
    uint64_t before = r.set.bytes;
    page_set_add(&r.set, run_at(0x200, BLOCK_FRAMES));
    assert_int_equal(r.set.blocks[PAGE_HELD], 1);
    assert_true(page_set_take(&r.set, 256, &run));
    assert_int_equal(run.first.n, 0x200);
    assert_int_equal(run.frames, 256);
    assert_true(page_set_has(&r.set, pfn_of(0x300)));
    assert_false(page_set_has(&r.set, pfn_of(0x2FF)));
    assert_int_equal(r.set.blocks[PAGE_HELD], 0);
    assert_true(page_set_take(&r.set, 300, &run));
    assert_int_equal(run.first.n, 0x300);
    assert_int_equal(run.frames, 256);
    assert_false(page_set_take(&r.set, 256, &run));
    assert_int_equal(r.set.frames, 0);
    assert_int_equal(r.set.in_parts, 0);
    assert_int_equal(r.set.bytes, before);
    rig_stop(&r);
}

static void frames_join_into_a_whole_block(void **state)
{
    struct rig r;

    (void)state;
    rig_start(&r);
    for (uint64_t i = 0; i < BLOCK_FRAMES; i++)
        put(&r, 0x400 + (i * 37) % BLOCK_FRAMES, 1);
    assert_int_equal(r.set.blocks[PAGE_HELD], 1);
    assert_int_equal(r.set.in_parts, 0);
    assert_int_equal(r.set.frames, BLOCK_FRAMES);
    rig_stop(&r);
}

static void pieces_leave_before_a_whole_block_is_broken(void **state)
{
    struct rig r;
    struct page_run run;

    (void)state;
    rig_start(&r);
    put(&r, 0x10, 1);
    put(&r, 0x12, 1);
    put(&r, 0x1000, BLOCK_FRAMES);
    assert_int_equal(r.set.in_parts, 1);
    assert_true(page_set_take(&r.set, 256, &run));
    assert_int_equal(run.first.n, 0x10);
    assert_int_equal(run.frames, 1);
    assert_true(page_set_take(&r.set, 256, &run));
    assert_int_equal(run.first.n, 0x12);
    assert_true(page_set_take(&r.set, 256, &run));
    assert_int_equal(run.first.n, 0x1000);
    assert_true(page_set_take(&r.set, 512, &run));
    assert_int_equal(run.first.n, 0x1100);
    assert_int_equal(run.frames, 256);
    rig_stop(&r);
}

/* A frame comes back into a block whose rest is the window: both end up in its map. */
static void a_window_and_a_frame_of_its_block_share_a_map(void **state)
{
    struct rig r;
    struct page_run run;

    (void)state;
    rig_start(&r);
    put(&r, 0x600, BLOCK_FRAMES);
    assert_true(page_set_take(&r.set, 500, &run));
    put(&r, 0x600, 1);
    assert_int_equal(r.set.frames, 13);
    assert_int_equal(r.set.in_parts, 1);
    assert_true(page_set_has(&r.set, pfn_of(0x600)));
    assert_false(page_set_has(&r.set, pfn_of(0x601)));
    assert_true(page_set_has(&r.set, pfn_of(0x600 + 500)));
    rig_stop(&r);
}

/* From a window or a map, of that block and no other. */
static void frames_of_one_block_leave(void **state)
{
    struct rig r;
    struct page_run run;

    (void)state;
    rig_start(&r);
    put(&r, 0x600, BLOCK_FRAMES);
    assert_false(page_set_take_of(&r.set, pfn_of(0x600), 256, &run)); /* whole */
    assert_true(page_set_take(&r.set, 500, &run));
    put(&r, 0x810, 1);
    put(&r, 0x811, 1);
    put(&r, 0x813, 1);
    assert_false(page_set_take_of(&r.set, pfn_of(0x400), 256, &run));
    assert_false(page_set_take_of(&r.set, pfn_of(UINT64_C(1) << 30), 256, &run));
    assert_true(page_set_take_of(&r.set, pfn_of(0x600), 10, &run));
    assert_int_equal(run.first.n, 0x600 + 500);
    assert_int_equal(run.frames, 10);
    assert_true(page_set_take_of(&r.set, pfn_of(0x800), 256, &run));
    assert_int_equal(run.first.n, 0x810);
    assert_int_equal(run.frames, 2);
    assert_true(page_set_take_of(&r.set, pfn_of(0x800), 256, &run));
    assert_int_equal(run.first.n, 0x813);
    assert_false(page_set_take_of(&r.set, pfn_of(0x800), 256, &run));
    assert_int_equal(r.set.frames, 2);
    assert_int_equal(r.set.in_parts, 0);
    rig_stop(&r);
}

static void blocks_change_their_kind_64_at_a_time(void **state)
{
    struct page_blocks blocks;
    struct page_run run;
    struct rig r;

    (void)state;
    rig_start(&r);
    for (uint64_t i = 0; i < 600; i++)
        if (i % 3)
            put(&r, i * BLOCK_FRAMES, BLOCK_FRAMES);
    unsigned allocs = r.hal.allocs;
    /* The first word: 1, 2, 4, 5, ... 62, of which two at most are asked for. */
    assert_true(page_set_find_blocks(&r.set, PAGE_HELD, pfn_of(0), 2, &blocks));
    assert_int_equal(blocks.first.n, BLOCK_FRAMES);
    assert_int_equal(blocks.mask, 3);
    page_set_move(&r.set, blocks, PAGE_HELD, PAGE_OWED);
    assert_int_equal(r.set.frames, 398 * BLOCK_FRAMES);
    assert_false(page_set_has(&r.set, blocks.first));
    /* The owed ones are found from where the search begins. */
    assert_true(
        page_set_find_blocks(&r.set, PAGE_OWED, pfn_of(BLOCK_FRAMES + 1), 64, &blocks));
    assert_int_equal(blocks.first.n, 2 * BLOCK_FRAMES);
    assert_int_equal(blocks.mask, 1);
    assert_false(
        page_set_find_blocks(&r.set, PAGE_OWED, pfn_of(3 * BLOCK_FRAMES), 64, &blocks));
    uint64_t moved = 0;
    while (page_set_find_blocks(&r.set, PAGE_HELD, pfn_of(0), 64, &blocks)) {
        page_set_move(&r.set, blocks, PAGE_HELD, PAGE_OWED);
        moved++;
    }
    assert_int_equal(moved, 10); /* words of 600 blocks */
    assert_int_equal(r.set.blocks[PAGE_OWED], 400);
    assert_int_equal(r.set.frames, 0);
    assert_false(page_set_take(&r.set, 1, &run));
    assert_int_equal(r.hal.allocs, allocs);
    page_set_trim(&r.set);
    assert_int_equal(r.set.count, 2); /* they keep their chunks */
    EXPECT_ASSERT(
        page_set_move(&r.set, (struct page_blocks){pfn_of(0), 1}, PAGE_OWED, PAGE_NONE));
    EXPECT_ASSERT(page_set_move(&r.set, (struct page_blocks){pfn_of(BLOCK_FRAMES), 1},
                                PAGE_NONE, PAGE_ABSENT));
    EXPECT_ASSERT(page_set_add(&r.set, run_at(BLOCK_FRAMES, 1)));
    rig_stop(&r);
}

static void a_gib_of_wholes_costs_little_and_of_pieces_33_kib(void **state)
{
    struct rig r;

    (void)state;
    rig_start(&r);
    for (uint64_t block = 0; block < 512; block++)
        put(&r, block * BLOCK_FRAMES, BLOCK_FRAMES);
    assert_true(r.set.bytes <= 512);
    rig_stop(&r);

    rig_start(&r);
    for (uint64_t gib = 0; gib < 16; gib++)
        for (uint64_t block = 0; block < 512; block++) {
            put(&r, gib << 18 | (block * BLOCK_FRAMES + 3), 1);
            put(&r, gib << 18 | (block * BLOCK_FRAMES + 7), 1);
        }
    assert_true(r.set.bytes <= 16 * 33 * KIB);
    rig_stop(&r);
}

static void sparse_memory_up_to_16_tib_works(void **state)
{
    static const uint64_t places[] = {0, 0x3FE00, 0x40000, 0xFD00000,
                                      UINT64_C(0xFFFFFE00)};
    struct rig r;
    pfn_t first = pfn_of(0);
    uint64_t frames, seen = 0;

    (void)state;
    rig_start(&r);
    for (unsigned i = ARRAY_LEN(places); i-- > 0;)
        put(&r, places[i], BLOCK_FRAMES);
    while (page_set_next(&r.set, first, &first, &frames)) {
        /* 0x3FE00 and 0x40000 are neighbours over a chunk's border: one range. */
        assert_int_equal(frames, first.n == 0x3FE00 ? 2 * BLOCK_FRAMES : BLOCK_FRAMES);
        first = pfn_add(first, frames);
        seen++;
    }
    assert_int_equal(seen, 4);
    assert_true(r.set.bytes < 16 * KIB);
    rig_stop(&r);
}

static void adding_and_taking_never_allocate(void **state)
{
    struct rig r;
    struct page_run run;

    (void)state;
    rig_start(&r);
    /* A window elsewhere, and a block reserved. */
    put(&r, 0x2000, BLOCK_FRAMES);
    assert_true(page_set_take(&r.set, 100, &run));
    assert_int_equal(page_set_reserve(&r.set, pfn_of(0x80000), BLOCK_ORDER), 0);
    unsigned before = r.hal.allocs;
    page_set_add(&r.set, run_at(0x80000, BLOCK_FRAMES));
    assert_int_equal(r.set.blocks[PAGE_HELD], 1);
    while (page_set_take(&r.set, 7, &run))
        ;
    assert_int_equal(r.hal.allocs, before);
    rig_stop(&r);
}

static void reserve_without_memory_changes_nothing(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 8; n++) {
        struct rig r;

        rig_start(&r);
        r.hal.fail_at = n;
        int err = page_set_reserve(&r.set, pfn_of(5), 0);
        assert_true(err == 0 || err == -ENOMEM);
        assert_int_equal(r.set.frames, 0);
        put(&r, 5, 1); /* the next try works */
        assert_true(page_set_has(&r.set, pfn_of(5)));
        rig_stop(&r);
    }
}

static void trim_gives_memory_back(void **state)
{
    struct rig r;
    struct page_run run;

    (void)state;
    rig_start(&r);
    for (uint64_t i = 0; i < 64; i++)
        put(&r, i << 18 | 1, 1);
    while (page_set_take(&r.set, 1, &run))
        ;
    page_set_trim(&r.set);
    assert_int_equal(r.set.count, 0);
    assert_true(r.set.bytes <= 128 * sizeof(void *));
    rig_stop(&r);
}

static void adding_twice_is_our_bug(void **state)
{
    struct rig r;

    (void)state;
    rig_start(&r);
    put(&r, 0x600, BLOCK_FRAMES);
    EXPECT_ASSERT(page_set_add(&r.set, run_at(0x600, 1)));
    rig_stop(&r); /* it noticed before it changed anything */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_blocks_move_at_once),
        cmocka_unit_test(trimming_spares_the_block_in_pieces),
        cmocka_unit_test(a_block_enters_whole_and_leaves_in_parts_without_a_map),
        cmocka_unit_test(frames_join_into_a_whole_block),
        cmocka_unit_test(pieces_leave_before_a_whole_block_is_broken),
        cmocka_unit_test(a_window_and_a_frame_of_its_block_share_a_map),
        cmocka_unit_test(frames_of_one_block_leave),
        cmocka_unit_test(blocks_change_their_kind_64_at_a_time),
        cmocka_unit_test(a_gib_of_wholes_costs_little_and_of_pieces_33_kib),
        cmocka_unit_test(sparse_memory_up_to_16_tib_works),
        cmocka_unit_test(adding_and_taking_never_allocate),
        cmocka_unit_test(reserve_without_memory_changes_nothing),
        cmocka_unit_test(trim_gives_memory_back),
        cmocka_unit_test(adding_twice_is_our_bug),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
