// SPDX-License-Identifier: BSD-2-Clause
/*
 * guest.h as a host program, so that workloads can be tried and tested without a guest. Regions come from
 * mmap and count against a memory of a size that tests set; the promise is the size of the region, held
 * until it is unmapped, and everything is resident at once. There are no blocks to run out of, no
 * pressure and no compaction; free blocks are what the free bytes would make. Events are kept, and
 * printed if GUEST_HOST_EVENTS is set in the environment.
 */
#include "tests/model/guest_host.h"

#include <errno.h>
#include <guest.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define REGIONS_MAX     4096
#define EVENT_BYTES     401
#define EVENTS_KEPT     64
#define MEMORY_AT_START (UINT64_C(256) << 20)

enum region_kind {
    PLAIN,
    NEEDED,
    VOLATILE,
    DROPPED, /* volatile, contents gone */
};

struct region {
    unsigned char *start;
    size_t bytes;
    size_t released; /* bytes of guest_release() */
    enum region_kind kind;
    uint64_t marked; /* when it became volatile: a counter */
};

static struct {
    struct region regions[REGIONS_MAX];
    size_t count;
    struct guest_memory memory;
    uint64_t marks, events;
    char kept[EVENTS_KEPT][EVENT_BYTES];
} host = {.memory = {.total_bytes = MEMORY_AT_START, .free_bytes = MEMORY_AT_START}};

/* The region that holds this address. */
static struct region *find(const unsigned char *at)
{
    for (size_t i = 0; i < host.count; i++) {
        struct region *region = &host.regions[i];

        if (at >= region->start && at < region->start + region->bytes)
            return region;
    }
    return NULL;
}

static void account(size_t bytes)
{
    host.memory.free_bytes -= bytes;
    host.memory.resident_bytes += bytes;
    if (host.memory.resident_bytes > host.memory.peak_bytes)
        host.memory.peak_bytes = host.memory.resident_bytes;
}

static void unaccount(size_t bytes)
{
    host.memory.free_bytes += bytes;
    host.memory.resident_bytes -= bytes;
}

static void drop(struct region *region)
{
    madvise(region->start, region->bytes, MADV_DONTNEED);
    region->kind = DROPPED;
    host.memory.volatile_bytes -= region->bytes;
    host.memory.purged_bytes += region->bytes;
    unaccount(region->bytes);
}

static bool drop_oldest(void)
{
    struct region *oldest = NULL;

    for (size_t i = 0; i < host.count; i++) {
        struct region *region = &host.regions[i];

        if (region->kind == VOLATILE && (!oldest || region->marked < oldest->marked))
            oldest = region;
    }
    if (oldest)
        drop(oldest);
    return oldest != NULL;
}

/* 0, or -1 and ENOMEM. */
static int make_room(size_t bytes)
{
    while (host.memory.free_bytes < bytes) {
        if (!drop_oldest()) {
            host.memory.refused_allocations++;
            errno = ENOMEM;
            return -1;
        }
    }
    return 0;
}

static void *map_aligned(size_t bytes, size_t alignment)
{
    unsigned char *all = mmap(NULL, bytes + alignment, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (all == MAP_FAILED)
        return NULL;
    size_t before = (size_t)(-(uintptr_t)all & (alignment - 1));

    if (before > 0)
        munmap(all, before);
    munmap(all + before + bytes, alignment - before);
    return all + before;
}

static size_t whole_pages(size_t bytes)
{
    return (bytes + GUEST_PAGE_BYTES - 1) & ~(size_t)(GUEST_PAGE_BYTES - 1);
}

static void *add_region(size_t size, size_t alignment, enum region_kind kind)
{
    size_t bytes = whole_pages(size);

    if (bytes == 0 || host.count == REGIONS_MAX) {
        errno = bytes == 0 ? EINVAL : ENOMEM;
        return NULL;
    }
    if (make_room(bytes) != 0)
        return NULL;
    unsigned char *start = map_aligned(bytes, alignment);

    if (!start)
        return NULL;
    host.regions[host.count++] =
        (struct region){.start = start, .bytes = bytes, .kind = kind};
    account(bytes);
    return start;
}

void *guest_map(size_t size, unsigned flags)
{
    return add_region(
        size, flags & GUEST_MAP_BLOCKS ? GUEST_BLOCK_BYTES : GUEST_PAGE_BYTES, PLAIN);
}

void *guest_purgeable(size_t size)
{
    return add_region(size, GUEST_PAGE_BYTES, NEEDED);
}

/* Whole regions only. */
int guest_unmap(void *start, size_t size)
{
    struct region *region = find(start);

    if (!region || region->start != start || region->bytes != whole_pages(size)) {
        errno = EINVAL;
        return -1;
    }
    if (region->kind != DROPPED)
        unaccount(region->bytes - region->released);
    if (region->kind == VOLATILE)
        host.memory.volatile_bytes -= region->bytes;
    munmap(region->start, region->bytes);
    *region = host.regions[--host.count];
    return 0;
}

/* Each page may be released once: what is touched again is not counted. */
int guest_release(void *start, size_t size)
{
    size_t bytes = whole_pages(size);
    struct region *region = find(start);

    if (!region || madvise(start, bytes, MADV_DONTNEED) != 0) {
        errno = EINVAL;
        return -1;
    }
    region->released += bytes;
    unaccount(bytes);
    return 0;
}

int guest_volatile(void *start)
{
    struct region *region = find(start);

    if (!region || region->start != start || region->kind == PLAIN) {
        errno = EINVAL;
        return -1;
    }
    if (region->kind == NEEDED) {
        region->kind = VOLATILE;
        region->marked = ++host.marks;
        host.memory.volatile_bytes += region->bytes;
    }
    return 0;
}

int guest_needed(void *start)
{
    struct region *region = find(start);

    if (!region || region->start != start || region->kind == PLAIN) {
        errno = EINVAL;
        return -1;
    }
    if (region->kind == DROPPED) {
        if (make_room(region->bytes) != 0)
            return -1;
        account(region->bytes);
        region->kind = NEEDED;
        return GUEST_LOST;
    }
    if (region->kind == VOLATILE)
        host.memory.volatile_bytes -= region->bytes;
    region->kind = NEEDED;
    return GUEST_INTACT;
}

size_t guest_compact(void)
{
    return 0;
}

void guest_memory(struct guest_memory *out)
{
    *out = host.memory;
    out->available_bytes = out->free_bytes + out->volatile_bytes;
    out->free_blocks = out->free_bytes / GUEST_BLOCK_BYTES;
}

void guest_pressure(struct guest_pressure *out)
{
    *out = (struct guest_pressure){.level = GUEST_PRESSURE_NONE};
}

int guest_pressure_line(char *buf, size_t size)
{
    return snprintf(buf, size, "some avg10=0.00 avg60=0.00 avg300=0.00 total=0");
}

uint64_t guest_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int guest_event(const char *fmt, ...)
{
    char *text = host.kept[host.events % EVENTS_KEPT];
    va_list args;

    va_start(args, fmt);
    int length = vsnprintf(text, EVENT_BYTES, fmt, args);
    va_end(args);
    if (length < 0 || length >= EVENT_BYTES) {
        errno = EINVAL;
        return -1;
    }
    host.events++;
    if (getenv("GUEST_HOST_EVENTS"))
        printf("@ t=%lu app=host %s\n", guest_ns(), text);
    return 0;
}

void guest_host_reset(uint64_t memory_bytes)
{
    for (size_t i = 0; i < host.count; i++)
        munmap(host.regions[i].start, host.regions[i].bytes);
    memset(&host, 0, sizeof(host));
    host.memory.total_bytes = memory_bytes;
    host.memory.free_bytes = memory_bytes;
}

void guest_host_resize(uint64_t memory_bytes)
{
    uint64_t used =
        host.memory.total_bytes - host.memory.ballooned_bytes - host.memory.free_bytes;

    while (used > memory_bytes && drop_oldest())
        used = host.memory.total_bytes - host.memory.ballooned_bytes -
               host.memory.free_bytes;
    if (memory_bytes < used)
        memory_bytes = used; /* as far as a balloon would get */
    host.memory.ballooned_bytes = host.memory.total_bytes - memory_bytes;
    host.memory.free_bytes = memory_bytes - used;
}

uint64_t guest_host_events(void)
{
    return host.events;
}

const char *guest_host_event(const char *name)
{
    size_t length = strlen(name);

    for (uint64_t i = host.events; i > 0 && i + EVENTS_KEPT > host.events; i--) {
        const char *text = host.kept[(i - 1) % EVENTS_KEPT];

        if (strncmp(text, "event=", 6) == 0 && strncmp(text + 6, name, length) == 0 &&
            (text[6 + length] == ' ' || text[6 + length] == '\0'))
            return text;
    }
    return NULL;
}
