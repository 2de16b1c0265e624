// SPDX-License-Identifier: BSD-2-Clause
/* Whole blocks from kind to kind, a word of 64 at a time: what makes giving back a balloon of GiBs cheap. */
#include "drivers/balloon/page_set_internal.h"

/* At most `max` of the bits, the lowest. */
static uint64_t lowest(uint64_t word, uint64_t max)
{
    uint64_t kept = 0;

    if (max >= 64)
        return word;
    for (; word && max > 0; max--) {
        kept |= word & -word;
        word &= word - 1;
    }
    return kept;
}

static unsigned count_bits(uint64_t word)
{
    unsigned sum = 0;

    if (word == UINT64_MAX)
        return 64;
    for (; word; word &= word - 1)
        sum++;
    return sum;
}

bool page_set_find_blocks(const struct page_set *set, enum page_kind kind, pfn_t from,
                          uint64_t max, struct page_blocks *out)
{
    uint64_t block = (from.n + BLOCK_FRAMES - 1) >> BLOCK_ORDER;
    uint64_t number = block / CHUNK_BLOCKS;

    if (!set->blocks[kind] || max == 0)
        return false;
    for (size_t i = page_chunk_lower(set, number); i < set->count; i++) {
        const struct page_chunk *chunk = set->chunks[i];
        unsigned start = chunk->number == number ? (unsigned)(block % CHUNK_BLOCKS) : 0;

        for (unsigned g = start / 64; g < GROUPS; g++, start = 0) {
            uint64_t word = chunk->blocks[kind][g] & (UINT64_MAX << start % 64);

            if (!word)
                continue;
            unsigned skip = (unsigned)__builtin_ctzll(word);

            *out = (struct page_blocks){
                pfn_add(page_group_pfn(chunk, g), skip * BLOCK_FRAMES),
                lowest(word >> skip, max)};
            return true;
        }
    }
    return false;
}

void page_set_move(struct page_set *set, struct page_blocks blocks, enum page_kind from,
                   enum page_kind to)
{
    struct page_chunk *chunk = page_chunk_find(set, blocks.first);
    unsigned count = count_bits(blocks.mask);

    assert(chunk && page_in_block(blocks.first) == 0 && from != to);
    struct page_place at = page_place_of(chunk, blocks.first);
    uint64_t word = blocks.mask << at.index;

    assert(word >> at.index == blocks.mask);
    for (unsigned kind = PAGE_NONE + 1; kind < PAGE_KINDS; kind++)
        assert((chunk->blocks[kind][at.group] & word) == (kind == from ? word : 0));
    assert(!(chunk->parts[at.group] & word));
    if (from != PAGE_NONE) {
        chunk->blocks[from][at.group] &= ~word;
        set->blocks[from] -= count;
    }
    if (to != PAGE_NONE) {
        chunk->blocks[to][at.group] |= word;
        set->blocks[to] += count;
    }
    if (from == PAGE_HELD)
        set->frames -= (uint64_t)count << BLOCK_ORDER;
    if (to == PAGE_HELD)
        set->frames += (uint64_t)count << BLOCK_ORDER;
}
