// SPDX-License-Identifier: BSD-2-Clause
/*
 * What an app sees of Aerostat beyond libc: figures of memory, pressure, memory that can be taken
 * away and given back, events, time. docs/apps.md has a walk through; apps/ has uses of all of it.
 *
 *     struct guest_memory mem;
 *
 *     guest_memory(&mem);
 *     printf("%llu bytes could be had\n", (unsigned long long)mem.available_bytes);
 *
 *     void *cache = guest_purgeable(64 * 1024);        an object the kernel may drop ...
 *     guest_volatile(cache);                           ... from here on
 *     if (guest_needed(cache) == GUEST_LOST)           ... to here; was it dropped?
 *         fill_again(cache);
 *
 * All of it is called from the app, by one thread; none of it waits for the host, but an allocation
 * under pressure may wait for memory that the balloon gives back. Functions that fail set errno.
 * Sizes are bytes and are rounded up to pages of 4096; times are nanoseconds.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define GUEST_PAGE_BYTES  UINT64_C(4096)
#define GUEST_BLOCK_BYTES UINT64_C(0x200000)

/* Memory now. Counts only grow while an app runs and start at 0 with it. */
struct guest_memory {
    uint64_t total_bytes; /* all RAM of the guest */
    uint64_t free_bytes;  /* held by nobody */
    /* What an app could still be given: free and volatile memory, less what is promised already and what the
     * kernel keeps. */
    uint64_t available_bytes;
    uint64_t ballooned_bytes;     /* with the host */
    uint64_t resident_bytes;      /* of this app: pages it has */
    uint64_t promised_bytes;      /* of this app: allocated, not touched yet */
    uint64_t volatile_bytes;      /* of this app: may be dropped at any time */
    uint64_t peak_bytes;          /* the most that was ever resident */
    uint64_t free_blocks;         /* free memory in whole blocks of 2 MiB: their number */
    uint64_t minor_faults;        /* pages and blocks brought in by a touch */
    uint64_t block_faults;        /* of these, those that brought a block */
    uint64_t blocks_split;        /* block mappings broken into pages */
    uint64_t blocks_joined;       /* pages put together to a block mapping */
    uint64_t pages_moved;         /* by compaction and joining, under the running app */
    uint64_t purged_bytes;        /* volatile memory that was dropped */
    uint64_t refused_allocations; /* that found no memory */
};

void guest_memory(struct guest_memory *out);

/* How short memory is. From NONE up: above the high watermark, below it, below the low one, close to
 * the last. */
enum guest_level {
    GUEST_PRESSURE_NONE,
    GUEST_PRESSURE_LOW,
    GUEST_PRESSURE_MEDIUM,
    GUEST_PRESSURE_CRITICAL,
};

struct guest_pressure {
    enum guest_level level;
    uint64_t level_changes;        /* a reader that keeps the last one misses no change */
    uint64_t stalls;               /* allocations that had to reclaim or wait first */
    uint64_t stall_ns;             /* time they took */
    uint32_t avg10, avg60, avg300; /* share of time stalled, in hundredths of a percent */
    /* Volatile regions dropped; times the balloon was asked. */
    uint64_t purges, oom_calls;
    uint64_t refusals; /* allocations refused after all that */
};

/* Cheap enough to be asked before every allocation that could be done without. */
void guest_pressure(struct guest_pressure *out);

/* The same in the shape of Linux' /proc/pressure/memory, without a newline:
 * "some avg10=0.00 avg60=0.00 avg300=0.00 total=0", total in microseconds. As snprintf(). */
int guest_pressure_line(char *buf, size_t size);

/* For guest_map(). */
enum guest_map_flags {
    /* Pages of 4 KiB only, never blocks. */
    GUEST_MAP_FRAMES = 1,
    /* Whole blocks, at once, the address aligned to one; compacts if it must. Not with another flag. */
    GUEST_MAP_BLOCKS = 2,
    /* No promise: a touch may find no memory, which ends the app. */
    GUEST_MAP_SPARSE = 4,
};

/*
 * A region of zeroed memory; between any two regions there is a gap that faults. It is promised: unless
 * SPARSE, a touch will find memory, whatever the balloon does. NULL: ENOMEM (the event has the
 * numbers) or EINVAL.
 */
void *guest_map(size_t size, unsigned flags);

/* Give back a region of guest_map() or guest_purgeable(), or a part of one that begins and ends at
 * pages. A later touch is a fault that ends the app, with a report. 0, or -1 and EINVAL, ENOMEM. */
int guest_unmap(void *start, size_t size);

/* Give back the pages but keep the addresses: what is touched again is zero. The promise is gone, for
 * these pages and for those of the region that were not touched yet. 0, or -1 and EINVAL, ENOMEM. */
int guest_release(void *start, size_t size);

/*
 * A region whose contents the kernel may drop while it is volatile, oldest mark first, whole: a cache.
 * It starts out needed. A touch of a region that was dropped and not marked needed ends the app.
 */
void *guest_purgeable(size_t size);

enum guest_needed {
    GUEST_INTACT,
    GUEST_LOST, /* contents are zero again; the region is promised again */
};

/* Mark the region that starts at `start`. guest_volatile(): 0. guest_needed(): enum guest_needed. Or -1:
 * EINVAL: no purgeable region starts there; ENOMEM: its contents are lost and there is no memory for
 * new ones, it stays volatile. */
int guest_volatile(void *start);
int guest_needed(void *start);

/* Make whole blocks out of free memory in pieces, as far as moving the app's pages can. Returns how
 * many more whole blocks are free. */
size_t guest_compact(void);

/*
 * Write "@ t=<ns> app=<name> <text>" to the telemetry: words key=value, separated by blanks, the first
 * one event=<what>; at most 400 bytes. Never waits: 0, or -1 and EAGAIN: there was no room, the event is
 * dropped and counted (event=app_exit has the count); EINVAL: not printable, or too long.
 */
__attribute__((format(printf, 1, 2))) int guest_event(const char *fmt, ...);

/* Monotonic time since boot. A few dozen instructions, no call into the kernel. */
uint64_t guest_ns(void);
