// SPDX-License-Identifier: BSD-2-Clause
/*
 * The memory of the running app: regions of addresses, filled on demand with blocks where a whole one is
 * free and frames otherwise, given back in parts, dropped under pressure, moved by compaction
 * (docs/memory.md).
 *
 * Every region but a sparse one is promised: what was mapped and not touched yet is counted against
 * everybody else, the balloon included, so that a touch finds memory. Volatile regions count as
 * available: they go first.
 *
 *     uint64_t start;
 *
 *     if (appmem_map(mem, 1 * MIB, 0, &start) == 0) {
 *         ... the app touches it: appmem_fault(mem, addr) ...
 *         appmem_unmap(mem, start, 1 * MIB);
 *     }
 *
 * Context: task level, one owner; while the app is stopped in its own code or in a call. No function
 * here waits for the host but through reclaim (mm/reclaim.h).
 */
#pragma once

#include "mm/appmem_region.h"
#include "mm/heap.h"
#include "mm/pmm.h"
#include "mm/pressure.h"
#include "mm/vmm.h"

#include <stddef.h>

enum appmem_flags {
    APPMEM_FRAMES = 1, /* never blocks */
    APPMEM_BLOCKS = 2, /* whole blocks, filled at once */
    APPMEM_SPARSE = 4, /* no promise */
    APPMEM_PURGEABLE = 0x100,
    APPMEM_DIRTY = 0x200, /* contents need not be zero */

    /* The state of a purgeable region; not for callers. */
    APPMEM_VOLATILE = 0x1000,
    APPMEM_PURGED = 0x2000, /* volatile, and its pages are gone */
};

/* Frames and counts; those of now, and those that only grow. */
struct appmem_stats {
    uint64_t resident, promised, volatile_frames, peak;
    uint64_t minor_faults, block_faults; /* a block fault is a minor fault too */
    uint64_t splits, joins, moved; /* block mappings broken and made, frames moved */
    uint64_t purged;               /* frames */
    uint64_t refused;              /* requests that found no memory */
};

/* What it is made from and whom it asks. */
struct appmem_config {
    struct pmm *pmm;
    struct vmm *vmm;
    struct heap *heap; /* for the regions themselves */
    struct pressure *pressure;
    uint64_t first, last; /* addresses appmem_map() gives out: [first, last) */
    /* Text and constants, which the app may hand to calls though they are not its memory. */
    uint64_t image_first, image_last;

    void *ctx;
    /* Out of memory: get frames back from the balloon. How many came; may wait, bounded. */
    uint64_t (*oom)(void *ctx, uint64_t frames);
    /* How many it holds: more than that it is not asked for. */
    uint64_t (*ballooned)(void *ctx);
    /* Frames of ballooned memory in this block: it cannot be emptied by moving the app's. */
    bool (*is_ballooned)(void *ctx, pfn_t first, uint64_t frames);
    /* Wake whoever calls evacuate_next(); NULL: nobody does. */
    void (*evacuate)(void *ctx);
    uint64_t (*now)(void *ctx);
    /* Between the steps of a long request for blocks: others may run. False: give up. */
    bool (*go_on)(void *ctx);
};

/* A round of compaction (mm/compact.h). */
struct compact {
    bool is_open;
    bool is_for_balloon; /* its victims are those of mm/evacuate.h */
    uint64_t next;       /* addresses below are done */
    uint64_t blocks_before;
};

/* What the balloon's task can do for compaction (mm/evacuate.h). */
struct evacuation {
    uint64_t wanted; /* whole blocks that shall be free; 0: nothing is asked */
    uint64_t blocks_before,
        blocks_after; /* that were free when it was asked, and when it was done */
    bool is_walked;   /* the app's frames are out of the victims */
    bool has_block;
    pfn_t block; /* the balloon is emptying */
};

/* Frames on their way into one block. */
struct join {
    bool is_open;
    uint64_t piece; /* the address of the first */
    pfn_t block;
    unsigned moved;
};

struct appmem {
    struct appmem_config config;
    struct appmem_regions regions;
    struct list volatiles; /* regions by lru: the oldest mark first */
    struct appmem_stats stats;
    uint64_t tables;     /* frames that promised pages may need for page tables */
    uint64_t reclaim_ns; /* when the allocation under way began to reclaim */
    struct compact compact;
    struct evacuation evacuation;
    struct join join;
    uint64_t join_next; /* where appmem_join_step() looks next */
};

void appmem_init(struct appmem *mem, const struct appmem_config *config);

/* A region of `size` bytes (rounded up) in the window; with APPMEM_BLOCKS filled at once. 0 and *start;
 * -EINVAL: no size, too large, or flags that exclude each other (BLOCKS and FRAMES, SPARSE with BLOCKS or
 * PURGEABLE); -ENOMEM: no memory, no addresses, no blocks. */
int appmem_map(struct appmem *mem, uint64_t size, unsigned flags, uint64_t *start);

/* A region at `start`, all of it filled at once with zeroed frames: the app's stack and static data. 0,
 * -ENOMEM, or -EINVAL: something is there. */
int appmem_map_at(struct appmem *mem, uint64_t start, uint64_t size);

/* Parts of one region, frame aligned; one of which a part was released is sparse from then on. Nothing
 * changes on an error: -EINVAL: not (all) in one region; -ENOMEM: no memory for the bookkeeping of a cut. */
int appmem_unmap(struct appmem *mem, uint64_t start, uint64_t size);
int appmem_release(struct appmem *mem, uint64_t start, uint64_t size);

/* Promise a part of a sparse region that holds no promise yet. 0, -EINVAL, -ENOMEM. */
int appmem_reserve(struct appmem *mem, uint64_t start, uint64_t size);

/* The same for memory that can be done without: -ENOMEM where something would have to be reclaimed for it. */
int appmem_reserve_spare(struct appmem *mem, uint64_t start, uint64_t size);

/* Make both ends of a part of one region borders between leaves: then only the first of unmapping or releasing
 * it in pieces, from its start on, can fail. 0, -EINVAL, -ENOMEM. */
int appmem_cut(struct appmem *mem, uint64_t start, uint64_t size);

/* Unmap everything; or, so that other tasks need not wait, up to a block of it: false when nothing is
 * left. */
void appmem_clear(struct appmem *mem);
bool appmem_clear_step(struct appmem *mem);

/* The app touched `addr`, which is not mapped. 0: it is now; -EINVAL: no region there; -EBUSY: its region
 * was purged and is still volatile; -ENOMEM: no memory, after all that could be done. */
int appmem_fault(struct appmem *mem, uint64_t addr);

/* A purgeable region, by its start. -EINVAL: there is none. appmem_set_needed(): 0: intact, 1: its
 * contents are lost and it is zero, -ENOMEM: they are lost and nothing can be promised. */
int appmem_set_volatile(struct appmem *mem, uint64_t start);
int appmem_set_needed(struct appmem *mem, uint64_t start);

/* Drop the volatile region with the oldest mark. The frames that freed; 0: there is none with any. */
uint64_t appmem_purge_oldest(struct appmem *mem);

/* Copy from and to the app's memory, bringing it in as a touch would. 0, or as appmem_fault(). */
int appmem_copy_in(struct appmem *mem, void *to, uint64_t from, size_t len);
int appmem_copy_out(struct appmem *mem, uint64_t to, const void *from, size_t len);

/* Frames taken for the app: resident, or on their way into a block. */
uint64_t appmem_held(const struct appmem *mem);

/* Frames that are spoken for: promised, and the tables these will take. */
uint64_t appmem_promised(const struct appmem *mem);

/* Frames that could still be mapped: free and volatile, less promises, the minimum, and the page tables
 * they take. */
uint64_t appmem_available(const struct appmem *mem);

/*
 * Some of the work of making block mappings of frames: at the next 2 MiB of the app that are mapped by
 * 512 frames, when a block above the reserve is free or they make one already. False when a round over
 * all of the app's memory is over. A block that is being filled is taken memory of nobody;
 * appmem_join_stop() gives it back.
 */
bool appmem_join_step(struct appmem *mem);
void appmem_join_stop(struct appmem *mem);
