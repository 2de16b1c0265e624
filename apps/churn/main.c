// SPDX-License-Identifier: BSD-2-Clause
/*
 * churn: malloc and free without rest. Keeps about --live bytes in objects of random size and random
 * lifetime; every object is filled when it is made and checked when it dies. When an allocation is
 * refused, the object that would have died next dies now, and the run goes on.
 *
 *     run churn --sizes=log:64-1M --live=80% --life=fifo
 */
#include <guest.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "objects.h"
#include "sizes.h"
#include "workload/histogram.h"
#include "workload/options.h"
#include "workload/report.h"
#include "workload/run.h"

static struct {
    uint64_t live;
    unsigned life;
    struct churn_sizes sizes;
} options;

static struct run run;
static struct rng rng;
static struct refusals refusals;
static struct churn_objects objects;
static uint64_t tries; /* allocations, refused ones too: the clock of lifetimes */
static struct histogram malloc_ns, free_ns, all_malloc_ns, all_free_ns;

static int parse(int argc, char **argv)
{
    const char *sizes;
    const struct option table[] = {
        OPTION_TEXT("sizes", &sizes, "log:64-1M", "fixed:N, uniform:A-B or log:A-B"),
        OPTION_SIZE("live", &options.live, "50%", "bytes to keep in objects", .min = 1),
        OPTION_WORD("life", &options.life, "exponential", "how lifetimes are spread",
                    .words = "exponential|uniform|fifo"),
        RUN_OPTIONS(&run, "5s", "1s"),
    };
    const struct options all = {"churn", "malloc and free without rest", table,
                                sizeof(table) / sizeof(table[0])};
    int code = options_parse(&all, argc, argv);

    if (code == OPTIONS_RUN && !churn_sizes_parse(sizes, &options.sizes))
        return options_error(&all, "sizes", sizes,
                             "not fixed:N, uniform:A-B, log:A-B, 1 to 1G");
    return code;
}

/* False: its contents are wrong. */
static bool free_next(void)
{
    size_t good;
    struct churn_object object = churn_remove(&objects, &good);
    uint64_t before = guest_ns();

    free(object.start);
    histogram_add(&free_ns, guest_ns() - before);
    if (good == object.bytes)
        return true;
    report_wrong("object", object.number, good);
    return false;
}

static bool free_until(uint64_t live_bytes)
{
    bool ok = true;

    while (ok && objects.count > 0 && objects.live_bytes > live_bytes)
        ok = free_next();
    return ok;
}

/* Back off: one object less, or if there is none, a moment for the balloon. */
static bool give_way(uint64_t bytes)
{
    const struct timespec moment = {.tv_nsec = 1000000};

    report_refused(&refusals, bytes);
    if (objects.count > 0)
        return free_next();
    nanosleep(&moment, NULL);
    return true;
}

static bool allocate(uint64_t bytes)
{
    double mean = (double)options.live / churn_sizes_mean(&options.sizes);
    struct churn_object object = {.bytes = bytes, .number = tries};
    uint64_t before = guest_ns();

    object.start = malloc(bytes);
    histogram_add(&malloc_ns, guest_ns() - before);
    object.death = (double)tries + churn_life_draw(options.life, mean, &rng);
    if (object.start && churn_add(&objects, object))
        return true;
    free(object.start);
    return give_way(bytes);
}

static bool step(void)
{
    uint64_t bytes = churn_sizes_draw(&options.sizes, &rng);
    uint64_t cost = churn_cost(bytes);
    bool ok = true;

    tries++;
    while (ok && objects.count > 0 && churn_next(&objects)->death <= (double)tries)
        ok = free_next();
    ok = ok && free_until(cost < options.live ? options.live - cost : 0);
    return ok && allocate(bytes);
}

static void report(const char *event, const struct histogram *mallocs,
                   const struct histogram *frees, uint64_t ns)
{
    uint64_t ops = mallocs->count + frees->count;

    printf(
        "%8lu ops/s, %.1f MiB live in %zu objects, malloc p99 %lu ns, free p99 %lu ns, "
        "%lu refused\n",
        report_rate(ops, ns), report_mib(objects.live_bytes), objects.count,
        histogram_percentile(mallocs, 99), histogram_percentile(frees, 99),
        refusals.count);
    guest_event("event=%s ns=%lu ops=%lu rate=%lu live=%lu objects=%zu malloc_p50_ns=%lu "
                "malloc_p99_ns=%lu free_p50_ns=%lu free_p99_ns=%lu refused=%lu",
                event, ns, ops, report_rate(ops, ns), objects.live_bytes, objects.count,
                histogram_percentile(mallocs, 50), histogram_percentile(mallocs, 99),
                histogram_percentile(frees, 50), histogram_percentile(frees, 99),
                refusals.count);
}

static void add_to_totals(void)
{
    histogram_merge(&all_malloc_ns, &malloc_ns);
    histogram_merge(&all_free_ns, &free_ns);
    histogram_clear(&malloc_ns);
    histogram_clear(&free_ns);
}

int main(int argc, char **argv)
{
    int code = parse(argc, argv);
    bool ok = true;

    if (code != OPTIONS_RUN)
        return code;
    rng_seed(&rng, run.seed);
    objects.seed = run.seed;
    run_start(&run);
    for (uint64_t now = guest_ns(); ok && run_goes_on(&run, now, tries);
         now = guest_ns()) {
        uint64_t elapsed_ns = run_interval(&run, now);

        if (elapsed_ns > 0) {
            report("churn_interval", &malloc_ns, &free_ns, elapsed_ns);
            add_to_totals();
        }
        ok = step();
    }
    add_to_totals();
    report("churn_done", &all_malloc_ns, &all_free_ns, guest_ns() - run.start_ns);
    ok = ok && free_until(0);
    free(objects.heap);
    return ok ? WORKLOAD_OK : WORKLOAD_WRONG;
}
