// SPDX-License-Identifier: BSD-2-Clause
/*
 * scatter [PERCENT]: fill so much (90) of the available memory page by page, release every other one, and wait
 * for a line on stdin: whoever takes memory meanwhile gets it in pieces. Then release every other one of the
 * rest, and wait once more.
 */
#include <guest.h>
#include <stdio.h>
#include <stdlib.h>

#include "workload/fill.h"
#include "workload/report.h"

#define DEFAULT_PERCENT 90

static uint64_t tag(uint64_t page)
{
    return fill_tag(2, page, 0);
}

/* How many of those that were kept are not what they were. */
static uint64_t count_wrong(const char *start, uint64_t pages)
{
    uint64_t wrong = 0;

    for (uint64_t page = 0; page < pages; page += 4)
        wrong += fill_check(start + page * GUEST_PAGE_BYTES, GUEST_PAGE_BYTES,
                            tag(page)) != GUEST_PAGE_BYTES;
    return wrong;
}

/* Then somebody else has a turn. */
static void release_each(char *start, uint64_t first, uint64_t step, uint64_t pages)
{
    for (uint64_t page = first; page < pages; page += step)
        guest_release(start + page * GUEST_PAGE_BYTES, GUEST_PAGE_BYTES);
    guest_event("event=scattered kept=%lu", pages / step);
    getchar();
}

int main(int argc, char **argv)
{
    uint64_t percent = argc > 1 ? strtoull(argv[1], NULL, 10) : DEFAULT_PERCENT;
    struct guest_memory memory;

    guest_memory(&memory);
    uint64_t pages = memory.available_bytes / 100 * percent / GUEST_PAGE_BYTES;
    char *start = guest_map(pages * GUEST_PAGE_BYTES, GUEST_MAP_FRAMES);

    if (!start)
        return WORKLOAD_USAGE;
    for (uint64_t page = 0; page < pages; page++)
        fill_write(start + page * GUEST_PAGE_BYTES, GUEST_PAGE_BYTES, tag(page));
    release_each(start, 1, 2, pages);
    release_each(start, 2, 4, pages);
    uint64_t wrong = count_wrong(start, pages);
    guest_event("event=scatter_done wrong=%lu", wrong);
    return wrong > 0 ? WORKLOAD_WRONG : WORKLOAD_OK;
}
