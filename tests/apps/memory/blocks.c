// SPDX-License-Identifier: BSD-2-Clause
/* Blocks and frames: who gets which, blocks broken up, blocks put together again. */
#include "tests/apps/check.h"
#include "tests/apps/memory/memory.h"

#define JOIN_SECONDS 20

static void whole_blocks(void)
{
    struct guest_memory before = look(), after;
    char *region = guest_map(BLOCK + PAGE, GUEST_MAP_BLOCKS);

    if (!CHECK(region != NULL))
        return;
    after = look();
    CHECK((uintptr_t)region % BLOCK == 0);
    CHECK(after.resident_bytes == before.resident_bytes + 2 * BLOCK); /* at once */
    CHECK(after.promised_bytes == before.promised_bytes);
    CHECK(after.free_blocks <= before.free_blocks - 2);
    CHECK(is_zero(region, 2 * BLOCK));
    CHECK(look().minor_faults == before.minor_faults);
    CHECK(guest_unmap(region, 2 * BLOCK) == 0);
}

static void on_demand(void)
{
    struct guest_memory before = look(), after;
    char *region = guest_map(2 * BLOCK, 0);

    region[BLOCK + 12345] = 1;
    after = look();
    CHECK(after.resident_bytes == before.resident_bytes + BLOCK);
    CHECK(after.minor_faults == before.minor_faults + 1);
    CHECK(after.block_faults == before.block_faults + 1);
    CHECK(guest_unmap(region, 2 * BLOCK) == 0);

    before = look();
    region = guest_map(2 * BLOCK, GUEST_MAP_FRAMES);
    mark_pages(region, 2 * BLOCK, 3);
    after = look();
    CHECK(after.resident_bytes == before.resident_bytes + 2 * BLOCK);
    CHECK(after.minor_faults == before.minor_faults + 2 * BLOCK / PAGE);
    CHECK(after.block_faults == before.block_faults);
    CHECK(are_marked(region, 2 * BLOCK, 3));
    CHECK(guest_unmap(region, 2 * BLOCK) == 0);
}

static void split(void)
{
    char *region = guest_map(3 * BLOCK, GUEST_MAP_BLOCKS);
    struct guest_memory before = look(), after;

    mark_pages(region, 3 * BLOCK, 5);
    CHECK(guest_release(region + BLOCK + 7 * PAGE, PAGE) == 0);
    after = look();
    CHECK(after.blocks_split == before.blocks_split + 1);
    CHECK(after.resident_bytes == before.resident_bytes - PAGE);
    CHECK(guest_unmap(region + 2 * BLOCK, BLOCK) == 0); /* along a border */
    CHECK(look().blocks_split == before.blocks_split + 1);
    CHECK(guest_unmap(region, 17 * PAGE) == 0);
    CHECK(look().blocks_split == before.blocks_split + 2);
    CHECK(is_gap(region + 16 * PAGE) && is_zero(region + BLOCK + 7 * PAGE, PAGE));
    CHECK(are_marked(region + 17 * PAGE, BLOCK - 10 * PAGE, 5 + 17));
    CHECK(are_marked(region + BLOCK + 8 * PAGE, BLOCK - 8 * PAGE, 5 + 512 + 8));
    CHECK(guest_unmap(region + 17 * PAGE, 2 * BLOCK - 17 * PAGE) == 0);
}

void check_blocks(void)
{
    whole_blocks();
    on_demand();
    split();
}

/* A block in pieces, all of them there: the kernel makes one mapping of them while the app goes on
 * writing to them. */
void check_joins(void)
{
    char *region = guest_map(BLOCK, GUEST_MAP_BLOCKS);
    uint64_t joined = look().blocks_joined, end, round = 0;

    if (!CHECK(region != NULL))
        return;
    mark_pages(region, BLOCK, 0);
    for (size_t page = 1; page < BLOCK / PAGE; page += 100)
        CHECK(guest_release(region + page * PAGE, PAGE) == 0);
    char *other =
        guest_map(BLOCK / 2, GUEST_MAP_FRAMES); /* takes the gaps: frames have to move */
    mark_pages(other, BLOCK / 2, 7);
    end = guest_ns() + JOIN_SECONDS * UINT64_C(1000000000);
    do {
        mark_pages(region, BLOCK, ++round);
        if (!CHECK(are_marked(region, BLOCK, round)))
            break;
    } while (look().blocks_joined == joined && guest_ns() < end);
    CHECK(look().blocks_joined == joined + 1);
    CHECK(look().pages_moved > 0);
    CHECK(are_marked(region, BLOCK, round) && are_marked(other, BLOCK / 2, 7));
    CHECK(guest_unmap(region, BLOCK) == 0 && guest_unmap(other, BLOCK / 2) == 0);
}
