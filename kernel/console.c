// SPDX-License-Identifier: BSD-2-Clause
/*
 * Console output: COM1 (16550), debugcon and registered outputs (framebuffer, virtio console); a ring keeps
 * the last text for an output that comes late. Input is console_input.c's.
 */
#include "kernel/console.h"
#include "kernel/string.h"
#include "kernel/uart.h"
#include "kernel/x86/io.h"

#define DEBUGCON    0xE9
#define RING_SIZE   16384
#define OUTPUTS_MAX 2

static struct {
    bool has_serial, has_debugcon; /* found */
    bool serial, debugcon;         /* used */
    bool is_mid_line;              /* the app's last line has no end yet */
    bool is_at_once;
    const struct console_output *outputs[OUTPUTS_MAX];
    char ring[RING_SIZE];
    size_t ring_len; /* ever written */
} console;

void console_init(void)
{
    console.has_serial = uart_init();
    console.has_debugcon = io_in8(DEBUGCON) == DEBUGCON;
    console_open_all();
}

void console_resume(void)
{
    console.has_serial = console.has_serial && uart_init();
    console.serial = console.serial && console.has_serial;
}

void console_select(bool serial, bool debugcon)
{
    console.serial = console.has_serial && serial;
    console.debugcon = console.has_debugcon && debugcon;
}

void console_open_all(void)
{
    console_select(true, true);
}

static void write_ports(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (console.serial) {
            if (text[i] == '\n')
                uart_send('\r');
            uart_send(text[i]);
        }
        if (console.debugcon)
            io_out8(DEBUGCON, (unsigned char)text[i]);
    }
}

static void flush(void)
{
    for (unsigned i = 0; i < OUTPUTS_MAX; i++) {
        if (console.outputs[i] && console.outputs[i]->flush)
            console.outputs[i]->flush();
    }
}

static void write(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        console.ring[console.ring_len++ % RING_SIZE] = text[i];
    if (console.serial || console.debugcon)
        write_ports(text, len);
    for (unsigned i = 0; i < OUTPUTS_MAX; i++) {
        if (console.outputs[i])
            console.outputs[i]->write(text, len);
    }
    if (console.is_at_once)
        flush();
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

void console_write_at_once(void)
{
    console.is_at_once = true;
    flush();
}

static void replay(const struct console_output *output, size_t from)
{
    size_t at = console.ring_len > RING_SIZE ? console.ring_len - RING_SIZE : 0;

    if (at < from)
        at = from;
    while (at < console.ring_len) {
        size_t start = at % RING_SIZE;
        size_t len = console.ring_len - at;

        if (len > RING_SIZE - start)
            len = RING_SIZE - start;
        output->write(&console.ring[start], len);
        at += len;
    }
}

void console_add_output(const struct console_output *output, size_t from)
{
    replay(output, from);
    for (unsigned i = 0; i < OUTPUTS_MAX; i++) {
        if (!console.outputs[i]) {
            console.outputs[i] = output;
            return;
        }
    }
}

void console_remove_output(const struct console_output *output)
{
    for (unsigned i = 0; i < OUTPUTS_MAX; i++) {
        if (console.outputs[i] == output)
            console.outputs[i] = NULL;
    }
}

size_t console_written(void)
{
    return console.ring_len;
}

bool console_is_behind(void)
{
    for (unsigned i = 0; i < OUTPUTS_MAX; i++) {
        const struct console_output *output = console.outputs[i];

        if (output && output->is_behind && output->is_behind())
            return true;
    }
    return false;
}
