// SPDX-License-Identifier: BSD-2-Clause
/* What was promised is there when it is touched; what cannot be promised is refused. */
#include "tests/apps/check.h"
#include "tests/apps/memory/memory.h"

#include <errno.h>

static void too_much(void)
{
    struct guest_memory before = look(), after;

    errno = 0;
    CHECK(guest_map(before.available_bytes + BLOCK, 0) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(guest_map(before.available_bytes + BLOCK, GUEST_MAP_BLOCKS) == NULL &&
          errno == ENOMEM);
    errno = 0;
    CHECK(guest_purgeable(before.available_bytes + BLOCK) == NULL && errno == ENOMEM);
    after = look();
    CHECK(after.refused_allocations == before.refused_allocations + 3);
    CHECK(after.resident_bytes <=
          before.resident_bytes); /* malloc gives back what it kept */
    CHECK(after.promised_bytes == before.promised_bytes);
}

/* Mapped, not touched yet: nobody else gets it. */
static void kept(void)
{
    uint64_t size = look().available_bytes / 10 * 9 / PAGE * PAGE, left;
    char *region = guest_map(size, GUEST_MAP_FRAMES);

    if (!CHECK(region != NULL))
        return;
    left = look().available_bytes;
    CHECK(left < size / 8);
    CHECK(look().free_bytes > size); /* nothing was taken yet */
    errno = 0;
    CHECK(guest_map(2 * left, 0) == NULL && errno == ENOMEM);
    mark_pages(region, size, 11);
    CHECK(look().resident_bytes >= size);
    CHECK(are_marked(region, size, 11));
    CHECK(look().available_bytes < size / 8);
    CHECK(guest_unmap(region, size) == 0);
    CHECK(look().available_bytes > size);
}

static void sparse(void)
{
    struct guest_memory before = look();
    uint64_t size = 4 * before.total_bytes;
    char *region = guest_map(size, GUEST_MAP_SPARSE);

    if (!CHECK(region != NULL))
        return;
    CHECK(look().promised_bytes == before.promised_bytes);
    for (uint64_t at = 0; at < size; at += size / 16)
        region[at] = 1;
    CHECK(look().resident_bytes == before.resident_bytes + 16 * PAGE);
    CHECK(guest_release(region, size) == 0 && region[0] == 0);
    CHECK(guest_unmap(region, size) == 0);
    CHECK(look().resident_bytes == before.resident_bytes);
}

void check_promises(void)
{
    too_much();
    kept();
    sparse();
}
