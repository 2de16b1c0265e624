// SPDX-License-Identifier: BSD-2-Clause
/*
 * Sets of address ranges: sorted, disjoint, merged. Used once, at boot, to turn the firmware's memory
 * map into free RAM. A set holds at most its capacity; one range more is -ENOSPC, never a silent loss.
 */
#pragma once

#include "base/units.h"

#include <stddef.h>
#include <stdint.h>

struct region {
    paddr_t start; /* inclusive */
    paddr_t end;   /* exclusive, > start */
};

struct region_set {
    struct region *items; /* the owner's storage */
    size_t count, capacity;
};

/* Add [start, end): merges with what it touches or overlaps. An empty range changes nothing.
 * -EINVAL when end < start, -ENOSPC when the set is full (the set is unchanged). */
int region_add(struct region_set *set, paddr_t start, paddr_t end);

/* Take [start, end) out, cutting ranges that it covers in part. Errors as region_add(). */
int region_remove(struct region_set *set, paddr_t start, paddr_t end);

/* Shrink every range to whole units of `align` (a power of two); what becomes empty is dropped. */
void region_align(struct region_set *set, uint64_t align);

uint64_t region_total(const struct region_set *set);

/* The largest range that lies below `limit`, cut at it. -ENOMEM when there is none. */
int region_largest_below(const struct region_set *set, paddr_t limit, struct region *out);
