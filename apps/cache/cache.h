// SPDX-License-Identifier: BSD-2-Clause
/*
 * A cache of objects that can be computed again. Each lies in a purgeable region of its own, needed while
 * it is read or filled, volatile between requests: the kernel may drop it whenever memory is short, and
 * what it drops is a miss next time, never a wrong answer.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum cache_answer {
    CACHE_HIT,     /* was there, and is right */
    CACHE_FILLED,  /* was asked for the first time, computed */
    CACHE_LOST,    /* had been dropped, computed again */
    CACHE_REFUSED, /* no memory to keep it; served all the same */
    CACHE_WRONG,   /* was there, and is not what had been put there */
    CACHE_ANSWERS,
};

struct cache {
    void **objects; /* NULL: never asked for, or refused */
    size_t count, object_bytes;
    uint64_t seed;
};

/* 0, or -1: no memory even for the table. */
int cache_init(struct cache *cache, size_t count, size_t object_bytes, uint64_t seed);

enum cache_answer cache_request(struct cache *cache, size_t key);

void cache_fini(struct cache *cache);
