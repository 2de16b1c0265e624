// SPDX-License-Identifier: BSD-2-Clause
/*
 * Small steps that the core's files share. balloon.c: target and plan; choose.c: what goes into a batch;
 * blocks.c: whole blocks that move without the host; move.c: frames whose place others take; finish.c:
 * acknowledgements and the end.
 */
#pragma once

#include "drivers/balloon/balloon.h"

/* Give to the allocator. */
void balloon_give(struct balloon *b, struct page_run run, enum run_state state);

/* Take one run; it has its place in the page set before anybody is told. */
bool balloon_take(struct balloon *b, unsigned order, struct run_want want,
                  struct page_run *out, enum run_state *state);

/* An empty batch; one run more in it. */
void balloon_batch_begin(struct balloon_batch *batch);
void balloon_batch_add(struct balloon_batch *batch, struct page_run run);

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
