// SPDX-License-Identifier: BSD-2-Clause
/*
 * The set of frames a balloon holds. It lives outside the ballooned memory and costs one bit in a
 * word per whole block; a bit per frame exists only for blocks that are in the set in pieces. So 1 GiB
 * costs about 0.4 KiB when blocks are whole and 33 KiB at most.
 *
 * Two more kinds of whole blocks have their bits beside it, because they become part of the set or were
 * part of it, and because moving a block from one kind to another must not need memory: blocks that are
 * ours but not in the balloon yet (absent), and blocks that are no longer ours but still in the balloon
 * in the eyes of the host (owed). A block is of one kind at most. Only held frames are "in the set".
 *
 * Memory is taken ahead of need: page_set_reserve() before a frame is offered to the host, after which
 * page_set_add() of it and page_set_move() of its block cannot fail; page_set_take() never needs memory.
 * One block at a time may be there as a plain range (the window): that is how a part of a whole block
 * leaves without a map.
 *
 * Context: the balloon's task. One owner, no locks.
 */
#pragma once

#include "hal/balloon_hal.h"

/* Neighbouring frames, all of one block. */
struct page_run {
    pfn_t first;
    uint32_t frames;
};

/* What a whole block is; a block that is none of these is nothing to us, or in the set in pieces. */
enum page_kind {
    PAGE_NONE,
    PAGE_HELD,   /* in the balloon, told and acknowledged */
    PAGE_ABSENT, /* ours, the host has no backing for it, not in the balloon yet */
    PAGE_OWED,   /* the allocator's again, but the host has not been told */
    PAGE_KINDS,
};

/* Up to 64 whole blocks: bit i of `mask` is the block that begins at first + i * BLOCK_FRAMES. */
struct page_blocks {
    pfn_t first;
    uint64_t mask;
};

struct page_chunk;

struct page_set {
    const struct balloon_hal *hal;
    struct page_chunk **chunks; /* one per GiB that has had frames in the set; sorted */
    size_t count, capacity;
    size_t hint;                 /* where page_set_take() found the last block */
    uint64_t frames;             /* in the set */
    uint64_t blocks[PAGE_KINDS]; /* whole ones, by kind; of PAGE_NONE there is no count */
    uint64_t in_parts;           /* blocks by map; the window is neither */
    struct page_run window;
    uint64_t bytes; /* memory in use by all this */
    /* A block with all its frames in the set stays in pieces: for hosts that count such a one otherwise
     * than one that went in whole. Set while it is empty. */
    bool keeps_pieces;
};

void page_set_init(struct page_set *set, const struct balloon_hal *hal);

/* Free its memory; what was in it is forgotten. */
void page_set_fini(struct page_set *set);

/*
 * Make sure that page_set_add() of this run of 2^order frames (0 or 9), or page_set_move() of the block,
 * cannot fail. 0 or -ENOMEM, and then nothing changed that matters. Holds until page_set_trim().
 */
int page_set_reserve(struct page_set *set, pfn_t first, unsigned order);

/* Add frames of one block, none of them in the set yet, all of them reserved; all 512 are a whole block, but where
 * pieces are kept. */
void page_set_add(struct page_set *set, struct page_run run);

/*
 * Remove up to `max` frames, all of one block, and say which: the window first, then blocks in pieces,
 * then a part of a whole block. False when the set is empty.
 */
bool page_set_take(struct page_set *set, uint32_t max, struct page_run *out);

/* The same for one block in particular; false when nothing of it is in the set, or all of it as a whole. */
bool page_set_take_of(struct page_set *set, pfn_t block, uint32_t max,
                      struct page_run *out);

/* The last frames in pieces below `below`, neighbours in one block, up to `max`; they stay in the set. False:
 * there are none. */
bool page_set_find_pieces(const struct page_set *set, pfn_t below, uint32_t max,
                          struct page_run *out);

/* Remove frames that page_set_find_pieces() gives. Until page_set_trim() they can be added again without
 * page_set_reserve(). */
void page_set_remove(struct page_set *set, struct page_run run);

/* The next blocks of a kind at or above `from`, ascending, up to `max` of them. False: there are none. */
bool page_set_find_blocks(const struct page_set *set, enum page_kind kind, pfn_t from,
                          uint64_t max, struct page_blocks *out);

/* Make blocks that are all of one kind another; reserved, where they were PAGE_NONE. */
void page_set_move(struct page_set *set, struct page_blocks blocks, enum page_kind from,
                   enum page_kind to);

bool page_set_has(const struct page_set *set, pfn_t pfn);

/* Whether any of these frames is in the set; takes as long as there are, not as the set is large. */
bool page_set_has_any(const struct page_set *set, pfn_t first, uint64_t frames);

/* The first range of frames at or above `from`, as long as it gets, over block borders. */
bool page_set_next(const struct page_set *set, pfn_t from, pfn_t *first,
                   uint64_t *frames);

/* Free maps and chunks that hold nothing. Only while no reservation is outstanding. */
void page_set_trim(struct page_set *set);
