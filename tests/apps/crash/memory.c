// SPDX-License-Identifier: BSD-2-Clause
/* What must not be done with memory. */
#include "tests/apps/crash/crash.h"

#include <guest.h>

#include <stdlib.h>
#include <string.h>

#define PURGEABLE_BYTES (8 * GUEST_BLOCK_BYTES)

static void *volatile ended;

/* The same address, but the compiler, which would warn, does not know that. */
static void *same(void *object)
{
    __asm__ volatile("" : "+r"(object));
    return object;
}

void double_free(void)
{
    void *object = malloc(100), *again = same(object);

    free(object);
    free(again);
    ended = NULL; /* not a tail call: this function is in the backtrace */
}

void bad_free(void)
{
    char *object = malloc(100);

    free(same(object + 16));
    ended = NULL;
}

void use_after_unmap(void)
{
    volatile char *region = guest_map(3 * GUEST_PAGE_BYTES, 0);

    region[GUEST_PAGE_BYTES] = 1;
    guest_unmap((char *)region + GUEST_PAGE_BYTES, GUEST_PAGE_BYTES);
    region[GUEST_PAGE_BYTES] = 2;
}

void write_past_end(void)
{
    volatile char *region = guest_map(GUEST_PAGE_BYTES, 0);

    region[GUEST_PAGE_BYTES - 1] = 1;
    region[GUEST_PAGE_BYTES] = 2;
}

/* A volatile region that is dropped because the rest of memory is needed. */
void touch_purged(void)
{
    volatile char *cache = guest_purgeable(PURGEABLE_BYTES);
    struct guest_memory memory;

    memset((char *)cache, 1, PURGEABLE_BYTES);
    guest_volatile((char *)cache);
    guest_memory(&memory);
    uint64_t all = memory.available_bytes - PURGEABLE_BYTES / 4;
    char *rest = guest_map(all, 0);
    if (!rest)
        return;
    for (uint64_t at = 0; at < all; at += GUEST_PAGE_BYTES)
        rest[at] = 1;
    cache[0] = 2;
}

/* Sparse memory, until there is none. */
void touch_sparse(void)
{
    struct guest_memory memory;

    guest_memory(&memory);
    volatile char *region = guest_map(2 * memory.total_bytes, GUEST_MAP_SPARSE);
    for (uint64_t at = 0; region && at < 2 * memory.total_bytes; at += GUEST_PAGE_BYTES)
        region[at] = 1;
}
