// SPDX-License-Identifier: BSD-2-Clause
/*
 * The live objects, the one that dies next at hand (a heap in an array). Each is filled with a pattern
 * that is checked when it dies. The budget is for the objects and for their entries here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct churn_object {
    void *start;
    size_t bytes;
    uint64_t number; /* of the allocation: what it is filled for */
    double death;    /* in allocations since the start */
};

struct churn_objects {
    struct churn_object *heap;
    size_t count, room;
    uint64_t seed, live_bytes;
};

/* Fill the memory and take it in. False: no memory for the entry; the object stays the caller's. */
bool churn_add(struct churn_objects *objects, struct churn_object object);

/* The one that dies next; NULL: there is none. */
const struct churn_object *churn_next(const struct churn_objects *objects);

/* What churn_next() says leaves the heap. *good_bytes: how many bytes from its start on are intact. The
 * memory is the caller's to free. */
struct churn_object churn_remove(struct churn_objects *objects, size_t *good_bytes);

/* Object and entry, as they count in live_bytes. */
uint64_t churn_cost(uint64_t bytes);
