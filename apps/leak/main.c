// SPDX-License-Identifier: BSD-2-Clause
/*
 * leak: grow until refused. Takes memory step by step and touches all of it, as a program with a leak does,
 * until malloc says no; tells how far it came and what memory looked like, holds on for a while, checks
 * that everything is still right, and gives it back.
 *
 *     run leak --step=1M --hold=10s
 */
#include <guest.h>
#include <stdio.h>
#include <time.h>

#include "leak.h"
#include "workload/options.h"
#include "workload/report.h"
#include "workload/run.h"

static struct {
    uint64_t step, hold_ns;
} options;

static struct run run;
static struct leak leak;
static struct refusals refusals;
static uint64_t last_grow_ns; /* how long the last step took */

static int parse(int argc, char **argv)
{
    const struct option table[] = {
        OPTION_SIZE("step", &options.step, "64K", "bytes of a step",
                    .min = LEAK_PIECE_MIN),
        OPTION_TIME("hold", &options.hold_ns, "1s", "time to hold on when refused"),
        RUN_OPTIONS(&run, "60s", "1s"),
    };
    const struct options all = {"leak", "grows until memory is refused", table,
                                sizeof(table) / sizeof(table[0])};

    return options_parse(&all, argc, argv);
}

static void report(const char *event)
{
    struct guest_memory memory;

    guest_memory(&memory);
    printf(
        "%.1f MiB reached; %.1f available, %.1f free, %.1f ballooned; last step %lu ns\n",
        report_mib(leak_bytes(&leak)), report_mib(memory.available_bytes),
        report_mib(memory.free_bytes), report_mib(memory.ballooned_bytes), last_grow_ns);
    guest_event("event=%s ns=%lu bytes=%lu steps=%lu last_ns=%lu available=%lu free=%lu "
                "ballooned=%lu resident=%lu refused=%lu",
                event, guest_ns() - run.start_ns, leak_bytes(&leak), leak.count,
                last_grow_ns, memory.available_bytes, memory.free_bytes,
                memory.ballooned_bytes, memory.resident_bytes, refusals.count);
}

static void grow(void)
{
    int result = 0;

    run_start(&run);
    for (uint64_t now = guest_ns(); result == 0 && run_goes_on(&run, now, leak.count);) {
        uint64_t before = now;

        result = leak_grow(&leak);
        now = guest_ns();
        last_grow_ns = now - before;
        if (run_interval(&run, now) > 0)
            report("leak_interval");
    }
    if (result != 0)
        report_refused(&refusals, leak.piece_bytes);
}

static void hold(void)
{
    const struct timespec time = {.tv_sec = (time_t)(options.hold_ns / 1000000000),
                                  .tv_nsec = (long)(options.hold_ns % 1000000000)};

    nanosleep(&time, NULL);
}

int main(int argc, char **argv)
{
    int code = parse(argc, argv);
    uint64_t first_wrong = 0;

    if (code != OPTIONS_RUN)
        return code;
    leak.piece_bytes = options.step;
    leak.seed = run.seed;
    grow();
    report("leak_done");
    hold();
    if (leak_free(&leak, &first_wrong) == 0)
        return WORKLOAD_OK;
    report_wrong("step", first_wrong, 0);
    return WORKLOAD_WRONG;
}
