// SPDX-License-Identifier: BSD-2-Clause
/* What host tests need around our own assert(): a trap that a test sets to see one fail. */
#pragma once

#include <setjmp.h>
#include <stdbool.h>

extern jmp_buf *assert_trap; /* NULL: abort */

_Noreturn void assert_failed(const char *expr, const char *file, int line);

/* Run `statement`; the test fails unless an assert() of ours fails in it. The state that it worked on
 * is lost: it stopped half-way. Needs cmocka.h. */
#define EXPECT_ASSERT(statement)          \
    do {                                  \
        jmp_buf trap_;                    \
        volatile bool has_failed_ = true; \
        assert_trap = &trap_;             \
        if (setjmp(trap_) == 0) {         \
            statement;                    \
            has_failed_ = false;          \
        }                                 \
        assert_trap = NULL;               \
        assert_true(has_failed_);         \
    } while (0)
