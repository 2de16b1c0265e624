// SPDX-License-Identifier: BSD-2-Clause
/*
 * Suspend to RAM and back (docs/suspend.md): everything around the sleep, in its order. Drivers end first,
 * so that the host has all memory back and no device is in use; while they do, all else goes on. A sleep
 * that cannot be is refused with a reason and leaves everything running.
 *
 * Context: task level.
 */
#pragma once

#include <stdbool.h>

/* Boot context, after drivers_start(). */
void suspend_init(void);

/* The command: begin, `event=suspended` follows, then after the wake `event=resumed`; or an error event. */
void command_suspend(int argc, char **argv);

/* From the command until all is running again. */
bool suspend_is_busy(void);
