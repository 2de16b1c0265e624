// SPDX-License-Identifier: BSD-2-Clause
/*
 * Last words. Owns the order: the line, where we were, the way out. Works with whatever is left: no
 * allocation, no tasks, no interrupts; a panic inside a panic goes straight to the way out.
 */
#include "kernel/panic.h"
#include "kernel/config.h"
#include "kernel/console.h"
#include "kernel/event.h"
#include "kernel/format.h"
#include "kernel/power.h"
#include "kernel/status.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/trap.h"

#include "base/assert.h"

#include <stddef.h>

enum exit_status {
    EXIT_REFUSED = 2,
    EXIT_PANIC = 3,
};

static bool panicking;

/* The stack protector's own names; kernel_entry mixes the time into the guard before any C runs. Its low
 * byte stays 0, where a string that runs over ends. */
uintptr_t __stack_chk_guard = 0x595E9FBD94FDA700;
void __stack_chk_fail(void);

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

/* The same for programs; quotes would end the word. */
static void emit(const char *fmt, va_list args)
{
    char reason[160];

    format_v(reason, sizeof(reason), fmt, args);
    for (char *at = reason; *at; at++) {
        if (*at == '"')
            *at = '\'';
    }
    event_emit("event=panic reason=\"%s\"", reason);
}

static void begin(void)
{
    cpu_irq_disable();
    if (panicking)
        power_test_exit(EXIT_PANIC);
    panicking = true;
    console_open_all();
    status_draw_at_once();
    event_stop();
}

/* As the setting `panic` says; a test exit, where there is one, goes before. */
static _Noreturn void leave(void)
{
    power_test_status(EXIT_PANIC);
    if (config_is("panic", "halt"))
        cpu_halt();
    if (config_is("panic", "reboot"))
        power_reboot();
    power_stop();
}

void panic(const char *fmt, ...)
{
    va_list args;

    begin();
    va_start(args, fmt);
    say("panic: ", fmt, args);
    va_end(args);
    va_start(args, fmt);
    emit(fmt, args);
    va_end(args);
    trap_print_backtrace((uint64_t)__builtin_return_address(0),
                         *(const uint64_t *)__builtin_frame_address(0));
    leave();
}

void panic_in_trap(const struct trap_frame *frame)
{
    begin();
    trap_print("panic", frame, cpu_read_cr2());
    event_emit("event=panic reason=\"%s\"", trap_name(frame));
    trap_print_way(frame);
    leave();
}

void boot_refuse(const char *fmt, ...)
{
    va_list args;

    cpu_irq_disable();
    console_open_all();
    status_draw_at_once();
    va_start(args, fmt);
    say("aerostat: cannot start: ", fmt, args);
    va_end(args);
    power_test_exit(EXIT_REFUSED);
}

void assert_failed(const char *expr, const char *file, int line)
{
    panic("assertion failed: %s at %s:%d", expr, file, line);
}

void __stack_chk_fail(void)
{
    panic("stack smashed");
}
