// SPDX-License-Identifier: BSD-2-Clause
/*
 * assert_failed() for host programs. A test that expects an assertion says so:
 *
 *     EXPECT_ASSERT(pmm_give(pmm, pfn, 0, RUN_TOUCHED));
 *
 * Outside of it a failed assertion prints itself and aborts.
 */
#include "tests/model/seams.h"

#include <stdio.h>
#include <stdlib.h>

jmp_buf *assert_trap;

_Noreturn void assert_failed(const char *expr, const char *file, int line)
{
    if (assert_trap)
        longjmp(*assert_trap, 1);
    fprintf(stderr, "assertion failed: %s (%s:%d)\n", expr, file, line);
    abort();
}
