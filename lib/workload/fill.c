// SPDX-License-Identifier: BSD-2-Clause
/* Word i of a fill is the tag plus i steps: cheap enough for every touch to be checked. */
#include "workload/fill.h"

#include <string.h>

#include "workload/rng.h"

#define WORD sizeof(uint64_t)

uint64_t fill_tag(uint64_t seed, uint64_t number, uint64_t version)
{
    return rng_mix(rng_mix(rng_mix(seed) + number) + version);
}

uint64_t fill_word(uint64_t tag, size_t index)
{
    return tag + index * 0x9E3779B97F4A7C15u;
}

void fill_write(void *start, size_t bytes, uint64_t tag)
{
    uint64_t *words = start;
    size_t whole = bytes / WORD;
    uint64_t rest = fill_word(tag, whole);

    for (size_t i = 0; i < whole; i++)
        words[i] = fill_word(tag, i);
    memcpy(words + whole, &rest, bytes % WORD);
}

size_t fill_check(const void *start, size_t bytes, uint64_t tag)
{
    const uint64_t *words = start;
    size_t whole = bytes / WORD;
    uint64_t rest = fill_word(tag, whole);

    for (size_t i = 0; i < whole; i++)
        if (words[i] != fill_word(tag, i))
            return i * WORD;
    return memcmp(words + whole, &rest, bytes % WORD) == 0 ? bytes : whole * WORD;
}
