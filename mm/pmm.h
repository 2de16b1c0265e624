// SPDX-License-Identifier: BSD-2-Clause
/*
 * The physical memory manager: frames of 4 KiB and blocks of 2 MiB (docs/memory.md).
 *
 * RAM is an array of 16-byte block descriptors, for RAM ranges only. A block is whole and free, whole
 * and taken, or in pieces; the 512-bit map of its frames exists only while it is in pieces and comes
 * from a pool kept full ahead of need, so that giving memory back never needs memory. Frames come
 * from the fullest partial block; blocks stay whole as long as possible. Free blocks are remembered
 * as touched (the host has backing for them) or untouched; allocation and ballooning take touched
 * ones first. Blocks in pieces have a class; the classes share a block only where the alternative is an
 * error (counted: class_mixes), and a block with a fixed frame in it counts as fixed.
 *
 *     struct pmm_run got;
 *     int err = pmm_take(pmm, (struct pmm_want){.order = 0, .class = PMM_FIXED}, &got);
 *     ...
 *     pmm_give(pmm, got.pfn, 0, RUN_TOUCHED);
 *
 * Context: task or boot; one owner at a time, no locks (docs/architecture.md, levels). No mutable
 * globals: all state is in struct pmm, so a host test makes as many as it likes.
 */
#pragma once

#include "hal/balloon_hal.h"
#include "mm/region.h"

enum pmm_class {
    PMM_FIXED,   /* page tables, rings, kernel heap: never moved */
    PMM_MOVABLE, /* app, purgeable, balloon */
};

/* What a caller wants. order 0 is a frame, 9 a block; nothing between is offered by pmm_take(). */
struct pmm_want {
    unsigned order;
    enum pmm_class class;
    uint64_t pfn_limit; /* every frame lies below; 0: no limit */
    bool touched_only;  /* -ENOMEM rather than untouched memory */
    bool keep_reserve;  /* -ENOMEM rather than take the last `reserve` bytes */
    bool pieces_only;   /* -ENOMEM rather than break up a whole block or mix classes */
    bool no_recall;     /* -ENOMEM rather than have lent memory back */
};

struct pmm_run {
    pfn_t pfn;
    enum run_state state; /* what the host has behind it */
};

/* Counters; bytes where it says so. `free` and its parts, lent_frames, partial_blocks, metadata_bytes and maps_free
 * tell of now, all others only grow. */
struct pmm_stats {
    uint64_t total_frames;        /* all that pmm_init() was given, metadata included */
    uint64_t free_frames;         /* free now, in whole blocks, in pieces, and lent */
    uint64_t lent_frames;         /* of these, those that are lent */
    uint64_t free_blocks_touched; /* whole free blocks, by state; lent ones are touched */
    uint64_t free_blocks_untouched;
    uint64_t partial_blocks[2]; /* by enum pmm_class */
    uint64_t metadata_bytes;    /* descriptors, ranges, map pool */
    uint64_t reserve_frames;
    uint64_t frame_allocs, frame_frees, frame_failures;
    uint64_t block_allocs, block_frees, block_failures;
    uint64_t run_allocs, run_frees, run_failures;
    uint64_t blocks_split, blocks_rejoined;
    uint64_t class_mixes; /* frames that had to share a block with the other class */
    uint64_t maps_free;   /* frame maps left in the pool */
    uint64_t cold_frames; /* given out by pmm_take() as untouched */
};

/* Neighbouring frames of one block in pieces. */
struct pmm_piece {
    pfn_t first;
    uint64_t frames;
};

struct pmm;

/* Bytes of metadata pmm_init() carves from the largest range below 4 GiB (when that is too small, from
 * the largest of all). */
uint64_t pmm_metadata_bytes(const struct region_set *ram);

/*
 * Set up over `ram` (frame aligned, sorted, disjoint). Touches the descriptors only. *out lives in the
 * carved metadata. All RAM counts as untouched. -EINVAL: a range is out of order, empty, overlaps, ends past
 * 52 bits or is not frame aligned; -ENOMEM: no range holds the metadata.
 */
int pmm_init(const struct region_set *ram, uint64_t reserve_bytes, struct pmm **out);

/* Take a frame or a block. 0 and *out; -ENOMEM; -EINVAL for another order. */
int pmm_take(struct pmm *pmm, struct pmm_want want, struct pmm_run *out);

/* Give back a frame or block, whole or in parts of what was taken, in any order; 512 frames that make a
 * block may also come back as one. Cannot fail. A double free or a frame that is not ours is our own
 * bug: assert. */
void pmm_give(struct pmm *pmm, pfn_t pfn, unsigned order, enum run_state state);

/* The same, for memory that nobody wrote to since it was taken: pmm_zero_freed() need not look at it. */
void pmm_give_unwritten(struct pmm *pmm, pfn_t pfn, unsigned order, enum run_state state);

/* From now on what is given back as RUN_TOUCHED is filled with zeros first. Costs the giver the time of
 * that. What was free already stays as it is. */
void pmm_zero_freed(struct pmm *pmm);

/* The same as pmm_give_unwritten() for up to 64 blocks at once: bit i of `mask` is the block at first + i * BLOCK_FRAMES. */
void pmm_give_blocks(struct pmm *pmm, pfn_t first, uint64_t mask, enum run_state state);

/* Take blocks again, PMM_MOVABLE, that were given as RUN_UNTOUCHED and that nobody has had since; at most
 * `max`, and never the reserve. Returns the part of `mask` that was taken. */
uint64_t pmm_take_back(struct pmm *pmm, pfn_t first, uint64_t mask, uint64_t max);

/* A run of `frames` contiguous frames, its first a multiple of `align_frames` (a power of two), below
 * pfn_limit (0: none), PMM_FIXED. For rings and DMA buffers. 0, -ENOMEM, -EINVAL. */
int pmm_take_run(struct pmm *pmm, uint64_t frames, uint64_t align_frames,
                 uint64_t pfn_limit, pfn_t *out);
void pmm_give_run(struct pmm *pmm, pfn_t pfn, uint64_t frames);

/* Bring the pool of frame maps back to its level: take frames for it, or give back those it no longer
 * needs. The kernel calls it from a task, never from a failing path. pmm_take() also grows the pool in
 * time, and pmm_give() never needs memory, so a missed call costs nothing. Returns 0 or -ENOMEM. */
int pmm_refill(struct pmm *pmm);

void pmm_stats(const struct pmm *pmm, struct pmm_stats *out);

/* Of these, what is asked for each frame: `free_frames` and `reserve_frames`. */
uint64_t pmm_free_frames(const struct pmm *pmm);
uint64_t pmm_reserve_frames(const struct pmm *pmm);

/* Whole free touched blocks, now and at the least since the last call; lent ones are not among them. Blocks
 * in pieces with something to take, now and since the last call, where pmm_watch_pieces() was called. */
void pmm_idle_blocks(struct pmm *pmm, struct idle_blocks *out);

/* For who gives less than whole blocks to the host: blocks in pieces remember from now on that touched memory
 * was freed in them. */
void pmm_watch_pieces(struct pmm *pmm);

/*
 * Take a free run out of a block in pieces, for a moment: it starts at a multiple of 2^order frames (order
 * below that of a block), and is a multiple of that long, at most `max`. Blocks serve in which touched memory
 * was free at the last two calls of pmm_idle_blocks(), each once, run by run, and then not before
 * more is freed in them. 0 and *out; -ENOMEM: there is no more.
 */
int pmm_take_piece(struct pmm *pmm, unsigned order, uint64_t max, struct pmm_piece *out);

/* It comes back, RUN_UNTOUCHED when the host has no backing for it now. */
void pmm_give_piece(struct pmm *pmm, struct pmm_piece piece, enum run_state state);

/*
 * Whole blocks that somebody took and keeps only as long as nobody needs them (those hinted to the host)
 * count as free, and are called back before a want takes the last whole block or of the reserve, or is
 * refused. Both hooks are called from inside pmm_take() and pmm_take_run().
 */
struct pmm_lender {
    void *ctx;
    uint64_t (*frames)(void *ctx); /* that are lent: a multiple of BLOCK_FRAMES */
    /* pmm_give() at least so many of them, or all. How many came: 0 is always right. */
    uint64_t (*recall)(void *ctx, uint64_t frames);
};
void pmm_set_lender(struct pmm *pmm, const struct pmm_lender *lender);

/*
 * For compaction (mm/compact.h): set aside blocks in pieces of the movable class, those with the most
 * free frames first, at most `max`, as long as the frames taken in them fit into the free ones of other
 * blocks in pieces. `skip` names blocks that cannot be emptied. Until the end no frame of a victim is
 * given out; one whose last frame comes back is whole and no victim any more. Returns their number.
 */
typedef bool pmm_skip_fn(void *ctx, pfn_t first);
unsigned pmm_victims_begin(struct pmm *pmm, unsigned max, pmm_skip_fn *skip, void *ctx);
bool pmm_is_victim(const struct pmm *pmm, pfn_t pfn);

/* One of those that are left; false: there is none. This one is a block as before. */
bool pmm_victims_next(const struct pmm *pmm, pfn_t *first);
void pmm_victim_end(struct pmm *pmm, pfn_t first);

/* The victims that are left are blocks as before. How many; who takes frames or runs does it by himself
 * before he says -ENOMEM. */
unsigned pmm_victims_end(struct pmm *pmm);

/* Walk all of it and assert that every count agrees: tests and the `mem check` command. */
void pmm_check(const struct pmm *pmm);
