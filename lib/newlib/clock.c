// SPDX-License-Identifier: BSD-2-Clause
/* Time. There is no calendar: all clocks, time() too, count from the start of the machine. */
#include "kernel/clock.h"
#include "kernel/app_call.h"
#include "lib/newlib/call.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SECOND INT64_C(1000000000)
#define NS_PER_TICK   (NS_PER_SECOND / CLOCKS_PER_SEC)

static int invalid(void)
{
    errno = EINVAL;
    return -1;
}

static bool has_clock(clockid_t clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC;
}

static struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_SECOND),
                             .tv_nsec = (long)(ns % NS_PER_SECOND)};
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    if (!has_clock(clock))
        return invalid();
    *out = timespec_of(clock_ns());
    return 0;
}

int clock_getres(clockid_t clock, struct timespec *out)
{
    if (!has_clock(clock))
        return invalid();
    if (out)
        *out = timespec_of(1);
    return 0;
}

int nanosleep(const struct timespec *time, struct timespec *rest)
{
    uint64_t until = clock_ns();
    uint64_t ns;

    if (time->tv_sec < 0 || time->tv_nsec < 0 || time->tv_nsec >= NS_PER_SECOND)
        return invalid();
    if (__builtin_mul_overflow((uint64_t)time->tv_sec, (uint64_t)NS_PER_SECOND, &ns) ||
        __builtin_add_overflow(ns, (uint64_t)time->tv_nsec, &ns) ||
        __builtin_add_overflow(ns, until, &until))
        until = UINT64_MAX;
    if (rest)
        *rest = (struct timespec){0};
    return (int)call_result(app_call(APP_CALL_SLEEP, until, 0, 0));
}

int gettimeofday(struct timeval *out, void *zone)
{
    struct timespec now = timespec_of(clock_ns());

    (void)zone;
    *out = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}

/* All time counts as time on the CPU; clock() is made of it. */
clock_t times(struct tms *out)
{
    clock_t now = (clock_t)(clock_ns() / NS_PER_TICK);

    *out = (struct tms){.tms_utime = now};
    return now;
}

/* Nothing ends a sleep early. */
unsigned sleep(unsigned seconds)
{
    nanosleep(&(struct timespec){.tv_sec = seconds}, NULL);
    return 0;
}

int usleep(useconds_t us)
{
    return nanosleep(&(struct timespec){.tv_sec = (time_t)(us / 1000000),
                                        .tv_nsec = (long)(us % 1000000) * 1000},
                     NULL);
}
