// SPDX-License-Identifier: BSD-2-Clause
/* Requests that make no sense, ask for more than there is, or come without end: nobody else pays for them. */
#include "tests/host/appmem_rig.h"

#include "mm/reclaim.h"

#define RAM     (16 * MIB)
#define RESERVE (256 * KIB)

static void flags_that_exclude_each_other_are_refused(void **state)
{
    static const unsigned pairs[] = {
        APPMEM_BLOCKS | APPMEM_FRAMES,
        APPMEM_BLOCKS | APPMEM_SPARSE,
        APPMEM_PURGEABLE | APPMEM_SPARSE,
    };
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t start = 77;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        assert_int_equal(appmem_map(&rig->mem, BLOCK_SIZE, pairs[i], &start), -EINVAL);
        assert_int_equal(
            appmem_map(&rig->mem, BLOCK_SIZE, pairs[i] | APPMEM_DIRTY, &start), -EINVAL);
    }
    assert_int_equal(start, 77);
    rig_finish(rig);
}

/* Each takes a descriptor out of the kernel's memory. */
static void regions_without_end_break_no_promise(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t promised = rig_map(rig, 4 * MIB, APPMEM_FRAMES), start;
    unsigned count = 0;

    (void)state;
    while (appmem_map(&rig->mem, FRAME_SIZE, APPMEM_SPARSE, &start) == 0)
        count++;
    assert_true(count > 1000);
    assert_true(rig_free(rig) > rig_min(rig));
    rig_fill(rig, promised, 4 * MIB);
    rig_check(rig);
    rig_finish(rig);
}

static void a_hopeless_request_does_not_empty_the_balloon(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t start;

    (void)state;
    assert_int_equal(rig_inflate(rig, 1000), 1000);
    rig->may_deflate = true;
    assert_int_equal(appmem_map(&rig->mem, RAM, 0, &start), -ENOMEM);
    assert_int_equal(reclaim_free(&rig->mem, RAM / FRAME_SIZE), -ENOMEM);
    assert_int_equal(rig->oom_calls, 0);
    assert_int_equal(rig->balloon.count, 1000);
    /* What it can bring back it does. */
    assert_int_equal(reclaim_promise(&rig->mem, appmem_available(&rig->mem) + 500), 0);
    assert_true(rig->oom_calls > 0);
    rig_finish(rig);
}

static void what_can_be_done_without_is_not_reclaimed_for(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t start = rig_map(rig, 64 * MIB, APPMEM_SPARSE);

    (void)state;
    assert_int_equal(rig_inflate(rig, 3000), 3000);
    rig->may_deflate = true;
    uint64_t size = (appmem_available(&rig->mem) + 64) * FRAME_SIZE;
    assert_int_equal(appmem_reserve_spare(&rig->mem, start, size), -ENOMEM);
    assert_int_equal(rig->oom_calls, 0);
    assert_int_equal(rig->pressure.refusals, 0);
    assert_int_equal(appmem_reserve(&rig->mem, start, size), 0);
    assert_true(rig->oom_calls > 0);
    rig_finish(rig);
}

/* 256 frames each time, after nearly all the time that it may wait. */
static uint64_t slow_oom(void *ctx, uint64_t frames)
{
    struct rig *rig = ctx;

    (void)frames;
    rig->oom_calls++;
    rig->now += 4 * NS_PER_S;
    rig_deflate(rig, 256);
    return 256;
}

static void a_host_that_gives_by_drops_does_not_hold_up_for_long(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t start, begin = rig->now;

    (void)state;
    assert_int_equal(rig_inflate(rig, 3000), 3000);
    rig->may_deflate = true;
    rig->mem.config.oom = slow_oom;
    uint64_t size = (appmem_available(&rig->mem) + 2500) * FRAME_SIZE;
    assert_int_equal(appmem_map(&rig->mem, size, 0, &start), -ENOMEM);
    assert_in_range(rig->now - begin, NS_PER_S, 10 * NS_PER_S);
    assert_int_equal(rig->oom_calls, 2);
    assert_int_equal(rig->pressure.refusals, 1);
    /* The next one has its own time. */
    assert_int_equal(reclaim_promise(&rig->mem, appmem_available(&rig->mem) + 100), 0);
    rig_finish(rig);
}

static unsigned turns_left;

static bool go_on(void *ctx)
{
    struct rig *rig = ctx;

    assert_false(rig->pressure.is_stalled); /* whoever runs here may stall */
    return turns_left-- > 0;
}

static void a_long_request_for_blocks_can_be_given_up(void **state)
{
    struct rig *rig = rig_begin(RAM, RESERVE);
    uint64_t free = rig_free(rig), start;

    (void)state;
    rig->mem.config.go_on = go_on;
    turns_left = 2;
    assert_int_equal(appmem_map(&rig->mem, 4 * BLOCK_SIZE, APPMEM_BLOCKS, &start),
                     -ENOMEM);
    assert_int_equal(appmem_held(&rig->mem), 0);
    assert_in_range(rig_free(rig), free - 4, free); /* tables, the heap's frame */
    turns_left = 100;
    assert_int_equal(appmem_map(&rig->mem, 4 * BLOCK_SIZE, APPMEM_BLOCKS, &start), 0);
    assert_true(turns_left < 100);
    rig_finish(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_that_exclude_each_other_are_refused),
        cmocka_unit_test(regions_without_end_break_no_promise),
        cmocka_unit_test(a_hopeless_request_does_not_empty_the_balloon),
        cmocka_unit_test(what_can_be_done_without_is_not_reclaimed_for),
        cmocka_unit_test(a_host_that_gives_by_drops_does_not_hold_up_for_long),
        cmocka_unit_test(a_long_request_for_blocks_can_be_given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
