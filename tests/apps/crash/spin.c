// SPDX-License-Identifier: BSD-2-Clause
/* Apps that keep the kernel or themselves busy: for a time, or without end. */
#include "tests/apps/crash/crash.h"

#include <guest.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile bool goes_on = true;

void spin(void)
{
    while (goes_on)
        ;
}

void spin_sse(void)
{
    double x = 0.5;

    while (goes_on) {
        for (int i = 0; i < 1000; i++)
            x = 3.9 * x * (1 - x);
        __asm__ volatile("" : "+x"(x));
    }
}

/* Only an interrupt ends it. */
void nap(void)
{
    usleep(20000);
}

#define SLEEP_NS UINT64_C(1500000000)

/* A line for stdin in between is no reason to sleep for longer. */
void oversleep(void)
{
    uint64_t start = guest_ns();

    usleep(SLEEP_NS / 1000);
    exit(guest_ns() - start > SLEEP_NS + SLEEP_NS / 10);
}

/* One call with more text than the console takes in a second. */
void write_long(void)
{
    static char text[4 << 20];

    memset(text, 'x', sizeof(text));
    write(STDOUT_FILENO, text, sizeof(text));
}

/* To and fro over a watermark, for a second. */
void swing(void)
{
    struct guest_memory mem;
    struct guest_pressure first, now;
    uint64_t start = guest_ns();

    guest_pressure(&first);
    guest_memory(&mem);
    do {
        void *most = guest_map(mem.available_bytes / 64 * 63, 0);

        guest_pressure(&now);
        guest_unmap(most, mem.available_bytes / 64 * 63);
        guest_pressure(&now);
    } while (guest_ns() - start < 1000000000);
    printf("crash: %u changes\n", (unsigned)(now.level_changes - first.level_changes));
    exit(now.level_changes - first.level_changes < 1000);
}
