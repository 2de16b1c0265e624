// SPDX-License-Identifier: BSD-2-Clause
/*
 * mallocfill [PERCENT]: fill so much (80) of the available memory by malloc in pieces of 64 bytes to 1 MiB,
 * free all of it in another order, and live on until a line comes on stdin: who can have the memory now?
 */
#include <guest.h>
#include <stdio.h>
#include <stdlib.h>

#include "workload/fill.h"
#include "workload/report.h"
#include "workload/rng.h"

#define DEFAULT_PERCENT 80
#define SMALLEST        64
#define DOUBLINGS       14 /* from there to 1 MiB */

static struct object {
    void *at;
    size_t size;
    uint64_t tag;
} * objects;
static uint64_t count, bytes;
static struct rng rng;

static size_t next_size(void)
{
    size_t low = (size_t)SMALLEST << rng_below(&rng, DOUBLINGS);

    return low + rng_below(&rng, low + 1);
}

static void fill(uint64_t wanted, uint64_t max)
{
    while (bytes < wanted && count < max) {
        struct object *object = &objects[count];

        *object = (struct object){.size = next_size(), .tag = fill_tag(1, count, 0)};
        object->at = malloc(object->size);
        if (!object->at)
            break;
        fill_write(object->at, object->size, object->tag);
        bytes += object->size;
        count++;
    }
}

/* Returns how many objects were not what had been put into them. */
static unsigned free_all(void)
{
    unsigned wrong = 0;

    for (; count > 0; count--) {
        struct object *object = &objects[rng_below(&rng, count)];

        wrong += fill_check(object->at, object->size, object->tag) != object->size;
        free(object->at);
        *object = objects[count - 1];
    }
    return wrong;
}

static void report(const char *event, unsigned wrong)
{
    struct guest_memory memory;

    guest_memory(&memory);
    guest_event(
        "event=%s bytes=%lu objects=%lu resident=%lu promised=%lu free=%lu wrong=%u",
        event, bytes, count, memory.resident_bytes, memory.promised_bytes,
        memory.free_bytes, wrong);
}

int main(int argc, char **argv)
{
    uint64_t percent = argc > 1 ? strtoull(argv[1], NULL, 10) : DEFAULT_PERCENT;
    struct guest_memory memory;
    unsigned wrong;

    rng_seed(&rng, 1);
    guest_memory(&memory);
    uint64_t wanted = memory.available_bytes / 100 * percent;
    uint64_t max = wanted / GUEST_PAGE_BYTES, table = max * sizeof(*objects);

    objects = guest_map(table, GUEST_MAP_FRAMES);
    if (!objects)
        return WORKLOAD_USAGE;
    fill(wanted, max);
    report("mallocfill_full", 0);
    wrong = free_all();
    guest_release(objects, table / GUEST_PAGE_BYTES * GUEST_PAGE_BYTES);
    report("mallocfill_freed", wrong);
    getchar();
    return wrong > 0 ? WORKLOAD_WRONG : WORKLOAD_OK;
}
