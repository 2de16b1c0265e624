// SPDX-License-Identifier: BSD-2-Clause
/* The first app to run and to read: shows that C works here, and what there is of memory. */
#include "guest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECES 1000

static const char usage[] =
    "hello: says hello, computes, allocates, and tells what memory there is\n"
    "  run hello [WORD...]    the words come back, numbers among them with their square root\n";

static void print_words(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        char *end;
        double number = strtod(argv[i], &end);

        if (end != argv[i] && *end == '\0' && number >= 0)
            printf("  %s, whose square root is %.6g\n", argv[i], sqrt(number));
        else
            printf("  %s\n", argv[i]);
    }
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
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    printf("Hello from %s, %.3f s after boot. Pi is about %.10f.\n", argv[0],
           (double)guest_ns() / 1e9, 4 * atan(1));
    if (argc > 1)
        print_words(argc, argv);
    printf("malloc:   %zu KiB written and freed\n", allocate_and_free());
    print_memory();
    guest_event("event=hello words=%d", argc - 1);
    return 0;
}
