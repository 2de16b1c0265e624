// SPDX-License-Identifier: BSD-2-Clause
/*
 * Text out and command lines in. Output goes to every console there is: 16550 serial, debugcon, the
 * framebuffer's event list. Any context but NMI for output; input is task level.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Find the ports. Usable from the first instruction on; before it, output is kept in the ring. */
void console_init(void);

/* Whole lines of the kernel. */
void console_write(const char *text, size_t len);

/* Text of an app, in any pieces: the kernel's lines still begin at the left, and no line of it passes for
 * an event. */
void console_write_app(const char *text, size_t len);

/* Drop a console that the setting `console` does not name. Boot context. */
void console_select(bool serial, bool debugcon);

/* One more place that gets all output; what the ring holds is replayed to it first. Boot context. */
typedef void console_output_fn(const char *text, size_t len);
void console_add_output(console_output_fn *fn);

/* Called for each whole input line (no newline, NUL-terminated, at most 255 bytes). */
typedef void console_line_fn(char *line);
void console_start_input(console_line_fn *on_line);

/* After a sleep the port has not survived: set it up again, for output and for input. */
void console_resume(void);
void console_resume_input(void);

/* "irq" or "poll": how input arrives. */
const char *console_input_mode(void);
