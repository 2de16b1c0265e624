// SPDX-License-Identifier: BSD-2-Clause
/* Free memory in pieces becomes whole blocks again, under data that must stay what it is. */
#include "tests/apps/check.h"
#include "tests/apps/memory/memory.h"

#include <stdlib.h>

#define BEST_SHARE 90 /* percent of free memory that must be in whole blocks afterwards */

static struct {
    char *at;
    uint64_t pages;
} filled;

static void fill(void)
{
    filled.pages = look().available_bytes / PAGE / 10 * 9;
    filled.at = guest_map(filled.pages * PAGE, GUEST_MAP_FRAMES);
    if (CHECK(filled.at != NULL))
        mark_pages(filled.at, filled.pages * PAGE, 0);
}

/* Of every two neighbours one goes, at random. */
static void punch(void)
{
    srand(3);
    for (uint64_t page = 0; page + 1 < filled.pages; page += 2) {
        uint64_t gone = page + (uint64_t)(rand() >> 4) % 2;

        if (guest_release(filled.at + gone * PAGE, PAGE) != 0 && !CHECK(false))
            return;
    }
}

/* Pages are there, with what was put into them, or zero; half of them each. Reading brings the
 * released ones in again, so this comes last. */
static void verify(void)
{
    uint64_t kept = 0;

    for (uint64_t page = 0; page < filled.pages; page++) {
        if (are_marked(filled.at + page * PAGE, PAGE, page))
            kept++;
        else if (!CHECK(is_zero(filled.at + page * PAGE, PAGE)))
            return;
    }
    CHECK(kept == filled.pages - filled.pages / 2);
}

static void on_request(void)
{
    struct guest_memory before = look(), after;
    size_t more = guest_compact();

    after = look();
    CHECK(more > 0 && after.free_blocks == before.free_blocks + more);
    CHECK(after.pages_moved > before.pages_moved);
    CHECK(after.resident_bytes == before.resident_bytes);
    uint64_t share = after.free_blocks * BLOCK * 100 / after.free_bytes;
    printf("memory: %u %% of free memory in whole blocks, %u before\n", (unsigned)share,
           (unsigned)(before.free_blocks * BLOCK * 100 / before.free_bytes));
    CHECK(share >= BEST_SHARE);
}

/* Who asks for blocks need not ask for compaction. */
static void by_need(void)
{
    uint64_t blocks = look().free_bytes / BLOCK / 2;
    char *region = guest_map(blocks * BLOCK, GUEST_MAP_BLOCKS);

    CHECK(look().pages_moved > 0);
    if (CHECK(region != NULL)) {
        CHECK(is_zero(region, blocks * BLOCK));
        CHECK(guest_unmap(region, blocks * BLOCK) == 0);
    }
}

void check_compaction(void)
{
    void (*const ways[])(void) = {on_request, by_need};

    for (int i = 0; i < 2; i++) {
        fill();
        punch();
        ways[i]();
        verify();
        CHECK(guest_unmap(filled.at, filled.pages * PAGE) == 0);
    }
}
