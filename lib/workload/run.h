// SPDX-License-Identifier: BSD-2-Clause
/*
 * The frame of a run: how long it goes on, when it is time for a report. Every workload has these
 * options and this loop:
 *
 *     const struct option table[] = {RUN_OPTIONS(&run, "5s", "1s"), ...};
 *     ...
 *     run_start(&run);
 *     for (uint64_t now = guest_ns(); run_goes_on(&run, now, ops); now = guest_ns()) {
 *         work();
 *         ops++;
 *         uint64_t elapsed_ns = run_interval(&run, now);
 *         if (elapsed_ns > 0)
 *             report(elapsed_ns);
 *     }
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "workload/options.h"

struct run {
    uint64_t limit_ns, limit_ops, interval_ns, seed; /* the options; limit_ops 0: none */
    uint64_t start_ns, report_ns, due_ns;            /* begin; last report; next one */
};

/* Rows of a table of options. */
#define RUN_OPTIONS(run, seconds, interval)                                             \
    OPTION_TIME("seconds", &(run)->limit_ns, seconds, "end after this time", .min = 1), \
        OPTION_NUMBER("ops", &(run)->limit_ops, "0", "end after so many; 0: no limit"), \
        OPTION_TIME("interval", &(run)->interval_ns, interval, "between two reports",   \
                    .min = 1e6),                                                        \
        OPTION_NUMBER("seed", &(run)->seed, "1", "the same seed, the same run")

void run_start(struct run *run);

bool run_goes_on(const struct run *run, uint64_t now_ns, uint64_t ops);

/* 0: no report is due. Else the time since the last one, and the next interval begins. */
uint64_t run_interval(struct run *run, uint64_t now_ns);
