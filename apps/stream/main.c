// SPDX-License-Identifier: BSD-2-Clause
/*
 * stream: memory bandwidth over time. Copy, scale, add and triad run in turn over three arrays; each report
 * says how fast they were, so that a resize of the balloon is seen as a dent in the curve. At the end
 * the arrays are checked.
 *
 *     run stream --size=60% --seconds=20
 */
#include <guest.h>
#include <stdio.h>

#include "stream.h"
#include "workload/options.h"
#include "workload/report.h"
#include "workload/run.h"

static struct {
    uint64_t size;
} options;

static struct run run;
static struct stream stream;
static struct refusals refusals;
static struct stream_rate interval[STREAM_KERNELS], total[STREAM_KERNELS];

static int parse(int argc, char **argv)
{
    const struct option table[] = {
        OPTION_SIZE("size", &options.size, "25%", "of the three arrays together",
                    .min = 1),
        RUN_OPTIONS(&run, "5s", "100ms"),
    };
    const struct options all = {"stream", "memory bandwidth over time", table,
                                sizeof(table) / sizeof(table[0])};

    return options_parse(&all, argc, argv);
}

/* As large as can be had, in halves. */
static bool set_up(void)
{
    for (uint64_t bytes = options.size; stream_map(&stream, bytes, run.seed) != 0;
         bytes /= 2) {
        report_refused(&refusals, bytes);
        if (bytes < 3 * GUEST_PAGE_BYTES)
            return false;
    }
    return true;
}

/* A line for all kernels together and an event with the mean of each; 0: it did not run. */
static void report(const char *event, const struct stream_rate rates[STREAM_KERNELS])
{
    struct stream_rate all = {0};
    uint64_t mean[STREAM_KERNELS];

    for (int k = 0; k < STREAM_KERNELS; k++) {
        stream_rate_merge(&all, &rates[k]);
        mean[k] = (uint64_t)stream_rate_mean(&rates[k]);
    }
    printf("%8.0f MB/s, chunks %.0f to %.0f\n", stream_rate_mean(&all), all.min, all.max);
    guest_event(
        "event=%s ns=%lu bytes=%lu mb_s=%lu min_mb_s=%lu max_mb_s=%lu copy_mb_s=%lu "
        "scale_mb_s=%lu add_mb_s=%lu triad_mb_s=%lu rounds=%lu",
        event, all.ns, all.bytes, (uint64_t)stream_rate_mean(&all), (uint64_t)all.min,
        (uint64_t)all.max, mean[STREAM_COPY], mean[STREAM_SCALE], mean[STREAM_ADD],
        mean[STREAM_TRIAD], stream.rounds);
}

static void step(void)
{
    enum stream_kernel kernel = stream.kernel;
    uint64_t before = guest_ns();
    uint64_t bytes = stream_step(&stream);

    stream_rate_add(&interval[kernel], bytes, guest_ns() - before);
}

static void end_interval(void)
{
    for (int k = 0; k < STREAM_KERNELS; k++) {
        stream_rate_merge(&total[k], &interval[k]);
        interval[k] = (struct stream_rate){0};
    }
}

static bool is_in_round(void)
{
    return stream.kernel != STREAM_COPY || stream.next != 0;
}

/* Until the time is over and the round is complete. */
static void measure(void)
{
    run_start(&run);
    for (uint64_t now = guest_ns();
         run_goes_on(&run, now, stream.rounds) || is_in_round(); now = guest_ns()) {
        step();
        if (run_interval(&run, now) > 0) {
            report("stream_interval", interval);
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
    if (!set_up()) {
        report("stream_done", total);
        return WORKLOAD_OK;
    }
    measure();
    for (int k = 0; k < STREAM_KERNELS; k++)
        printf("%-6s %8.0f MB/s, chunks %.0f to %.0f\n", stream_names[k],
               stream_rate_mean(&total[k]), total[k].min, total[k].max);
    report("stream_done", total);
    size_t wrong = stream_verify(&stream);

    if (wrong < stream.count)
        report_wrong("element", wrong, 0);
    stream_unmap(&stream);
    return wrong < stream.count ? WORKLOAD_WRONG : WORKLOAD_OK;
}
