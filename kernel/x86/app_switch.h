// SPDX-License-Identifier: BSD-2-Clause
/*
 * The border between the app and the kernel on this CPU: app_switch.asm, and the part of stubs.asm that
 * leaves the app's stack when an exception or interrupt hits the app.
 */
#pragma once

#include <stdint.h>

/* How an app begins. The layout is known to app_switch.asm. */
struct app_context {
    uint64_t entry;
    uint64_t stack_top; /* aligned to 16 */
    uint64_t args[3];
};

/* 1 while the app's own code runs, else 0. Changes with interrupts off only; trap.c keeps it for
 * exceptions and interrupts, the gate for calls. */
extern uint8_t app_level;

/* Let SSE and x87 code run; the kernel itself has none. Boot context. */
void app_switch_init(void);

/* Run the app until app_switch_leave(). Task level; not nested. */
void app_switch_enter(const struct app_context *context);
_Noreturn void app_switch_leave(void);
