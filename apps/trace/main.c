// SPDX-License-Identifier: BSD-2-Clause
/*
 * trace: replays a record of allocations, built in or from stdin, as fast as it can. A trace from stdin runs
 * to its end; a built-in one has none and is bounded by --seconds and --ops. docs/trace-format.md has
 * the format.
 *
 *     run trace --builtin=sawtooth --size=80%
 *     run trace --stdin
 *     < a 1 64K
 *     < t 1
 *     < end
 */
#include <guest.h>
#include <stdio.h>
#include <string.h>

#include "builtin.h"
#include "replay.h"
#include "workload/options.h"
#include "workload/run.h"

#define LINE_BYTES 128

static struct {
    unsigned builtin;
    bool is_stdin;
    uint64_t size, ids;
} options;

static struct run run;
static struct trace_builtin builtin;
static struct trace_replay replay;
static uint64_t line_number;
static char line[LINE_BYTES];

static int parse(int argc, char **argv)
{
    const struct option table[] = {
        OPTION_WORD("builtin", &options.builtin, "server", "the trace, if not from stdin",
                    .words = TRACE_BUILTIN_WORDS),
        OPTION_SIZE("size", &options.size, "50%",
                    "what a built-in trace has live at most", .min = 1),
        OPTION_FLAG("stdin", &options.is_stdin, "read the trace from stdin"),
        OPTION_NUMBER("ids", &options.ids, "4096", "ids in the trace are below that",
                      .min = TRACE_BUILTIN_IDS, .max = 1e8),
        RUN_OPTIONS(&run, "5s", "1s"),
    };
    const struct options all = {"trace", "replays a trace of allocations", table,
                                sizeof(table) / sizeof(table[0])};

    return options_parse(&all, argc, argv);
}

static int bad_line(const char *why)
{
    fprintf(stderr, "trace: line %lu: %s: %s\n", line_number, line, why);
    guest_event("event=trace_error line=%lu", line_number);
    return WORKLOAD_USAGE;
}

/* Returns OPTIONS_RUN, or the exit code of a bad line. */
static int read_op(struct trace_op *op)
{
    *op = (struct trace_op){.what = TRACE_END};
    if (!fgets(line, sizeof(line), stdin))
        return OPTIONS_RUN;
    line_number++;
    bool is_whole = strchr(line, '\n') || feof(stdin);

    line[strcspn(line, "\r\n")] = '\0';
    if (!is_whole)
        return bad_line("too long");
    return trace_parse(line, op) ? OPTIONS_RUN : bad_line("not a line of a trace");
}

static int next_op(struct trace_op *op, uint64_t now)
{
    if (options.is_stdin)
        return read_op(op);
    *op = run_goes_on(&run, now, replay.ops) ? trace_builtin_next(&builtin)
                                             : (struct trace_op){.what = TRACE_END};
    return OPTIONS_RUN;
}

static void report(const char *event, uint64_t ops, uint64_t ns)
{
    const struct histogram *h = replay.latency_ns;

    printf("%8lu ops/s, %.1f MiB live, peak %.1f, %lu refused\n", report_rate(ops, ns),
           report_mib(replay.live_bytes), report_mib(replay.peak_bytes),
           replay.refusals.count);
    guest_event(
        "event=%s ns=%lu ops=%lu rate=%lu live=%lu peak=%lu refused=%lu skipped=%lu "
        "alloc_p50_ns=%lu alloc_p99_ns=%lu free_p99_ns=%lu touch_p99_ns=%lu "
        "realloc_p99_ns=%lu",
        event, ns, ops, report_rate(ops, ns), replay.live_bytes, replay.peak_bytes,
        replay.refusals.count, replay.skipped, histogram_percentile(&h[TRACE_ALLOC], 50),
        histogram_percentile(&h[TRACE_ALLOC], 99),
        histogram_percentile(&h[TRACE_FREE], 99),
        histogram_percentile(&h[TRACE_TOUCH], 99),
        histogram_percentile(&h[TRACE_REALLOC], 99));
}

static int do_op(const struct trace_op *op)
{
    switch (trace_do(&replay, op)) {
    case TRACE_OK:
        return OPTIONS_RUN;
    case TRACE_NONSENSE:
        return bad_line("the id is too large, or live already, or not live");
    case TRACE_WRONG:
        break;
    }
    return WORKLOAD_WRONG;
}

/* Returns the exit code. */
static int replay_all(void)
{
    struct trace_op op = {.what = TRACE_NOTHING};
    uint64_t reported = 0;
    int code = OPTIONS_RUN;

    while (code == OPTIONS_RUN && op.what != TRACE_END) {
        uint64_t now = guest_ns();
        uint64_t elapsed_ns = run_interval(&run, now);

        if (elapsed_ns > 0) {
            report("trace_interval", replay.ops - reported, elapsed_ns);
            reported = replay.ops;
        }
        code = next_op(&op, now);
        if (code == OPTIONS_RUN)
            code = do_op(&op);
    }
    return code == OPTIONS_RUN ? WORKLOAD_OK : code;
}

static void print_latencies(void)
{
    static const char *const names[TRACE_TIMED] = {
        [TRACE_ALLOC] = "malloc",
        [TRACE_FREE] = "free",
        [TRACE_TOUCH] = "touch",
        [TRACE_REALLOC] = "realloc",
    };

    for (int what = 0; what < TRACE_TIMED; what++) {
        const struct histogram *h = &replay.latency_ns[what];

        if (h->count > 0)
            printf("%-8s %8lu times, p50 %lu ns, p99 %lu ns, max %lu ns\n", names[what],
                   h->count, histogram_percentile(h, 50), histogram_percentile(h, 99),
                   h->max);
    }
}

int main(int argc, char **argv)
{
    int code = parse(argc, argv);

    if (code != OPTIONS_RUN)
        return code;
    trace_builtin_start(&builtin, options.builtin, options.size, run.seed);
    run_start(&run);
    if (trace_init(&replay, options.ids, run.seed) == 0)
        code = replay_all();
    else
        report_refused(&replay.refusals, options.ids * sizeof(struct trace_slot));
    report("trace_done", replay.ops, guest_ns() - run.start_ns);
    print_latencies();
    if (trace_free_all(&replay) == TRACE_WRONG)
        code = WORKLOAD_WRONG;
    return code == OPTIONS_RUN ? WORKLOAD_OK : code;
}
