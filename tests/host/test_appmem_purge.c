// SPDX-License-Identifier: BSD-2-Clause
/* Purgeable regions: what volatile means, which goes first, what is left of one that was dropped. */
#include "tests/host/appmem_rig.h"

#define RAM     (16 * MIB)
#define RESERVE (1 * MIB)
#define SIZE    (64 * KIB)
#define PAGES   (SIZE / FRAME_SIZE)

static uint64_t cache(struct rig *rig, uint64_t size)
{
    uint64_t start = rig_map(rig, size, APPMEM_PURGEABLE);

    rig_fill(rig, start, size);
    return start;
}

static void volatile_memory_counts_as_available(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    const struct appmem_stats *stats = &rig->mem.stats;
    uint64_t start = cache(rig, 4 * MIB), available = appmem_available(&rig->mem);

    (void)state;
    assert_int_equal(stats->volatile_frames, 0);
    assert_int_equal(appmem_set_volatile(&rig->mem, start), 0);
    assert_int_equal(stats->volatile_frames, 4 * MIB / FRAME_SIZE);
    assert_int_equal(stats->resident, 4 * MIB / FRAME_SIZE);
    assert_int_equal(appmem_available(&rig->mem), available + 1024 - 2); /* and tables */
    assert_int_equal(appmem_set_volatile(&rig->mem, start), 0);          /* nothing new */
    assert_int_equal(stats->volatile_frames, 4 * MIB / FRAME_SIZE);
    rig_expect_filled(rig, start, 4 * MIB); /* it can be used as long as it is there */
    rig_check(rig);
    assert_int_equal(appmem_set_needed(&rig->mem, start), 0);
    assert_int_equal(appmem_set_needed(&rig->mem, start), 0);
    assert_int_equal(stats->volatile_frames, 0);
    assert_int_equal(appmem_available(&rig->mem), available);
    rig_expect_filled(rig, start, 4 * MIB);
    assert_int_equal(rig->pressure.purges, 0);
    rig_finish(rig);
}

static void the_pages_not_there_are_promised_again(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    const struct appmem_stats *stats = &rig->mem.stats;
    uint64_t start = rig_map(rig, SIZE, APPMEM_PURGEABLE);

    (void)state;
    rig_fill(rig, start, 4 * FRAME_SIZE);
    assert_int_equal(stats->promised, PAGES - 4);
    assert_int_equal(appmem_set_volatile(&rig->mem, start), 0);
    assert_int_equal(stats->promised, 0);
    rig_write(rig, start + 7 * FRAME_SIZE, 5); /* it may grow meanwhile */
    assert_int_equal(stats->volatile_frames, 5);
    assert_int_equal(stats->promised, 0);
    assert_int_equal(appmem_set_needed(&rig->mem, start), 0);
    assert_int_equal(stats->promised, PAGES - 5);
    rig_finish(rig);
}

static void the_oldest_mark_goes_first_and_whole(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    static const unsigned order[] = {2, 0, 3, 1};
    uint64_t start[4];

    (void)state;
    assert_int_equal(appmem_purge_oldest(&rig->mem), 0);
    for (unsigned i = 0; i < 4; i++)
        start[i] = cache(rig, SIZE);
    assert_int_equal(appmem_purge_oldest(&rig->mem), 0); /* all are needed */
    for (unsigned i = 0; i < 4; i++)
        appmem_set_volatile(&rig->mem, start[order[i]]);
    appmem_set_volatile(&rig->mem, start[2]); /* a mark that is there stays as old */
    appmem_set_needed(&rig->mem, start[0]);
    appmem_set_volatile(&rig->mem, start[0]); /* while this one is new: 2 3 1 0 */
    for (unsigned i = 0; i < 4; i++) {
        static const unsigned purged[] = {2, 3, 1, 0};

        rig_expect_filled(rig, start[purged[i]], SIZE);
        assert_int_equal(appmem_purge_oldest(&rig->mem), PAGES);
        assert_false(rig_is_there(rig, start[purged[i]]));
        assert_int_equal(rig->mem.stats.purged, (i + 1) * PAGES);
        assert_int_equal(rig->pressure.purges, i + 1);
        rig_check(rig);
    }
    assert_int_equal(appmem_purge_oldest(&rig->mem), 0);
    rig_finish(rig);
}

static void a_dropped_region_is_lost_and_zero_again(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t start = cache(rig, SIZE);

    (void)state;
    appmem_set_volatile(&rig->mem, start);
    appmem_purge_oldest(&rig->mem);
    assert_int_equal(appmem_fault(&rig->mem, start), -EBUSY);
    assert_int_equal(rig->mem.stats.refused, 0); /* not for want of memory */
    assert_int_equal(appmem_set_volatile(&rig->mem, start), 0);
    assert_int_equal(appmem_set_needed(&rig->mem, start), 1);
    assert_int_equal(rig->mem.stats.promised, PAGES);
    for (uint64_t at = start; at < start + SIZE; at += FRAME_SIZE)
        assert_int_equal(rig_read(rig, at + 8), 0);
    assert_int_equal(appmem_set_needed(&rig->mem, start), 0); /* told once */
    appmem_set_volatile(&rig->mem, start);
    assert_int_equal(appmem_purge_oldest(&rig->mem), PAGES); /* it can go again */
    rig_finish(rig);
}

static void needed_without_memory_is_an_error_and_can_be_tried_again(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t start = cache(rig, SIZE), promised, other;

    (void)state;
    appmem_set_volatile(&rig->mem, start);
    promised = appmem_available(&rig->mem) * FRAME_SIZE;
    other = rig_map(rig, promised, APPMEM_FRAMES); /* all, what is volatile included */
    rig_expect_filled(rig, start, SIZE);
    assert_int_equal(appmem_set_needed(&rig->mem, start), -ENOMEM);
    assert_int_equal(rig->mem.stats.refused, 1);
    assert_int_equal(rig->mem.stats.purged, PAGES);
    assert_int_equal(appmem_fault(&rig->mem, start), -EBUSY);
    assert_int_equal(appmem_set_needed(&rig->mem, start), -ENOMEM);
    rig_check(rig);
    assert_int_equal(appmem_unmap(&rig->mem, other, 1 * MIB), 0);
    assert_int_equal(appmem_set_needed(&rig->mem, start), 1);
    assert_int_equal(rig_read(rig, start + 8), 0);
    rig_finish(rig);
}

static void needed_asks_the_balloon_first(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t start = cache(rig, SIZE);

    (void)state;
    appmem_set_volatile(&rig->mem, start);
    rig_inflate(rig, 2 * MIB / FRAME_SIZE);
    rig->may_deflate = true;
    rig_map(rig, appmem_available(&rig->mem) * FRAME_SIZE, 0);
    assert_int_equal(rig->oom_calls, 0);
    assert_int_equal(appmem_set_needed(&rig->mem, start), 0);
    assert_int_equal(rig->oom_calls, 1);
    rig_expect_filled(rig, start, SIZE);
    rig_finish(rig);
}

static void only_the_start_of_a_purgeable_region_names_it(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t start = cache(rig, SIZE), plain = rig_map(rig, SIZE, 0);
    const uint64_t wrong[] = {0,         plain,        start + FRAME_SIZE,
                              start + 1, start + SIZE, start - 1};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_int_equal(appmem_set_volatile(&rig->mem, wrong[i]), -EINVAL);
        assert_int_equal(appmem_set_needed(&rig->mem, wrong[i]), -EINVAL);
    }
    assert_int_equal(appmem_release(&rig->mem, start, FRAME_SIZE), -EINVAL);
    rig_finish(rig);
}

static void a_volatile_region_ends_like_any_other(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t one = cache(rig, SIZE), two = cache(rig, SIZE), three = cache(rig, SIZE);

    (void)state;
    appmem_set_volatile(&rig->mem, one);
    appmem_set_volatile(&rig->mem, two);
    appmem_set_volatile(&rig->mem, three);
    assert_int_equal(appmem_purge_oldest(&rig->mem), PAGES);
    assert_int_equal(appmem_unmap(&rig->mem, one, SIZE), 0); /* dropped already */
    assert_int_equal(appmem_unmap(&rig->mem, two, SIZE), 0);
    rig_check(rig);
    assert_int_equal(rig->mem.stats.volatile_frames, PAGES);
    assert_int_equal(appmem_purge_oldest(&rig->mem), PAGES);
    assert_int_equal(rig->mem.stats.volatile_frames, 0);
    rig_finish(rig);
}

/* Its own touch needs the memory that only dropping it brings. */
static void a_touch_does_not_fill_a_region_that_it_dropped(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t start = rig_map(rig, SIZE, APPMEM_PURGEABLE);

    (void)state;
    rig_fill(rig, start, SIZE / 2);
    appmem_set_volatile(&rig->mem, start);
    rig_leave(rig, rig_min(rig));
    assert_int_equal(appmem_fault(&rig->mem, start + SIZE / 2), -EBUSY);
    assert_int_equal(rig->mem.stats.purged, PAGES / 2);
    assert_int_equal(rig->mem.stats.refused, 0);
    rig_check(rig);
    assert_int_equal(appmem_fault(&rig->mem, start), -EBUSY);
    rig_free_hostages(rig);
    assert_int_equal(appmem_set_needed(&rig->mem, start), 1);
    assert_int_equal(rig_read(rig, start + SIZE / 2 + 8), 0);
    rig_finish(rig);
}

/* Giving a large one back goes in pieces, between which it may be dropped. */
static void a_volatile_region_is_given_back_in_pieces(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t start = cache(rig, 6 * MIB), later = cache(rig, SIZE);

    (void)state;
    appmem_set_volatile(&rig->mem, start);
    appmem_set_volatile(&rig->mem, later);
    assert_int_equal(appmem_unmap(&rig->mem, start + 1 * MIB, 1 * MIB), 0);
    rig_check(rig);
    assert_int_equal(appmem_purge_oldest(&rig->mem), 256);
    assert_int_equal(appmem_purge_oldest(&rig->mem), 1024); /* as old as the other part */
    rig_check(rig);
    assert_int_equal(appmem_unmap(&rig->mem, start + 2 * MIB, 1 * MIB), 0);
    assert_int_equal(appmem_unmap(&rig->mem, start + 5 * MIB, 1 * MIB), 0);
    assert_int_equal(appmem_unmap(&rig->mem, start + 4 * MIB, FRAME_SIZE), 0);
    rig_check(rig);
    assert_int_equal(appmem_set_needed(&rig->mem, start), 1);
    assert_int_equal(rig->mem.stats.promised, 256);
    assert_int_equal(appmem_purge_oldest(&rig->mem), PAGES);
    rig_finish(rig);
}

static void an_empty_region_is_no_reason_to_stop(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t nothing = rig_map(rig, SIZE, APPMEM_PURGEABLE), start = cache(rig, SIZE);

    (void)state;
    appmem_set_volatile(&rig->mem, nothing);
    appmem_set_volatile(&rig->mem, start);
    assert_int_equal(appmem_purge_oldest(&rig->mem), PAGES);
    rig_check(rig);
    assert_int_equal(appmem_purge_oldest(&rig->mem), 0);
    rig_finish(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(volatile_memory_counts_as_available),
        cmocka_unit_test(the_pages_not_there_are_promised_again),
        cmocka_unit_test(the_oldest_mark_goes_first_and_whole),
        cmocka_unit_test(a_dropped_region_is_lost_and_zero_again),
        cmocka_unit_test(needed_without_memory_is_an_error_and_can_be_tried_again),
        cmocka_unit_test(needed_asks_the_balloon_first),
        cmocka_unit_test(only_the_start_of_a_purgeable_region_names_it),
        cmocka_unit_test(a_volatile_region_ends_like_any_other),
        cmocka_unit_test(a_touch_does_not_fill_a_region_that_it_dropped),
        cmocka_unit_test(a_volatile_region_is_given_back_in_pieces),
        cmocka_unit_test(an_empty_region_is_no_reason_to_stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
