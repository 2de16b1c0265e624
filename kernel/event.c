// SPDX-License-Identifier: BSD-2-Clause
/* The `@` lines; docs/events.md is the schema. */
#include "kernel/event.h"
#include "kernel/clock.h"
#include "kernel/console.h"
#include "kernel/format.h"

#include <stddef.h>

void event_emit(const char *fmt, ...)
{
    char line[512];
    size_t size = sizeof(line) - 1;
    va_list args;

    size_t len =
        (size_t)format_s(line, size, "@ t=%llu ", (unsigned long long)clock_ns());
    va_start(args, fmt);
    len += (size_t)format_v(line + len, size - len, fmt, args);
    va_end(args);
    if (len >= size)
        len = size - 1;
    line[len++] = '\n';
    console_write(line, len);
}
