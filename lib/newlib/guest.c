// SPDX-License-Identifier: BSD-2-Clause
/* guest.h, over the kernel's calls. */
#include "guest.h"

#include "kernel/app_call.h"
#include "kernel/clock.h"
#include "lib/newlib/call.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>

#define EVENT_MAX 400 /* as guest.h says */

void guest_memory(struct guest_memory *out)
{
    app_call(APP_CALL_MEMORY, (uint64_t)out, 0, 0);
}

void guest_pressure(struct guest_pressure *out)
{
    app_call(APP_CALL_PRESSURE, (uint64_t)out, 0, 0);
}

int guest_pressure_line(char *buf, size_t size)
{
    struct guest_pressure now;

    guest_pressure(&now);
    return snprintf(buf, size,
                    "some avg10=%" PRIu32 ".%02" PRIu32 " avg60=%" PRIu32 ".%02" PRIu32
                    " avg300=%" PRIu32 ".%02" PRIu32 " total=%" PRIu64,
                    now.avg10 / 100, now.avg10 % 100, now.avg60 / 100, now.avg60 % 100,
                    now.avg300 / 100, now.avg300 % 100, now.stall_ns / 1000);
}

/* When there is no memory, malloc gives back what it keeps, and the call gets a second chance. Only then
 * it counts as refused, and the kernel tells with numbers. */
static int64_t call_for_memory(enum app_call_number number, uint64_t a, uint64_t b)
{
    int64_t result = app_call(number, a, b, 0);

    if (result == -ENOMEM && malloc_trim(0))
        result = app_call(number, a, b, 0);
    if (result == -ENOMEM)
        app_call(APP_CALL_REFUSED, a, number == APP_CALL_MAP ? 0 : a, 0);
    return call_result(result);
}

static void *map(size_t size, uint64_t flags)
{
    int64_t start = call_for_memory(APP_CALL_MAP, size, flags);

    return start < 0 ? NULL : (void *)start;
}

void *guest_map(size_t size, unsigned flags)
{
    if (flags & ~(unsigned)(GUEST_MAP_FRAMES | GUEST_MAP_BLOCKS | GUEST_MAP_SPARSE)) {
        errno = EINVAL;
        return NULL;
    }
    return map(size, flags);
}

void *guest_purgeable(size_t size)
{
    return map(size, APP_MAP_PURGEABLE);
}

/* As guest_map() does it: what was asked for can be given back by the same size. */
static uint64_t whole_pages(size_t size)
{
    return (size + GUEST_PAGE_BYTES - 1) & ~(GUEST_PAGE_BYTES - 1);
}

int guest_unmap(void *start, size_t size)
{
    return (int)call_result(
        app_call(APP_CALL_UNMAP, (uint64_t)start, whole_pages(size), 0));
}

int guest_release(void *start, size_t size)
{
    return (int)call_result(
        app_call(APP_CALL_RELEASE, (uint64_t)start, whole_pages(size), 0));
}

int guest_volatile(void *start)
{
    return (int)call_result(app_call(APP_CALL_VOLATILE, (uint64_t)start, 0, 0));
}

int guest_needed(void *start)
{
    return (int)call_for_memory(APP_CALL_NEEDED, (uint64_t)start, 0);
}

size_t guest_compact(void)
{
    int64_t blocks = app_call(APP_CALL_COMPACT, 0, 0, 0);

    return blocks < 0 ? 0 : (size_t)blocks;
}

int guest_event(const char *fmt, ...)
{
    char text[EVENT_MAX + 1];
    va_list args;

    va_start(args, fmt);
    int bytes = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (bytes < 0 || bytes > EVENT_MAX) {
        errno = EINVAL;
        return -1;
    }
    return (int)call_result(app_call(APP_CALL_EVENT, (uint64_t)text, (uint64_t)bytes, 0));
}

uint64_t guest_ns(void)
{
    return clock_ns();
}
