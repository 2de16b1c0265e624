// SPDX-License-Identifier: BSD-2-Clause
/*
 * Sorted sets of address ranges. Every change looks for the span [first, past) of items it concerns
 * and rewrites just that span; sets are small and live at boot only, so moving items is fine.
 */
#include "mm/region.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/err.h"

#include <stdbool.h>

/* Replace items [first, past) by `with[0..n)`. The caller has checked the room. */
static void splice(struct region_set *set, size_t first, size_t past,
                   const struct region *with, size_t n)
{
    size_t tail = set->count - past;

    __builtin_memmove(&set->items[first + n], &set->items[past],
                      tail * sizeof(set->items[0]));
    for (size_t i = 0; i < n; i++)
        set->items[first + i] = with[i];
    set->count = first + n + tail;
}

static bool has_room(const struct region_set *set, size_t removed, size_t added)
{
    return set->count - removed + added <= set->capacity;
}

int region_add(struct region_set *set, paddr_t start, paddr_t end)
{
    struct region sum = {start, end};
    size_t first = 0, past;

    if (end < start)
        return -EINVAL;
    if (end == start)
        return 0;

    /* Neighbours that only touch count as well: the sum is one range. */
    while (first < set->count && set->items[first].end < start)
        first++;
    for (past = first; past < set->count && set->items[past].start <= end; past++) {
        sum.start = min_u64(sum.start, set->items[past].start);
        sum.end = max_u64(sum.end, set->items[past].end);
    }
    if (!has_room(set, past - first, 1))
        return -ENOSPC;
    splice(set, first, past, &sum, 1);
    return 0;
}

int region_remove(struct region_set *set, paddr_t start, paddr_t end)
{
    struct region left[2];
    size_t first = 0, past, n = 0;

    if (end < start)
        return -EINVAL;
    if (end == start)
        return 0;

    while (first < set->count && set->items[first].end <= start)
        first++;
    for (past = first; past < set->count && set->items[past].start < end; past++) {
        const struct region *it = &set->items[past];

        /* At most one item sticks out on either side, so `left` has room for both. */
        if (it->start < start)
            left[n++] = (struct region){it->start, start};
        if (it->end > end)
            left[n++] = (struct region){end, it->end};
    }
    if (!has_room(set, past - first, n))
        return -ENOSPC;
    splice(set, first, past, left, n);
    return 0;
}

void region_align(struct region_set *set, uint64_t align)
{
    size_t kept = 0;

    assert(is_pow2(align));
    for (size_t i = 0; i < set->count; i++) {
        struct region it = set->items[i];

        it.end = align_down(it.end, align);
        if (it.start > it.end) /* also: aligning such a start up could wrap */
            continue;
        it.start = align_up(it.start, align);
        if (it.start < it.end)
            set->items[kept++] = it;
    }
    set->count = kept;
}

uint64_t region_total(const struct region_set *set)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < set->count; i++)
        sum += set->items[i].end - set->items[i].start;
    return sum;
}

int region_largest_below(const struct region_set *set, paddr_t limit, struct region *out)
{
    struct region best = {0, 0};

    for (size_t i = 0; i < set->count && set->items[i].start < limit; i++) {
        struct region it = set->items[i];

        it.end = min_u64(it.end, limit);
        if (it.end - it.start > best.end - best.start)
            best = it;
    }
    if (best.end == 0)
        return -ENOMEM;
    *out = best;
    return 0;
}
