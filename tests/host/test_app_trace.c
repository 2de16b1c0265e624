// SPDX-License-Identifier: BSD-2-Clause
/* apps/trace: lines of a trace, what replaying them does, the traces that are built in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "apps/trace/builtin.h"
#include "apps/trace/line.h"
#include "apps/trace/replay.h"
#include "base/units.h"
#include "tests/model/guest_host.h"

#define HUGE_BYTES (UINT64_C(1) << 60)

const char *__asan_default_options(void);

/* A malloc that is refused returns NULL, as without the sanitizer. */
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static struct trace_replay replay;
static struct trace_builtin builtin;

static int start(void **state)
{
    (void)state;
    guest_host_reset(64 * MIB);
    memset(&replay, 0, sizeof(replay));
    return trace_init(&replay, TRACE_BUILTIN_IDS, 1);
}

static int end(void **state)
{
    (void)state;
    return trace_free_all(&replay) != TRACE_OK || replay.live_bytes != 0;
}

static void good_lines(void **state)
{
    const struct {
        const char *text;
        struct trace_op op;
    } good[] = {
        {"a 1 4096", {TRACE_ALLOC, 1, 4096}},
        {"a 4294967295 64K\n", {TRACE_ALLOC, UINT32_MAX, 64 * KIB}},
        {"  f   7  \r\n", {TRACE_FREE, 7, 0}},
        {"t\t0", {TRACE_TOUCH, 0, 0}},
        {"r 3 1.5M", {TRACE_REALLOC, 3, 3 * MIB / 2}},
        {"w 1000000", {TRACE_WAIT, 0, 1000000}},
        {"w 0", {TRACE_WAIT, 0, 0}},
        {"end", {TRACE_END, 0, 0}},
        {"", {TRACE_NOTHING, 0, 0}},
        {"   \n", {TRACE_NOTHING, 0, 0}},
        {"# a 1 2", {TRACE_NOTHING, 0, 0}},
        {"#comment of any kind, as many words as you like", {TRACE_NOTHING, 0, 0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct trace_op op;

        if (!trace_parse(good[i].text, &op))
            fail_msg("\"%s\"", good[i].text);
        assert_true(op.what == good[i].op.what && op.id == good[i].op.id &&
                    op.amount == good[i].op.amount);
    }
}

static void bad_lines(void **state)
{
    const char *const bad[] = {
        "a",
        "a 1",
        "a 1 0",
        "a 1 2 3",
        "a -1 5",
        "a x 5",
        "a 1 5%",
        "a 1 x",
        "A 1 5",
        "f",
        "f 1 2",
        "t 1 2",
        "r 1",
        "w",
        "w 1 2",
        "w 1K",
        "w -1",
        "end 1",
        "a1 5",
        "free 1",
        "a 4294967296 1",
        "a 1 4096 # four",
        "alloc 1 4096",
        "a 1 100000000000000000000000000000000000000000",
    };
    struct trace_op op;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (trace_parse(bad[i], &op))
            fail_msg("\"%s\" is no line", bad[i]);
}

/* A line, done. */
static enum trace_result run(const char *text)
{
    struct trace_op op;

    assert_true(trace_parse(text, &op));
    return trace_do(&replay, &op);
}

static void a_short_life(void **state)
{
    (void)state;
    assert_int_equal(run("a 5 1000"), TRACE_OK);
    assert_int_equal(run("t 5"), TRACE_OK);
    assert_int_equal(run("r 5 3000"), TRACE_OK);
    assert_int_equal(replay.live_bytes, 3000);
    assert_int_equal(run("r 5 10"), TRACE_OK);
    assert_int_equal(run("w 1000"), TRACE_OK);
    assert_int_equal(run("# not counted"), TRACE_OK);
    assert_int_equal(run("f 5"), TRACE_OK);
    assert_int_equal(replay.live_bytes, 0);
    assert_int_equal(replay.peak_bytes, 3000);
    assert_int_equal(replay.ops, 6);
    assert_int_equal(replay.latency_ns[TRACE_REALLOC].count, 2);
    assert_int_equal(run("a 5 10"), TRACE_OK); /* the id is free again */
}

static void nonsense(void **state)
{
    (void)state;
    assert_int_equal(run("f 5"), TRACE_NONSENSE);
    assert_int_equal(run("t 5"), TRACE_NONSENSE);
    assert_int_equal(run("r 5 5"), TRACE_NONSENSE);
    run("a 5 100");
    assert_int_equal(run("a 5 100"), TRACE_NONSENSE);
    assert_int_equal(run("a 511 100"), TRACE_OK);
    assert_int_equal(run("a 512 100"), TRACE_NONSENSE); /* there are 512 ids */
    assert_int_equal(replay.live_bytes, 200);
}

static void refused_allocations_do_not_end_it(void **state)
{
    const struct trace_op huge = {TRACE_ALLOC, 5, HUGE_BYTES};

    (void)state;
    assert_int_equal(trace_do(&replay, &huge), TRACE_OK);
    assert_int_equal(replay.refusals.count, 1);
    assert_int_equal(run("t 5"), TRACE_OK);
    assert_int_equal(run("f 5"), TRACE_OK);
    assert_int_equal(replay.skipped, 2);
    assert_int_equal(run("f 5"), TRACE_NONSENSE);

    trace_do(&replay, &huge);
    assert_int_equal(run("a 5 100"),
                     TRACE_NONSENSE); /* allocated it is, as the trace sees it */
    assert_int_equal(run("r 5 100"), TRACE_OK); /* now it comes to life */
    assert_int_equal(replay.live_bytes, 100);
    assert_non_null(guest_host_event("workload_refused"));
}

static void a_refused_realloc_changes_nothing(void **state)
{
    const struct trace_op huge = {TRACE_REALLOC, 5, HUGE_BYTES};

    (void)state;
    run("a 5 100");
    assert_int_equal(trace_do(&replay, &huge), TRACE_OK);
    assert_int_equal(replay.refusals.count, 1);
    assert_int_equal(replay.live_bytes, 100);
    assert_int_equal(run("t 5"), TRACE_OK);
}

static void damage_is_found(void **state)
{
    const char *const uses[] = {"t 5", "f 5", "r 5 200"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        if (replay.slots[5].state == TRACE_UNUSED)
            run("a 5 101");
        ((char *)replay.slots[5].start)[100] ^= 1;
        assert_int_equal(run(uses[i]), TRACE_WRONG);
    }
    ((char *)replay.slots[5].start)[0] ^= 1;
    assert_int_equal(trace_free_all(&replay), TRACE_WRONG);
}

static void built_in_traces_are_well_formed(void **state)
{
    (void)state;
    for (unsigned kind = TRACE_SAWTOOTH; kind <= TRACE_VECTOR; kind++) {
        trace_builtin_start(&builtin, kind, 4 * MIB, 7);
        replay.peak_bytes = 0;
        for (int i = 0; i < 5000; i++) {
            struct trace_op op = trace_builtin_next(&builtin);

            assert_int_equal(trace_do(&replay, &op), TRACE_OK);
        }
        assert_in_range(replay.peak_bytes, 2 * MIB, 5 * MIB);
        assert_int_equal(trace_free_all(&replay), TRACE_OK);
        assert_int_equal(replay.live_bytes, 0);
        assert_int_equal(trace_init(&replay, TRACE_BUILTIN_IDS, 1), 0);
    }
}

static void built_in_traces_repeat_by_seed(void **state)
{
    static struct trace_builtin other, third;
    int differences = 0;

    (void)state;
    trace_builtin_start(&builtin, TRACE_SERVER, MIB, 7);
    trace_builtin_start(&other, TRACE_SERVER, MIB, 7);
    trace_builtin_start(&third, TRACE_SERVER, MIB, 8);
    for (int i = 0; i < 1000; i++) {
        struct trace_op a = trace_builtin_next(&builtin), b = trace_builtin_next(&other);
        struct trace_op c = trace_builtin_next(&third);

        assert_true(a.what == b.what && a.id == b.id && a.amount == b.amount);
        differences += a.id != c.id;
    }
    assert_true(differences > 900);
}

static void even_a_tiny_peak_works(void **state)
{
    (void)state;
    for (unsigned kind = TRACE_SAWTOOTH; kind <= TRACE_VECTOR; kind++) {
        trace_builtin_start(&builtin, kind, 1, 7);
        for (int i = 0; i < 3000; i++) {
            struct trace_op op = trace_builtin_next(&builtin);

            assert_true(op.what == TRACE_WAIT || op.id < TRACE_BUILTIN_IDS);
            assert_true((op.what != TRACE_ALLOC && op.what != TRACE_REALLOC) ||
                        op.amount > 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_lines),
        cmocka_unit_test(bad_lines),
        cmocka_unit_test_setup_teardown(a_short_life, start, end),
        cmocka_unit_test_setup_teardown(nonsense, start, end),
        cmocka_unit_test_setup_teardown(refused_allocations_do_not_end_it, start, end),
        cmocka_unit_test_setup_teardown(a_refused_realloc_changes_nothing, start, end),
        cmocka_unit_test_setup_teardown(damage_is_found, start, end),
        cmocka_unit_test_setup_teardown(built_in_traces_are_well_formed, start, end),
        cmocka_unit_test(built_in_traces_repeat_by_seed),
        cmocka_unit_test(even_a_tiny_peak_works),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
