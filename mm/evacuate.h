// SPDX-License-Identifier: BSD-2-Clause
/*
 * Blocks that ballooned frames keep in pieces. Compaction inside a request leaves them alone, because moving a
 * ballooned frame takes a word with the host; what could not be had is noted here, and the balloon's task
 * asks afterwards, when it rests:
 *
 *     while (evacuate_next(mem, budget_ns, &block) > 0)
 *         ... move the ballooned frames of this block elsewhere ...
 *
 * In rounds as in mm/compact.h: victims are set aside, so that nobody gets a frame of them, the app's frames
 * move out of all of them in one walk, and then the balloon is told one after the other. Whoever compacts
 * meanwhile ends the round; the next question begins another.
 *
 * Context: task level.
 */
#pragma once

#include "mm/appmem.h"

/* So many whole blocks should be free, UINT64_MAX: as many as can be. Wakes the balloon's task. */
void evacuate_want(struct appmem *mem, uint64_t blocks);

/* 1 and *block: the balloon shall empty it; it has done with the one before. 0: nothing to do now. -EAGAIN: there
 * is, when about `budget_ns` were spent: ask again soon. */
int evacuate_next(struct appmem *mem, uint64_t budget_ns, pfn_t *block);

/* Nobody will ask any more: what is wanted is forgotten. */
void evacuate_stop(struct appmem *mem);
