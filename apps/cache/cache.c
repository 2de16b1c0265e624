// SPDX-License-Identifier: BSD-2-Clause
/* How guest_purgeable(), guest_needed() and guest_volatile() make a cache. */
#include "cache.h"

#include <guest.h>
#include <stdbool.h>
#include <stdlib.h>

#include "workload/fill.h"

int cache_init(struct cache *cache, size_t count, size_t object_bytes, uint64_t seed)
{
    *cache = (struct cache){.count = count, .object_bytes = object_bytes, .seed = seed};
    cache->objects = calloc(count, sizeof(cache->objects[0]));
    return cache->objects ? 0 : -1;
}

/* What takes the time in a real cache: to compute the object, or to fetch it from far away. */
static void compute(const struct cache *cache, size_t key)
{
    fill_write(cache->objects[key], cache->object_bytes, fill_tag(cache->seed, key, 0));
}

static bool is_right(const struct cache *cache, size_t key)
{
    return fill_check(cache->objects[key], cache->object_bytes,
                      fill_tag(cache->seed, key, 0)) == cache->object_bytes;
}

/* The object is needed from here on, unless CACHE_REFUSED. */
static enum cache_answer look_up(struct cache *cache, size_t key)
{
    if (!cache->objects[key]) {
        cache->objects[key] = guest_purgeable(cache->object_bytes);
        return cache->objects[key] ? CACHE_FILLED : CACHE_REFUSED;
    }
    switch (guest_needed(cache->objects[key])) {
    case GUEST_INTACT:
        return CACHE_HIT;
    case GUEST_LOST:
        return CACHE_LOST;
    default:
        return CACHE_REFUSED;
    }
}

enum cache_answer cache_request(struct cache *cache, size_t key)
{
    enum cache_answer answer = look_up(cache, key);

    if (answer == CACHE_REFUSED)
        return answer;
    if (answer != CACHE_HIT)
        compute(cache, key);
    else if (!is_right(cache, key)) /* reads all of it, as a user of the object would */
        answer = CACHE_WRONG;
    guest_volatile(cache->objects[key]);
    return answer;
}

void cache_fini(struct cache *cache)
{
    for (size_t key = 0; key < cache->count; key++)
        if (cache->objects[key])
            guest_unmap(cache->objects[key], cache->object_bytes);
    free(cache->objects);
}
