// SPDX-License-Identifier: BSD-2-Clause
/*
 * The `@` lines: what tools parse. "@ t=<ns> key=value ..." one line each; docs/events.md is the
 * schema, its version is in the boot event.
 *
 *     event_emit("balloon=virtio target=%u actual=%u", target, actual);
 *
 * Lines wait in a ring that a task empties line by line, so that whoever emits does not wait for the
 * console. The kernel's own are never lost: when the ring is full they wait after all. Task level.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define EVENT_TEXT_MAX 400 /* of an app's own event */

__attribute__((format(printf, 1, 2))) void event_emit(const char *fmt, ...);

/* The same for an app's: dropped, counted and false where the ring is nearly full. */
__attribute__((format(printf, 1, 2))) bool event_offer(const char *fmt, ...);

/* Events dropped since boot. */
uint64_t event_dropped(void);

/* From here on lines wait; before, each is written at once. Boot context. */
void event_start(void);

/* Write what waits. Task level. */
void event_flush(void);

/* Write what waits, and from here on each line at once: last words, the way out. Any context. */
void event_stop(void);
