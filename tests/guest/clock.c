// SPDX-License-Identifier: BSD-2-Clause
/* The clock never goes back and agrees with the counters of the machine, whichever calibrated it. */
#include "kernel/clock.h"
#include "kernel/clock_sources.h"
#include "kernel/x86/cpu.h"
#include "tests/guest/suite.h"

#include "base/units.h"

#define ROUNDS        100000
#define WINDOW_NS     (40 * NS_PER_MS)
#define WINDOW_MAX_NS (50 * NS_PER_MS) /* less than a turn of the PIT, 54.9 ms */
#define READ_NS       (50 * NS_PER_US)
#define TOLERANCE_PPM 5000
#define PATIENCE_NS   (5 * NS_PER_S)

typedef unsigned long long ull;

static enum suite_result never_goes_back(void)
{
    uint64_t first = clock_ns(), last = first;

    for (int i = 0; i < ROUNDS; i++) {
        uint64_t now = clock_ns();

        CHECK(now >= last, "%llu after %llu", (ull)now, (ull)last);
        last = now;
    }
    CHECK(last > first, "stands still at %llu", (ull)first);
    return SUITE_PASS;
}

/* Both clocks at one time. */
struct reading {
    uint64_t ns, count;
};

/* False: the host took the CPU away in between. */
static bool read_both(const struct clock_source *source, struct reading *out)
{
    out->ns = clock_ns();
    out->count = source->read();
    return clock_ns() - out->ns <= READ_NS;
}

/* One window. False: the host was in the way. */
static bool off_by_ppm(const struct clock_source *source, uint64_t *ppm)
{
    struct reading start, end;

    if (!read_both(source, &start))
        return false;
    while (clock_ns() - start.ns < WINDOW_NS)
        cpu_pause();
    if (!read_both(source, &end) || end.ns - start.ns > WINDOW_MAX_NS)
        return false;

    uint64_t theirs = clock_elapsed(&source->counter, start.count, end.count) *
                      NS_PER_MS / (source->counter.hz / 1000);
    uint64_t ours = end.ns - start.ns;
    uint64_t off = ours > theirs ? ours - theirs : theirs - ours;
    *ppm = off * 1000000 / ours;
    return true;
}

static enum suite_result agrees_with(enum clock_source_id id)
{
    struct clock_source source;
    uint64_t ppm, end_ns;

    if (!clock_source_open(id, &source))
        return SUITE_SKIP;
    end_ns = clock_ns() + PATIENCE_NS;
    while (!off_by_ppm(&source, &ppm))
        CHECK(clock_ns() < end_ns, "%s: the host is always in the way", source.name);
    log_info("test: clock and %s differ by %llu ppm", source.name, (ull)ppm);
    CHECK(ppm <= TOLERANCE_PPM, "%s: %llu ppm", source.name, (ull)ppm);
    return SUITE_PASS;
}

static enum suite_result run(void)
{
    enum suite_result result = never_goes_back();

    /* The LAPIC is the sleeper's: it is no reference here. */
    for (int id = 0; id < CLOCK_LAPIC && result != SUITE_FAIL; id++) {
        if (agrees_with((enum clock_source_id)id) == SUITE_FAIL)
            result = SUITE_FAIL;
    }
    return result;
}

GUEST_SUITE(clock, run);
