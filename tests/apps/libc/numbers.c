// SPDX-License-Identifier: BSD-2-Clause
/* Text to numbers: strtod, strtoll and their kin, with what is out of range. */
#include "tests/apps/check.h"
#include "tests/apps/libc/libc.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>

/* The value, how many characters it took, the error. */
static bool reads_double(const char *text, double want, size_t used, int error)
{
    char *end;

    errno = 0;
    double got = strtod(HIDE(text), &end);
    return (isnan(want) ? isnan(got) : got == want && signbit(got) == signbit(want)) &&
           (size_t)(end - text) == used && errno == error;
}

static bool reads_integer(const char *text, int base, long long want, size_t used,
                          int error)
{
    char *end;

    errno = 0;
    return strtoll(HIDE(text), &end, base) == want && (size_t)(end - text) == used &&
           errno == error;
}

static bool reads_unsigned(const char *text, int base, unsigned long long want, int error)
{
    errno = 0;
    return strtoull(HIDE(text), NULL, base) == want && errno == error;
}

static void doubles(void)
{
    CHECK(reads_double("3.25", 3.25, 4, 0));
    CHECK(reads_double("  -1e3x", -1000, 6, 0));
    CHECK(reads_double("0x1.8p1", 3, 7, 0));
    CHECK(reads_double("0.1", 0.1, 3, 0));
    CHECK(reads_double("-0", -0.0, 2, 0));
    CHECK(reads_double("179769313486231570000e288", 0x1.fffffffffffffp1023, 25, 0));
    CHECK(reads_double("2.2250738585072014e-308", 0x1p-1022, 23, 0));
    CHECK(reads_double("infinity", INFINITY, 8, 0));
    CHECK(reads_double("-inf", -INFINITY, 4, 0));
    CHECK(reads_double("nan", NAN, 3, 0));
    CHECK(reads_double("1e400", HUGE_VAL, 5, ERANGE));
    CHECK(reads_double("-1e400", -HUGE_VAL, 6, ERANGE));
    CHECK(reads_double("1e-400", 0, 6, ERANGE));
    CHECK(reads_double("word", 0, 0, 0));
    CHECK(reads_double("1e", 1, 1, 0));
    CHECK(strtof(HIDE("0.5"), NULL) == 0.5F && atof(HIDE("2.5")) == 2.5);
    CHECK(strtold(HIDE("0.5"), NULL) == 0.5L);
}

static void integers(void)
{
    CHECK(reads_integer("123", 10, 123, 3, 0));
    CHECK(reads_integer("  -7x", 10, -7, 4, 0));
    CHECK(reads_integer("0x1F", 0, 31, 4, 0));
    CHECK(reads_integer("017", 0, 15, 3, 0));
    CHECK(reads_integer("zz", 36, 35 * 36 + 35, 2, 0));
    CHECK(reads_integer("129", 2, 1, 1, 0));
    CHECK(reads_integer("9223372036854775807", 10, LLONG_MAX, 19, 0));
    CHECK(reads_integer("9223372036854775808", 10, LLONG_MAX, 19, ERANGE));
    CHECK(reads_integer("-9223372036854775809", 10, LLONG_MIN, 20, ERANGE));
    CHECK(reads_integer("x", 10, 0, 0, 0));
    CHECK(reads_unsigned("18446744073709551615", 10, ULLONG_MAX, 0));
    CHECK(reads_unsigned("18446744073709551616", 10, ULLONG_MAX, ERANGE));
    CHECK(reads_unsigned("-1", 10, ULLONG_MAX, 0));
    CHECK(atoi(HIDE("-42")) == -42 && atoll(HIDE("4294967296")) == 4294967296);
    CHECK(strtol(HIDE("10"), NULL, 16) == 16 && strtoul(HIDE("10"), NULL, 8) == 8);
    CHECK(strtoimax(HIDE("10"), NULL, 10) == 10 && strtoumax(HIDE("1"), NULL, 10) == 1);
}

/* What printf writes strtod reads, to the last bit. */
static void there_and_back(void)
{
    bool is_good = true;
    double value = 1.2345;
    char text[40];

    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof(text), "%.17g", value);
        is_good = is_good && strtod(text, NULL) == value;
        value *= i % 2 ? -31.77 : 0.00713;
    }
    CHECK(is_good && value != 0);
}

void check_numbers(void)
{
    doubles();
    integers();
    there_and_back();
}
