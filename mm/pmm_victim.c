// SPDX-License-Identifier: BSD-2-Clause
/*
 * Blocks set aside for compaction. Two ends meet: the emptiest blocks become victims as long as the
 * fullest ones have room for what is in them.
 */
#include "mm/pmm_internal.h"

/* Frames that are free in movable blocks in pieces. */
static uint64_t count_room(const struct pmm *pmm)
{
    uint64_t sum = 0;

    for (unsigned list = PMM_MOVABLE * 2 * PMM_LEVELS;
         list < (PMM_MOVABLE + 1) * 2 * PMM_LEVELS; list++) {
        for (uint32_t i = pmm->heads[list]; i != PMM_INDEX_NONE; i = pmm->blocks[i].next)
            sum += pmm->blocks[i].free;
    }
    return sum;
}

static void set_class(struct pmm *pmm, uint32_t index, unsigned class)
{
    unsigned from = pmm_edit_begin(pmm, index);

    pmm->blocks[index].class = class & 3;
    pmm_edit_end(pmm, index, from);
}

/* What the choice knows so far. */
struct choice {
    uint64_t room, taken; /* free frames of the others, taken frames of the victims */
    unsigned count, max;
    pmm_skip_fn *skip;
    void *ctx;
};

/* True when the block became a victim; *is_full when no block like it can. */
static bool choose(struct pmm *pmm, uint32_t index, struct choice *choice, bool *is_full)
{
    const struct pmm_block *block = &pmm->blocks[index];
    uint64_t taken = block->usable - block->free;

    *is_full = choice->count == choice->max ||
               choice->taken + taken + block->free > choice->room;
    if (*is_full || block->usable < BLOCK_FRAMES ||
        choice->skip(choice->ctx, pfn_of(pmm_block_first(pmm, index))))
        return false;
    choice->room -= block->free;
    choice->taken += taken;
    choice->count++;
    set_class(pmm, index, PMM_CLASS_VICTIM);
    return true;
}

static void choose_on_list(struct pmm *pmm, unsigned list, struct choice *choice,
                           bool *is_full)
{
    uint32_t next;

    for (uint32_t i = pmm->heads[list]; i != PMM_INDEX_NONE && !*is_full; i = next) {
        next = pmm->blocks[i].next;
        choose(pmm, i, choice, is_full);
    }
}

unsigned pmm_victims_begin(struct pmm *pmm, unsigned max, pmm_skip_fn *skip, void *ctx)
{
    struct choice choice = {
        .room = count_room(pmm), .max = max, .skip = skip, .ctx = ctx};
    bool is_full = false;

    for (unsigned level = PMM_LEVELS; level-- > 0 && !is_full;) {
        for (unsigned state = 0; state < 2; state++)
            choose_on_list(pmm, (PMM_MOVABLE * 2 + state) * PMM_LEVELS + level, &choice,
                           &is_full);
    }
    return choice.count;
}

bool pmm_is_victim(const struct pmm *pmm, pfn_t pfn)
{
    const struct pmm_block *block = &pmm->blocks[pmm_block_of(pmm, pfn)];

    return block->use == BLOCK_PIECES && block->class == PMM_CLASS_VICTIM;
}

bool pmm_victims_next(const struct pmm *pmm, pfn_t *first)
{
    uint32_t index = pmm->heads[PMM_LIST_VICTIM];

    if (index == PMM_INDEX_NONE)
        return false;
    *first = pfn_of(pmm_block_first(pmm, index));
    return true;
}

void pmm_victim_end(struct pmm *pmm, pfn_t first)
{
    assert(pmm_is_victim(pmm, first));
    set_class(pmm, pmm_block_of(pmm, first), PMM_MOVABLE);
}

unsigned pmm_victims_end(struct pmm *pmm)
{
    unsigned count = 0;

    for (; pmm->heads[PMM_LIST_VICTIM] != PMM_INDEX_NONE; count++)
        set_class(pmm, pmm->heads[PMM_LIST_VICTIM], PMM_MOVABLE);
    return count;
}
