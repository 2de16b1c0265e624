// SPDX-License-Identifier: BSD-2-Clause
/* The `@` lines; docs/events.md is the schema. */
#include "kernel/event.h"
#include "kernel/app.h"
#include "kernel/clock.h"
#include "kernel/console.h"
#include "kernel/format.h"
#include "kernel/line_ring.h"
#include "kernel/timer.h"

#include "base/units.h"

#include <stddef.h>

#define LINE_SIZE   512
#define RING_SIZE   16384
#define KERNEL_KEEP (RING_SIZE / 4) /* apps leave this much to the kernel's own */
#define APP_GAP_NS  NS_PER_MS       /* between two lines while an app runs */

static char bytes[RING_SIZE];

static struct {
    struct line_ring ring;
    bool is_queued;
    uint64_t dropped;
    struct task task;
    struct timer timer;
} event = {.ring = {.bytes = bytes, .size = RING_SIZE}};

static size_t format_line(char line[LINE_SIZE], const char *fmt, va_list args)
{
    size_t size = LINE_SIZE - 1;
    size_t len =
        (size_t)format_s(line, size, "@ t=%llu ", (unsigned long long)clock_ns());

    len += (size_t)format_v(line + len, size - len, fmt, args);
    if (len >= size)
        len = size - 1;
    line[len++] = '\n';
    return len;
}

static void write_first(void)
{
    char line[LINE_SIZE];

    console_write(line, line_ring_take(&event.ring, line, sizeof(line)));
}

void event_flush(void)
{
    while (!line_ring_is_empty(&event.ring))
        write_first();
}

/* A line costs about 2 us a character on an emulated serial port: beside an app one at a time, so that it
 * keeps most of the CPU however much it tells. */
static void run(void *ctx)
{
    (void)ctx;
    if (!line_ring_is_empty(&event.ring))
        write_first();
    if (line_ring_is_empty(&event.ring))
        return;
    if (app_is_running())
        timer_set(&event.timer, clock_ns() + APP_GAP_NS);
    else
        task_wake(&event.task);
}

void event_emit(const char *fmt, ...)
{
    char line[LINE_SIZE];
    va_list args;

    va_start(args, fmt);
    size_t len = format_line(line, fmt, args);
    va_end(args);
    if (!event.is_queued) {
        console_write(line, len);
        return;
    }
    if (!line_ring_put(&event.ring, line, len, 0)) {
        event_flush();
        line_ring_put(&event.ring, line, len, 0);
    }
    task_wake(&event.task);
}

bool event_offer(const char *fmt, ...)
{
    char line[LINE_SIZE];
    va_list args;

    va_start(args, fmt);
    size_t len = format_line(line, fmt, args);
    va_end(args);
    if (!line_ring_put(&event.ring, line, len, KERNEL_KEEP)) {
        event.dropped++;
        return false;
    }
    if (event.timer.when_ns == TIMER_NEVER)
        timer_set(&event.timer, clock_ns() + APP_GAP_NS);
    return true;
}

uint64_t event_dropped(void)
{
    return event.dropped;
}

void event_start(void)
{
    event.task = (struct task){.run = run, .name = "event"};
    task_add(&event.task);
    timer_init(&event.timer, &event.task);
    event.is_queued = true;
}

void event_stop(void)
{
    event.is_queued = false;
    console_write_at_once();
    event_flush();
}
