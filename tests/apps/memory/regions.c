// SPDX-License-Identifier: BSD-2-Clause
/* Regions: zeroed, apart from each other, given back in parts. */
#include "tests/apps/check.h"
#include "tests/apps/memory/memory.h"

#include <errno.h>

static void demand(void)
{
    struct guest_memory before = look(), after;
    char *region = guest_map(5 * PAGE + 1, 0);

    if (!CHECK(region != NULL))
        return;
    CHECK((uintptr_t)region % PAGE == 0);
    after = look();
    CHECK(after.resident_bytes == before.resident_bytes);
    CHECK(after.promised_bytes == before.promised_bytes + 6 * PAGE);
    region[2 * PAGE + 17] = 1;
    after = look();
    CHECK(after.resident_bytes == before.resident_bytes + PAGE);
    CHECK(after.promised_bytes == before.promised_bytes + 5 * PAGE);
    CHECK(after.minor_faults == before.minor_faults + 1);
    region[2 * PAGE + 17] = 0;
    CHECK(is_zero(region, 6 * PAGE));
    CHECK(is_gap(region + 6 * PAGE) && is_gap(region - 1));
    CHECK(guest_unmap(region, 5 * PAGE + 1) == 0); /* by the size it was asked for */
    CHECK(is_gap(region) && is_gap(region + 5 * PAGE));
    after = look();
    CHECK(after.resident_bytes == before.resident_bytes);
    CHECK(after.promised_bytes == before.promised_bytes);
}

/* Memory that somebody else has used before comes zeroed, and nobody is next to anybody. */
static void zeroed_and_apart(void)
{
    char *regions[8];

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 8; i++) {
            size_t size = (size_t)(i + 1) * 3 * PAGE;

            regions[i] = guest_map(size, i % 2 ? GUEST_MAP_FRAMES : 0);
            CHECK(regions[i] && is_zero(regions[i], size));
            CHECK(is_gap(regions[i] + size) && is_gap(regions[i] - 1));
            memset(regions[i], 0xAA, size);
        }
        for (int i = 0; i < 8; i++)
            CHECK(guest_unmap(regions[i], (size_t)(i + 1) * 3 * PAGE) == 0);
    }
}

static void released(void)
{
    char *region = guest_map(8 * PAGE, 0);
    struct guest_memory before, after;

    mark_pages(region, 8 * PAGE, 1);
    before = look();
    CHECK(guest_release(region + 2 * PAGE, 3 * PAGE) == 0);
    after = look();
    CHECK(after.resident_bytes == before.resident_bytes - 3 * PAGE);
    CHECK(after.promised_bytes == before.promised_bytes); /* not promised again */
    CHECK(is_zero(region + 2 * PAGE, 3 * PAGE));
    CHECK(look().resident_bytes == before.resident_bytes);
    CHECK(guest_release(region + 2 * PAGE, 3 * PAGE) == 0);
    CHECK(are_marked(region, 2 * PAGE, 1) && are_marked(region + 5 * PAGE, 3 * PAGE, 6));
    CHECK(guest_release(region, 8 * PAGE) == 0 && is_zero(region, 8 * PAGE));
    CHECK(guest_unmap(region, 8 * PAGE) == 0);
}

static void unmapped_in_parts(void)
{
    struct guest_memory before = look();
    char *region = guest_map(10 * PAGE, 0);

    mark_pages(region, 10 * PAGE, 0);
    CHECK(guest_unmap(region, 2 * PAGE) == 0);            /* the head */
    CHECK(guest_unmap(region + 8 * PAGE, 2 * PAGE) == 0); /* the tail */
    CHECK(guest_unmap(region + 4 * PAGE, 2 * PAGE) ==
          0); /* the middle: two regions now */
    CHECK(is_gap(region) && is_gap(region + 2 * PAGE - 1) && is_gap(region + 8 * PAGE));
    CHECK(is_gap(region + 4 * PAGE) && is_gap(region + 6 * PAGE - 1));
    CHECK(are_marked(region + 2 * PAGE, 2 * PAGE, 2));
    CHECK(are_marked(region + 6 * PAGE, 2 * PAGE, 6));
    CHECK(look().resident_bytes == before.resident_bytes + 4 * PAGE);
    CHECK(guest_unmap(region + 2 * PAGE, 6 * PAGE) == -1); /* over the hole */
    CHECK(guest_unmap(region + 2 * PAGE, 2 * PAGE) == 0);
    CHECK(guest_unmap(region + 6 * PAGE, 2 * PAGE) == 0);
    CHECK(look().resident_bytes == before.resident_bytes);
    CHECK(look().promised_bytes == before.promised_bytes);
}

#define FAILS(call) (errno = 0, (call) == -1 && errno == EINVAL)

static void refusals(void)
{
    char *region = guest_map(4 * PAGE, 0);
    struct guest_memory before;

    mark_pages(region, 4 * PAGE, 9);
    before = look();
    CHECK(FAILS(guest_unmap(region + 1, PAGE)) && FAILS(guest_unmap(region, SIZE_MAX)));
    CHECK(FAILS(guest_unmap(region, 0)) && FAILS(guest_unmap(region, 5 * PAGE)));
    CHECK(FAILS(guest_unmap(region - PAGE, PAGE)) && FAILS(guest_unmap(NULL, PAGE)));
    CHECK(FAILS(guest_unmap(region, SIZE_MAX & ~(PAGE - 1))));
    CHECK(FAILS(guest_release(region + 1, PAGE)) && FAILS(guest_release(region, 0)));
    CHECK(FAILS(guest_release(region + 3 * PAGE, 2 * PAGE)));
    errno = 0;
    CHECK(guest_map(0, 0) == NULL && errno == EINVAL);
    errno = 0;
    CHECK(guest_map(PAGE, 0x80) == NULL && errno == EINVAL);
    errno = 0;
    CHECK(guest_map(SIZE_MAX, 0) == NULL && (errno == EINVAL || errno == ENOMEM));
    CHECK(look().resident_bytes == before.resident_bytes &&
          are_marked(region, 4 * PAGE, 9));
    CHECK(guest_unmap(region, 4 * PAGE) == 0);
    CHECK(FAILS(guest_unmap(region, 4 * PAGE)));
}

void check_regions(void)
{
    demand();
    zeroed_and_apart();
    released();
    unmapped_in_parts();
    refusals();
}
