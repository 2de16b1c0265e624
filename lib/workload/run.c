// SPDX-License-Identifier: BSD-2-Clause
/* Bounds of a run and the beat of its reports. */
#include "workload/run.h"

#include <guest.h>

void run_start(struct run *run)
{
    run->start_ns = guest_ns();
    run->report_ns = run->start_ns;
    run->due_ns = run->start_ns + run->interval_ns;
}

bool run_goes_on(const struct run *run, uint64_t now_ns, uint64_t ops)
{
    return now_ns - run->start_ns < run->limit_ns &&
           (run->limit_ops == 0 || ops < run->limit_ops);
}

uint64_t run_interval(struct run *run, uint64_t now_ns)
{
    if (now_ns < run->due_ns)
        return 0;
    uint64_t elapsed = now_ns - run->report_ns;

    run->report_ns = now_ns;
    /* Stays on the beat; a report that is late by intervals makes up for all of them. */
    run->due_ns += (1 + (now_ns - run->due_ns) / run->interval_ns) * run->interval_ns;
    return elapsed;
}
