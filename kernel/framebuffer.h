// SPDX-License-Identifier: BSD-2-Clause
/*
 * The screen as pixels: draws a status page on the firmware's linear framebuffer. It remembers what it drew
 * and writes only what differs, as pixels are slow. What is on the page, and when it is drawn, is status.c's.
 */
#pragma once

#include "kernel/status_page.h"

struct boot_info;

/* Take the framebuffer of boot_info. True: there is one and it fits the rules; how many cells it has. On the
 * boot page tables it is drawn only below 4 GiB. Boot context; early, so that refusals are seen. */
bool framebuffer_init(const struct boot_info *info, unsigned *cols, unsigned *rows);

/* Before the boot page tables go, stop; when paging is up, map it anew. False: no room. Boot context. */
void framebuffer_suspend(void);
bool framebuffer_resume(void);

/* Draw what differs from the page. False: `until_ns` has come (TIMER_NEVER: it may take what it takes), call
 * again with the same page for the rest. Nothing to do while it is not mapped. Any context but NMI. */
bool framebuffer_show(const struct status_page *page, uint64_t until_ns);
