// SPDX-License-Identifier: BSD-2-Clause
/* kernel/format.c against libc's snprintf, and cut output. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/format.h"

static void compare(const char *fmt, ...)
{
    char ours[128], theirs[128];
    va_list args, again;

    va_start(args, fmt);
    va_copy(again, args);
    int our_len = format_v(ours, sizeof(ours), fmt, args);
    int their_len = vsnprintf(theirs, sizeof(theirs), fmt, again);
    va_end(again);
    va_end(args);
    assert_string_equal(ours, theirs);
    assert_int_equal(our_len, their_len);
}

static void integers_are_as_libc_has_them(void **state)
{
    static const long long values[] = {
        0,     1,         -1,        9,         10,        255,          -128,
        65536, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, 1234567890123};

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        long long v = values[i];

        compare("%d|%i|%u|%x|%X", (int)v, (int)v, (unsigned)v, (unsigned)v, (unsigned)v);
        compare("%lld|%llu|%llx", v, v, v);
        compare("%ld|%zu|%zd|%jd|%td", (long)v, (size_t)v, (ptrdiff_t)v, (intmax_t)v,
                (ptrdiff_t)v);
        compare("%hhd|%hhu|%hd|%hu|%hhx", (int)v, (int)v, (int)v, (int)v, (int)v);
        compare("%8lld|%-8lld|%08lld|%+lld|% lld|%.5lld|%12.5lld|%-12.5lld|", v, v, v, v,
                v, v, v, v);
        compare("%#llx|%#010llx|%016llx|%20llX|%-20llx|", v, v, v, v, v);
        compare("%*d|%-*d|%.*d", 7, (int)v, 7, (int)v, 7, (int)v);
    }
}

static void zero_with_precision_zero_is_empty(void **state)
{
    (void)state;
    compare("[%.0d][%5.0d][%.0x]", 0, 0, 0);
}

static void text_is_as_libc_has_it(void **state)
{
    (void)state;
    compare("%s|%10s|%-10s|%.2s|%10.2s|%%|%c|%3c|", "word", "word", "word", "word",
            "word", 'x', 'y');
    compare("%*s|%.*s|%*s", 6, "ab", 3, "abcdef", -6, "ab");
    compare("%p", (void *)0x1234);
    compare("no conversion");
}

static void precision_bounds_reading(void **state)
{
    char bytes[3] = {'a', 'b', 'c'}; /* no NUL: the sanitizer watches */
    char out[8];

    (void)state;
    format_s(out, sizeof(out), "%.3s", bytes);
    assert_string_equal(out, "abc");
}

static void output_is_cut_and_ends(void **state)
{
    char out[5] = "####";

    (void)state;
    assert_int_equal(format_s(out, sizeof(out), "%s", "longer than that"), 16);
    assert_string_equal(out, "long");
    assert_int_equal(format_s(out, 1, "abc"), 3);
    assert_string_equal(out, "");
    out[0] = '#';
    assert_int_equal(format_s(out, 0, "abc"), 3);
    assert_int_equal(out[0], '#');
}

static void null_text_does_not_fault(void **state)
{
    char out[16];
    const char *volatile none = NULL;

    (void)state;
    format_s(out, sizeof(out), "%s", none);
    assert_string_equal(out, "(null)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_as_libc_has_them),
        cmocka_unit_test(zero_with_precision_zero_is_empty),
        cmocka_unit_test(text_is_as_libc_has_it),
        cmocka_unit_test(precision_bounds_reading),
        cmocka_unit_test(output_is_cut_and_ends),
        cmocka_unit_test(null_text_does_not_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
