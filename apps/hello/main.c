// SPDX-License-Identifier: BSD-2-Clause
/* The first app to run and to read: shows that C works here, and what there is of memory. */
#include <guest.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pi.h"
#include "workload/options.h"

#define PIECES 1000

static uint64_t points, seed; /* options */

static int parse(int argc, char **argv)
{
    const struct option table[] = {
        OPTION_NUMBER("points", &points, "100000", "darts to throw for pi",
                      .max = UINT32_MAX),
        OPTION_NUMBER("seed", &seed, "1", "the same seed, the same darts"),
    };
    const struct options all = {"hello",
                                "says hello, computes, allocates, looks at memory", table,
                                sizeof(table) / sizeof(table[0])};

    return options_parse(&all, argc, argv);
}

static void throw_darts(void)
{
    uint64_t inside = pi_throw(points, seed);

    printf("pi:       %.10f, by %llu darts %.6f\n", 4 * atan(1),
           (unsigned long long)points, pi_estimate(inside, points));
    guest_event("event=hello points=%llu inside=%llu", (unsigned long long)points,
                (unsigned long long)inside);
}

/* Pieces of 1 to 64 KiB, each written to. Returns how many KiB there was memory for. */
static size_t allocate_and_free(void)
{
    static char *pieces[PIECES]; /* zeroed at every start */
    size_t total_kib = 0;

    for (size_t i = 0; i < PIECES; i++) {
        size_t kib = i % 64 + 1;

        pieces[i] = malloc(kib * 1024);
        if (!pieces[i])
            break;
        memset(pieces[i], 1, kib * 1024);
        total_kib += kib;
    }
    for (size_t i = 0; i < PIECES; i++)
        free(pieces[i]);
    return total_kib;
}

static void print_memory(void)
{
    struct guest_memory mem;
    char pressure[100];

    guest_memory(&mem);
    guest_pressure_line(pressure, sizeof(pressure));
    printf("memory:   %.1f MiB in all, %.1f MiB free, %.1f MiB with the host\n",
           (double)mem.total_bytes / 0x100000, (double)mem.free_bytes / 0x100000,
           (double)mem.ballooned_bytes / 0x100000);
    printf("this app: %llu KiB, %llu KiB at most; %llu minor faults\n",
           (unsigned long long)mem.resident_bytes / 1024,
           (unsigned long long)mem.peak_bytes / 1024,
           (unsigned long long)mem.minor_faults);
    printf("pressure: %s\n", pressure);
}

int main(int argc, char **argv)
{
    int code = parse(argc, argv);

    if (code != OPTIONS_RUN)
        return code;
    printf("Hello from %s, %.3f s after boot.\n", argv[0], (double)guest_ns() / 1e9);
    throw_darts();
    printf("malloc:   %zu KiB written and freed\n", allocate_and_free());
    print_memory();
    return 0;
}
