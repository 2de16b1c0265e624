// SPDX-License-Identifier: BSD-2-Clause
/* <time.h> and what POSIX adds: time goes on, sleeping takes as long as it should. */
#include "tests/apps/check.h"
#include "tests/apps/libc/libc.h"

#include <guest.h>

#include <errno.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define MS       1000000LL
#define SLEEP_MS 10
#define SLEEPS   5
#define LATE_MS  20 /* of the best sleep; the host may have other things to do */
#define YEAR_SEC (365 * 86400)

static long long now_ns(void)
{
    struct timespec now = {0};

    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    CHECK(now.tv_nsec >= 0 && now.tv_nsec < 1000 * MS);
    return now.tv_sec * 1000 * MS + now.tv_nsec;
}

static void goes_on(void)
{
    long long first = now_ns(), last = first;
    struct timespec step = {0};
    bool is_monotonic = true;

    for (int i = 0; i < 2000; i++) {
        clock_gettime(CLOCK_MONOTONIC, &step);
        long long next = step.tv_sec * 1000 * MS + step.tv_nsec;

        is_monotonic = is_monotonic && next >= last;
        last = next;
    }
    CHECK(is_monotonic && last > first);
    CHECK((long long)guest_ns() >= last && (long long)guest_ns() - last < 1000 * MS);
    CHECK(clock_getres(CLOCK_MONOTONIC, &step) == 0 && step.tv_sec == 0 &&
          step.tv_nsec >= 1);
}

static void sleeps(void)
{
    const struct timespec time = {.tv_nsec = SLEEP_MS * MS};
    struct timespec rest = {.tv_sec = 9};
    long long best = 1000 * MS;

    for (int i = 0; i < SLEEPS; i++) {
        long long before = now_ns();

        CHECK(nanosleep(&time, &rest) == 0 && rest.tv_sec == 0 && rest.tv_nsec == 0);
        long long took = now_ns() - before;
        CHECK(took >= SLEEP_MS * MS);
        best = took < best ? took : best;
    }
    CHECK(best < (SLEEP_MS + LATE_MS) * MS);
    CHECK(nanosleep(&(struct timespec){0}, NULL) == 0);
    CHECK(nanosleep(&(struct timespec){.tv_nsec = -1}, NULL) == -1 && errno == EINVAL);
    CHECK(nanosleep(&(struct timespec){.tv_nsec = 1000 * MS}, NULL) == -1);
    CHECK(usleep(1) == 0 && sleep(0) == 0);
}

static void other_clocks(void)
{
    struct timespec dummy;
    struct timeval day;
    clock_t used = clock();
    long long start = now_ns();

    errno = 0;
    CHECK(clock_gettime((clockid_t)99, &dummy) == -1 && errno == EINVAL);
    CHECK(gettimeofday(&day, NULL) == 0 && day.tv_usec >= 0 && day.tv_usec < 1000000);
    CHECK(time(NULL) >= day.tv_sec);
    while (now_ns() - start < 2 * 1000 * MS / CLOCKS_PER_SEC)
        ; /* two ticks */
    CHECK(clock() > used && used != (clock_t)-1);
}

static void calendar(void)
{
    const time_t year = HIDE((time_t)YEAR_SEC),
                 leap = 1709210096; /* 2024-02-29 12:34:56 */
    struct tm date;
    char text[40];

    CHECK(gmtime_r(&year, &date) && date.tm_year == 71 && date.tm_yday == 0);
    CHECK(gmtime_r(&leap, &date) && date.tm_mon == 1 && date.tm_mday == 29);
    CHECK(date.tm_wday == 4 && date.tm_hour == 12 && date.tm_sec == 56);
    CHECK(mktime(&date) == leap && difftime(leap, year) == (double)(leap - year));
    CHECK(strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %a", &date) == 23);
    CHECK_TEXT(text, "2024-02-29 12:34:56 Thu");
    CHECK_TEXT(asctime(&date), "Thu Feb 29 12:34:56 2024\n");
}

void check_time(void)
{
    goes_on();
    sleeps();
    other_clocks();
    calendar();
}
