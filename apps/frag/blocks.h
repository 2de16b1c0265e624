// SPDX-License-Identifier: BSD-2-Clause
/* Whole blocks of 2 MiB, as many as there are. They are filled: a block that shares memory with
 * something else would spoil it, and be found. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct frag_blocks {
    void **starts;
    size_t count, room;
    uint64_t seed;
};

/* A table for up to `room` blocks. 0, or -1: refused. */
int frag_blocks_init(struct frag_blocks *blocks, size_t room, uint64_t seed);

/* Take blocks until the next is refused or the table is full. Returns how many there are. */
size_t frag_blocks_take(struct frag_blocks *blocks);

/* Returns the first block with wrong contents, or `count`. */
size_t frag_blocks_verify(const struct frag_blocks *blocks);

void frag_blocks_fini(struct frag_blocks *blocks);
