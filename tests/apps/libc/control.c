// SPDX-License-Identifier: BSD-2-Clause
/* Ways through a program that are none of the usual: <setjmp.h>, <signal.h>, <errno.h>, <assert.h>. */
#include "tests/apps/check.h"
#include "tests/apps/libc/libc.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>

#ifdef NDEBUG
#error assert() must be on
#endif

static jmp_buf back;

__attribute__((noinline)) static void dive(int depth)
{
    if (depth > 0)
        dive(depth - 1);
    if (HIDE(depth) == 0)
        longjmp(back, 7);
}

void check_setjmp(void)
{
    volatile int passes = 0;
    int result = setjmp(back);

    passes++;
    if (result == 0)
        dive(100);
    CHECK(result == 7 && passes == 2);

    result = setjmp(back);
    if (result == 0)
        longjmp(back, 0);
    CHECK(result == 1); /* C99, 7.13.2.1: never 0 */
}

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    caught += number;
}

void check_signal(void)
{
    CHECK(signal(SIGUSR1, on_signal) == SIG_DFL);
    CHECK(raise(SIGUSR1) == 0 && caught == SIGUSR1);
    CHECK(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
    CHECK(raise(SIGUSR1) == 0 && caught == SIGUSR1);
    CHECK(signal(SIGUSR1, SIG_DFL) == SIG_IGN);
    errno = 0;
    CHECK(signal(-1, on_signal) == SIG_ERR && errno == EINVAL);
}

void check_errno(void)
{
    errno = 0;
    CHECK(strtol("12", NULL, 10) == 12 && errno == 0);
    errno = EDOM;
    CHECK(strlen(HIDE("kept")) == 4 && errno == EDOM);
    errno = 0;
    CHECK(isnan(sqrt(HIDE(-1.0))) && errno == EDOM);
    errno = 0;
    CHECK(exp(HIDE(1000.0)) == HUGE_VAL && errno == ERANGE);
    errno = 0;
    CHECK(isnan(acos(HIDE(2.0))) && errno == EDOM);
    errno = 0;
    CHECK(isnan(fmod(HIDE(1.0), 0)) && errno == EDOM);
    CHECK(ENOENT != ENOMEM && ENOMEM != EINVAL);
}

void check_assert(void)
{
    int evaluated = 0;

    assert(++evaluated == 1);
    CHECK(evaluated == 1);
}
