// SPDX-License-Identifier: BSD-2-Clause
/* apps/stream: what the kernels compute, what the check finds, figures of bandwidth. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "apps/stream/stream.h"
#include "base/units.h"
#include "guest.h"
#include "tests/model/guest_host.h"

static struct stream stream;

static int start(void **state)
{
    (void)state;
    guest_host_reset(4 * MIB);
    return stream_map(&stream, MIB, 5);
}

static int end(void **state)
{
    (void)state;
    stream_unmap(&stream);
    return 0;
}

static void do_rounds(uint64_t rounds)
{
    for (rounds += stream.rounds; stream.rounds < rounds;)
        stream_step(&stream);
}

static void sizes_are_whole_pages_of_each(void **state)
{
    struct guest_memory memory;

    (void)state;
    assert_int_equal(stream.count * sizeof(double), MIB / 3 / FRAME_SIZE * FRAME_SIZE);
    guest_memory(&memory);
    assert_int_equal(memory.resident_bytes, 3 * stream.count * sizeof(double));
}

static void a_round_moves_ten_words_an_element(void **state)
{
    const uint64_t words[STREAM_KERNELS] = {2, 2, 3, 3};

    (void)state;
    for (unsigned kernel = 0; kernel < STREAM_KERNELS; kernel++) {
        uint64_t bytes = 0;

        while (stream.kernel == kernel && stream.rounds == 0)
            bytes += stream_step(&stream);
        assert_int_equal(bytes, words[kernel] * stream.count * sizeof(double));
    }
    assert_int_equal(stream.rounds, 1);
}

static void the_kernels(void **state)
{
    double a = stream.a[100], q = sqrt(2) - 1;

    (void)state;
    do_rounds(1);
    assert_true(fabs(stream.b[100] - q * a) < 1e-14);
    assert_true(fabs(stream.c[100] - (a + q * a)) < 1e-14);
    assert_true(fabs(stream.a[100] - a) < 1e-14); /* as it was */
}

static void right_before_and_after_many_rounds(void **state)
{
    (void)state;
    assert_int_equal(stream_verify(&stream), stream.count);
    do_rounds(1);
    assert_int_equal(stream_verify(&stream), stream.count);
    do_rounds(500);
    assert_int_equal(stream_verify(&stream), stream.count);
}

static void damage_is_found(void **state)
{
    size_t page = FRAME_SIZE / sizeof(double);
    double saved[FRAME_SIZE / sizeof(double)];

    (void)state;
    do_rounds(100);
    stream.b[77] *= 1 + 1e-9;
    assert_int_equal(stream_verify(&stream), 77);
    stream.b[77] /= 1 + 1e-9;
    stream.c[78] = NAN;
    assert_int_equal(stream_verify(&stream), 78);
    stream.c[78] = stream.c[77] * stream.a[78] / stream.a[77];
    assert_int_equal(stream_verify(&stream), stream.count);

    memcpy(saved, stream.a + 2 * page, FRAME_SIZE); /* two pages change places */
    memcpy(stream.a + 2 * page, stream.a + 3 * page, FRAME_SIZE);
    memcpy(stream.a + 3 * page, saved, FRAME_SIZE);
    assert_int_equal(stream_verify(&stream), 2 * page);
}

static void no_memory(void **state)
{
    struct stream other;

    (void)state;
    assert_int_equal(stream_map(&other, 8 * MIB, 1), -1);
    assert_int_equal(stream_map(&other, 1, 1), 0); /* at least a page each */
    assert_int_equal(other.count, FRAME_SIZE / sizeof(double));
    stream_unmap(&other);
}

static void rates(void **state)
{
    struct stream_rate rate = {0}, total = {0};

    (void)state;
    assert_true(stream_rate_mean(&rate) == 0);
    stream_rate_add(&rate, 1000, 1000); /* 1000 MB/s */
    stream_rate_add(&rate, 1000, 4000); /* 250 */
    stream_rate_add(&rate, 1000, 0);    /* too short to measure: left out */
    assert_true(rate.min == 250 && rate.max == 1000);
    assert_true(stream_rate_mean(&rate) == 400);
    stream_rate_merge(&total, &rate);
    stream_rate_merge(&total, &(struct stream_rate){0});
    assert_memory_equal(&total, &rate, sizeof(rate));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sizes_are_whole_pages_of_each, start, end),
        cmocka_unit_test_setup_teardown(a_round_moves_ten_words_an_element, start, end),
        cmocka_unit_test_setup_teardown(the_kernels, start, end),
        cmocka_unit_test_setup_teardown(right_before_and_after_many_rounds, start, end),
        cmocka_unit_test_setup_teardown(damage_is_found, start, end),
        cmocka_unit_test_setup_teardown(no_memory, start, end),
        cmocka_unit_test(rates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
