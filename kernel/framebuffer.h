// SPDX-License-Identifier: BSD-2-Clause
/*
 * The screen: draws the status page on the firmware's linear framebuffer. Text is taken by the console
 * at once; drawing happens at once too until framebuffer_start(), then at most 20 times a second by a
 * task of its own, because pixels are slow.
 */
#pragma once

#include <stdbool.h>

struct boot_info;

/* Take the framebuffer of boot_info, if there is one that fits the rules, and show what was printed so
 * far. On the boot page tables it is drawn only below 4 GiB. Boot context; early, so that refusals are
 * seen. */
void framebuffer_init(const struct boot_info *info);

/* Leave the screen alone from now on when the setting `console` does not name it. Boot context. */
void framebuffer_select(bool is_wanted);

/* Before the boot page tables go, stop; when paging is up, map it anew and go on. Boot context. */
void framebuffer_suspend(void);
void framebuffer_resume(void);

/* Leave the drawing to a task from now on. Boot context, after task and timer set-up. */
void framebuffer_start(void);

/* The mode was lost in a sleep: nothing is drawn any more. */
void framebuffer_lose(void);

/* From the next line on draw at once again: last words. Any context but NMI. */
void framebuffer_draw_at_once(void);
