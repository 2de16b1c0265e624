// SPDX-License-Identifier: BSD-2-Clause
#include "lib/newlib/reserve.h"

#define ALIGN 16

static struct {
    _Alignas(ALIGN) char bytes[4096]; /* a few long doubles */
    size_t used;
} pool;

void *reserve_take(size_t size)
{
    size_t left = sizeof(pool.bytes) - pool.used;
    size_t bytes = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);

    if (size > left || bytes > left)
        return NULL;
    pool.used += bytes;
    return pool.bytes + pool.used - bytes;
}

bool reserve_has(const void *ptr)
{
    return (const char *)ptr >= pool.bytes &&
           (const char *)ptr < pool.bytes + sizeof(pool.bytes);
}
