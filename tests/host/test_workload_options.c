// SPDX-License-Identifier: BSD-2-Clause
/* lib/workload/parse.c and options.c: every form of a value, every kind of mistake, the help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/units.h"
#include "tests/model/guest_host.h"
#include "workload/options.h"
#include "workload/parse.h"
#include "workload/report.h"

static void numbers(void **state)
{
    const char *const bad[] = {"",
                               "-1",
                               "+1",
                               " 1",
                               "1 ",
                               "x",
                               "1K",
                               "0x",
                               "0xg",
                               "1.5",
                               "18446744073709551616"};
    uint64_t value = 7;

    (void)state;
    assert_true(parse_number("0", &value) && value == 0);
    assert_true(parse_number("042", &value) && value == 42);
    assert_true(parse_number("0x2a", &value) && value == 42);
    assert_true(parse_number("18446744073709551615", &value) && value == UINT64_MAX);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        value = 7;
        assert_false(parse_number(bad[i], &value));
        assert_int_equal(value, 7);
    }
}

static void reals(void **state)
{
    const char *const bad[] = {"", "-0.5", "nan", "inf", "1e999", "0.5x", ".5"};
    double value;

    (void)state;
    assert_true(parse_real("0.99", &value) && value == 0.99);
    assert_true(parse_real("2", &value) && value == 2);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(parse_real(bad[i], &value));
}

static void sizes(void **state)
{
    const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"0", 0},       {"4096", 4096},          {"4K", 4 * KIB}, {"1M", MIB},
        {"1G", GIB},    {"1.5G", GIB + GIB / 2}, {"50%", 500},    {"0.1%", 1},
        {"100%", 1000}, {"8191G", 8191 * GIB},
    };
    const char *const bad[] = {"",    "K", "4k", "4KB",         "4 K",
                               "-4K", "%", "1T", "99999999999G"};
    uint64_t value;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(parse_size(good[i].text, 1000, &value));
        assert_true(value == good[i].bytes);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(parse_size(bad[i], 1000, &value));
}

static void times(void **state)
{
    const struct {
        const char *text;
        uint64_t ns;
    } good[] = {{"10s", 10 * NS_PER_S}, {"100ms", 100 * NS_PER_MS},
                {"5us", 5000},          {"20ns", 20},
                {"3", 3 * NS_PER_S},    {"0.5", NS_PER_S / 2}};
    const char *const bad[] = {"", "s", "10m", "1h", "1 s", "-1s"};
    uint64_t value;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(parse_time(good[i].text, &value));
        assert_true(value == good[i].ns);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(parse_time(bad[i], &value));
}

/* What a run of options_parse() left behind. */
static struct {
    uint64_t number, size, time;
    double real;
    bool flag;
    unsigned word;
    const char *text;
    int code;
    char out[4096], err[512];
} got;

static FILE *redirect(FILE *stream, int *saved)
{
    FILE *to = tmpfile();

    assert_non_null(to);
    fflush(stream);
    *saved = dup(fileno(stream));
    dup2(fileno(to), fileno(stream));
    return to;
}

static void restore(FILE *stream, FILE *to, int saved, char *text, size_t size)
{
    fflush(stream);
    dup2(saved, fileno(stream));
    close(saved);
    rewind(to);
    text[fread(text, 1, size - 1, to)] = '\0';
    fclose(to);
}

/* The arguments are words behind the name of the app, NULL at the end. */
static void parse(const char *first, ...)
{
    const struct option table[] = {
        OPTION_NUMBER("number", &got.number, "3", "a number", .min = 1, .max = 10),
        OPTION_SIZE("size", &got.size, "50%", "a size", .min = 4096),
        OPTION_TIME("time", &got.time, "1s", "a time"),
        OPTION_REAL("real", &got.real, "0.5", "a real", .max = 2),
        OPTION_FLAG("flag", &got.flag, "a flag"),
        OPTION_WORD("word", &got.word, "two", "a word", .words = "one|two|three"),
        OPTION_TEXT("text", &got.text, "none", "a text"),
    };
    const struct options options = {"app", "for a test", table,
                                    sizeof(table) / sizeof(table[0])};
    char *argv[8] = {strdup("app")};
    int argc = 1, out, err;
    va_list args;

    va_start(args, first);
    for (const char *arg = first; arg; arg = va_arg(args, const char *))
        argv[argc++] = strdup(arg);
    va_end(args);
    memset(&got, 0, sizeof(got));
    guest_host_reset(64 * MIB);
    FILE *to_out = redirect(stdout, &out), *to_err = redirect(stderr, &err);

    got.code = options_parse(&options, argc, argv);
    restore(stdout, to_out, out, got.out, sizeof(got.out));
    restore(stderr, to_err, err, got.err, sizeof(got.err));
    while (argc > 0)
        free(argv[--argc]);
}

static void initial_values(void **state)
{
    (void)state;
    parse(NULL, NULL);
    assert_int_equal(got.code, OPTIONS_RUN);
    assert_int_equal(got.number, 3);
    assert_int_equal(got.size, 32 * MIB);
    assert_int_equal(got.time, NS_PER_S);
    assert_true(got.real == 0.5);
    assert_false(got.flag);
    assert_int_equal(got.word, 1);
    assert_string_equal(got.text, "none");
    assert_string_equal(got.err, "");
}

static void both_forms_of_an_option(void **state)
{
    (void)state;
    parse("--number=7", "--size", "1M", "--flag", "--word=three", NULL);
    assert_int_equal(got.code, OPTIONS_RUN);
    assert_int_equal(got.number, 7);
    assert_int_equal(got.size, MIB);
    assert_true(got.flag);
    assert_int_equal(got.word, 2);
    parse("--number=7", "--number=8", NULL); /* the last one counts */
    assert_int_equal(got.number, 8);
}

static void expect_error(const char *name, const char *value, const char *reason)
{
    assert_int_equal(got.code, WORKLOAD_USAGE);
    assert_non_null(strstr(got.err, name));
    assert_non_null(strstr(got.err, value));
    assert_non_null(strstr(got.err, reason));
    assert_string_equal(got.out, "");
}

static void errors_name_option_and_value(void **state)
{
    (void)state;
    parse("--number=many", NULL);
    expect_error("--number", "many", "not a number");
    parse("--size", "12Q", NULL);
    expect_error("--size", "12Q", "not a size");
    parse("--time=soon", NULL);
    expect_error("--time", "soon", "not a time");
    parse("--word=four", NULL);
    expect_error("--word", "four", "one|two|three");
    parse("--word=tw", NULL);
    expect_error("--word", "tw", "one|two|three");
    parse("--nubmer=3", NULL);
    expect_error("app", "--nubmer=3", "no such option");
    parse("--num=3", NULL);
    expect_error("app", "--num=3", "no such option");
    parse("number", NULL);
    expect_error("app", "number", "not an option");
    parse("--number", NULL);
    expect_error("app", "--number", "needs a value");
    parse("--flag=yes", NULL);
    expect_error("app", "--flag=yes", "takes no value");
    parse("--", NULL);
    expect_error("app", "--", "no such option");
}

static void bounds(void **state)
{
    (void)state;
    parse("--number=0", NULL);
    expect_error("--number", "0", "1 to 10");
    parse("--number=11", NULL);
    expect_error("--number", "11", "1 to 10");
    parse("--number=10", NULL);
    assert_int_equal(got.code, OPTIONS_RUN);
    parse("--size=4095", NULL);
    expect_error("--size", "4095", "at least 4096");
    parse("--real=2.5", NULL);
    expect_error("--real", "2.5", "0 to 2");
}

static void long_values_are_cut_not_overrun(void **state)
{
    char value[600];

    (void)state;
    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    memcpy(value, "--number=", 9);
    parse(value, NULL);
    expect_error("--number=", "xxx", "not a number");
}

static void the_help_lists_everything(void **state)
{
    const char *const words[] = {"for a test", "--number=N",  "--size=SIZE",
                                 "50%",        "--time=TIME", "--real",
                                 "--flag",     "a flag",      "--word=one|two|three",
                                 "two",        "--text",      "--help"};

    (void)state;
    parse("--nonsense", "--help", NULL);
    assert_int_equal(got.code, WORKLOAD_OK);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        assert_non_null(strstr(got.out, words[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(reals),
        cmocka_unit_test(sizes),
        cmocka_unit_test(times),
        cmocka_unit_test(initial_values),
        cmocka_unit_test(both_forms_of_an_option),
        cmocka_unit_test(errors_name_option_and_value),
        cmocka_unit_test(bounds),
        cmocka_unit_test(long_values_are_cut_not_overrun),
        cmocka_unit_test(the_help_lists_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
