// SPDX-License-Identifier: BSD-2-Clause
/*
 * cache: what memory pressure costs somebody who can do without. Requests that follow Zipf's law go to a
 * cache of purgeable objects; every answer is checked. Let the balloon grow while it runs: the hit rate
 * falls, the answers stay right.
 *
 *     run cache --objects=2000 --theta=0.8 --seconds=30
 */
#include <guest.h>
#include <stdio.h>

#include "cache.h"
#include "workload/histogram.h"
#include "workload/options.h"
#include "workload/report.h"
#include "workload/run.h"
#include "workload/zipf.h"

/* Of the available memory, in objects, when their number is not given. */
#define DEFAULT_PERCENT 75

static struct {
    uint64_t objects, object_size;
    double theta;
} options;

/* Requests of an interval, or of all. */
struct tally {
    uint64_t answers[CACHE_ANSWERS];
    struct histogram latency_ns;
};

static struct run run;
static struct rng rng;
static struct zipf zipf;
static struct cache cache;
static struct refusals refusals;
static struct tally interval, total;

static int parse(int argc, char **argv)
{
    const struct option table[] = {
        OPTION_NUMBER("objects", &options.objects, "0",
                      "how many there are; 0: 75 % of the available memory", .max = 1e8),
        OPTION_SIZE("object-size", &options.object_size, "64K", "bytes of each", .min = 1,
                    .max = 0x1p30),
        OPTION_REAL("theta", &options.theta, "0.99",
                    "how uneven requests are; 0: not at all", .max = 10),
        RUN_OPTIONS(&run, "5s", "100ms"),
    };
    const struct options all = {"cache", "hit rate of a purgeable cache under pressure",
                                table, sizeof(table) / sizeof(table[0])};

    return options_parse(&all, argc, argv);
}

static void choose_number(void)
{
    struct guest_memory memory;

    guest_memory(&memory);
    if (options.objects == 0)
        options.objects =
            memory.available_bytes / 100 * DEFAULT_PERCENT / options.object_size;
    if (options.objects == 0)
        options.objects = 1;
}

static void report(const char *event, const struct tally *t, uint64_t ns)
{
    const uint64_t *n = t->answers;
    uint64_t requests = t->latency_ns.count;
    uint64_t hit_share = report_share(n[CACHE_HIT], requests);
    struct guest_memory memory;

    guest_memory(&memory);
    printf("%8lu requests/s, %6.2f %% hits, %lu filled, %lu lost, %lu refused; "
           "%.1f MiB resident, p99 %lu ns\n",
           report_rate(requests, ns), (double)hit_share / 100, n[CACHE_FILLED],
           n[CACHE_LOST], n[CACHE_REFUSED], report_mib(memory.resident_bytes),
           histogram_percentile(&t->latency_ns, 99));
    guest_event(
        "event=%s ns=%lu requests=%lu rate=%lu hits=%lu hit_share=%lu filled=%lu lost=%lu "
        "refused=%lu wrong=%lu p50_ns=%lu p99_ns=%lu resident=%lu purged=%lu",
        event, ns, requests, report_rate(requests, ns), n[CACHE_HIT], hit_share,
        n[CACHE_FILLED], n[CACHE_LOST], n[CACHE_REFUSED], n[CACHE_WRONG],
        histogram_percentile(&t->latency_ns, 50),
        histogram_percentile(&t->latency_ns, 99), memory.resident_bytes,
        memory.purged_bytes);
}

static void end_interval(void)
{
    for (int i = 0; i < CACHE_ANSWERS; i++)
        total.answers[i] += interval.answers[i];
    histogram_merge(&total.latency_ns, &interval.latency_ns);
    interval = (struct tally){0};
}

static void request(void)
{
    size_t key = zipf_next(&zipf, &rng);
    uint64_t before = guest_ns();
    enum cache_answer answer = cache_request(&cache, key);

    histogram_add(&interval.latency_ns, guest_ns() - before);
    interval.answers[answer]++;
    if (answer == CACHE_REFUSED)
        report_refused(&refusals, options.object_size);
    if (answer == CACHE_WRONG)
        report_wrong("object", key, 0);
}

static void serve(void)
{
    uint64_t requests = 0;
    uint64_t now;

    run_start(&run);
    for (now = guest_ns(); run_goes_on(&run, now, requests); now = guest_ns()) {
        uint64_t elapsed_ns = run_interval(&run, now);

        if (elapsed_ns > 0) {
            report("cache_interval", &interval, elapsed_ns);
            end_interval();
        }
        request();
        requests++;
    }
    end_interval();
    report("cache_done", &total, now - run.start_ns);
}

int main(int argc, char **argv)
{
    int code = parse(argc, argv);

    if (code != OPTIONS_RUN)
        return code;
    choose_number();
    rng_seed(&rng, run.seed);
    zipf_init(&zipf, options.objects, options.theta);
    if (cache_init(&cache, options.objects, options.object_size, run.seed) != 0) {
        report_refused(&refusals, options.objects * sizeof(void *));
        report("cache_done", &total, 0);
        return WORKLOAD_OK;
    }
    serve();
    cache_fini(&cache);
    return total.answers[CACHE_WRONG] ? WORKLOAD_WRONG : WORKLOAD_OK;
}
