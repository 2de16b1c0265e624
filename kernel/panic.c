// SPDX-License-Identifier: BSD-2-Clause
/* Last words. Owns the order: the line, where we were, the way out. Never returns, never nests. */
#include "kernel/panic.h"
#include "kernel/console.h"
#include "kernel/format.h"
#include "kernel/power.h"

#include "base/assert.h"

#include <stddef.h>
#include <stdint.h>

enum exit_status {
    EXIT_REFUSED = 2,
    EXIT_PANIC = 3,
};

static void say(const char *prefix, const char *fmt, va_list args)
{
    char line[320];
    size_t size = sizeof(line) - 1;
    size_t len = (size_t)format_s(line, size, "%s", prefix);

    len += (size_t)format_v(line + len, size - len, fmt, args);
    if (len >= size)
        len = size - 1;
    line[len++] = '\n';
    console_write(line, len);
}

void panic(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say("panic: ", fmt, args);
    va_end(args);
    power_test_exit(EXIT_PANIC);
}

void boot_refuse(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say("aerostat: cannot start: ", fmt, args);
    va_end(args);
    power_test_exit(EXIT_REFUSED);
}

void assert_failed(const char *expr, const char *file, int line)
{
    panic("assertion failed: %s at %s:%d", expr, file, line);
}

/* The stack protector's own names. */
uintptr_t __stack_chk_guard = 0x595E9FBD94FDA766;

void __stack_chk_fail(void);
void __stack_chk_fail(void)
{
    panic("stack smashed, found in %p", __builtin_return_address(0));
}
