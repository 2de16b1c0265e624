// SPDX-License-Identifier: BSD-2-Clause
/*
 * What workloads tell, and the codes they end with. Lines for people go out by printf(); what programs
 * read goes through guest_event(), whole numbers only: shares are in hundredths of a percent.
 *
 * uint64_t is printed with %lu, which it is on x86-64; the compiler says so where it is not.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum workload_exit {
    WORKLOAD_OK = 0,    /* also when memory was refused: that is normal under pressure */
    WORKLOAD_WRONG = 1, /* contents of memory were not what had been put there */
    WORKLOAD_USAGE = 2, /* options or input that cannot be understood */
};

/* Allocations that found no memory. All zero at first. */
struct refusals {
    uint64_t count;
    uint64_t told_ns; /* when the last event went out */
};

/* Call it whenever an allocation of so many bytes failed. Counts, and tells with the numbers of memory
 * (event=workload_refused), but at most ten times a second. */
void report_refused(struct refusals *refusals, uint64_t bytes);

/* Contents are wrong: of what, which one, from which byte on (event=workload_wrong). */
void report_wrong(const char *what, uint64_t number, uint64_t offset);

/* part / whole in hundredths of a percent; 0 of nothing. */
uint64_t report_share(uint64_t part, uint64_t whole);

/* So many in that time, by the second. */
uint64_t report_rate(uint64_t count, uint64_t ns);

double report_mib(uint64_t bytes);
