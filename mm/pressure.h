// SPDX-License-Identifier: BSD-2-Clause
/*
 * How short of memory the guest is: watermarks, a level with a counter of its changes, and the time that
 * allocations were stalled, in the shape of Linux' PSI. Decides nothing and frees nothing: it is told
 * what is available and says what that means.
 *
 *     pressure_init(&p, ram_bytes, reserve_bytes, now_ns);
 *     ...
 *     if (pressure_update(&p, available_bytes, now_ns))
 *         tell about p.level;
 *     ...
 *     pressure_stall_begin(&p, now_ns);
 *     reclaim, wait for the balloon;
 *     pressure_stall_end(&p, later_ns);
 *
 * "Available" is what could be handed out if all of it were: free memory and what can be dropped, less
 * what is promised; the minimum is part of it. Times are monotonic: none lies before one given earlier
 * (assert). Calls do constant work however long the last one is ago. Context: task, one owner.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each is shorter than the one before. */
enum pressure_level {
    PRESSURE_NONE,
    PRESSURE_LOW,      /* below the high watermark */
    PRESSURE_MEDIUM,   /* below the low one */
    PRESSURE_CRITICAL, /* at most half-way from the minimum to it */
};

/* Averages decay so that after this time 1/e of the past is left. */
enum pressure_window {
    PRESSURE_10S,
    PRESSURE_60S,
    PRESSURE_300S,
    PRESSURE_WINDOWS,
};

/* Frames of volatile regions: looked at, and freed by that. */
struct pressure_reclaim {
    uint64_t scanned, reclaimed;
};

struct pressure {
    uint64_t min_bytes; /* what the app never gets; min <= low <= high */
    uint64_t low_bytes, high_bytes;

    enum pressure_level level; /* as of the last pressure_update() */
    uint64_t level_changes;

    uint64_t stalls;   /* begun */
    uint64_t stall_ns; /* their time, up to seen_ns */
    bool is_stalled;   /* one is in progress */

    /* Counted here by whoever does it. */
    uint64_t purges;                /* volatile regions dropped */
    struct pressure_reclaim async;  /* for the balloon, by its task */
    struct pressure_reclaim direct; /* inside an allocation's call */
    uint64_t oom_calls;             /* times the balloon was asked */
    uint64_t refusals;              /* allocations refused after all that */

    uint64_t seen_ns;                    /* the latest time given */
    uint64_t period_start_ns;            /* of the period that seen_ns lies in */
    uint64_t period_stall_ns;            /* stalled in it */
    uint64_t averages[PRESSURE_WINDOWS]; /* over whole periods, in pressure.c's unit */
};

/*
 * min is max(512 KiB, total / 8192), but at most total / 16; low is max(reserve, 2 * min); high is
 * 2 * low, but at most half of total (and not below low). The level starts as NONE.
 */
void pressure_init(struct pressure *p, uint64_t total_bytes, uint64_t reserve_bytes,
                   uint64_t now_ns);

/* The level that so many bytes mean, whatever it was before. */
enum pressure_level pressure_level_of(const struct pressure *p, uint64_t available_bytes);

/*
 * Set the level. True when it changed, which level_changes counts.
 * It gets worse at once but better only when memory stands min / 2 above the border. An app that takes
 * and gives the same few pages at a border would change it each time otherwise, and every change is an
 * event.
 */
bool pressure_update(struct pressure *p, uint64_t available_bytes, uint64_t now_ns);

/* An allocation that has to reclaim or wait. Stalls do not nest (assert). */
void pressure_stall_begin(struct pressure *p, uint64_t now_ns);
void pressure_stall_end(struct pressure *p, uint64_t now_ns);

/* The stall that ended last goes on: it is still the same one. */
void pressure_stall_resume(struct pressure *p, uint64_t now_ns);

/* Bring stall_ns and the averages up to now: before they are read. A stall in progress counts so far. */
void pressure_advance(struct pressure *p, uint64_t now_ns);

/* Share of time stalled, in hundredths of a percent: 0 to 10000. A period of 2 s counts when it is over. */
uint32_t pressure_average(const struct pressure *p, enum pressure_window window);

/* "some avg10=1.23 avg60=0.45 avg300=0.10 total=12345": percent, and microseconds. As snprintf(). */
int pressure_format(const struct pressure *p, char *buf, size_t size);
