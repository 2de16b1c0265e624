// SPDX-License-Identifier: BSD-2-Clause
/* Frames of the app that become block mappings, step by step, while the app goes on. */
#include "tests/host/appmem_rig.h"

#define RAM     (16 * MIB)
#define RESERVE (1 * MIB)

static void join_all(struct rig *rig)
{
    unsigned steps = 0;

    while (appmem_join_step(&rig->mem)) {
        assert_true(++steps < 1000);
        rig_check(rig);
    }
    assert_false(rig->mem.join.is_open);
}

/* A region mapped by frames, and a join of its first piece under way. */
static uint64_t half_joined(struct rig *rig, uint64_t size, unsigned flags)
{
    uint64_t start = rig_map_pages_of(rig, size, flags);

    while (rig->mem.join.moved < 64)
        assert_true(appmem_join_step(&rig->mem));
    assert_true(rig->mem.join.is_open);
    assert_int_equal(rig->mem.join.piece, start);
    assert_int_equal(appmem_held(&rig->mem),
                     rig->mem.stats.resident + BLOCK_FRAMES - rig->mem.join.moved);
    rig_check(rig);
    return start;
}

static void frames_become_a_block_mapping(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t start = rig_map_pages(rig, 4 * MIB), tables = rig->vmm.table_frames;

    (void)state;
    join_all(rig);
    assert_int_equal(rig->mem.stats.joins, 2);
    assert_int_equal(rig->vmm.table_frames, tables - 2);
    assert_int_equal(rig_leaf_size(rig, start), BLOCK_SIZE);
    assert_int_equal(rig_leaf_size(rig, start + 2 * MIB), BLOCK_SIZE);
    assert_int_equal(rig->mem.stats.resident, 1024);
    rig_expect_filled(rig, start, 4 * MIB);
    join_all(rig); /* the next round has nothing to do */
    assert_int_equal(rig->mem.stats.joins, 2);
    assert_int_equal(appmem_unmap(&rig->mem, start, 4 * MIB), 0);
    rig_finish(rig);
}

static void frames_that_make_a_block_stay_where_they_are(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t start = rig_map(rig, 2 * MIB, 0), page = start + 100 * FRAME_SIZE;
    struct vmm_leaf leaf;

    (void)state;
    rig_fill(rig, start, 2 * MIB);
    assert_int_equal(vmm_split(&rig->vmm, page),
                     0); /* as a cut that went wrong leaves it */
    rig_leave(rig, rig_min(rig));
    assert_true(vmm_lookup(&rig->vmm, page, &leaf));
    assert_int_equal(leaf.size_bytes, FRAME_SIZE);
    join_all(rig);
    assert_int_equal(rig->mem.stats.joins, 1);
    assert_int_equal(rig->mem.stats.moved, 0);
    assert_int_equal(rig_leaf_size(rig, start), BLOCK_SIZE);
    rig_expect_filled(rig, start, 2 * MIB);
    rig_finish(rig);
}

static void only_what_is_all_there_and_may_have_blocks(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t pages = rig_map(rig, 2 * MIB, APPMEM_FRAMES);
    uint64_t gaps = rig_map_pages(rig, 2 * MIB), small = rig_map(rig, 1 * MIB, 0);

    (void)state;
    rig_fill(rig, pages, 2 * MIB);
    rig_fill(rig, small, 1 * MIB);
    assert_int_equal(appmem_release(&rig->mem, gaps + 511 * FRAME_SIZE, FRAME_SIZE), 0);
    join_all(rig);
    assert_int_equal(rig->mem.stats.joins, 0);
    assert_int_equal(rig->mem.stats.moved, 0);
    rig_fill(rig, gaps + 511 * FRAME_SIZE, FRAME_SIZE);
    join_all(rig);
    assert_int_equal(rig->mem.stats.joins, 1);
    rig_finish(rig);
}

static void no_block_from_the_reserve(void **state)
{
    struct rig *rig = rig_begin(RAM, 4 * MIB);
    uint64_t start = rig_map_pages(rig, 2 * MIB);

    (void)state;
    while (rig_free(rig) >= 4 * MIB / FRAME_SIZE + BLOCK_FRAMES) {
        struct pmm_run run;

        assert_int_equal(
            pmm_take(rig->pmm, (struct pmm_want){.class = PMM_MOVABLE}, &run), 0);
        rig_put(&rig->hostages, run.pfn, 0);
    }
    assert_true(rig_free_blocks(rig) > 0);
    join_all(rig);
    assert_int_equal(rig->mem.stats.joins, 0);
    rig_give(rig, &rig->hostages, 2, RUN_TOUCHED);
    join_all(rig);
    assert_int_equal(rig->mem.stats.joins, 1);
    rig_expect_filled(rig, start, 2 * MIB);
    rig_finish(rig);
}

static void it_can_be_stopped_half_way(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t start = half_joined(rig, 2 * MIB, 0), free = rig_free(rig);
    unsigned left = BLOCK_FRAMES - rig->mem.join.moved;

    (void)state;
    appmem_join_stop(&rig->mem);
    assert_int_equal(rig_free(rig), free + left);
    assert_int_equal(appmem_held(&rig->mem), BLOCK_FRAMES);
    rig_expect_filled(rig, start, 2 * MIB);
    rig_check(rig);
    appmem_join_stop(&rig->mem);
    join_all(rig);
    assert_int_equal(rig->mem.stats.joins, 1);
    rig_expect_filled(rig, start, 2 * MIB);
    rig_finish(rig);
}

static void the_app_takes_the_piece_apart_meanwhile(void **state)
{
    static const unsigned pages[] = {0, 10, 63, 64, 200, 511};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(pages); i++) {
        for (unsigned is_back = 0; is_back < 2; is_back++) {
            struct rig *rig = rig_begin(RAM, RESERVE);
            uint64_t start = half_joined(rig, 4 * MIB, 0);
            uint64_t page = start + pages[i] * FRAME_SIZE;

            assert_int_equal(appmem_release(&rig->mem, page, FRAME_SIZE), 0);
            rig_leave(rig, rig_free(rig) - 3); /* somebody has the frame */
            if (is_back)
                rig_fill(rig, page, FRAME_SIZE); /* and the page is another */
            join_all(rig);
            rig_expect_filled(rig, start, page - start);
            rig_expect_filled(rig, page + FRAME_SIZE,
                              start + 4 * MIB - page - FRAME_SIZE);
            assert_int_equal(rig_is_there(rig, page), is_back);
            rig_free_hostages(rig);
            join_all(rig);
            assert_int_equal(rig->mem.stats.joins, 1 + is_back);
            rig_finish(rig);
        }
    }
}

static void the_piece_goes_away_meanwhile(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 4; how++) {
        struct rig *rig = rig_begin(RAM, RESERVE);
        uint64_t start = half_joined(rig, 2 * MIB, APPMEM_PURGEABLE);

        if (how == 0) {
            assert_int_equal(appmem_unmap(&rig->mem, start, 2 * MIB), 0);
        } else if (how == 1) {
            assert_int_equal(appmem_unmap(&rig->mem, start + 1 * MIB, 1 * MIB), 0);
        } else if (how == 2) {
            appmem_set_volatile(&rig->mem, start);
            assert_int_equal(appmem_purge_oldest(&rig->mem), BLOCK_FRAMES);
        } else {
            appmem_clear(&rig->mem);
            assert_false(rig->mem.join.is_open);
        }
        rig_check(rig);
        join_all(rig);
        assert_int_equal(appmem_held(&rig->mem), how == 1 ? 256 : 0);
        rig_finish(rig);
    }
}

/* The block that is being filled is in pieces when a frame of it has gone: no victim is made of the rest. */
static void compaction_goes_on_beside_it(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t start = half_joined(rig, 4 * MIB, 0), at;

    (void)state;
    for (at = start; at < start + 40 * FRAME_SIZE; at += FRAME_SIZE)
        assert_int_equal(appmem_release(&rig->mem, at, FRAME_SIZE), 0);
    for (at = start + 2 * MIB; at < start + 4 * MIB; at += 2 * FRAME_SIZE)
        assert_int_equal(appmem_release(&rig->mem, at, FRAME_SIZE), 0);
    while (compact_step(&rig->mem, NS_PER_S))
        rig_check(rig);
    rig_expect_filled(rig, start + 40 * FRAME_SIZE, 2 * MIB - 40 * FRAME_SIZE);
    rig_fill(rig, start, 40 * FRAME_SIZE);
    join_all(rig);
    while (compact_step(&rig->mem, NS_PER_S))
        rig_check(rig);
    rig_expect_filled(rig, start, 2 * MIB);
    rig_finish(rig);
}

static void a_step_looks_at_so_many_blocks(void **state)
{
    struct rig *rig = rig_begin(512 * MIB, RESERVE);
    uint64_t start = rig_map(rig, 400 * MIB, APPMEM_BLOCKS | APPMEM_DIRTY);
    unsigned steps = 0;

    (void)state;
    for (uint64_t at = start; appmem_join_step(&rig->mem); steps++) {
        assert_true(rig->mem.join_next - at <= 64 * BLOCK_SIZE);
        at = rig->mem.join_next;
    }
    assert_int_equal(steps, 200 / 64);
    rig_finish(rig);
}

/* They would take from each other. */
static void no_join_begins_in_a_round_of_compaction(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t start = rig_map_pages(rig, 2 * MIB),
             holes = rig_map(rig, 6 * MIB, APPMEM_FRAMES);

    (void)state;
    rig_fill(rig, holes, 6 * MIB);
    for (uint64_t at = holes; at < holes + 6 * MIB; at += 2 * FRAME_SIZE)
        assert_int_equal(appmem_release(&rig->mem, at, FRAME_SIZE), 0);
    assert_true(compact_step(&rig->mem, 0));
    join_all(rig);
    assert_int_equal(rig->mem.stats.joins, 0);
    compact_stop(&rig->mem);
    join_all(rig);
    assert_int_equal(rig->mem.stats.joins, 1);
    rig_expect_filled(rig, start, 2 * MIB);
    rig_finish(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_become_a_block_mapping),
        cmocka_unit_test(frames_that_make_a_block_stay_where_they_are),
        cmocka_unit_test(only_what_is_all_there_and_may_have_blocks),
        cmocka_unit_test(no_block_from_the_reserve),
        cmocka_unit_test(it_can_be_stopped_half_way),
        cmocka_unit_test(the_app_takes_the_piece_apart_meanwhile),
        cmocka_unit_test(the_piece_goes_away_meanwhile),
        cmocka_unit_test(compaction_goes_on_beside_it),
        cmocka_unit_test(no_join_begins_in_a_round_of_compaction),
        cmocka_unit_test(a_step_looks_at_so_many_blocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
