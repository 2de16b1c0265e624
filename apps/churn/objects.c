// SPDX-License-Identifier: BSD-2-Clause
/* A binary heap by time of death: no entry dies before the one above it. */
#include "objects.h"

#include <stdlib.h>

#include "workload/fill.h"

#define ROOM_AT_FIRST 64

uint64_t churn_cost(uint64_t bytes)
{
    return bytes + sizeof(struct churn_object);
}

static bool make_room(struct churn_objects *objects)
{
    if (objects->count < objects->room)
        return true;
    size_t room = objects->room ? objects->room * 2 : ROOM_AT_FIRST;
    struct churn_object *heap = realloc(objects->heap, room * sizeof(*heap));

    if (!heap)
        return false;
    objects->heap = heap;
    objects->room = room;
    return true;
}

/* The hole at `at` moves up to where `object` may stand. */
static void sift_up(struct churn_object *heap, size_t at, struct churn_object object)
{
    for (; at > 0 && object.death < heap[(at - 1) / 2].death; at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = object;
}

/* The hole at the top moves down to where `object` may stand. */
static void sift_down(struct churn_object *heap, size_t count, struct churn_object object)
{
    size_t at = 0;

    for (size_t below = 1; below < count; below = 2 * at + 1) {
        if (below + 1 < count && heap[below + 1].death < heap[below].death)
            below++;
        if (object.death <= heap[below].death)
            break;
        heap[at] = heap[below];
        at = below;
    }
    heap[at] = object;
}

bool churn_add(struct churn_objects *objects, struct churn_object object)
{
    if (!make_room(objects))
        return false;
    fill_write(object.start, object.bytes, fill_tag(objects->seed, object.number, 0));
    sift_up(objects->heap, objects->count++, object);
    objects->live_bytes += churn_cost(object.bytes);
    return true;
}

const struct churn_object *churn_next(const struct churn_objects *objects)
{
    return objects->count ? &objects->heap[0] : NULL;
}

struct churn_object churn_remove(struct churn_objects *objects, size_t *good_bytes)
{
    struct churn_object object = objects->heap[0];

    *good_bytes =
        fill_check(object.start, object.bytes, fill_tag(objects->seed, object.number, 0));
    objects->count--;
    sift_down(objects->heap, objects->count, objects->heap[objects->count]);
    objects->live_bytes -= churn_cost(object.bytes);
    return object;
}
