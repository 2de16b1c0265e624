// SPDX-License-Identifier: BSD-2-Clause
/* Who gives memory back, in which order, and what is counted on the way. */
#include "tests/host/appmem_rig.h"

#define RAM     (16 * MIB)
#define RESERVE (1 * MIB)
#define SIZE    (256 * KIB)
#define PAGES   (SIZE / FRAME_SIZE)

static uint64_t volatile_region(struct rig *rig)
{
    uint64_t start = rig_map(rig, SIZE, APPMEM_PURGEABLE);

    rig_fill(rig, start, SIZE);
    assert_int_equal(appmem_set_volatile(&rig->mem, start), 0);
    return start;
}

/* A balloon that holds some and gives it back when asked. */
static struct rig *with_balloon(uint64_t frames, bool may_deflate)
{
    struct rig *rig = rig_begin(RAM, RESERVE);

    assert_int_equal(rig_inflate(rig, frames), frames);
    rig->may_deflate = may_deflate;
    return rig;
}

static void enough_is_enough(void **state)
{
    struct rig *rig = with_balloon(100, true);

    (void)state;
    volatile_region(rig);
    assert_int_equal(reclaim_free(&rig->mem, rig_free(rig)), 0);
    assert_int_equal(reclaim_promise(&rig->mem, appmem_available(&rig->mem)), 0);
    assert_int_equal(rig->pressure.stalls, 0);
    assert_int_equal(rig->pressure.purges, 0);
    assert_int_equal(rig->pressure.oom_calls, 0);
    assert_int_equal(rig->oom_calls, 0);
    rig_finish(rig);
}

static void caches_go_before_the_balloon(void **state)
{
    struct rig *rig = with_balloon(1000, true);
    uint64_t one = volatile_region(rig), two = volatile_region(rig);

    (void)state;
    assert_int_equal(reclaim_free(&rig->mem, rig_free(rig) + 1), 0);
    assert_int_equal(rig->pressure.purges, 1); /* no more than is needed */
    assert_false(rig_is_there(rig, one));
    rig_expect_filled(rig, two, SIZE);
    assert_int_equal(rig->oom_calls, 0);
    assert_int_equal(reclaim_free(&rig->mem, rig_free(rig) + PAGES + 10), 0);
    assert_int_equal(rig->pressure.purges, 2);
    assert_int_equal(rig->oom_calls, 1);
    assert_int_equal(rig->pressure.oom_calls, 1);
    assert_true(rig->oom_frames <= 10); /* what is missing */
    assert_int_equal(rig->balloon.count, 1000 - 256);
    assert_int_equal(rig->pressure.refusals, 0);
    rig_finish(rig);
}

/* guest.h: stalls are allocations that had to wait, however much they had to do. */
static void an_allocation_stalls_once(void **state)
{
    struct rig *rig = with_balloon(1000, true);

    (void)state;
    volatile_region(rig);
    assert_int_equal(reclaim_free(&rig->mem, rig_free(rig) + PAGES + 600), 0);
    assert_int_equal(rig->pressure.stalls, 1);
    assert_true(rig->pressure.stall_ns >= NS_PER_MS);
    assert_false(rig->pressure.is_stalled);
    assert_int_equal(reclaim_promise(&rig->mem, appmem_available(&rig->mem) + 200), 0);
    assert_int_equal(rig->pressure.stalls, 2);
    rig_finish(rig);
}

static void a_promise_needs_no_purge(void **state)
{
    struct rig *rig = with_balloon(300, true);
    uint64_t start = volatile_region(rig), available = appmem_available(&rig->mem);

    (void)state;
    rig_map(rig, available * FRAME_SIZE, APPMEM_FRAMES);
    rig_expect_filled(rig, start, SIZE);
    assert_int_equal(rig->pressure.stalls, 0);
    rig_map(rig, FRAME_SIZE, 0); /* now the balloon has to give */
    rig_expect_filled(rig, start, SIZE);
    assert_int_equal(rig->pressure.purges, 0);
    assert_int_equal(rig->pressure.oom_calls, 1);
    rig_finish(rig);
}

static void a_refusal_is_counted_once(void **state)
{
    struct rig *rig = with_balloon(300, true);
    uint64_t start;

    (void)state;
    assert_int_equal(appmem_map(&rig->mem, RAM, 0, &start), -ENOMEM);
    assert_int_equal(rig->pressure.refusals, 1);
    assert_int_equal(rig->mem.stats.refused, 1);
    assert_int_equal(rig->balloon.count, 300); /* all of it would not do */
    assert_int_equal(rig->pressure.stalls, 1);
    assert_int_equal(reclaim_free(&rig->mem, rig->frames), -ENOMEM);
    assert_int_equal(rig->pressure.refusals, 2);
    assert_int_equal(rig->mem.stats.refused, 1); /* no request of the app */
    rig_check(rig);
    rig_finish(rig);
}

static void a_balloon_that_gives_nothing_is_not_asked_twice(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct rig *rig = with_balloon(1000, i == 0);
        uint64_t sparse = rig_map(rig, RAM, APPMEM_SPARSE), at = sparse, calls;

        rig->is_silent = i == 0;
        while (appmem_fault(&rig->mem, at) == 0)
            at += FRAME_SIZE;
        assert_int_equal(rig->pressure.oom_calls, 1);
        calls = rig->oom_calls;
        assert_int_equal(appmem_fault(&rig->mem, at), -ENOMEM);
        assert_int_equal(rig->oom_calls, calls + 1);
        assert_int_equal(rig->pressure.refusals, 2);
        assert_int_equal(rig->mem.stats.refused, 2);
        assert_true(rig_free(rig) >= rig_min(rig)); /* which the app never gets */
        rig_check(rig);
        rig_finish(rig);
    }
}

static void a_fault_gets_the_balloons_memory(void **state)
{
    struct rig *rig = with_balloon(2000, true);
    uint64_t start = rig_map(rig, RAM, APPMEM_SPARSE), size = 0;

    (void)state;
    while (appmem_fault(&rig->mem, start + size) == 0)
        size += FRAME_SIZE;
    assert_int_equal(rig->balloon.count, 0);
    assert_true(size > RAM - 2 * MIB);
    rig_check(rig);
    rig_fill(rig, start, size);
    rig_expect_filled(rig, start, size);
    rig_finish(rig);
}

static void the_balloon_takes_caches_but_not_the_reserve(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t one = volatile_region(rig), two = volatile_region(rig);
    uint64_t needed = rig_map(rig, SIZE, APPMEM_PURGEABLE), spare;

    (void)state;
    rig_fill(rig, needed, SIZE);
    spare = rig_free(rig) - RESERVE / FRAME_SIZE;
    assert_int_equal(rig_inflate(rig, spare), spare);
    assert_int_equal(rig->pressure.purges, 0); /* there was enough without */
    assert_int_equal(rig_inflate(rig, 1), 1);
    assert_int_equal(rig->pressure.purges, 1);
    assert_false(rig_is_there(rig, one));
    rig_expect_filled(rig, two, SIZE);
    rig_inflate(rig, rig->frames);
    assert_int_equal(rig->pressure.purges, 2);
    assert_int_equal(rig_free(rig), RESERVE / FRAME_SIZE);
    rig_expect_filled(rig, needed, SIZE);
    assert_int_equal(rig->oom_calls, 0);
    assert_int_equal(rig->pressure.stalls, 0); /* nobody waited for it */
    assert_int_equal(rig->pressure.async.reclaimed, 2 * PAGES);
    assert_int_equal(rig->pressure.async.scanned, 2 * PAGES);
    assert_int_equal(rig->pressure.direct.scanned, 0);
    rig_finish(rig);
}

/* Looked at is the whole region, freed what was there of it. */
static void reclaim_is_counted_by_who_needed_it(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t start = rig_map(rig, SIZE, APPMEM_PURGEABLE);

    (void)state;
    rig_fill(rig, start, SIZE / 4);
    assert_int_equal(appmem_set_volatile(&rig->mem, start), 0);
    assert_int_equal(reclaim_free(&rig->mem, rig_free(rig) + 1), 0);
    assert_int_equal(rig->pressure.direct.scanned, PAGES);
    assert_int_equal(rig->pressure.direct.reclaimed, PAGES / 4);
    assert_int_equal(rig->pressure.async.scanned, 0);
    rig_finish(rig);
}

static void a_cache_is_not_dropped_for_what_cannot_be(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t start = volatile_region(rig);

    (void)state;
    rig_leave(rig, RESERVE / FRAME_SIZE + 100);
    assert_false(reclaim_for_balloon(&rig->mem, BLOCK_FRAMES));
    rig_expect_filled(rig, start, SIZE);
    rig_map(rig, 150 * FRAME_SIZE, APPMEM_FRAMES); /* of 164 that could be had */
    assert_false(reclaim_for_balloon(&rig->mem, 20));
    rig_expect_filled(rig, start, SIZE);
    assert_true(reclaim_for_balloon(&rig->mem, 10));
    rig_finish(rig);
}

static void blocks_are_made_of_caches_too(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t start, caches[64];
    unsigned count = 0;

    (void)state;
    while (appmem_available(&rig->mem) > 2 * BLOCK_FRAMES)
        caches[count++] = volatile_region(rig),
        appmem_set_needed(&rig->mem, caches[count - 1]);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(appmem_set_volatile(&rig->mem, caches[i]), 0);
    assert_true(rig_free(rig) < 3 * BLOCK_FRAMES);
    assert_int_equal(appmem_map(&rig->mem, 8 * MIB, APPMEM_BLOCKS, &start), 0);
    assert_int_equal(rig->oom_calls, 0);
    assert_true(rig->pressure.purges < count);
    assert_true(rig_free(rig) >= rig_min(rig));
    rig_check(rig);
    rig_finish(rig);
}

/* All free memory is in pieces that ballooned frames hold together. */
static void blocks_are_had_from_the_balloon_at_last(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    const struct pmm_want frame = {.class = PMM_MOVABLE};
    struct pmm_run run;
    uint64_t start, rest = 0;

    (void)state;
    rig_inflate(rig, 2 * BLOCK_FRAMES);
    while (rig_free(rig) > 0) {
        assert_int_equal(pmm_take(rig->pmm, frame, &run), 0);
        rig_put(rest++ % 2 ? &rig->balloon : &rig->hostages, run.pfn, 0);
    }
    rig_free_hostages(rig);
    assert_int_equal(rig_free_blocks(rig), 0);
    assert_int_equal(appmem_map(&rig->mem, 2 * MIB, APPMEM_BLOCKS, &start), -ENOMEM);
    assert_int_equal(rig->oom_calls, 1);
    rig_check(rig);
    rig->may_deflate = true;
    assert_int_equal(appmem_map(&rig->mem, 2 * MIB, APPMEM_BLOCKS, &start), 0);
    assert_int_equal(rig->oom_calls, 2);
    assert_int_equal(rig->mem.stats.refused, 1);
    rig_check(rig);
    rig_finish(rig);
}

/* The block that is being filled is nobody's need. */
static void a_join_gives_way(void **state)
{
    struct rig *rig = with_balloon(1000, true);
    uint64_t start = rig_map_pages(rig, 2 * MIB), cache, free;

    (void)state;
    cache = volatile_region(rig);
    while (!rig->mem.join.is_open)
        assert_true(appmem_join_step(&rig->mem));
    free = rig_free(rig);
    assert_int_equal(reclaim_free(&rig->mem, free + 100), 0);
    assert_false(rig->mem.join.is_open);
    rig_expect_filled(rig, cache, SIZE);
    assert_int_equal(rig->oom_calls, 0);
    while (!rig->mem.join.is_open)
        assert_true(appmem_join_step(&rig->mem));
    assert_int_equal(reclaim_promise(&rig->mem, appmem_available(&rig->mem) + 100), 0);
    assert_int_equal(rig->oom_calls, 0);
    rig_expect_filled(rig, start, 2 * MIB);
    rig_finish(rig);
}

static void the_kernel_has_memory_while_the_app_holds_everything(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    void *objects[40];
    paddr_t table;

    (void)state;
    uint64_t sparse = rig_map(rig, RAM, APPMEM_SPARSE);
    rig_fill(rig, rig_map(rig, appmem_available(&rig->mem) * FRAME_SIZE, APPMEM_FRAMES),
             FRAME_SIZE);
    for (uint64_t at = sparse; appmem_fault(&rig->mem, at) == 0;)
        at += FRAME_SIZE;
    for (unsigned i = 0; i < ARRAY_LEN(objects); i++)
        assert_non_null(objects[i] = heap_alloc(&rig->heap, 2000));
    assert_int_equal(rig_table_take(rig, &table), 0);
    rig_table_give(rig, table);
    rig_check(rig);
    for (unsigned i = 0; i < ARRAY_LEN(objects); i++)
        heap_free(&rig->heap, objects[i]);
    rig_finish(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enough_is_enough),
        cmocka_unit_test(caches_go_before_the_balloon),
        cmocka_unit_test(an_allocation_stalls_once),
        cmocka_unit_test(a_promise_needs_no_purge),
        cmocka_unit_test(a_refusal_is_counted_once),
        cmocka_unit_test(a_balloon_that_gives_nothing_is_not_asked_twice),
        cmocka_unit_test(a_fault_gets_the_balloons_memory),
        cmocka_unit_test(the_balloon_takes_caches_but_not_the_reserve),
        cmocka_unit_test(reclaim_is_counted_by_who_needed_it),
        cmocka_unit_test(a_cache_is_not_dropped_for_what_cannot_be),
        cmocka_unit_test(blocks_are_made_of_caches_too),
        cmocka_unit_test(blocks_are_had_from_the_balloon_at_last),
        cmocka_unit_test(a_join_gives_way),
        cmocka_unit_test(the_kernel_has_memory_while_the_app_holds_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
