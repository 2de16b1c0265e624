// SPDX-License-Identifier: BSD-2-Clause
/* Refusals and wrong contents, told the same way by all workloads; figures made from counts. */
#include "workload/report.h"

#include <guest.h>
#include <stdio.h>

#define TELL_EVERY_NS UINT64_C(100000000)

void report_refused(struct refusals *refusals, uint64_t bytes)
{
    uint64_t now = guest_ns();
    struct guest_memory memory;
    struct guest_pressure pressure;

    refusals->count++;
    if (refusals->count > 1 && now - refusals->told_ns < TELL_EVERY_NS)
        return;
    guest_memory(&memory);
    guest_pressure(&pressure);
    if (refusals->count == 1)
        printf("refused %lu bytes: %.1f MiB available, %.1f free, %.1f ballooned\n",
               bytes, report_mib(memory.available_bytes), report_mib(memory.free_bytes),
               report_mib(memory.ballooned_bytes));
    guest_event("event=workload_refused bytes=%lu count=%lu available=%lu free=%lu "
                "ballooned=%lu resident=%lu promised=%lu level=%d",
                bytes, refusals->count, memory.available_bytes, memory.free_bytes,
                memory.ballooned_bytes, memory.resident_bytes, memory.promised_bytes,
                (int)pressure.level);
    refusals->told_ns = now;
}

void report_wrong(const char *what, uint64_t number, uint64_t offset)
{
    printf("WRONG: %s %lu from byte %lu on\n", what, number, offset);
    guest_event("event=workload_wrong what=%s number=%lu offset=%lu", what, number,
                offset);
}

uint64_t report_share(uint64_t part, uint64_t whole)
{
    return whole ? (uint64_t)((double)part * 10000 / (double)whole + 0.5) : 0;
}

uint64_t report_rate(uint64_t count, uint64_t ns)
{
    return ns ? (uint64_t)((double)count * 1e9 / (double)ns) : 0;
}

double report_mib(uint64_t bytes)
{
    return (double)bytes / 0x1p20;
}
