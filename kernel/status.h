// SPDX-License-Identifier: BSD-2-Clause
/*
 * The live status page: gathers what the page shows, has it drawn, and heeds the keys p (power off),
 * r (reboot) and d (details). Text is taken by the console at once; drawing happens at once too until
 * status_start(), then by a task, at most five times a second, and once a second when nothing is printed.
 */
#pragma once

#include <stdbool.h>

struct boot_info;

/* Take the screen, if there is one, and show what was printed so far. Boot context; early. */
void status_init(const struct boot_info *info);

/* Leave the screen alone from now on when the setting `console` does not name it. Boot context. */
void status_select(bool is_wanted);

/* Around the change of page tables. Boot context. */
void status_suspend(void);
void status_resume(void);

/* Leave the drawing to a task from now on, and listen to the keyboard. Boot context, after task, timer and
 * interrupt set-up. */
void status_start(void);

/* The screen's mode was lost in a sleep: nothing is drawn any more. */
void status_lose(void);

/* From the next line on draw at once again: last words. Any context but NMI. */
void status_draw_at_once(void);
