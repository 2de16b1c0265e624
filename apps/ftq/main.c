// SPDX-License-Identifier: BSD-2-Clause
/*
 * ftq: work lost to the balloon. Does the same small piece of work over and over and counts how many fit
 * into each quantum of time; where fewer fit, somebody else had the CPU. Touches no memory to speak of:
 * what it loses goes to the kernel's work, or to the host.
 *
 *     run ftq --quantum=1ms --seconds=20
 */
#include <guest.h>
#include <stdio.h>

#include "ftq.h"
#include "workload/options.h"
#include "workload/report.h"
#include "workload/rng.h"
#include "workload/run.h"

#define ROUNDS_OF_A_UNIT 32

static struct {
    uint64_t quantum_ns;
} options;

static struct run run;
static struct rng rng;
static struct ftq ftq;
static struct ftq_tally interval, total;

static int parse(int argc, char **argv)
{
    const struct option table[] = {
        OPTION_TIME("quantum", &options.quantum_ns, "1ms", "length of a quantum",
                    .min = 1e4, .max = 1e9),
        RUN_OPTIONS(&run, "5s", "100ms"),
    };
    const struct options all = {"ftq", "work lost in fixed quanta of time", table,
                                sizeof(table) / sizeof(table[0])};

    return options_parse(&all, argc, argv);
}

/* Long against reading the clock, short against a quantum. The generator stands in another file: the
 * compiler cannot leave it out. */
static void unit(void)
{
    for (int i = 0; i < ROUNDS_OF_A_UNIT; i++)
        rng_next(&rng);
}

static void report(const char *event, const struct ftq_tally *t)
{
    uint64_t share = ftq_lost_share(&ftq, t);
    uint64_t median = histogram_percentile(&t->counts, 50);

    printf("%6.2f %% lost; units in a quantum: best %lu, median %lu, least %lu\n",
           (double)share / 100, ftq.best, median, t->counts.min);
    guest_event(
        "event=%s quantum_ns=%lu quanta=%lu units=%lu best=%lu median=%lu min=%lu "
        "lost_share=%lu lost_p99_ns=%lu lost_max_ns=%lu",
        event, ftq.quantum_ns, t->counts.count, t->units, ftq.best, median, t->counts.min,
        share, histogram_percentile(&t->lost, 99), t->lost.max);
}

static void end_interval(void)
{
    ftq_tally_merge(&total, &interval);
    interval = (struct ftq_tally){0};
}

static void measure(void)
{
    run_start(&run);
    ftq_start(&ftq, run.start_ns, options.quantum_ns);
    for (uint64_t now = run.start_ns;
         run_goes_on(&run, now, total.units + interval.units);) {
        unit();
        now = guest_ns();
        ftq_unit_done(&ftq, now, &interval);
        if (run_interval(&run, now) > 0) {
            report("ftq_interval", &interval);
            end_interval();
        }
    }
    end_interval();
}

int main(int argc, char **argv)
{
    int code = parse(argc, argv);

    if (code != OPTIONS_RUN)
        return code;
    rng_seed(&rng, run.seed);
    measure();
    report("ftq_done", &total);
    printf("time lost of a quantum:\n");
    histogram_print(&total.lost, "ns");
    return WORKLOAD_OK;
}
