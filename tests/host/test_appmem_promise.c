// SPDX-License-Identifier: BSD-2-Clause
/* What was promised is there when it is touched, whoever took memory meanwhile. */
#include "tests/host/appmem_rig.h"

#define RAM     (16 * MIB)
#define RESERVE (1 * MIB)

/* Frames only, so that all tables are needed; contents do not matter, so that a large machine costs the
 * host no more than these. */
#define CHEAP (APPMEM_FRAMES | APPMEM_DIRTY)

static void touch_everything(struct rig *rig)
{
    const struct appmem_regions *set = &rig->mem.regions;
    const struct appmem_region *region = appmem_region_at_or_after(set, 0);

    for (; region; region = appmem_region_next(set, region)) {
        for (uint64_t at = region->start; at < region->end; at += FRAME_SIZE)
            if (!rig_is_there(rig, at))
                assert_int_equal(appmem_fault(&rig->mem, at), 0);
    }
    assert_int_equal(rig->mem.stats.promised, 0);
    assert_int_equal(rig->mem.stats.refused, 0);
    assert_int_equal(rig->oom_calls, 0);
}

static void the_balloon_cannot_have_what_is_promised(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t start = rig_map(rig, 8 * MIB, 0), kept;

    (void)state;
    rig_write(rig, start, 1);
    rig_inflate(rig, rig->frames);
    kept = rig->mem.stats.promised + RESERVE / FRAME_SIZE;
    assert_true(rig_free(rig) >= kept && rig_free(rig) < kept + 16); /* and tables */
    assert_false(rig_inflate_one(rig, 0));
    rig_check(rig);
    rig_fill(rig, start, 8 * MIB);
    rig_expect_filled(rig, start, 8 * MIB);
    assert_int_equal(rig->oom_calls, 0);
    assert_int_equal(appmem_unmap(&rig->mem, start, 8 * MIB), 0);
    assert_true(rig_inflate(rig, 2048) > 2048 - 16);
    rig_finish(rig);
}

static void a_small_reserve_is_no_reason_to_break_a_promise(void **state)
{
    static const uint64_t reserves[] = {0, FRAME_SIZE, 256 * KIB};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(reserves); i++) {
        struct rig *rig = rig_begin(RAM, reserves[i]);

        rig_map(rig, 8 * MIB, APPMEM_FRAMES);
        rig_inflate(rig, rig->frames);
        touch_everything(rig);
        rig_finish(rig);
    }
}

static void tables_for_a_promise_are_kept_from_the_balloon(void **state)
{
    struct rig *rig = rig_begin(1 * GIB, 1 * MIB);

    (void)state;
    rig_map(rig, 800 * MIB, CHEAP);
    rig_inflate(rig, rig->frames);
    touch_everything(rig);
    rig_finish(rig);
}

/* Region after region until nothing more can be promised. */
static void promise_all_and_touch(uint64_t ram, uint64_t piece)
{
    struct rig *rig = rig_begin(ram, 512 * KIB);
    uint64_t start, count = 0;

    while (appmem_map(&rig->mem, piece, CHEAP, &start) == 0)
        count++;
    assert_true(count * piece > ram / 4);
    assert_int_equal(rig->mem.stats.refused, 1);
    rig->mem.stats.refused = 0;
    rig->oom_calls = 0;
    touch_everything(rig);
    assert_true(rig_free(rig) >= rig_min(rig) / 2); /* the kernel's */
    rig_finish(rig);
}

static void everything_that_could_be_promised_can_be_touched(void **state)
{
    (void)state;
    promise_all_and_touch(8 * MIB, FRAME_SIZE);
    promise_all_and_touch(64 * MIB, 3 * FRAME_SIZE);
    promise_all_and_touch(64 * MIB, 128 * KIB);
    promise_all_and_touch(512 * MIB, 3 * MIB);
    promise_all_and_touch(512 * MIB, 100 * MIB);
}

static void what_is_available_can_be_mapped(void **state)
{
    (void)state;
    for (uint64_t extra = 0; extra < 40; extra++) {
        struct rig *rig = rig_begin(RAM, RESERVE);
        uint64_t available, start;

        rig_map(rig, (extra + 1) * 8 * FRAME_SIZE, 0);
        available = appmem_available(&rig->mem) * FRAME_SIZE;
        assert_true(available > RAM - 3 * MIB);
        assert_int_equal(appmem_map(&rig->mem, available, CHEAP, &start), 0);
        assert_true(appmem_available(&rig->mem) < 16);
        assert_int_equal(appmem_map(&rig->mem, available, CHEAP, &start), -ENOMEM);
        rig->mem.stats.refused = 0;
        rig->oom_calls = 0;
        touch_everything(rig);
        rig_finish(rig);
    }
}

static void a_sparse_region_is_promised_in_parts(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t start = rig_map(rig, 1 * GIB, APPMEM_SPARSE);
    const struct appmem_stats *stats = &rig->mem.stats;

    (void)state;
    assert_int_equal(stats->promised, 0);
    assert_int_equal(appmem_reserve(&rig->mem, start + 4 * MIB, 2 * MIB), 0);
    assert_int_equal(stats->promised, BLOCK_FRAMES);
    assert_int_equal(appmem_reserve(&rig->mem, start, RAM), -ENOMEM);
    assert_int_equal(stats->promised, BLOCK_FRAMES);
    rig_inflate(rig, rig->frames);
    assert_int_equal(appmem_fault(&rig->mem, start + 600 * MIB), 0); /* of the reserve */
    rig_fill(rig, start + 4 * MIB, 2 * MIB);
    assert_int_equal(stats->promised, 0);
    rig_check(rig);
    assert_int_equal(appmem_release(&rig->mem, start + 4 * MIB, 2 * MIB), 0);
    assert_int_equal(stats->resident, 1);
    assert_int_equal(appmem_reserve(&rig->mem, start + 5 * MIB, 1 * MIB), 0);
    assert_int_equal(appmem_release(&rig->mem, start + 5 * MIB, 1 * MIB), 0);
    assert_int_equal(stats->promised, 0);
    rig_finish(rig);
}

/* A block must not bring pages that nobody promised. */
static void a_sparse_block_comes_whole_only_where_all_is_promised(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    struct appmem *mem = &rig->mem;
    uint64_t start = rig_map(rig, 1 * GIB, APPMEM_SPARSE),
             far = start + 1 * GIB - 2 * MIB;

    (void)state;
    assert_int_equal(appmem_reserve(mem, start, 2 * MIB), 0);
    assert_int_equal(appmem_reserve(mem, start + 3 * MIB, 1 * MIB), 0);
    assert_int_equal(appmem_reserve(mem, start + 5 * MIB, 4 * MIB), 0); /* 6 to 8 whole */
    assert_int_equal(appmem_reserve(mem, far, 2 * MIB), 0);
    assert_int_equal(appmem_release(mem, start + 2 * MIB - FRAME_SIZE, FRAME_SIZE), 0);
    rig_write(rig, start, 1);
    rig_write(rig, start + 3 * MIB, 1);
    rig_write(rig, start + 5 * MIB, 1);
    rig_write(rig, start + 8 * MIB, 1);
    rig_write(rig, far, 1); /* no bit says so, that far */
    assert_int_equal(mem->stats.block_faults, 0);
    rig_write(rig, start + 6 * MIB, 1);
    assert_int_equal(mem->stats.block_faults, 1);
    assert_int_equal(mem->stats.resident, 5 + BLOCK_FRAMES);
    assert_int_equal(appmem_release(mem, start + 6 * MIB, 2 * MIB), 0);
    assert_int_equal(appmem_reserve(mem, start + 6 * MIB, 1 * MIB), 0);
    assert_int_equal(appmem_reserve(mem, start + 7 * MIB, 1 * MIB), 0);
    rig_write(rig, start + 6 * MIB, 1); /* promised in two parts: nobody noticed */
    assert_int_equal(mem->stats.block_faults, 1);
    rig_finish(rig);
}

static void a_sparse_page_leaves_what_is_promised_alone(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t sparse = rig_map(rig, 1 * GIB, APPMEM_SPARSE);
    uint64_t at = sparse, start = rig_map(rig, 8 * MIB, APPMEM_FRAMES);

    (void)state;
    while (appmem_fault(&rig->mem, at) == 0)
        at += FRAME_SIZE;
    assert_true(at > sparse + 6 * MIB);
    assert_int_equal(appmem_fault(&rig->mem, at), -ENOMEM);
    assert_int_equal(rig->mem.stats.refused, 2);
    rig_check(rig);
    rig_fill(rig, start, 8 * MIB);
    rig_expect_filled(rig, start, 8 * MIB);
    rig_finish(rig);
}

static void a_released_page_is_no_promise_of_another(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    const struct appmem_stats *stats = &rig->mem.stats;
    uint64_t one = rig_map(rig, 8 * MIB, APPMEM_FRAMES), two = rig_map(rig, 1 * MIB, 0);

    (void)state;
    rig_fill(rig, one, 1 * MIB);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(appmem_release(&rig->mem, one, 512 * KIB), 0);
        assert_int_equal(stats->resident, 128);
        assert_int_equal(stats->promised, 256); /* of the other region */
    }
    rig_inflate(rig, rig->frames);
    rig_fill(rig, one, 256 * KIB); /* from the reserve, as long as there is any */
    assert_int_equal(stats->promised, 256);
    rig_fill(rig, two, 1 * MIB);
    rig_check(rig);
    assert_int_equal(appmem_unmap(&rig->mem, one + 100 * FRAME_SIZE, 20 * FRAME_SIZE), 0);
    rig_expect_filled(rig, two, 1 * MIB);
    rig_finish(rig);
}

static void making_blocks_takes_nothing_that_is_promised(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t start = rig_map_pages(rig, 4 * MIB), promised;

    (void)state;
    promised = appmem_available(&rig->mem) - 100;
    rig_map(rig, promised * FRAME_SIZE, APPMEM_FRAMES);
    while (appmem_join_step(&rig->mem))
        assert_true(rig_free(rig) >= rig->mem.stats.promised);
    assert_int_equal(rig->mem.stats.joins, 0);
    touch_everything(rig);
    rig_expect_filled(rig, start, 4 * MIB);
    rig_finish(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_balloon_cannot_have_what_is_promised),
        cmocka_unit_test(a_small_reserve_is_no_reason_to_break_a_promise),
        cmocka_unit_test(tables_for_a_promise_are_kept_from_the_balloon),
        cmocka_unit_test(everything_that_could_be_promised_can_be_touched),
        cmocka_unit_test(what_is_available_can_be_mapped),
        cmocka_unit_test(a_sparse_region_is_promised_in_parts),
        cmocka_unit_test(a_sparse_block_comes_whole_only_where_all_is_promised),
        cmocka_unit_test(a_sparse_page_leaves_what_is_promised_alone),
        cmocka_unit_test(a_released_page_is_no_promise_of_another),
        cmocka_unit_test(making_blocks_takes_nothing_that_is_promised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
