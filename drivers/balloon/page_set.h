// SPDX-License-Identifier: BSD-2-Clause
/*
 * The set of frames a balloon holds. It lives outside the ballooned memory and costs one bit in a
 * word per whole block; a bit per frame exists only for blocks that are in the set in pieces. So 1 GiB
 * costs about 0.3 KiB when blocks are whole and 33 KiB at most.
 *
 * Memory is taken ahead of need: page_set_reserve() before a frame is offered to the host, after which
 * page_set_add() of it cannot fail; page_set_take() never needs memory. One block at a time may be
 * there as a plain range (the window): that is how a whole block leaves or enters in two halves
 * without a map.
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

#define PAGE_SET_SPARES 2

struct page_chunk;

struct page_set {
    const struct balloon_hal *hal;
    struct page_chunk **chunks; /* one per GiB that has had frames in the set; sorted */
    size_t count, capacity;
    size_t hint;       /* where page_set_take() found the last block */
    uint64_t frames;   /* in the set */
    uint64_t whole;    /* blocks by one entry */
    uint64_t in_parts; /* blocks by map; the window is neither */
    struct page_run window;
    void *spares[PAGE_SET_SPARES]; /* map pages kept for page_set_add() */
    size_t spare_count;
    uint64_t bytes; /* memory in use by all this */
};

void page_set_init(struct page_set *set, const struct balloon_hal *hal);

/* Free its memory; what was in it is forgotten. */
void page_set_fini(struct page_set *set);

/*
 * Make sure that page_set_add() of this run of 2^order frames (0 or 9), whole or in two halves, cannot
 * fail. 0 or -ENOMEM, and then nothing changed that matters. Holds until page_set_trim().
 */
int page_set_reserve(struct page_set *set, pfn_t first, unsigned order);

/* Add frames of one block, none of them in the set yet, all of them reserved. */
void page_set_add(struct page_set *set, struct page_run run);

/*
 * Remove up to `max` frames, all of one block, and say which: the window first, then whole blocks,
 * then blocks in pieces. False when the set is empty.
 */
bool page_set_take(struct page_set *set, uint32_t max, struct page_run *out);

bool page_set_has(const struct page_set *set, pfn_t pfn);

/* The first range of frames at or above `from`, as long as it gets, over block borders. */
bool page_set_next(const struct page_set *set, pfn_t from, pfn_t *first,
                   uint64_t *frames);

/* Free maps and chunks that hold nothing. Only while no reservation is outstanding. */
void page_set_trim(struct page_set *set);
