// SPDX-License-Identifier: BSD-2-Clause
/*
 * Where the core writes its log lines: a table with a context, so that a library user may send them
 * anywhere or nowhere. Log state changes, not steps; module first, lower case, units, no full stop:
 *
 *     log_to(sink, LOG_INFO, "balloon: target %u -> %u pages", old, new);
 *
 * Conversions used by the core are those of C99's printf without floating point.
 */
#pragma once

#include <stdarg.h>

enum log_level {
    LOG_ERROR,
    LOG_WARN,
    LOG_INFO,
    LOG_DEBUG,
};

/* One line without its newline. `vwrite` formats at once and keeps no pointer. Task context. */
struct log_sink {
    void *ctx;
    void (*vwrite)(void *ctx, enum log_level level, const char *fmt, va_list args);
};

__attribute__((format(printf, 3, 4))) static inline void
log_to(const struct log_sink *sink, enum log_level level, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    sink->vwrite(sink->ctx, level, fmt, args);
    va_end(args);
}
