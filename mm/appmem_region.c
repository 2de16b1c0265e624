// SPDX-License-Identifier: BSD-2-Clause
/*
 * Regions in a treap: a search tree by address that is also a heap by random priorities, so its shape
 * is that of a tree built in random order whatever the order of changes. All walks go down only.
 */
#include "mm/appmem_region.h"

#include "base/assert.h"
#include "base/bits.h"

/* Any generator does that fills the word: priorities need to differ, not to be secret. This is
 * xorshift64 (Marsaglia 2003). */
static uint64_t next_random(struct appmem_regions *set)
{
    set->random ^= set->random << 13;
    set->random ^= set->random >> 7;
    set->random ^= set->random << 17;
    return set->random;
}

void appmem_regions_init(struct appmem_regions *set, uint64_t first, uint64_t end)
{
    assert(first % FRAME_SIZE == 0 && end % FRAME_SIZE == 0);
    assert(first < end && end - first >= 3 * FRAME_SIZE);
    *set = (struct appmem_regions){
        .first = first, .end = end, .cursor = first, .random = 1, /* anything but 0 */
    };
}

struct appmem_region *appmem_region_at_or_after(const struct appmem_regions *set,
                                                uint64_t addr)
{
    struct appmem_region *best = NULL, *at = set->root;

    while (at) {
        if (at->end > addr) {
            best = at;
            at = at->left;
        } else {
            at = at->right;
        }
    }
    return best;
}

struct appmem_region *appmem_region_find(const struct appmem_regions *set, uint64_t addr)
{
    struct appmem_region *region = appmem_region_at_or_after(set, addr);

    return region && region->start <= addr ? region : NULL;
}

struct appmem_region *appmem_region_next(const struct appmem_regions *set,
                                         const struct appmem_region *region)
{
    return appmem_region_at_or_after(set, region->end);
}

/* Where to go on from `at` in search of `start`. */
static struct appmem_region **child(struct appmem_region *at, uint64_t start)
{
    return start < at->start ? &at->left : &at->right;
}

static bool can_be_added(const struct appmem_regions *set, uint64_t start, uint64_t end)
{
    const struct appmem_region *above = appmem_region_at_or_after(set, start);

    return start % FRAME_SIZE == 0 && end % FRAME_SIZE == 0 && start < end &&
           (!above || above->start >= end);
}

void appmem_region_add(struct appmem_regions *set, struct appmem_region *region)
{
    struct appmem_region **link = &set->root;
    struct appmem_region **lower = &region->left, **higher = &region->right;

    assert(can_be_added(set, region->start, region->end));
    region->priority = next_random(set);
    while (*link && (*link)->priority >= region->priority)
        link = child(*link, region->start);

    /* What hangs there goes below the new region, cut in two along the way to its start. */
    struct appmem_region *rest = *link;

    *link = region;
    while (rest) {
        if (rest->start < region->start) {
            *lower = rest;
            lower = &rest->right;
            rest = rest->right;
        } else {
            *higher = rest;
            higher = &rest->left;
            rest = rest->left;
        }
    }
    *lower = *higher = NULL;
    set->count++;
}

void appmem_region_remove(struct appmem_regions *set, struct appmem_region *region)
{
    struct appmem_region **link = &set->root;
    struct appmem_region *lower = region->left, *higher = region->right;

    while (*link != region) {
        assert(*link);
        link = child(*link, region->start);
    }

    /* Its two subtrees become one: whoever has the higher priority comes first. */
    while (lower && higher) {
        if (lower->priority >= higher->priority) {
            *link = lower;
            link = &lower->right;
            lower = lower->right;
        } else {
            *link = higher;
            link = &higher->left;
            higher = higher->left;
        }
    }
    *link = lower ? lower : higher;
    region->left = region->right = NULL;
    set->count--;
}

/* The lowest place that leaves the frame at `guard`, and all below, alone; 0: none up to the window's end. */
static uint64_t place_after(const struct appmem_regions *set, uint64_t guard,
                            uint64_t size, uint64_t align)
{
    const struct appmem_region *above = appmem_region_at_or_after(set, guard);

    for (;;) {
        uint64_t start = align_up(guard + FRAME_SIZE, align);
        uint64_t limit = above ? min_u64(above->start, set->end) : set->end;

        if (start < guard) /* the window ends so high that aligning wrapped */
            return 0;
        if (start < limit && limit - start >= size + FRAME_SIZE)
            return start;
        if (!above || above->end >= set->end)
            return 0;
        guard = above->end;
        above = appmem_region_next(set, above);
    }
}

uint64_t appmem_region_place(struct appmem_regions *set, uint64_t size, uint64_t align)
{
    assert(size != 0 && size % FRAME_SIZE == 0);
    assert(is_pow2(align) && align >= FRAME_SIZE);
    if (size >= set->end - set->first) /* so that no sum below overflows */
        return 0;

    uint64_t start = place_after(set, set->cursor, size, align);

    if (start == 0)
        start = place_after(set, set->first, size, align);
    if (start != 0)
        set->cursor = start + size;
    return start;
}
