// SPDX-License-Identifier: BSD-2-Clause
/* Memory that may be dropped: the oldest mark first, whole, and only when it has to be. */
#include "tests/apps/check.h"
#include "tests/apps/memory/memory.h"

#include <errno.h>

#define SIZE (2 * BLOCK)

static void intact(void)
{
    char *cache = guest_purgeable(SIZE);
    struct guest_memory before;

    if (!CHECK(cache != NULL))
        return;
    mark_pages(cache, SIZE, 21);
    before = look();
    CHECK(guest_needed(cache) == GUEST_INTACT); /* it starts out needed */
    CHECK(guest_volatile(cache) == 0 && guest_volatile(cache) == 0);
    CHECK(look().volatile_bytes == before.volatile_bytes + SIZE);
    CHECK(look().available_bytes > before.available_bytes + SIZE / 100 * 99); /* tables */
    CHECK(are_marked(cache, SIZE, 21)); /* nobody has wanted it */
    CHECK(guest_needed(cache) == GUEST_INTACT);
    CHECK(look().volatile_bytes == before.volatile_bytes && are_marked(cache, SIZE, 21));
    CHECK(guest_unmap(cache, SIZE) == 0);
}

#define FAILS(call) (errno = 0, (call) == -1 && errno == EINVAL)

static void refusals(void)
{
    char *cache = guest_purgeable(4 * PAGE), *other = guest_map(4 * PAGE, 0);

    CHECK(FAILS(guest_volatile(cache + PAGE)) && FAILS(guest_needed(cache + PAGE)));
    CHECK(FAILS(guest_volatile(other)) && FAILS(guest_needed(NULL)));
    CHECK(FAILS(guest_release(cache, PAGE)));
    CHECK(guest_unmap(cache, 4 * PAGE) == 0 && guest_unmap(other, 4 * PAGE) == 0);
}

/* Three caches, the second one marked first; then half of one is missing for somebody else. */
static void oldest_first(void)
{
    struct guest_pressure pressure, later;
    char *caches[3], *rest;
    uint64_t size, purged;

    for (uint64_t i = 0; i < 3; i++) {
        caches[i] = guest_purgeable(SIZE);
        mark_pages(caches[i], SIZE, i);
    }
    CHECK(guest_volatile(caches[1]) == 0 && guest_volatile(caches[0]) == 0);
    CHECK(guest_volatile(caches[2]) == 0);
    guest_pressure(&pressure);
    purged = look().purged_bytes;
    size = (look().available_bytes - 5 * SIZE / 2) / PAGE * PAGE;
    rest = guest_map(size, GUEST_MAP_FRAMES);
    CHECK(rest != NULL &&
          look().purged_bytes == purged); /* a promise drops nothing yet */
    mark_pages(rest, size, 33);
    CHECK(look().purged_bytes == purged + SIZE);
    guest_pressure(&later);
    CHECK(later.purges == pressure.purges + 1 && later.stalls > pressure.stalls);
    CHECK(guest_needed(caches[0]) == GUEST_INTACT && are_marked(caches[0], SIZE, 0));
    CHECK(guest_needed(caches[2]) == GUEST_INTACT && are_marked(caches[2], SIZE, 2));
    errno = 0;
    CHECK(guest_needed(caches[1]) == -1 &&
          errno == ENOMEM); /* there is room for a half of it */
    CHECK(are_marked(rest, size, 33) && guest_unmap(rest, size) == 0);
    CHECK(guest_needed(caches[1]) == GUEST_LOST && is_zero(caches[1], SIZE));
    CHECK(guest_needed(caches[1]) == GUEST_INTACT);
    for (int i = 0; i < 3; i++)
        CHECK(guest_unmap(caches[i], SIZE) == 0);
}

/* In parts and whole, while volatile. */
static void unmapped(void)
{
    struct guest_memory before = look();
    char *cache = guest_purgeable(SIZE), *tail = cache + 20 * PAGE;

    mark_pages(cache, SIZE, 1);
    CHECK(guest_volatile(cache) == 0);
    CHECK(guest_unmap(cache + 10 * PAGE, 10 * PAGE) == 0); /* two regions now */
    CHECK(look().volatile_bytes == before.volatile_bytes + SIZE - 10 * PAGE);
    CHECK(guest_needed(cache) == GUEST_INTACT && are_marked(cache, 10 * PAGE, 1));
    CHECK(look().volatile_bytes == before.volatile_bytes + SIZE - 20 * PAGE);
    CHECK(guest_needed(tail) == GUEST_INTACT && are_marked(tail, SIZE - 20 * PAGE, 21));
    CHECK(guest_volatile(tail) == 0 && guest_unmap(tail, SIZE - 20 * PAGE) == 0);
    CHECK(guest_unmap(cache, 10 * PAGE) == 0 && is_gap(cache) && is_gap(tail));
    CHECK(look().volatile_bytes == before.volatile_bytes);
    CHECK(look().resident_bytes == before.resident_bytes);
}

void check_purgeable(void)
{
    intact();
    refusals();
    oldest_first();
    unmapped();
}
