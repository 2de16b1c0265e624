// SPDX-License-Identifier: BSD-2-Clause
/*
 * Small steps that the core's files share. balloon.c: target and plan; choose.c: what goes into a batch;
 * blocks.c: whole blocks that move without the host; finish.c: acknowledgements and the end.
 */
#pragma once

#include "drivers/balloon/balloon.h"

/* Give to the allocator. */
void balloon_give(struct balloon *b, struct page_run run, enum run_state state);

/* The balloon has so many more of the guest's frames, R-V-44. */
void balloon_account(struct balloon *b, int64_t delta_frames);

/* The lowest blocks of a kind, of `frames` at most and up to 64, become another kind. Returns how many
 * frames these are, and which. */
uint64_t balloon_move_blocks(struct balloon *b, enum page_kind from, enum page_kind to,
                             uint64_t frames, struct page_blocks *out);

static inline uint64_t balloon_frames_of(uint64_t mask)
{
    uint64_t frames = 0;

    for (; mask; mask &= mask - 1)
        frames += BLOCK_FRAMES;
    return frames;
}
