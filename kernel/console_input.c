// SPDX-License-Identifier: BSD-2-Clause
/*
 * Command lines: from any source of bytes, and from the serial port, which is one. The ISR moves bytes into a ring and wakes the task, which makes
 * lines of them; without an interrupt a timer takes the ISR's place. Nothing is echoed: programs read
 * the same port.
 */
#include "kernel/clock.h"
#include "kernel/config.h"
#include "kernel/console.h"
#include "kernel/irq.h"
#include "kernel/timer.h"
#include "kernel/uart.h"
#include "kernel/x86/cpu.h"

#include "base/units.h"

#include <stdint.h>

#define RING_SIZE 1024      /* a power of two */
#define BURST_NS  NS_PER_MS /* polled input looks again so soon while bytes come */

/* The ISR and receive_all() write `head` and the bytes, the task `tail`. */
static struct {
    char ring[RING_SIZE];
    volatile uint32_t head, tail;
    struct console_typist serial;
    bool is_polled;
    console_line_fn *on_line;
    struct task task;
    struct timer timer;
} input;

const char *console_input_mode(void)
{
    return input.is_polled ? "poll" : "irq";
}

/* Bytes that do not fit stay in the UART, whose sender then waits. The task calls this too: never
 * both at once, or bytes would be lost and `head` step back. */
static bool receive_all(void)
{
    bool got_any = false;
    uint64_t flags = cpu_irq_save();

    while (input.head - input.tail < RING_SIZE) {
        int c = uart_receive();

        if (c < 0)
            break;
        input.ring[input.head % RING_SIZE] = (char)c;
        input.head++;
        got_any = true;
    }
    cpu_irq_restore(flags);
    return got_any;
}

static bool on_irq(void *ctx)
{
    (void)ctx;
    bool got_any = receive_all();
    task_wake(&input.task);
    return got_any;
}

static void end_line(struct console_typist *typist)
{
    typist->line[typist->len] = '\0';
    if (typist->len > 0 && !typist->is_too_long && input.on_line)
        input.on_line(typist->line);
    typist->len = 0;
    typist->is_too_long = false;
}

void console_type(struct console_typist *typist, char c)
{
    if (c == '\n' || c == '\r') {
        end_line(typist);
    } else if (c == '\b' || c == 0x7F) {
        if (typist->len > 0)
            typist->len--;
    } else if (typist->len + 1 < CONSOLE_LINE_SIZE) {
        typist->line[typist->len++] = c;
    } else {
        typist->is_too_long = true;
    }
}

static void run(void *ctx)
{
    (void)ctx;
    if (input.is_polled) {
        uint64_t wait_ns = receive_all() ? BURST_NS : config_u64("poll_interval");

        timer_set(&input.timer, clock_ns() + wait_ns);
    }
    while (input.tail != input.head) {
        char c = input.ring[input.tail % RING_SIZE];

        input.tail++;
        console_type(&input.serial, c);
    }
    if (!input.is_polled && receive_all())
        task_wake(&input.task);
}

void console_start_input(console_line_fn *on_line)
{
    uint32_t gsi;

    input.on_line = on_line;
    input.task = (struct task){.run = run, .name = "console"};
    task_add(&input.task);
    timer_init(&input.timer, &input.task);
    input.is_polled = irq_attach_isa(UART_ISA_IRQ, on_irq, NULL, &gsi) != 0;
    if (!input.is_polled)
        uart_enable_irq();
    task_wake(&input.task);
}

void console_resume_input(void)
{
    if (!input.is_polled)
        uart_enable_irq();
    task_wake(&input.task);
}
