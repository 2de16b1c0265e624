// SPDX-License-Identifier: BSD-2-Clause
/* A line of an allocation trace. docs/trace-format.md has the format. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum trace_what {
    TRACE_ALLOC,
    TRACE_FREE,
    TRACE_TOUCH,
    TRACE_REALLOC,
    TRACE_TIMED, /* how many of them are measured: those above */
    TRACE_WAIT = TRACE_TIMED,
    TRACE_END,
    TRACE_NOTHING, /* a comment, an empty line */
};

struct trace_op {
    enum trace_what what;
    uint32_t id;
    uint64_t amount; /* bytes, or nanoseconds of a wait */
};

/* False: not a line of a trace. */
bool trace_parse(const char *text, struct trace_op *out);
