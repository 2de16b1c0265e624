// SPDX-License-Identifier: BSD-2-Clause
/*
 * Free runs in blocks in pieces, taken out for as long as a report to the host lasts. A mark in the
 * descriptor says that there is something new to report; the walk over the descriptors goes on where it
 * stopped, so that nothing is taken twice. While nobody asks for pieces the only mark there is is 0.
 */
#include "mm/pmm_internal.h"

#include "base/err.h"

static unsigned due_mark(const struct pmm *pmm)
{
    return 3 - pmm->mark;
}

void pmm_watch_pieces(struct pmm *pmm)
{
    if (pmm->mark)
        return;
    pmm->mark = 1;
    for (uint32_t i = 0; i < pmm->block_count; i++) {
        struct pmm_block *block = &pmm->blocks[i];

        if (block->use == BLOCK_PIECES && block->free > 0 && block->state == RUN_TOUCHED)
            pmm_mark(pmm, block);
    }
}

void pmm_idle_pieces(struct pmm *pmm, struct idle_blocks *out)
{
    if (!pmm->mark)
        return;
    out->pieces_due = pmm->marked[due_mark(pmm)];
    out->pieces = out->pieces_due + pmm->marked[pmm->mark];
    if (!out->pieces_due)
        pmm->mark = due_mark(pmm);
    pmm->walk_block = pmm->walk_frame = 0;
}

/* The next free run at or behind walk_frame, the walk ending behind it. False: there is none. */
static bool next_run(struct pmm *pmm, unsigned order, unsigned max, unsigned *first,
                     unsigned *count)
{
    const struct pmm_map *map = pmm_map_of(&pmm->blocks[pmm->walk_block]);
    unsigned unit = 1u << order, at = (unsigned)align_up(pmm->walk_frame, unit);

    while (at < BLOCK_FRAMES && !pmm_map_is_free(map, at, unit))
        at += unit;
    *first = at;
    while (at < BLOCK_FRAMES && at - *first + unit <= max &&
           pmm_map_is_free(map, at, unit))
        at += unit;
    pmm->walk_frame = at;
    *count = at - *first;
    return *count > 0;
}

/* Where the walk goes on: the block it is in, else the next one that is due. */
static bool find_block(struct pmm *pmm)
{
    for (; pmm->walk_block < pmm->block_count; pmm->walk_block++, pmm->walk_frame = 0) {
        struct pmm_block *block = &pmm->blocks[pmm->walk_block];

        if (block->use != BLOCK_PIECES || block->class == PMM_CLASS_VICTIM)
            continue; /* a victim will be whole soon */
        if (pmm->walk_frame > 0 && pmm->walk_frame < BLOCK_FRAMES)
            return true;
        if (pmm->walk_frame == 0 && block->mark == due_mark(pmm)) {
            pmm_unmark(pmm, block); /* what is freed from here on is new */
            return true;
        }
    }
    return false;
}

int pmm_take_piece(struct pmm *pmm, unsigned order, uint64_t max, struct pmm_piece *out)
{
    unsigned first, count, most = (unsigned)min_u64(max, BLOCK_FRAMES);

    assert(order < BLOCK_ORDER);
    if (!pmm->mark || most >> order == 0)
        return -ENOMEM;
    do {
        if (!find_block(pmm))
            return -ENOMEM;
    } while (!next_run(pmm, order, most, &first, &count));
    *out =
        (struct pmm_piece){pfn_of(pmm_block_first(pmm, pmm->walk_block) + first), count};
    pmm_frames_take(pmm, pmm->walk_block, first, count,
                    pmm->blocks[pmm->walk_block].class);
    return 0;
}

void pmm_give_piece(struct pmm *pmm, struct pmm_piece piece, enum run_state state)
{
    pmm_frames_give(pmm, pmm_block_of(pmm, piece.first),
                    (unsigned)(piece.first.n % BLOCK_FRAMES), (unsigned)piece.frames,
                    state);
}
