// SPDX-License-Identifier: BSD-2-Clause
/*
 * Console output: COM1 (16550), debugcon and one registered output (the framebuffer); a ring keeps
 * the last text for an output that comes late. Input is console_input.c's.
 */
#include "kernel/console.h"
#include "kernel/string.h"
#include "kernel/uart.h"
#include "kernel/x86/io.h"

#define DEBUGCON  0xE9
#define RING_SIZE 4096

static struct {
    bool serial, debugcon;
    bool is_mid_line; /* the app's last line has no end yet */
    console_output_fn *output;
    char ring[RING_SIZE];
    size_t ring_len; /* ever written */
} console;

void console_init(void)
{
    console.serial = uart_init();
    console.debugcon = io_in8(DEBUGCON) == DEBUGCON;
}

void console_resume(void)
{
    console.serial = console.serial && uart_init();
}

void console_select(bool serial, bool debugcon)
{
    console.serial = console.serial && serial;
    console.debugcon = console.debugcon && debugcon;
}

static void write(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        console.ring[console.ring_len++ % RING_SIZE] = text[i];
        if (console.serial) {
            if (text[i] == '\n')
                uart_send('\r');
            uart_send(text[i]);
        }
        if (console.debugcon)
            io_out8(DEBUGCON, (unsigned char)text[i]);
    }
    if (console.output)
        console.output(text, len);
}

void console_write(const char *text, size_t len)
{
    if (console.is_mid_line)
        write("\n", 1);
    console.is_mid_line = false;
    write(text, len);
}

/* A line of the app that looks like an event gets a blank in front. */
void console_write_app(const char *text, size_t len)
{
    size_t done = 0;

    while (done < len) {
        const char *end = memchr(text + done, '\n', len - done);
        size_t part = end ? (size_t)(end - text) + 1 - done : len - done;

        if (!console.is_mid_line && text[done] == '@')
            write(" ", 1);
        write(text + done, part);
        console.is_mid_line = !end;
        done += part;
    }
}

void console_add_output(console_output_fn *fn)
{
    size_t at = console.ring_len > RING_SIZE ? console.ring_len - RING_SIZE : 0;

    for (; at < console.ring_len; at++)
        fn(&console.ring[at % RING_SIZE], 1);
    console.output = fn;
}
