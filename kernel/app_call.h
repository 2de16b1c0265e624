// SPDX-License-Identifier: BSD-2-Clause
/*
 * What lib/newlib asks of the kernel for an app: one gate and a table of calls behind it
 * (kernel/app_calls.c). The gate leaves the app's stack for the kernel's and raises the level to task;
 * arguments that are addresses are checked and copied. Returns a count, an address or 0; else the
 * negative of an error of base/err.h.
 *
 * Context: app level only.
 */
#pragma once

#include <stdint.h>

enum app_call_number {
    APP_CALL_EXIT,    /* code: ends the app */
    APP_CALL_ABORT,   /* enum app_abort, who is to blame: ends the app, with a report */
    APP_CALL_WRITE,   /* text, bytes */
    APP_CALL_READ,    /* buffer, bytes: waits for a line on the console; 0 is its end */
    APP_CALL_SLEEP,   /* until this many ns after boot */
    APP_CALL_MAP,     /* bytes, enum guest_map_flags | enum app_map_flags */
    APP_CALL_UNMAP,   /* start, bytes */
    APP_CALL_RELEASE, /* start, bytes */
    APP_CALL_RESERVE, /* start, bytes, whether it can do without: promise them, of a sparse region */
    APP_CALL_REFUSED,  /* bytes, or a region: the app is told that there is no memory */
    APP_CALL_VOLATILE, /* start */
    APP_CALL_NEEDED,   /* start */
    APP_CALL_COMPACT,
    APP_CALL_MEMORY,   /* struct guest_memory * */
    APP_CALL_PRESSURE, /* struct guest_pressure * */
    APP_CALL_EVENT,    /* text, bytes */
    APP_CALL_COUNT,
};

enum app_abort {
    APP_ABORT_CALLED, /* abort(), a failed assert */
    APP_ABORT_STACK,  /* the stack protector found its guard changed */
    APP_ABORT_HEAP,   /* free() of what is not allocated */
};

/* Besides those of guest.h. */
enum app_map_flags {
    APP_MAP_PURGEABLE = 0x100,
    APP_MAP_DIRTY = 0x200, /* contents need not be zero */
};

/* x86/app_switch.asm */
int64_t app_call(uint64_t number, uint64_t a, uint64_t b, uint64_t c);
