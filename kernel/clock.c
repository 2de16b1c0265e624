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

#include "base/bits.h"

#define WINDOW_MS    25
#define SAMPLE_TRIES 8
#define STUCK_READS  1000 /* readings without a change: the counter does not count */

/* The PIT wraps in 55 ms: it must be seen more often than that. In ticks of a TSC of any rate we know;
 * 1.5 ms at 2.7 GHz. */
#define SHORT_BITS 24
#define SHORT_GAP  (UINT64_C(1) << 22)

#define WINDOW_TRIES     64
#define WINDOW_SHIFT_MAX 3 /* to 3 ms */

#define ASSUMED_KHZ UINT64_C(2000000)

static struct {
    uint64_t base_tsc, mult; /* mult 0: not calibrated */
    uint64_t khz;
    const char *source;
} clock = {.source = "none"};

uint64_t clock_ns(void)
{
    return clock.mult ? clock_scale(cpu_rdtsc() - clock.base_tsc, clock.mult) : 0;
}

uint64_t clock_ns_of(uint64_t tsc)
{
    return clock_scale(tsc, clock.mult);
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

enum wait_end {
    WAIT_DONE,
    WAIT_STUCK, /* the counter stands still */
    WAIT_GAP,   /* we were stopped for so long that it may have wrapped */
};

/* Let `counts` go by after *first; *last is then the end of the window. */
static enum wait_end wait_counts(const struct clock_source *source,
                                 const struct clock_sample *first, uint64_t counts,
                                 struct clock_sample *last)
{
    uint64_t gap = source->counter.bits < SHORT_BITS ? SHORT_GAP : UINT64_MAX;
    uint64_t same = 0;

    *last = *first;
    for (;;) {
        bool is_over =
            clock_elapsed(&source->counter, first->count, last->count) >= counts;
        struct clock_sample now = is_over ? read_tight(source) : read_once(source);

        if (now.tsc_after - last->tsc_before > gap)
            return WAIT_GAP;
        same = now.count == last->count ? same + 1 : 0;
        if (same == STUCK_READS)
            return WAIT_STUCK;
        *last = now;
        if (is_over)
            return WAIT_DONE;
    }
}

/* A host that often stops us leaves short windows only. */
static uint64_t measure(const struct clock_source *source)
{
    uint64_t longest = source->counter.hz * WINDOW_MS / 1000;

    for (unsigned i = 0; i < WINDOW_TRIES; i++) {
        struct clock_sample first = read_tight(source), last;
        uint64_t counts = longest >> min_u64(i, WINDOW_SHIFT_MAX);
        enum wait_end end = wait_counts(source, &first, counts, &last);

        if (end == WAIT_DONE)
            return clock_tsc_khz_of(&source->counter, &first, &last);
        if (end == WAIT_STUCK)
            return 0;
    }
    return 0;
}

static uint64_t try_counter(enum clock_source_id id, const char **name)
{
    struct clock_source source;

    if (!clock_source_open(id, &source))
        return 0;
    *name = source.name;
    uint64_t khz = measure(&source);
    if (khz == 0)
        log_warn("clock: %s does not count, or not while we look", source.name);
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

void clock_resume(uint64_t tsc)
{
    uint64_t now = cpu_rdtsc();

    if (now < tsc)
        clock.base_tsc -= tsc - now;
}
