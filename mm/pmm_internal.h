// SPDX-License-Identifier: BSD-2-Clause
/*
 * Inside the physical memory manager: the structures its files share. Nobody but mm/pmm*.c includes it.
 *
 *   pmm_init.c   where the metadata lies, descriptors of the boot ranges
 *   pmm.c        the API: choice of memory for a want, give, counters
 *   pmm_block.c  descriptors: pfn to block and back, the lists, split and rejoin
 *   pmm_bulk.c   many whole blocks at once, for a balloon that returns
 *   pmm_frame.c  the 512-bit map of a block in pieces
 *   pmm_pool.c   where these maps live
 *   pmm_run.c    contiguous runs
 *   pmm_piece.c  free runs in blocks in pieces, for reports of less than a block
 *   pmm_victim.c blocks set aside to be emptied
 *   pmm_check.c  proves that all of it agrees
 */
#pragma once

#include "mm/pmm.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/list.h"

/* What a block is in now. */
enum pmm_use {
    BLOCK_FREE,   /* whole and free */
    BLOCK_TAKEN,  /* whole and taken */
    BLOCK_PIECES, /* taken frame by frame: has a map */
};

/* A third class, of blocks that RAM fills only in part (they never are whole) while all their frames
 * are free: they serve whoever comes first. */
#define PMM_CLASS_NONE 2
#define PMM_CLASSES    3

/* Movable blocks that compaction empties: they stand on a list of their own, and nobody gets a frame
 * of them. */
#define PMM_CLASS_VICTIM 3

/* 26 bits of block index: 128 TiB of RAM. The last one means "none". */
#define PMM_INDEX_NONE ((UINT32_C(1) << 26) - 1)

#define PMM_MAP_SHIFT 6 /* a map is 64 bytes, aligned to its size */
#define PMM_MAP_BYTES (1u << PMM_MAP_SHIFT)
#define PMM_MAP_WORDS (PMM_MAP_BYTES / 8)
/* 52-bit addresses without the low 6 bits */
#define PMM_MAP_MASK ((UINT64_C(1) << 46) - 1)

/*
 * One per 2 MiB that holds any RAM. `state` of a block in pieces tells of its free frames: RUN_TOUCHED
 * when one of them may be touched. It is conservative: one touched frame makes all count as touched
 * (which costs the host a discard of nothing) until the block has no free frame left.
 */
struct pmm_block {
    uint64_t next : 26, prev : 26; /* neighbours on its list */
    uint64_t usable : 10; /* frames of it that are RAM and ours; 512, but at range ends */
    uint64_t use    : 2;  /* enum pmm_use */
    uint64_t map    : 46; /* address >> PMM_MAP_SHIFT, BLOCK_PIECES only */
    uint64_t free   : 10; /* free frames: 0..512 */
    uint64_t class  : 2;  /* enum pmm_class or PMM_CLASS_NONE */
    uint64_t state  : 1;  /* enum run_state */
    uint64_t mark   : 2;  /* BLOCK_PIECES with free frames only, see struct pmm */
};
_Static_assert(sizeof(struct pmm_block) == 16, "8 KiB of descriptors per GiB");

/* A set bit is a frame that is taken or no RAM. */
struct pmm_map {
    uint64_t words[PMM_MAP_WORDS];
};
_Static_assert(sizeof(struct pmm_map) == PMM_MAP_BYTES, "a bit per frame of a block");

/* A frame of maps; this header takes its first slot. Only chunks with a free slot are listed: those
 * in use first, quite empty ones last, so that these can be given back. */
struct pmm_chunk {
    struct list link;
    paddr_t addr;
    uint64_t slots;     /* a bit for each of the 64 slots that can hold a map */
    uint64_t free;      /* and of these, the free ones */
    uint64_t is_carved; /* part of the boot metadata: never given back */
};
_Static_assert(sizeof(struct pmm_chunk) <= PMM_MAP_BYTES, "header fits in a slot");

#define PMM_CHUNK_SLOTS (~UINT64_C(1)) /* of a chunk that is nothing else */

/* A range of RAM without our metadata, as frames; two ranges may share a block. */
struct pmm_range {
    uint64_t first, past; /* frame numbers */
    uint32_t base;        /* index of the descriptor of the block that holds `first` */
    uint32_t blocks;      /* descriptors it reaches into */
};

/* The lists: per class and state 64 levels by free frames (1..8, 9..16, ...), then whole free blocks by
 * state. Which one a block stands on is a function of its descriptor: pmm_block_list(). */
#define PMM_LEVELS      64
#define PMM_BUCKETS     (PMM_CLASSES * 2)
#define PMM_LIST_WHOLE  (PMM_BUCKETS * PMM_LEVELS)
#define PMM_LIST_VICTIM (PMM_LIST_WHOLE + 2)
#define PMM_LISTS       (PMM_LIST_VICTIM + 1)
#define PMM_LIST_NONE   PMM_LISTS

/* The pool: inline growth starts below LOW free maps, pmm_refill() goes to FULL. */
#define PMM_MAPS_LOW  4
#define PMM_MAPS_FULL 16

struct pmm {
    struct pmm_block *blocks;
    struct pmm_range *ranges;
    uint32_t block_count, range_count;
    uint64_t pfn_end; /* past the last frame: a larger limit is none */

    uint32_t heads[PMM_LISTS];
    uint64_t filled[PMM_BUCKETS]; /* a bit per level that has a block */

    struct list chunks; /* with a free slot */
    uint64_t maps_free;
    bool is_growing; /* the pool is taking a frame for itself */

    bool zeroes_freed;
    struct pmm_lender lender; /* hooks are NULL where there is none */

    struct pmm_stats stats; /* `free` and its parts are kept current here as well */
    uint64_t least_touched; /* of free_blocks_touched since it was last asked for */

    /* Blocks in pieces in which touched memory was freed since their runs were last taken: those with the
     * present mark are too young to be taken, those with the other one (1 and 2 take turns) are due. */
    unsigned mark;       /* 0: nobody asks for pieces, no block is marked */
    uint64_t marked[3];  /* blocks, by mark; [0] means nothing */
    uint32_t walk_block; /* pmm_take_piece(): where the next run is looked for */
    unsigned walk_frame; /* not 0: in the middle of that block */
};

/* Set bits. A loop: the compiler's builtin needs a library function on plain x86-64. */
static inline unsigned pmm_count_bits(uint64_t word)
{
    unsigned sum = 0;

    for (; word != 0; word &= word - 1)
        sum++;
    return sum;
}

/* Touched memory was freed in this block in pieces / it has none any more, or is whole. */
static inline void pmm_mark(struct pmm *pmm, struct pmm_block *block)
{
    if (block->mark == 0) {
        block->mark = pmm->mark & 3;
        pmm->marked[pmm->mark]++;
    }
}

static inline void pmm_unmark(struct pmm *pmm, struct pmm_block *block)
{
    pmm->marked[block->mark]--;
    block->mark = 0;
}

/* pmm.c */
int pmm_frame_take(struct pmm *pmm, const struct pmm_want *want, uint64_t limit,
                   struct pmm_run *out); /* without counting */
/* Lent memory comes back for a want of `frames` that would take the last of what is free; or all of it. False:
 * nothing came. */
bool pmm_recall_for(struct pmm *pmm, uint64_t frames);
bool pmm_recall_all(struct pmm *pmm);
void pmm_wipe(const struct pmm *pmm, pfn_t pfn,
              uint64_t frames); /* where that is asked for */

/* pmm_block.c */
const struct pmm_range *pmm_range_of(const struct pmm *pmm,
                                     pfn_t pfn); /* asserts that it is RAM of ours */
uint32_t pmm_block_of(const struct pmm *pmm,
                      pfn_t pfn); /* asserts that it is RAM of ours */
uint64_t pmm_block_first(const struct pmm *pmm,
                         uint32_t index); /* its first frame number */
unsigned pmm_block_list(const struct pmm_block *block);
void pmm_list_push(struct pmm *pmm, uint32_t index, unsigned list);
unsigned pmm_edit_begin(struct pmm *pmm, uint32_t index);
void pmm_edit_end(struct pmm *pmm, uint32_t index, unsigned from_list);
void pmm_block_split(struct pmm *pmm, uint32_t index, unsigned class);
uint32_t pmm_whole_find(const struct pmm *pmm, enum run_state state,
                        uint64_t first_limit);
void pmm_whole_take(struct pmm *pmm, uint32_t index, unsigned class);
void pmm_whole_give(struct pmm *pmm, uint32_t index, enum run_state state);

/* pmm_frame.c */
struct pmm_map *pmm_map_of(const struct pmm_block *block);
bool pmm_map_get(const struct pmm_map *map, unsigned frame);
void pmm_map_set(struct pmm_map *map, unsigned first, unsigned count);
void pmm_map_clear(struct pmm_map *map, unsigned first, unsigned count);
unsigned pmm_map_first_free(const struct pmm_map *map); /* BLOCK_FRAMES when full */
unsigned pmm_map_find_run(const struct pmm_map *map, unsigned count, unsigned align);
unsigned pmm_map_count_free(const struct pmm_map *map);
bool pmm_map_is_free(const struct pmm_map *map, unsigned first, unsigned count);
uint32_t pmm_partial_find(const struct pmm *pmm, unsigned class, bool touched_only,
                          uint64_t limit);
void pmm_frames_take(struct pmm *pmm, uint32_t index, unsigned first, unsigned count,
                     unsigned class);
void pmm_frames_give(struct pmm *pmm, uint32_t index, unsigned first, unsigned count,
                     enum run_state state);
void pmm_frame_give(struct pmm *pmm, pfn_t pfn, enum run_state state);

/* pmm_piece.c */
void pmm_idle_pieces(struct pmm *pmm, struct idle_blocks *out);

/* pmm_pool.c */
void pmm_chunk_add(struct pmm *pmm, paddr_t addr, uint64_t slots, bool is_carved);
paddr_t
pmm_map_take(struct pmm *pmm); /* the caller has seen maps_free > 0; contents undefined */
void pmm_map_give(struct pmm *pmm, paddr_t map);
int pmm_pool_grow(struct pmm *pmm);
