// SPDX-License-Identifier: BSD-2-Clause
/* The clock never goes back and agrees with the counters of the machine, whichever calibrated it. */
#include "kernel/clock.h"
#include "kernel/clock_sources.h"
#include "tests/guest/suite.h"

#include "base/units.h"

#define ROUNDS        100000
#define WINDOW_NS     (40 * NS_PER_MS) /* less than a turn of the PIT, 54.9 ms */
#define TOLERANCE_PPM 5000
#define TRIES         5 /* the host may take the CPU away inside a window */

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

static uint64_t off_by_ppm(const struct clock_source *source)
{
    uint64_t start_ns = clock_ns(), start = source->read(), end_ns, end;

    do {
        end = source->read();
        end_ns = clock_ns();
    } while (end_ns - start_ns < WINDOW_NS);

    uint64_t theirs = clock_elapsed(&source->counter, start, end) * NS_PER_MS /
                      (source->counter.hz / 1000);
    uint64_t ours = end_ns - start_ns;
    uint64_t off = ours > theirs ? ours - theirs : theirs - ours;
    return off * 1000000 / ours;
}

static enum suite_result agrees_with(enum clock_source_id id)
{
    struct clock_source source;
    uint64_t best = UINT64_MAX;

    if (!clock_source_open(id, &source))
        return SUITE_SKIP;
    for (int i = 0; i < TRIES && best > TOLERANCE_PPM; i++) {
        uint64_t ppm = off_by_ppm(&source);

        if (ppm < best)
            best = ppm;
    }
    log_info("test: clock and %s differ by %llu ppm", source.name, (ull)best);
    CHECK(best <= TOLERANCE_PPM, "%s: %llu ppm", source.name, (ull)best);
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
