// SPDX-License-Identifier: BSD-2-Clause
/* Log lines: time, level where it matters, text; to the console. */
#include "kernel/log.h"
#include "kernel/clock.h"
#include "kernel/console.h"
#include "kernel/format.h"

#include "base/units.h"

static enum log_level threshold = LOG_INFO;

void log_set_level(enum log_level level)
{
    threshold = level;
}

static void write_line(const char *prefix, const char *fmt, va_list args)
{
    char line[256];
    size_t size = sizeof(line) - 1;
    uint64_t us = clock_ns() / NS_PER_US;

    size_t len = (size_t)format_s(line, size, "[%5llu.%06llu] %s",
                                  (unsigned long long)(us / 1000000),
                                  (unsigned long long)(us % 1000000), prefix);
    len += (size_t)format_v(line + len, size - len, fmt, args);
    if (len >= size)
        len = size - 1;
    line[len++] = '\n';
    console_write(line, len);
}

static void kernel_vwrite(void *ctx, enum log_level level, const char *fmt, va_list args)
{
    static const char *const prefix[] = {"error: ", "warning: ", "", ""};

    (void)ctx;
    if (level <= threshold)
        write_line(prefix[level], fmt, args);
}

void log_answer(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    write_line("", fmt, args);
    va_end(args);
}

void log_bare(const char *fmt, ...)
{
    char line[320];
    size_t size = sizeof(line) - 1;
    va_list args;

    va_start(args, fmt);
    size_t len = (size_t)format_v(line, size, fmt, args);
    va_end(args);
    if (len >= size)
        len = size - 1;
    line[len++] = '\n';
    console_write(line, len);
}

const struct log_sink kernel_log = {.vwrite = kernel_vwrite};
