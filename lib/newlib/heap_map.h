// SPDX-License-Identifier: BSD-2-Clause
/* A bit for each page of a chunk, and what the heap does with them. A range ends before its `end`. */
#pragma once

#include <stdint.h>

#define HEAP_MAP_BITS  512u
#define HEAP_MAP_WORDS (HEAP_MAP_BITS / 64)

/* The bits of a range that lie in one word; the word must not lie outside it. */
static inline uint64_t heap_map_mask(unsigned word, unsigned first, unsigned end)
{
    unsigned low = word * 64, from = first > low ? first - low : 0;
    unsigned beyond = end < low + 64 ? low + 64 - end : 0;

    return (UINT64_MAX << from) & (UINT64_MAX >> beyond);
}

static inline void heap_map_set(uint64_t *map, unsigned first, unsigned end)
{
    for (unsigned word = first / 64; word * 64 < end; word++)
        map[word] |= heap_map_mask(word, first, end);
}

static inline void heap_map_clear(uint64_t *map, unsigned first, unsigned end)
{
    for (unsigned word = first / 64; word * 64 < end; word++)
        map[word] &= ~heap_map_mask(word, first, end);
}

static inline unsigned heap_map_get(const uint64_t *map, unsigned bit)
{
    return (unsigned)(map[bit / 64] >> (bit % 64)) & 1;
}

/* How many bits of a range are set. The sum of neighbours, in fields of growing size: the compiler's
 * own count would be a call for this CPU. */
static inline unsigned heap_map_count(const uint64_t *map, unsigned first, unsigned end)
{
    unsigned count = 0;

    for (unsigned word = first / 64; word * 64 < end; word++) {
        uint64_t bits = map[word] & heap_map_mask(word, first, end);

        bits -= (bits >> 1) & UINT64_C(0x5555555555555555);
        bits = (bits & UINT64_C(0x3333333333333333)) +
               ((bits >> 2) & UINT64_C(0x3333333333333333));
        bits = (bits + (bits >> 4)) & UINT64_C(0x0F0F0F0F0F0F0F0F);
        count += (unsigned)((bits * UINT64_C(0x0101010101010101)) >> 56);
    }
    return count;
}

/* The first bit from `from` on that is set, once all were changed by `flip` (0, or all ones to
 * look for a clear bit). HEAP_MAP_BITS: none. */
static inline unsigned heap_map_find(const uint64_t *map, unsigned from, uint64_t flip)
{
    uint64_t mask = UINT64_MAX << (from % 64);

    for (unsigned word = from / 64; word < HEAP_MAP_WORDS; word++) {
        uint64_t bits = (map[word] ^ flip) & mask;

        if (bits != 0)
            return word * 64 + (unsigned)__builtin_ctzll(bits);
        mask = UINT64_MAX;
    }
    return HEAP_MAP_BITS;
}

static inline unsigned heap_map_next_set(const uint64_t *map, unsigned from)
{
    return heap_map_find(map, from, 0);
}

static inline unsigned heap_map_next_clear(const uint64_t *map, unsigned from)
{
    return heap_map_find(map, from, UINT64_MAX);
}
