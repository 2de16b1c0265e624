// SPDX-License-Identifier: BSD-2-Clause
/* Regions of the app: mapping, what a touch brings in, giving parts back; figures at each step. */
#include "tests/host/appmem_rig.h"

#define RAM     (16 * MIB)
#define RESERVE (1 * MIB)

static void a_region_is_promised_and_filled_by_touches(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    const struct appmem_stats *stats = &rig->mem.stats;
    uint64_t start = rig_map(rig, 10 * FRAME_SIZE - 1, 0);

    (void)state;
    assert_int_equal(start % FRAME_SIZE, 0);
    assert_true(start > RIG_WINDOW); /* a frame before it faults */
    assert_int_equal(stats->promised, 10);
    assert_int_equal(stats->resident, 0);
    rig_write(rig, start + 3 * FRAME_SIZE + 8, 1);
    rig_write(rig, start + 3 * FRAME_SIZE + 16, 2);
    rig_write(rig, start + 10 * FRAME_SIZE - 8, 3);
    assert_int_equal(stats->minor_faults, 2);
    assert_int_equal(stats->block_faults, 0);
    assert_int_equal(stats->promised, 8);
    assert_int_equal(stats->resident, 2);
    assert_int_equal(appmem_held(&rig->mem), 2);
    assert_int_equal(rig_read(rig, start + 3 * FRAME_SIZE + 8), 1);
    assert_int_equal(rig_read(rig, start + 3 * FRAME_SIZE + 16), 2);
    rig_check(rig);
    assert_int_equal(appmem_unmap(&rig->mem, start, 10 * FRAME_SIZE), 0);
    assert_int_equal(stats->promised, 0);
    assert_int_equal(stats->resident, 0);
    assert_int_equal(stats->peak, 2);
    rig_finish(rig);
}

static void what_is_no_region_faults(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t one = rig_map(rig, FRAME_SIZE, 0), two = rig_map(rig, FRAME_SIZE, 0);

    (void)state;
    assert_int_equal(appmem_fault(&rig->mem, 0), -EINVAL);
    assert_int_equal(appmem_fault(&rig->mem, UINT64_MAX), -EINVAL);
    assert_int_equal(appmem_fault(&rig->mem, one - 1), -EINVAL);
    assert_int_equal(appmem_fault(&rig->mem, one + FRAME_SIZE), -EINVAL);
    assert_int_equal(appmem_fault(&rig->mem, two - 1), -EINVAL); /* between them, too */
    rig_fill(rig, one, FRAME_SIZE);
    assert_int_equal(appmem_unmap(&rig->mem, one, FRAME_SIZE), 0);
    assert_int_equal(appmem_fault(&rig->mem, one), -EINVAL);
    assert_int_equal(rig->mem.stats.minor_faults, 1);
    assert_int_equal(rig->mem.stats.refused, 0);
    rig_finish(rig);
}

static void new_memory_is_zero_but_where_it_need_not_be(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);

    (void)state;
    for (unsigned flags = 0; flags <= APPMEM_FRAMES; flags++) {
        uint64_t start = rig_map(rig, 4 * MIB, flags | APPMEM_DIRTY);

        rig_fill(rig, start, 4 * MIB);
        assert_int_equal(appmem_unmap(&rig->mem, start, 4 * MIB), 0);
        start = rig_map(rig, 12 * MIB, flags); /* some of it is the same memory */
        for (uint64_t at = start; at < start + 12 * MIB; at += FRAME_SIZE) {
            assert_int_equal(rig_read(rig, at + 8), 0);
            assert_int_equal(rig_read(rig, at + FRAME_SIZE - 8), 0);
        }
        assert_int_equal(appmem_unmap(&rig->mem, start, 12 * MIB), 0);
    }
    rig_finish(rig);
}

static void sizes_that_cannot_be(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t start = 7;

    (void)state;
    assert_int_equal(appmem_map(&rig->mem, 0, 0, &start), -EINVAL);
    assert_int_equal(appmem_map(&rig->mem, UINT64_MAX, 0, &start), -EINVAL);
    assert_int_equal(appmem_map(&rig->mem, 64 * GIB + 1, APPMEM_SPARSE, &start), -EINVAL);
    assert_int_equal(appmem_map(&rig->mem, 64 * GIB, APPMEM_SPARSE, &start), -ENOMEM);
    assert_int_equal(appmem_map(&rig->mem, RAM, 0, &start), -ENOMEM);
    assert_int_equal(start, 7); /* written on success only */
    assert_int_equal(rig->mem.stats.refused, 2);
    rig_check(rig);
    rig_finish(rig);
}

static void a_whole_free_block_is_mapped_by_one_touch(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    const struct appmem_stats *stats = &rig->mem.stats;
    uint64_t start = rig_map(rig, 4 * MIB + FRAME_SIZE, 0);

    (void)state;
    assert_int_equal(start % BLOCK_SIZE, 0);
    rig_write(rig, start + 2 * MIB + 5 * FRAME_SIZE, 1);
    assert_int_equal(rig_leaf_size(rig, start + 2 * MIB), BLOCK_SIZE);
    assert_false(rig_is_there(rig, start));
    assert_int_equal(stats->resident, BLOCK_FRAMES);
    assert_int_equal(stats->minor_faults, 1);
    assert_int_equal(stats->block_faults, 1);
    rig_write(rig, start + 4 * MIB, 1); /* has no room for a block */
    assert_int_equal(rig_leaf_size(rig, start + 4 * MIB), FRAME_SIZE);
    assert_int_equal(stats->block_faults, 1);
    rig_check(rig);
    rig_finish(rig);
}

static void no_block_where_there_is_a_page_or_it_must_not_be(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t pages = rig_map(rig, 2 * MIB, APPMEM_FRAMES);
    uint64_t sparse = rig_map(rig, 2 * MIB, APPMEM_SPARSE);
    uint64_t mixed = rig_map(rig, 2 * MIB, 0);

    (void)state;
    rig_write(rig, pages, 1);
    rig_write(rig, sparse, 1); /* no promise: no more than was touched */
    assert_int_equal(rig->mem.stats.block_faults, 0);
    while (rig_free_blocks(rig) > 0) {
        struct pmm_run run;

        assert_int_equal(
            pmm_take(rig->pmm, (struct pmm_want){.order = BLOCK_ORDER}, &run), 0);
        rig_put(&rig->hostages, run.pfn, BLOCK_ORDER);
    }
    rig_write(rig, mixed, 1); /* no block is free ... */
    rig_free_hostages(rig);
    rig_write(rig, mixed + FRAME_SIZE, 1); /* ... and now a page is in the way */
    assert_int_equal(rig->mem.stats.block_faults, 0);
    assert_int_equal(rig->mem.stats.resident, 4);
    rig_finish(rig);
}

static void whole_blocks_are_filled_at_once(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t start = rig_map(rig, 3 * MIB, APPMEM_BLOCKS);

    (void)state;
    assert_int_equal(start % BLOCK_SIZE, 0);
    assert_int_equal(rig->mem.stats.resident, 2 * BLOCK_FRAMES);
    assert_int_equal(rig->mem.stats.promised, 0);
    assert_int_equal(rig->mem.stats.minor_faults, 0);
    assert_int_equal(rig_leaf_size(rig, start), BLOCK_SIZE);
    assert_int_equal(rig_leaf_size(rig, start + 2 * MIB), BLOCK_SIZE);
    assert_int_equal(rig_read(rig, start + 4 * MIB - 8), 0);
    rig_finish(rig);
}

static void part_of_a_block_mapping_is_given_back(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    const struct appmem_stats *stats = &rig->mem.stats;
    uint64_t start = rig_map(rig, 4 * MIB, 0), hole = start + 7 * FRAME_SIZE;

    (void)state;
    rig_fill(rig, start, 4 * MIB);
    assert_int_equal(stats->block_faults, 2);
    assert_int_equal(appmem_unmap(&rig->mem, hole, 3 * FRAME_SIZE), 0);
    assert_int_equal(stats->splits, 1);
    assert_int_equal(stats->resident, 2 * BLOCK_FRAMES - 3);
    assert_int_equal(stats->promised, 0);
    assert_int_equal(rig->mem.regions.count, 2);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(appmem_fault(&rig->mem, hole + i * FRAME_SIZE), -EINVAL);
    rig_expect_filled(rig, start, 7 * FRAME_SIZE);
    rig_expect_filled(rig, hole + 3 * FRAME_SIZE, 4 * MIB - 10 * FRAME_SIZE);
    assert_int_equal(rig_leaf_size(rig, start + 2 * MIB), BLOCK_SIZE);
    rig_check(rig);
    assert_int_equal(appmem_unmap(&rig->mem, start, 7 * FRAME_SIZE), 0);
    assert_int_equal(appmem_unmap(&rig->mem, start + 3 * MIB, 1 * MIB), 0);
    assert_int_equal(stats->splits, 2);
    assert_int_equal(stats->resident, 1 * MIB / FRAME_SIZE * 3 - 10);
    rig_expect_filled(rig, hole + 3 * FRAME_SIZE, 3 * MIB - 10 * FRAME_SIZE);
    rig_finish(rig);
}

static void parts_of_a_promise_are_given_back(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    const struct appmem_stats *stats = &rig->mem.stats;
    uint64_t start = rig_map(rig, 100 * FRAME_SIZE, 0);

    (void)state;
    rig_write(rig, start + 90 * FRAME_SIZE, 1);
    assert_int_equal(stats->promised, 99);
    assert_int_equal(appmem_unmap(&rig->mem, start + 40 * FRAME_SIZE, 20 * FRAME_SIZE),
                     0);
    assert_int_equal(stats->promised, 79);
    rig_check(rig);
    assert_int_equal(appmem_unmap(&rig->mem, start, 10 * FRAME_SIZE), 0);
    assert_int_equal(stats->promised, 69);
    assert_int_equal(appmem_unmap(&rig->mem, start + 80 * FRAME_SIZE, 20 * FRAME_SIZE),
                     0);
    assert_int_equal(stats->promised, 50);
    assert_int_equal(stats->resident, 0);
    rig_check(rig);
    rig_finish(rig);
}

static void ranges_that_are_no_part_of_a_region(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    struct appmem *mem = &rig->mem;
    uint64_t start = rig_map(rig, 4 * FRAME_SIZE, 0), next = rig_map(rig, FRAME_SIZE, 0);
    int (*const calls[])(struct appmem *, uint64_t, uint64_t) = {
        appmem_unmap, appmem_release, appmem_cut, appmem_reserve};

    (void)state;
    rig_fill(rig, start, 4 * FRAME_SIZE);
    for (unsigned i = 0; i < ARRAY_LEN(calls); i++) {
        assert_int_equal(calls[i](mem, start, 0), -EINVAL);
        assert_int_equal(calls[i](mem, start + 1, FRAME_SIZE), -EINVAL);
        assert_int_equal(calls[i](mem, start, FRAME_SIZE + 1), -EINVAL);
        assert_int_equal(calls[i](mem, start, 5 * FRAME_SIZE), -EINVAL);
        assert_int_equal(calls[i](mem, start - FRAME_SIZE, FRAME_SIZE), -EINVAL);
        assert_int_equal(calls[i](mem, start, next + FRAME_SIZE - start), -EINVAL);
        assert_int_equal(calls[i](mem, start, -start), -EINVAL);
        assert_int_equal(calls[i](mem, start, UINT64_MAX & ~(FRAME_SIZE - 1)), -EINVAL);
        assert_int_equal(calls[i](mem, 0, FRAME_SIZE), -EINVAL);
    }
    assert_int_equal(appmem_reserve(mem, start, FRAME_SIZE), -EINVAL); /* not sparse */
    rig_expect_filled(rig, start, 4 * FRAME_SIZE);
    rig_finish(rig);
}

static void released_pages_are_zero_when_touched_again(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    const struct appmem_stats *stats = &rig->mem.stats;
    uint64_t start = rig_map(rig, 4 * MIB, 0), hole = start + 1 * MIB, free;

    (void)state;
    rig_fill(rig, start, 4 * MIB);
    free = rig_free(rig);
    assert_int_equal(appmem_release(&rig->mem, hole, 1 * MIB + FRAME_SIZE), 0);
    assert_int_equal(rig_free(rig), free + 257 - 2); /* two tables */
    assert_int_equal(stats->resident, 2 * BLOCK_FRAMES - 257);
    assert_int_equal(stats->promised, 0);
    assert_int_equal(stats->splits, 2);
    rig_check(rig);
    rig_write(rig, hole, 1);
    assert_int_equal(rig_read(rig, hole + 8), 0);
    assert_int_equal(rig_read(rig, hole + 1 * MIB + 8), 0);
    rig_expect_filled(rig, start, 1 * MIB);
    rig_expect_filled(rig, hole + 1 * MIB + FRAME_SIZE, 2 * MIB - FRAME_SIZE);
    rig_finish(rig);
}

static void a_region_at_a_place_is_there_at_once(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t start = RIG_WINDOW - 1 * GIB + 3 * FRAME_SIZE, other;

    (void)state;
    assert_int_equal(appmem_map_at(&rig->mem, start, 5 * FRAME_SIZE), 0);
    assert_int_equal(rig->mem.stats.resident, 5);
    assert_int_equal(rig->mem.stats.promised, 0);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(rig_read(rig, start + i * FRAME_SIZE), 0);
    assert_int_equal(appmem_map_at(&rig->mem, start + 5 * FRAME_SIZE, FRAME_SIZE), 0);
    assert_int_equal(appmem_map_at(&rig->mem, start - FRAME_SIZE, 2 * FRAME_SIZE),
                     -EINVAL);
    assert_int_equal(appmem_map_at(&rig->mem, start, FRAME_SIZE), -EINVAL);
    other = rig_map(rig, 4 * FRAME_SIZE, 0); /* nothing of it is touched yet */
    assert_int_equal(appmem_map_at(&rig->mem, other + FRAME_SIZE, FRAME_SIZE), -EINVAL);
    assert_int_equal(appmem_map_at(&rig->mem, other - FRAME_SIZE, 2 * FRAME_SIZE),
                     -EINVAL);
    rig_check(rig);
    assert_int_equal(appmem_map_at(&rig->mem, RIG_WINDOW - 2 * GIB, RAM), -ENOMEM);
    rig_finish(rig);
}

static void calls_copy_from_and_to_any_page(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t start = rig_map(rig, 3 * FRAME_SIZE, 0), at = start + FRAME_SIZE - 3;
    static const char text[] = "across the border of two pages";
    char back[sizeof(text)] = {0};

    (void)state;
    assert_int_equal(appmem_copy_out(&rig->mem, at, text, sizeof(text)), 0);
    assert_int_equal(rig->mem.stats.resident, 2);
    assert_int_equal(appmem_copy_in(&rig->mem, back, at, sizeof(back)), 0);
    assert_string_equal(back, text);
    assert_int_equal(appmem_copy_in(&rig->mem, back, start + 2 * FRAME_SIZE, 1), 0);
    assert_int_equal(back[0], 0);
    assert_int_equal(appmem_copy_out(&rig->mem, start + 3 * FRAME_SIZE - 4, text, 5),
                     -EINVAL);
    assert_int_equal(appmem_copy_in(&rig->mem, back, start - 1, 2), -EINVAL);
    assert_int_equal(appmem_copy_in(&rig->mem, back, UINT64_MAX - 1, 8), -EINVAL);
    assert_int_equal(appmem_copy_in(&rig->mem, back, 0, 0), 0);
    rig_finish(rig);
}

static void the_image_can_be_read_not_written(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    static const char constants[] = "constants";
    uint64_t image = (uint64_t)constants;
    char back[sizeof(constants)];

    (void)state;
    rig->mem.config.image_first = image;
    rig->mem.config.image_last = image + sizeof(constants);
    assert_int_equal(appmem_copy_in(&rig->mem, back, image, sizeof(back)), 0);
    assert_string_equal(back, constants);
    assert_int_equal(appmem_copy_in(&rig->mem, back, image + 1, sizeof(back)), -EINVAL);
    assert_int_equal(appmem_copy_in(&rig->mem, back, image - 1, 2), -EINVAL);
    assert_int_equal(appmem_copy_out(&rig->mem, image, back, 1), -EINVAL);
    rig_finish(rig);
}

static void all_of_it_goes_step_by_step(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    unsigned steps = 0;

    (void)state;
    rig_fill(rig, rig_map(rig, 6 * MIB, 0), 6 * MIB);
    rig_fill(rig, rig_map(rig, 3 * MIB, APPMEM_FRAMES), 3 * MIB);
    rig_map(rig, 1 * MIB, 0);
    assert_int_equal(appmem_map_at(&rig->mem, RIG_WINDOW - 1 * GIB, 1 * MIB), 0);
    for (bool goes_on = true; goes_on; steps++) {
        uint64_t before = rig->mem.stats.resident;

        goes_on = appmem_clear_step(&rig->mem);
        assert_true(before - rig->mem.stats.resident <= BLOCK_FRAMES);
        rig_check(rig);
    }
    assert_true(steps >= 7);
    assert_int_equal(rig->mem.stats.resident, 0);
    assert_int_equal(rig->mem.stats.promised, 0);
    rig_finish(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_region_is_promised_and_filled_by_touches),
        cmocka_unit_test(what_is_no_region_faults),
        cmocka_unit_test(new_memory_is_zero_but_where_it_need_not_be),
        cmocka_unit_test(sizes_that_cannot_be),
        cmocka_unit_test(a_whole_free_block_is_mapped_by_one_touch),
        cmocka_unit_test(no_block_where_there_is_a_page_or_it_must_not_be),
        cmocka_unit_test(whole_blocks_are_filled_at_once),
        cmocka_unit_test(part_of_a_block_mapping_is_given_back),
        cmocka_unit_test(parts_of_a_promise_are_given_back),
        cmocka_unit_test(ranges_that_are_no_part_of_a_region),
        cmocka_unit_test(released_pages_are_zero_when_touched_again),
        cmocka_unit_test(a_region_at_a_place_is_there_at_once),
        cmocka_unit_test(calls_copy_from_and_to_any_page),
        cmocka_unit_test(the_image_can_be_read_not_written),
        cmocka_unit_test(all_of_it_goes_step_by_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
