// SPDX-License-Identifier: BSD-2-Clause
/*
 * Monotonic time from the TSC. Calibrates it against the first source that the machine has and that
 * really counts; clock_sources.c reads them.
 */
#include "kernel/clock.h"
#include "kernel/clock_math.h"
#include "kernel/clock_sources.h"
#include "kernel/log.h"
#include "kernel/string.h"
#include "kernel/x86/cpu.h"

#define WINDOW_MS    25
#define SAMPLE_TRIES 8
#define STUCK_READS  1000 /* readings without a change: the counter does not count */
#define BITS_SHORT   16   /* a counter that may wrap unseen */
#define REPEATS      8
#define AGREEMENT    256 /* results agree when they differ by less than 1 in so many */
#define ASSUMED_KHZ  UINT64_C(2000000)

static struct {
    uint64_t base_tsc, mult; /* mult 0: not calibrated */
    uint64_t khz;
    const char *source;
} clock = {.source = "none"};

uint64_t clock_ns(void)
{
    return clock.mult ? clock_scale(cpu_rdtsc() - clock.base_tsc, clock.mult) : 0;
}

uint64_t clock_tsc_khz(void)
{
    return clock.khz;
}

const char *clock_source(void)
{
    return clock.source;
}

static struct clock_sample read_once(const struct clock_source *source)
{
    struct clock_sample sample;

    sample.tsc_before = cpu_rdtsc();
    sample.count = source->read();
    sample.tsc_after = cpu_rdtsc();
    return sample;
}

static struct clock_sample read_tight(const struct clock_source *source)
{
    struct clock_sample best = read_once(source);

    for (int i = 1; i < SAMPLE_TRIES; i++)
        best = clock_tighter(best, read_once(source));
    return best;
}

/* Let `counts` go by. False when the counter stands still. */
static bool wait_counts(const struct clock_source *source, uint64_t start,
                        uint64_t counts)
{
    uint64_t last = start, same = 0;

    for (;;) {
        uint64_t now = source->read();

        if (clock_elapsed(&source->counter, start, now) >= counts)
            return true;
        same = now == last ? same + 1 : 0;
        if (same == STUCK_READS)
            return false;
        last = now;
    }
}

static uint64_t measure(const struct clock_source *source)
{
    struct clock_sample first = read_tight(source);

    if (!wait_counts(source, first.count, source->counter.hz * WINDOW_MS / 1000))
        return 0;

    struct clock_sample last = read_tight(source);
    return clock_tsc_khz_of(&source->counter, &first, &last);
}

/* The PIT wraps in 55 ms: a host that lets us wait longer makes the TSC look faster than it is, never
 * slower. So it is measured until two results agree, and the lower one counts. */
static uint64_t measure_surely(const struct clock_source *source)
{
    uint64_t low = measure(source);

    for (int i = 1; source->counter.bits <= BITS_SHORT && low && i < REPEATS; i++) {
        uint64_t khz = measure(source);
        uint64_t apart = khz > low ? khz - low : low - khz;

        low = khz < low ? khz : low;
        if (apart <= low / AGREEMENT)
            break;
    }
    return low;
}

static uint64_t try_counter(enum clock_source_id id, const char **name)
{
    struct clock_source source;

    if (!clock_source_open(id, &source))
        return 0;
    *name = source.name;
    uint64_t khz = measure_surely(&source);
    if (khz == 0)
        log_warn("clock: %s does not count", source.name);
    return khz;
}

static uint64_t calibrate(const char **name)
{
    uint64_t khz = clock_khz_from_cpuid(name);

    for (int id = 0; khz == 0 && id < CLOCK_SOURCE_COUNT; id++)
        khz = try_counter((enum clock_source_id)id, name);
    if (khz == 0)
        khz = clock_khz_from_rtc(name);
    return khz;
}

void clock_init(void)
{
    uint64_t start = cpu_rdtsc();
    const char *name = "none";
    uint64_t khz = calibrate(&name);

    if (khz == 0) {
        khz = ASSUMED_KHZ;
        name = "assumed";
        log_warn("clock: nothing to calibrate against, times are a guess");
    }
    clock.khz = khz;
    clock.source = name;
    clock.base_tsc = start;
    clock.mult = clock_mult_of(khz);
    log_info("clock: TSC at %llu kHz, calibrated by %s", (unsigned long long)khz, name);
}
