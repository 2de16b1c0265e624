// SPDX-License-Identifier: BSD-2-Clause
/*
 * The regions of an app: an ordered set of disjoint ranges of addresses, and the choice of a place for
 * a new one. Knows addresses only; what a region holds, its owner counts in it.
 *
 *     struct appmem_regions set;
 *
 *     appmem_regions_init(&set, APP_FIRST, APP_END);
 *     region->start = appmem_region_place(&set, size, FRAME_SIZE);
 *     region->end = region->start + size;
 *     appmem_region_add(&set, region);
 *     ...
 *     region = appmem_region_find(&set, fault_address);
 *
 *     for (r = appmem_region_at_or_after(&set, 0); r; r = appmem_region_next(&set, r))
 *
 * Nodes belong to the caller, who zeroes them: nothing is allocated here. A lookup or a change takes
 * O(log n) steps as expected for a treap, and no recursion. Addresses and sizes are whole frames.
 * Context: task, one owner.
 */
#pragma once

#include "base/list.h"
#include "base/units.h"

#include <stddef.h>
#include <stdint.h>

struct appmem_whole;

struct appmem_region {
    /* [start, end). While in a set the owner may move either inwards, but not empty the region. */
    uint64_t start, end;

    /* The tree's: below lower addresses on the left, no priority above the parent's. */
    struct appmem_region *left, *right;
    uint64_t priority;

    /* The owner's; nothing here reads them. */
    uint64_t resident, reserved; /* frames */
    unsigned flags;
    struct list lru;
    struct appmem_whole *whole; /* NULL: no block is */
};

struct appmem_regions {
    struct appmem_region *root;
    uint64_t first, end; /* the window of places, less its first and last frame */
    uint64_t cursor;     /* end of what was placed last */
    uint64_t random;     /* state of the generator of priorities */
    size_t count;
};

/* An empty set with [first, end) as the window that places come from: at least three frames, which end
 * before 2^64. Regions may be added outside of it as well. */
void appmem_regions_init(struct appmem_regions *set, uint64_t first, uint64_t end);

/* The region that holds `addr`, or NULL. Any address will do, also in the next two. */
struct appmem_region *appmem_region_find(const struct appmem_regions *set, uint64_t addr);

/* The region that holds `addr`, else the next above; NULL: there is none. */
struct appmem_region *appmem_region_at_or_after(const struct appmem_regions *set,
                                                uint64_t addr);

/* The next region above one of the set, or NULL. */
struct appmem_region *appmem_region_next(const struct appmem_regions *set,
                                         const struct appmem_region *region);

/* Enter a region by its start and end, which may touch others but not overlap them (assert). */
void appmem_region_add(struct appmem_regions *set, struct appmem_region *region);

/* Take out a region of the set (assert). */
void appmem_region_remove(struct appmem_regions *set, struct appmem_region *region);

/*
 * A start, a multiple of `align` (a power of two, at least a frame), for a region of `size` bytes with a
 * free frame on either side; 0: no hole is large enough. Next fit: the search goes on where the last one
 * ended and wraps around, so that addresses are not used again soon and a use after unmap faults.
 * Enters nothing: appmem_region_add() does. Usually looks at a few regions, at worst at each twice.
 */
uint64_t appmem_region_place(struct appmem_regions *set, uint64_t size, uint64_t align);
