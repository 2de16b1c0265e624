// SPDX-License-Identifier: BSD-2-Clause
/* <stdio.h>: all that printf and scanf can, in memory and on the console. */
#define _GNU_SOURCE
#include "tests/apps/check.h"
#include "tests/apps/libc/libc.h"

#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* The format is a variable, so that the compiler neither warns nor does the work. */
static void format(const char *file, int line, const char *want, const char *fmt, ...)
{
    char got[512];
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(got, sizeof(got), fmt, args);
    va_end(args);
    check_text(got, want, file, line);
    check(len == (int)strlen(want), file, line, "the length of it");
}

#define FORMATS(want, ...) format(__FILE__, __LINE__, want, __VA_ARGS__)

static void print_integers(void)
{
    FORMATS("-42 42 0", "%d %i %u", -42, 42, 0);
    FORMATS("   42|42   |00042|+42| 42", "%5d|%-5d|%05d|%+d|% d", 42, 42, 42, 42, 42);
    FORMATS("ff FF 0xff 377 0377", "%x %X %#x %o %#o", 255, 255, 255, 255, 255);
    FORMATS("00012", "%.5d", 12);
    FORMATS("   12|12   ", "%*d|%*d", 5, 12, -5, 12);
    FORMATS("-9223372036854775808", "%lld", LLONG_MIN);
    FORMATS("18446744073709551615", "%llu", ULLONG_MAX);
    FORMATS("18446744073709551615", "%zu", SIZE_MAX);
    FORMATS("-9223372036854775808 123", "%ld %td", LONG_MIN, (ptrdiff_t)123);
    FORMATS("9223372036854775807", "%jd", INTMAX_MAX);
    FORMATS("44 -1", "%hhd %hd", 300, 65535);
    FORMATS("ffffffffffffffff", "%" PRIx64, UINT64_MAX);
    FORMATS("0x1000", "%p", (void *)0x1000);
}

static void print_texts(void)
{
    FORMATS("a%z", "%c%%%c", 'a', 'z');
    FORMATS("text|tex|      text|text      |", "%s|%.3s|%10s|%-10s|", "text", "text",
            "text", "text");
    FORMATS("te", "%.*s", 2, "text");
    FORMATS("", "%s", "");
}

static void print_floats(void)
{
    FORMATS("3.141593 3.14 3", "%f %.2f %.0f", M_PI, M_PI, M_PI);
    FORMATS("2 4 -0.000000", "%.0f %.0f %f", 2.5, 3.5, -0.0);
    FORMATS("1.234568e+04 1.2E-10", "%e %.1E", 12345.678, 1.2e-10);
    FORMATS("0.0001 1e-05 100000 1e+06", "%g %g %g %g", 1e-4, 1e-5, 1e5, 1e6);
    FORMATS("0.10000000000000001", "%.17g", 0.1);
    FORMATS("10000000000000000000000.000", "%.3f", 1e22);
    FORMATS("1.797693e+308 2.225074e-308", "%e %e", DBL_MAX, DBL_MIN);
    FORMATS("4.940656e-324", "%e", 0x1p-1074);
    FORMATS("inf -inf nan INF", "%f %f %f %F", INFINITY, -INFINITY, NAN, INFINITY);
    FORMATS("   3.1|3.1   |+3.1|0003.1", "%6.1f|%-6.1f|%+.1f|%06.1f", M_PI, M_PI, M_PI,
            M_PI);
    FORMATS("0x1.8p+1", "%a", 3.0);
    FORMATS("1.500000 1.189731e+4932", "%Lf %Le", 1.5L, LDBL_MAX);
}

/* Cut, but the length is told, and a NUL at the end. */
static void print_too_much(void)
{
    char buf[8] = "xxxxxxx";
    char *text = NULL;

    CHECK(snprintf(buf, HIDE((size_t)5), "%s", HIDE("truncated")) == 9);
    CHECK(memcmp(buf, "trun\0xx", 8) == 0);
    CHECK(snprintf(NULL, 0, "%d", HIDE(12345)) == 5);
    CHECK(snprintf(buf, HIDE((size_t)1), "%s", HIDE("x")) == 1 && buf[0] == '\0');
    CHECK(asprintf(&text, "%*s", HIDE(5000), "end") == 5000);
    CHECK(text && strlen(text) == 5000 && strcmp(text + 4997, "end") == 0);
    free(text);
}

static void scan(void)
{
    int a = 0, b = 0, at = 0;
    unsigned x = 0;
    long long ll = 0;
    size_t size = 0;
    unsigned char byte = 0;
    double d = 0;
    float f = 0;
    char word[16] = "", set[16] = "", c = 0;

    CHECK(sscanf(HIDE(" 12  -7 0xff rest"), "%d%d%x %15s", &a, &b, &x, word) == 4);
    CHECK(a == 12 && b == -7 && x == 255);
    CHECK_TEXT(word, "rest");
    CHECK(sscanf(HIDE("1.5e3 0.25 -9223372036854775807"), "%lf%f%lld", &d, &f, &ll) == 3);
    CHECK(d == 1500 && f == 0.25F && ll == -LLONG_MAX);
    CHECK(sscanf(HIDE("300 255"), "%zu%hhu", &size, &byte) == 2);
    CHECK(size == 300 && byte == 255);
    CHECK(sscanf(HIDE("abcX12"), "%15[a-z]%c%d%n", set, &c, &a, &at) == 3);
    CHECK(c == 'X' && a == 12 && at == 6);
    CHECK_TEXT(set, "abc");
    CHECK(sscanf(HIDE("123456"), "%3d%*1d%d", &a, &b) == 2 && a == 123 && b == 56);
    CHECK(sscanf(HIDE("word"), "%d", &a) == 0);
    CHECK(sscanf(HIDE(""), "%d", &a) == EOF);
    CHECK(sscanf(HIDE("012"), "%i", &a) == 1 && a == 10);
}

static void streams(void)
{
    char text[32], *made = NULL;
    size_t bytes = 0;
    FILE *file = fmemopen(text, sizeof(text), "w+");

    if (CHECK(file != NULL)) {
        CHECK(fprintf(file, "%s %d\n", "line", 7) == 7);
        rewind(file);
        char line[16] = "";
        CHECK(fgets(line, sizeof(line), file) == line);
        CHECK_TEXT(line, "line 7\n");
        CHECK(fseek(file, 2, SEEK_SET) == 0 && getc(file) == 'n' && ftell(file) == 3);
        CHECK(ungetc('q', file) == 'q' && getc(file) == 'q');
        CHECK(fclose(file) == 0);
    }
    file = open_memstream(&made, &bytes);
    if (CHECK(file != NULL)) {
        for (int i = 0; i < 1000; i++)
            fprintf(file, "%03d,", i);
        CHECK(fclose(file) == 0 && bytes == 4000 && memcmp(made + 3996, "999,", 4) == 0);
        free(made);
    }
}

static void console(void)
{
    CHECK(puts("libc: puts") >= 0);
    CHECK(printf("libc: %s %.1f\n", "printf", 1.5) == 17);
    CHECK(fputs("libc: fputs\n", stderr) >= 0);
    CHECK(fwrite("libc: fwrite\n", 1, 13, stdout) == 13);
    CHECK(putchar('\n') == '\n');
    CHECK(fflush(stdout) == 0 && fflush(NULL) == 0);
    CHECK(fileno(stdin) == 0 && fileno(stdout) == 1 && fileno(stderr) == 2);
    CHECK(!ferror(stdout));
}

void check_stdio(void)
{
    print_integers();
    print_texts();
    print_floats();
    print_too_much();
    scan();
    streams();
    console();
}
