// SPDX-License-Identifier: BSD-2-Clause
#include "tests/apps/memory/memory.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct guest_memory look(void)
{
    struct guest_memory memory;

    guest_memory(&memory);
    return memory;
}

/* The kernel reads for us, and answers where we would fault. */
bool is_gap(const void *at)
{
    errno = 0;
    return write(STDERR_FILENO, at, 1) == -1 && errno == EINVAL;
}

bool is_zero(const char *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += sizeof(uint64_t)) {
        if (*(const uint64_t *)(const void *)(at + i) != 0)
            return false;
    }
    return true;
}

static uint64_t mark_of(uint64_t seed, size_t page)
{
    return (seed + page + 1) * UINT64_C(0x9E3779B97F4A7C15);
}

void mark_pages(char *at, size_t bytes, uint64_t seed)
{
    for (size_t i = 0; i < bytes / PAGE; i++) {
        uint64_t mark = mark_of(seed, i);

        memcpy(at + i * PAGE, &mark, sizeof(mark));
        memcpy(at + (i + 1) * PAGE - sizeof(mark), &mark, sizeof(mark));
    }
}

bool are_marked(const char *at, size_t bytes, uint64_t seed)
{
    for (size_t i = 0; i < bytes / PAGE; i++) {
        uint64_t mark = mark_of(seed, i);

        if (memcmp(at + i * PAGE, &mark, sizeof(mark)) != 0 ||
            memcmp(at + (i + 1) * PAGE - sizeof(mark), &mark, sizeof(mark)) != 0)
            return false;
    }
    return true;
}
