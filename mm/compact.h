// SPDX-License-Identifier: BSD-2-Clause
/*
 * Compaction: whole blocks out of free memory in pieces. Blocks with many free frames are emptied into the
 * gaps of others by moving the frames of the app; which page a frame belongs to is found by walking the
 * app's page tables once for a set of blocks. Ballooned frames stay where they are, and blocks that hold
 * any are left alone: those the balloon's own task empties later (mm/evacuate.h).
 *
 * Context: task level, or in a call of the app; never while a page is being filled.
 */
#pragma once

#include "mm/appmem.h"

/* Some of the work, about `budget_ns` of it. False: there was nothing to do, or the last round brought
 * nothing. Rounds go on over calls; whoever allocates between two of them may spoil one. */
bool compact_step(struct appmem *mem, uint64_t budget_ns);

/* The parts of a round, for mm/evacuate.c: set aside blocks that `skip` does not name; move the app's frames out
 * of them, false: all are; the end, and whether blocks became whole. */
bool compact_begin(struct appmem *mem, pmm_skip_fn *skip);
bool compact_walk(struct appmem *mem, uint64_t budget_ns);
bool compact_end(struct appmem *mem);

/* Give up a round that was begun. */
void compact_stop(struct appmem *mem);

/* Compact until `count` whole blocks are free or it cannot be done. Whether any is free. */
bool compact_for_blocks(struct appmem *mem, uint64_t count);
