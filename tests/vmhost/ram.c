// SPDX-License-Identifier: BSD-2-Clause
#include "tests/vmhost/ram.h"

#include "tests/vmhost/end.h"
#include "tests/vmhost/guest.h"
#include "tests/vmhost/npt.h"

static struct ram_range ranges[RAM_RANGES_MAX];
static unsigned range_count;

static void append(paddr_t start, paddr_t end, uint32_t type)
{
    if (start >= end)
        return;
    if (range_count == RAM_RANGES_MAX)
        end_unable("the memory map is too long");
    ranges[range_count++] =
        (struct ram_range){.start = start, .size_bytes = end - start, .type = type};
}

void ram_add(const struct ram_range *range)
{
    paddr_t start = range->start, end = start + range->size_bytes;
    paddr_t hole = (paddr_t)image_start, hole_end = (paddr_t)image_end;

    if (range->type == RAM_USABLE && end > NPT_RAM_MAX)
        end_unable("the guest has more RAM than the monitor can guard (1 GiB)");
    if (range->type != RAM_USABLE || end <= hole || start >= hole_end) {
        append(start, end, range->type);
        return;
    }
    append(start, hole, RAM_USABLE);
    append(hole, hole_end, RAM_RESERVED);
    append(hole_end, end, RAM_USABLE);
}

const struct ram_range *ram_ranges(unsigned *count)
{
    *count = range_count;
    return ranges;
}

bool ram_holds(paddr_t start, paddr_t end)
{
    for (unsigned i = 0; i < range_count; i++)
        if (ranges[i].type == RAM_USABLE && start >= ranges[i].start &&
            end <= ranges[i].start + ranges[i].size_bytes)
            return true;
    return false;
}

bool ram_is_guests(uint64_t pfn)
{
    paddr_t start = pfn << FRAME_SHIFT;

    return pfn < NPT_RAM_MAX / FRAME_SIZE && ram_holds(start, start + FRAME_SIZE);
}
