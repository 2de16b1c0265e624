// SPDX-License-Identifier: BSD-2-Clause
/* The memory behind malloc: taken as it is needed, given back as it is freed. */
#include "tests/apps/check.h"
#include "tests/apps/memory/memory.h"

#include <stdlib.h>

#define OBJECT_MAX 4000
#define KEPT_MAX   (3 * BLOCK) /* by the allocator, for the next one */

/* 60 % of what there is in pieces below a page, freed in another order. */
static void fill_and_free(void)
{
    struct guest_memory before = look(), full;
    uint64_t wanted = before.available_bytes / 10 * 6, taken = 0, count = 0, max;
    char **objects;

    max = wanted / (OBJECT_MAX / 4) / PAGE * PAGE; /* pointers fill whole pages then */
    objects = guest_map(max * sizeof(objects[0]), 0);
    for (srand(5); taken < wanted && count < max; count++) {
        size_t size = 16 + (size_t)rand() % OBJECT_MAX;

        objects[count] = malloc(size);
        if (!CHECK(objects[count] != NULL))
            break;
        memset(objects[count], (int)(count & 0x7F), size);
        taken += size;
    }
    full = look();
    CHECK(full.resident_bytes >= before.resident_bytes + wanted);
    CHECK(full.resident_bytes < before.resident_bytes + wanted + wanted / 4);
    for (uint64_t i = count; i > 0; i--) {
        uint64_t j = ((uint64_t)rand() << 8 ^ (uint64_t)rand()) % i;

        if (objects[j][15] != (char)objects[j][0] && !CHECK(false))
            break;
        free(objects[j]);
        objects[j] = objects[i - 1];
    }
    CHECK(guest_unmap(objects, max * sizeof(objects[0])) == 0);
    CHECK(look().resident_bytes < before.resident_bytes + KEPT_MAX);
    CHECK(look().promised_bytes < before.promised_bytes + KEPT_MAX);
    CHECK(look().free_bytes + KEPT_MAX > before.free_bytes);
}

/* A large calloc() is no more than a promise until it is touched. */
static void lazy(void)
{
    struct guest_memory before = look();
    char *object = calloc(8, BLOCK);

    CHECK(object && look().resident_bytes < before.resident_bytes + BLOCK);
    CHECK(object && object[3 * BLOCK] == 0 && object[8 * BLOCK - 1] == 0);
    free(object);
    CHECK(look().resident_bytes < before.resident_bytes + KEPT_MAX);
}

static void refused(void)
{
    struct guest_memory before = look();

    CHECK(HIDE(malloc(before.available_bytes + BLOCK)) == NULL);
    CHECK(look().refused_allocations > before.refused_allocations);
    CHECK(look().resident_bytes <= before.resident_bytes);
}

void check_heap(void)
{
    fill_and_free();
    lazy();
    refused();
}
