// SPDX-License-Identifier: BSD-2-Clause
/*
 * Levels and averages. An average is an exponentially decaying mean over periods of 2 s, as that of
 * Linux' PSI: after each, average = average * f + share * (1 - f) with f = exp(-2 s / window). Over n periods
 * with the same share f^n takes the place of f, so that a long silence costs no loop.
 */
#include "mm/pressure.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/units.h"

#define PERIOD_NS (2 * NS_PER_S)

/* Shares and factors are fractions of ONE. 31 bits, so that the sum of two products fits in 64. */
#define ONE_SHIFT 31
#define ONE       BIT64(ONE_SHIFT)

/* exp(-2 / seconds) * ONE, by enum pressure_window. */
static const uint64_t decay[PRESSURE_WINDOWS] = {1758210904, 2077080760, 2133214706};

/* A product of two fractions, rounded to the nearest. */
static uint64_t round_to_one(uint64_t product)
{
    return (product + ONE / 2) >> ONE_SHIFT;
}

static uint64_t power(uint64_t base, uint64_t n)
{
    uint64_t result = ONE;

    for (; n != 0; n /= 2) {
        if (n % 2)
            result = round_to_one(result * base);
        base = round_to_one(base * base);
    }
    return result;
}

/* `n` periods are over, in each of which `share` of the time was stalled. */
static void average_periods(struct pressure *p, uint64_t share, uint64_t n)
{
    for (unsigned i = 0; i < PRESSURE_WINDOWS; i++) {
        uint64_t f = power(decay[i], n);

        p->averages[i] = round_to_one(p->averages[i] * f + share * (ONE - f));
    }
}

/* Count the time up to `now_ns`, which lies in the current period or at its end. */
static void count_time(struct pressure *p, uint64_t now_ns)
{
    uint64_t elapsed = now_ns - p->seen_ns;

    p->stall_ns += p->is_stalled ? elapsed : 0;
    p->period_stall_ns += p->is_stalled ? elapsed : 0;
    p->seen_ns = now_ns;
}

void pressure_advance(struct pressure *p, uint64_t now_ns)
{
    assert(now_ns >= p->seen_ns);

    uint64_t periods = (now_ns - p->period_start_ns) / PERIOD_NS;

    if (periods > 0) {
        count_time(p, p->period_start_ns + PERIOD_NS);
        average_periods(p, p->period_stall_ns * ONE / PERIOD_NS, 1);
        /* Nothing began or ended in the others. */
        average_periods(p, p->is_stalled ? ONE : 0, periods - 1);
        p->period_start_ns += periods * PERIOD_NS;
        count_time(p, p->period_start_ns);
        p->period_stall_ns = 0;
    }
    count_time(p, now_ns);
}

void pressure_init(struct pressure *p, uint64_t total_bytes, uint64_t reserve_bytes,
                   uint64_t now_ns)
{
    uint64_t min = min_u64(max_u64(512 * KIB, total_bytes / 8192), total_bytes / 16);
    uint64_t low = max_u64(reserve_bytes, 2 * min);

    *p = (struct pressure){
        .min_bytes = min,
        .low_bytes = low,
        .high_bytes = max_u64(low, min_u64(2 * low, total_bytes / 2)),
        .seen_ns = now_ns,
        .period_start_ns = now_ns,
    };
}

enum pressure_level pressure_level_of(const struct pressure *p, uint64_t available_bytes)
{
    if (available_bytes >= p->high_bytes)
        return PRESSURE_NONE;
    if (available_bytes >= p->low_bytes)
        return PRESSURE_LOW;
    if (available_bytes > (p->min_bytes + p->low_bytes) / 2)
        return PRESSURE_MEDIUM;
    return PRESSURE_CRITICAL;
}

/* Better than now: what the level would be with a little less, but no worse than now. */
static enum pressure_level relieved_level(const struct pressure *p,
                                          uint64_t available_bytes)
{
    uint64_t margin = min_u64(available_bytes, p->min_bytes / 2);
    enum pressure_level level = pressure_level_of(p, available_bytes - margin);

    return level < p->level ? level : p->level;
}

bool pressure_update(struct pressure *p, uint64_t available_bytes, uint64_t now_ns)
{
    enum pressure_level level = pressure_level_of(p, available_bytes);

    pressure_advance(p, now_ns);
    if (level < p->level)
        level = relieved_level(p, available_bytes);
    if (level == p->level)
        return false;
    p->level = level;
    p->level_changes++;
    return true;
}

void pressure_stall_begin(struct pressure *p, uint64_t now_ns)
{
    assert(!p->is_stalled);
    pressure_advance(p, now_ns);
    p->is_stalled = true;
    p->stalls++;
}

void pressure_stall_resume(struct pressure *p, uint64_t now_ns)
{
    assert(!p->is_stalled);
    pressure_advance(p, now_ns);
    p->is_stalled = true;
}

void pressure_stall_end(struct pressure *p, uint64_t now_ns)
{
    assert(p->is_stalled);
    pressure_advance(p, now_ns);
    p->is_stalled = false;
}

uint32_t pressure_average(const struct pressure *p, enum pressure_window window)
{
    return (uint32_t)round_to_one(p->averages[window] * 10000);
}

/* Text in the making: counts all of it, stores what fits (the end mark overwrites the last). */
struct text {
    char *buf;
    size_t size, length;
};

static void put_char(struct text *text, char c)
{
    if (text->length < text->size)
        text->buf[text->length] = c;
    text->length++;
}

static void put_string(struct text *text, const char *string)
{
    while (*string)
        put_char(text, *string++);
}

static void put_number(struct text *text, uint64_t number)
{
    char digits[20]; /* of 2^64 - 1 */
    unsigned count = 0;

    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    while (count > 0)
        put_char(text, digits[--count]);
}

static void put_percent(struct text *text, uint32_t hundredths)
{
    put_number(text, hundredths / 100);
    put_char(text, '.');
    put_number(text, hundredths / 10 % 10);
    put_number(text, hundredths % 10);
}

int pressure_format(const struct pressure *p, char *buf, size_t size)
{
    static const char *const names[PRESSURE_WINDOWS] = {" avg10=", " avg60=", " avg300="};
    struct text text = {.buf = buf, .size = size};

    put_string(&text, "some");
    for (unsigned i = 0; i < PRESSURE_WINDOWS; i++) {
        put_string(&text, names[i]);
        put_percent(&text, pressure_average(p, (enum pressure_window)i));
    }
    put_string(&text, " total=");
    put_number(&text, p->stall_ns / NS_PER_US);
    if (size > 0)
        buf[text.length < size ? text.length : size - 1] = '\0';
    return (int)text.length;
}
