// SPDX-License-Identifier: BSD-2-Clause
/*
 * Owns port 0xE9 and the clock behind `t`: the TSC, measured once against PIT channel 0, which every
 * machine with a PIT has and which the guest sets up again for itself.
 */
#include "tests/vmhost/log.h"

#include "base/units.h"
#include "tests/vmhost/x86.h"

#include <stdarg.h>
#include <stdbool.h>

#define DEBUGCON     0xe9
#define PIT_COUNTER0 0x40
#define PIT_COMMAND  0x43
#define PIT_MODE_2   0x34 /* channel 0, both bytes, rate generator */
#define PIT_LATCH_0  0x00
#define PIT_HZ       UINT64_C(1193182)
#define PIT_SPAN     UINT32_C(23864) /* 20 ms */
#define TRIES        8               /* per end of the span; the narrowest counts */

static struct {
    uint64_t khz, start;
} clock;

static uint32_t pit_count(void)
{
    port_out(PIT_COMMAND, 1, PIT_LATCH_0);
    uint32_t low = port_in(PIT_COUNTER0, 1);
    return port_in(PIT_COUNTER0, 1) << 8 | low;
}

struct moment {
    uint64_t tsc;
    uint32_t count;
};

/* The host may stop us anywhere; of several tries the one between the closest two TSC reads is taken. */
static struct moment moment_now(void)
{
    struct moment best = {0, 0};
    uint64_t narrowest = UINT64_MAX;

    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t before = tsc_read();
        uint32_t count = pit_count();
        uint64_t width = tsc_read() - before;

        if (width >= narrowest)
            continue;
        narrowest = width;
        best = (struct moment){before + width / 2, count};
    }
    return best;
}

void log_start_clock(void)
{
    port_out(PIT_COMMAND, 1, PIT_MODE_2);
    port_out(PIT_COUNTER0, 1, 0);
    port_out(PIT_COUNTER0, 1, 0); /* the longest period: 65536 */

    struct moment first = moment_now(), last;
    do
        last = moment_now();
    while (((first.count - last.count) & 0xffff) < PIT_SPAN);
    uint64_t gone = (first.count - last.count) & 0xffff;
    clock.khz = (last.tsc - first.tsc) * PIT_HZ / gone / 1000;
    clock.start = first.tsc;
}

uint64_t log_tsc_khz(void)
{
    return clock.khz;
}

uint64_t log_now_ns(void)
{
    if (!clock.khz)
        return 0;
    uint64_t ticks = tsc_read() - clock.start;
    return ticks / clock.khz * NS_PER_MS + ticks % clock.khz * NS_PER_MS / clock.khz;
}

static void put(const char *text)
{
    while (*text)
        port_out(DEBUGCON, 1, (uint8_t)*text++);
}

static void put_number(uint64_t value, unsigned base)
{
    char digits[24];
    char *at = digits + sizeof(digits) - 1;

    *at = '\0';
    do
        *--at = "0123456789abcdef"[value % base];
    while (value /= base);
    if (base == 16)
        put("0x");
    put(at);
}

/* Writes the argument that the conversion at `fmt` asks for; returns what follows it. */
static const char *put_conversion(const char *fmt, va_list *args)
{
    bool is_long = *fmt == 'l';

    fmt += is_long;
    if (*fmt == 's')
        put(va_arg(*args, const char *));
    else if (*fmt == 'x' || *fmt == 'u')
        put_number(is_long ? va_arg(*args, uint64_t) : va_arg(*args, uint32_t),
                   *fmt == 'x' ? 16 : 10);
    return fmt + 1;
}

void log_say(const char *fmt, ...)
{
    struct {
        va_list list;
    } args;

    put("@ t=");
    put_number(log_now_ns(), 10);
    put(" vmhost=");
    va_start(args.list, fmt);
    while (*fmt) {
        if (*fmt != '%') {
            port_out(DEBUGCON, 1, (uint8_t)*fmt++);
            continue;
        }
        fmt = put_conversion(fmt + 1, &args.list);
    }
    va_end(args.list);
    put("\n");
}
