// SPDX-License-Identifier: BSD-2-Clause
/*
 * Text out and command lines in. Output goes to every console there is: 16550 serial, debugcon, the
 * framebuffer's event list, a virtio console. Any context but NMI for output; input is task level.
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

/* Last words: from here on they go to every console found, whatever the setting says. Any context. */
void console_open_all(void);

/* From here on nothing waits: each write is sent before it returns, as far as it goes. Any context. */
void console_write_at_once(void);

/* One more place that gets all output. */
struct console_output {
    void (*write)(const char *text, size_t len);
    void (*flush)(
        void); /* send what waits now, for a bounded time; NULL: nothing ever waits */
    bool (*is_behind)(void); /* much waits: more might be dropped soon; NULL: never */
};

/* What came after the first `from` bytes and is still kept is replayed to it first. `output` stays alive
 * until it is removed. Task or boot context. */
void console_add_output(const struct console_output *output, size_t from);
void console_remove_output(const struct console_output *output);

/* Bytes ever written. */
size_t console_written(void);

/* True when some output is behind: who can wait with long text does. */
bool console_is_behind(void);

/* Called for each whole input line (no newline, NUL-terminated, at most 255 bytes). */
typedef void console_line_fn(char *line);
void console_start_input(console_line_fn *on_line);

/* After a sleep the port has not survived: set it up again, for output and for input. */
void console_resume(void);
void console_resume_input(void);

#define CONSOLE_LINE_SIZE 256

/* A source of input bytes, and the line it is in the middle of; zeroed at the start. */
struct console_typist {
    char line[CONSOLE_LINE_SIZE];
    size_t len;
    bool is_too_long; /* the rest of the line is dropped */
};

/* One more byte of it; a whole line goes where console_start_input() said. Task level. */
void console_type(struct console_typist *typist, char c);

/* "irq" or "poll": how input arrives. */
const char *console_input_mode(void);
