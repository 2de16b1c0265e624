// SPDX-License-Identifier: BSD-2-Clause
/* Blocks through guest_map(GUEST_MAP_BLOCKS). */
#include "blocks.h"

#include <guest.h>
#include <stdlib.h>

#include "workload/fill.h"

/* Numbers of blocks, for their contents: none is that of a page. */
#define FIRST_BLOCK (UINT64_C(1) << 60)

int frag_blocks_init(struct frag_blocks *blocks, size_t room, uint64_t seed)
{
    *blocks = (struct frag_blocks){.room = room, .seed = seed};
    blocks->starts = calloc(room, sizeof(blocks->starts[0]));
    return blocks->starts ? 0 : -1;
}

static uint64_t tag_of(const struct frag_blocks *blocks, size_t block)
{
    return fill_tag(blocks->seed, FIRST_BLOCK + block, 0);
}

size_t frag_blocks_take(struct frag_blocks *blocks)
{
    while (blocks->count < blocks->room) {
        void *block = guest_map(GUEST_BLOCK_BYTES, GUEST_MAP_BLOCKS);

        if (!block)
            break;
        fill_write(block, GUEST_BLOCK_BYTES, tag_of(blocks, blocks->count));
        blocks->starts[blocks->count++] = block;
    }
    return blocks->count;
}

size_t frag_blocks_verify(const struct frag_blocks *blocks)
{
    for (size_t i = 0; i < blocks->count; i++)
        if (fill_check(blocks->starts[i], GUEST_BLOCK_BYTES, tag_of(blocks, i)) !=
            GUEST_BLOCK_BYTES)
            return i;
    return blocks->count;
}

void frag_blocks_fini(struct frag_blocks *blocks)
{
    for (size_t i = 0; i < blocks->count; i++)
        guest_unmap(blocks->starts[i], GUEST_BLOCK_BYTES);
    free(blocks->starts);
    *blocks = (struct frag_blocks){0};
}
