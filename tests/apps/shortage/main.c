// SPDX-License-Identifier: BSD-2-Clause
/*
 * shortage [EPISODES [KIB [ROW]]]: map so much (4096) more than is available, so that the balloon has to give
 * it back, and use all of it; so many times (1) in a row. Then unmap all and wait for a line on stdin, before
 * which the balloon may grow again. The time of each allocation goes into a histogram, printed at the end.
 */
#include <guest.h>
#include <stdio.h>
#include <stdlib.h>

#include "workload/fill.h"
#include "workload/histogram.h"
#include "workload/report.h"

#define ROW_MAX 64

static struct region {
    void *start;
    uint64_t bytes, tag;
} regions[ROW_MAX];

static struct histogram latency;
static struct refusals refusals;
static uint64_t served, wrong;

static void take(struct region *region, uint64_t episode, uint64_t more)
{
    struct guest_memory memory;

    guest_memory(&memory);
    *region = (struct region){
        .bytes = memory.available_bytes / GUEST_PAGE_BYTES * GUEST_PAGE_BYTES + more,
        .tag = fill_tag(1, episode, 0)};
    uint64_t begin = guest_ns();

    region->start = guest_map(region->bytes, 0);
    if (!region->start) {
        report_refused(&refusals, region->bytes);
        return;
    }
    histogram_add(&latency, guest_ns() - begin);
    served++;
    fill_write(region->start, region->bytes, region->tag);
}

static void give(struct region *region)
{
    if (!region->start)
        return;
    wrong += fill_check(region->start, region->bytes, region->tag) != region->bytes;
    guest_unmap(region->start, region->bytes);
}

static uint64_t number(int argc, char **argv, int at, uint64_t otherwise)
{
    return argc > at ? strtoull(argv[at], NULL, 10) : otherwise;
}

/* What the last row took: of the last one how much. */
static void tell_row(uint64_t episodes, uint64_t bytes)
{
    struct guest_pressure pressure;

    guest_pressure(&pressure);
    guest_event("event=shortage_row episodes=%lu bytes=%lu oom_calls=%lu served=%lu "
                "refused=%lu wrong=%lu",
                episodes, bytes, pressure.oom_calls, served, refusals.count, wrong);
}

int main(int argc, char **argv)
{
    uint64_t episodes = number(argc, argv, 1, 1), row = number(argc, argv, 3, 1);
    uint64_t more = number(argc, argv, 2, 4096) * 1024;

    for (uint64_t done = 0; done < episodes;) {
        uint64_t count = 0;

        for (; count < row && count < ROW_MAX && done < episodes; done++)
            take(&regions[count++], done, more);
        uint64_t bytes = regions[count - 1].bytes;
        while (count > 0)
            give(&regions[--count]);
        tell_row(done, bytes);
        getchar();
    }
    histogram_print(&latency, "ns");
    guest_event("event=shortage_done episodes=%lu served=%lu wrong=%lu p50=%lu p99=%lu "
                "max=%lu",
                episodes, served, wrong, histogram_percentile(&latency, 50),
                histogram_percentile(&latency, 99), latency.max);
    return wrong > 0 ? WORKLOAD_WRONG : WORKLOAD_OK;
}
