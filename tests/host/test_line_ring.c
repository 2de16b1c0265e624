// SPDX-License-Identifier: BSD-2-Clause
/* Lines that wait in a ring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/line_ring.h"

#define SIZE 32

static char bytes[SIZE];

static struct line_ring ring_at(uint32_t start)
{
    memset(bytes, '#', sizeof(bytes));
    return (struct line_ring){.bytes = bytes, .size = SIZE, .head = start, .tail = start};
}

static bool put(struct line_ring *ring, const char *line)
{
    return line_ring_put(ring, line, strlen(line), 0);
}

static void expect(struct line_ring *ring, size_t max, const char *wanted)
{
    char out[SIZE + 1] = {0};

    assert_int_equal(line_ring_take(ring, out, max), strlen(wanted));
    assert_string_equal(out, wanted);
}

static void lines_come_out_one_at_a_time(void **state)
{
    struct line_ring ring = ring_at(0);

    (void)state;
    assert_true(line_ring_is_empty(&ring));
    assert_true(put(&ring, "one\n"));
    assert_true(put(&ring, "\n"));
    assert_true(put(&ring, "three\n"));
    expect(&ring, SIZE, "one\n");
    expect(&ring, SIZE, "\n");
    expect(&ring, SIZE, "three\n");
    expect(&ring, SIZE, "");
    assert_true(line_ring_is_empty(&ring));
}

static void a_small_reader_gets_pieces(void **state)
{
    struct line_ring ring = ring_at(0);

    (void)state;
    assert_true(put(&ring, "abcde\n"));
    assert_true(put(&ring, "f\n"));
    expect(&ring, 3, "abc");
    expect(&ring, 0, "");
    expect(&ring, 3, "de\n");
    expect(&ring, 3, "f\n");
}

/* Everywhere in the ring, also where its counters wrap around. */
static void a_full_ring_takes_no_part_of_a_line(void **state)
{
    (void)state;
    for (uint32_t start = UINT32_MAX - SIZE; start != SIZE; start++) {
        struct line_ring ring = ring_at(start);

        assert_true(put(&ring, "0123456789012345678\n"));
        assert_false(put(&ring, "0123456789ab\n"));
        assert_true(put(&ring, "0123456789a\n"));
        assert_false(put(&ring, "\n"));
        expect(&ring, SIZE, "0123456789012345678\n");
        expect(&ring, SIZE, "0123456789a\n");
        assert_true(line_ring_is_empty(&ring));
    }
}

static void what_is_kept_free_stays_free(void **state)
{
    struct line_ring ring = ring_at(7);

    (void)state;
    assert_false(line_ring_put(&ring, "abc\n", 4, SIZE - 3));
    assert_false(line_ring_put(&ring, "abc\n", 4, SIZE + 1));
    assert_true(line_ring_put(&ring, "abc\n", 4, SIZE - 4));
    assert_false(line_ring_put(&ring, "abc\n", 4, SIZE - 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_out_one_at_a_time),
        cmocka_unit_test(a_small_reader_gets_pieces),
        cmocka_unit_test(a_full_ring_takes_no_part_of_a_line),
        cmocka_unit_test(what_is_kept_free_stays_free),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
