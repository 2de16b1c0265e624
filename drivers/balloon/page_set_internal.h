// SPDX-License-Identifier: BSD-2-Clause
/*
 * Inside the page set: chunks of 1 GiB found by binary search; in each, per 64 blocks, a word of bits
 * for every kind of whole block and one for blocks in parts, and one page of frame maps that is there
 * only when one of them is in parts. Physical memory may be sparse over the whole 44 bits a balloon can
 * name. Nobody but drivers/balloon/page_set*.c includes it:
 *
 *   page_set_chunk.c   memory: chunks, maps, reservation, trimming
 *   page_set.c         frames in and out
 *   page_set_pieces.c  frames in pieces, by their number
 *   page_set_blocks.c  whole blocks from kind to kind, 64 at a time
 *   page_set_walk.c    looking without changing
 */
#pragma once

#include "drivers/balloon/page_set.h"

#include "base/assert.h"
#include "base/bits.h"

#define CHUNK_SHIFT  18 /* frames per chunk: 1 GiB */
#define CHUNK_BLOCKS 512
#define GROUPS       (CHUNK_BLOCKS / 64)
#define GROUP_FRAMES (UINT64_C(64) << BLOCK_ORDER)
#define MAP_WORDS    (BLOCK_FRAMES / 64)

struct page_chunk {
    uint64_t number; /* pfn >> CHUNK_SHIFT */
    /* A bit per block. That of PAGE_NONE stays empty: a block of no kind has a bit nowhere. */
    uint64_t blocks[PAGE_KINDS][GROUPS];
    uint64_t parts
        [GROUPS]; /* a bit per block: some of its frames are in the set, see its map */
    uint64_t *maps[GROUPS]; /* 64 maps of 512 bits each, or NULL */
};

/* Where a block's bits are. */
struct page_place {
    struct page_chunk *chunk;
    unsigned group;
    unsigned index; /* of the block in its group */
};

static inline struct page_place page_place_of(struct page_chunk *chunk, pfn_t pfn)
{
    unsigned block = (unsigned)(pfn.n >> BLOCK_ORDER) % CHUNK_BLOCKS;

    return (struct page_place){chunk, block / 64, block % 64};
}

static inline uint64_t *page_place_map(struct page_place at)
{
    return at.chunk->maps[at.group] + at.index * MAP_WORDS;
}

/* The first frame of a group of 64 blocks. */
static inline pfn_t page_group_pfn(const struct page_chunk *chunk, unsigned group)
{
    return pfn_of((chunk->number << CHUNK_SHIFT) + group * GROUP_FRAMES);
}

static inline unsigned page_in_block(pfn_t pfn)
{
    return (unsigned)(pfn.n % BLOCK_FRAMES);
}

/* page_set_chunk.c */
/* The index of the chunk with this number, or of the first one above it. */
size_t page_chunk_lower(const struct page_set *set, uint64_t number);
struct page_chunk *page_chunk_find(const struct page_set *set, pfn_t pfn); /* or NULL */

/* page_set.c */
bool page_map_is_empty(const uint64_t *map);
