// SPDX-License-Identifier: BSD-2-Clause
/*
 * Text out and command lines in. Output goes to every console there is: 16550 serial, debugcon, the
 * framebuffer's event list. Any context but NMI for output; input is task level.
 */
#pragma once

#include <stddef.h>

/* Find the ports. Usable from the first instruction on; before it, output is kept in the log ring. */
void console_init(void);

void console_write(const char *text, size_t len);

/* Called for each whole input line (no newline, NUL-terminated, at most 255 bytes). */
typedef void console_line_fn(char *line);
void console_start_input(console_line_fn *on_line);
