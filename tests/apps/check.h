// SPDX-License-Identifier: BSD-2-Clause
/*
 * Checks in the test apps: each one that fails is a line with its place; the app goes on.
 *
 *     struct checks checks;             in one file of the app
 *
 *     CHECK(strlen(HIDE("abc")) == 3);
 *     return checks_end("libc");        the app's exit code
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

extern struct checks {
    unsigned count, failures;
} checks;

#define CHECK(cond) check((cond), __FILE__, __LINE__, #cond)

/* The same for what ought to be a text; says what it is. */
#define CHECK_TEXT(got, want) check_text(got, want, __FILE__, __LINE__)

/* A value of which the compiler knows nothing: the library has to work it out, not the compiler. */
#define HIDE(value)                             \
    ({                                          \
        __typeof__((value) + 0) hidden = value; \
        __asm__ volatile("" : "+m"(hidden));    \
        hidden;                                 \
    })

static inline bool check(bool is_good, const char *file, int line, const char *what)
{
    checks.count++;
    if (!is_good) {
        checks.failures++;
        printf("%s:%d: %s\n", file, line, what);
    }
    return is_good;
}

static inline bool check_text(const char *got, const char *want, const char *file,
                              int line)
{
    bool is_good = check(strcmp(got, want) == 0, file, line, want);

    if (!is_good)
        printf("    but got: %s\n", got);
    return is_good;
}

static inline int checks_end(const char *app)
{
    printf("%s: %u checks, %u failed\n", app, checks.count, checks.failures);
    return checks.failures > 0;
}
