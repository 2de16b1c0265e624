// SPDX-License-Identifier: BSD-2-Clause
/*
 * touch: the time of a memory access. Walks over a working set in one of three orders, reads and writes,
 * measures the first access of each touch, and proves all along that memory keeps what was put there.
 *
 *     run touch --size=80% --pattern=zipf --write=20 --seconds=10
 */
#include <guest.h>
#include <stdio.h>

#include "touch.h"
#include "workload/histogram.h"
#include "workload/options.h"
#include "workload/report.h"
#include "workload/run.h"

static struct {
    uint64_t size, write_percent;
    unsigned pattern;
    double theta;
    bool frames;
} options;

static struct run run;
static struct touch set;
static struct refusals refusals;
static struct histogram interval, total;

static int parse(int argc, char **argv)
{
    const struct option table[] = {
        OPTION_SIZE("size", &options.size, "50%", "the working set",
                    .min = GUEST_PAGE_BYTES),
        OPTION_WORD("pattern", &options.pattern, "random", "order of the pages",
                    .words = "sequential|random|zipf"),
        OPTION_REAL("theta", &options.theta, "0.99", "how uneven zipf is; 0: not at all",
                    .max = 10),
        OPTION_NUMBER("write", &options.write_percent, "50",
                      "percent of touches that write", .max = 100),
        OPTION_FLAG("frames", &options.frames, "pages of 4 KiB only, no blocks"),
        RUN_OPTIONS(&run, "5s", "1s"),
    };
    const struct options all = {"touch", "how long a memory access takes", table,
                                sizeof(table) / sizeof(table[0])};

    return options_parse(&all, argc, argv);
}

static bool set_up(void)
{
    set.seed = run.seed;
    set.pattern = options.pattern;
    set.write_percent = (unsigned)options.write_percent;
    rng_seed(&set.rng, run.seed);
    if (!touch_map(&set, options.size, options.frames ? GUEST_MAP_FRAMES : 0, &refusals))
        return false;
    zipf_init(&set.zipf, set.count, options.theta);
    printf("touch: %.1f MiB in %lu pages\n", report_mib(set.count * GUEST_PAGE_BYTES),
           set.count);
    return true;
}

static void report(const char *event, const struct histogram *h, uint64_t ns)
{
    struct guest_memory memory;

    guest_memory(&memory);
    printf("%8lu touches/s, first access: p50 %lu ns, p99 %lu ns, max %lu ns; "
           "%.1f MiB resident\n",
           report_rate(h->count, ns), histogram_percentile(h, 50),
           histogram_percentile(h, 99), h->max, report_mib(memory.resident_bytes));
    guest_event("event=%s ns=%lu ops=%lu rate=%lu p50_ns=%lu p90_ns=%lu p99_ns=%lu "
                "max_ns=%lu resident=%lu minor_faults=%lu refused=%lu",
                event, ns, h->count, report_rate(h->count, ns),
                histogram_percentile(h, 50), histogram_percentile(h, 90),
                histogram_percentile(h, 99), h->max, memory.resident_bytes,
                memory.minor_faults, refusals.count);
}

static void end_interval(uint64_t elapsed_ns)
{
    report("touch_interval", &interval, elapsed_ns);
    histogram_merge(&total, &interval);
    histogram_clear(&interval);
}

/* False: contents were wrong. */
static bool touch_all(void)
{
    uint64_t now, page, latency_ns, elapsed_ns;
    bool ok = true;

    for (now = guest_ns(); ok && run_goes_on(&run, now, total.count + interval.count);
         now = guest_ns()) {
        page = touch_pick(&set);
        ok = touch_page(&set, page, &latency_ns);
        histogram_add(&interval, latency_ns);
        elapsed_ns = run_interval(&run, now);
        if (elapsed_ns > 0)
            end_interval(elapsed_ns);
    }
    histogram_merge(&total, &interval);
    report("touch_done", &total, now - run.start_ns);
    histogram_print(&total, "ns");
    if (ok)
        page = touch_verify(&set);
    if (page < set.count)
        report_wrong("page", page, 0);
    return page == set.count;
}

int main(int argc, char **argv)
{
    int code = parse(argc, argv);

    if (code != OPTIONS_RUN)
        return code;
    if (!set_up()) {
        report("touch_done", &total, 0);
        return WORKLOAD_OK;
    }
    run_start(&run);
    bool ok = touch_all();

    touch_unmap(&set);
    return ok ? WORKLOAD_OK : WORKLOAD_WRONG;
}
