// SPDX-License-Identifier: BSD-2-Clause
/*
 * The order of measures when memory is short, for an app's promise, for a frame that is needed now, and
 * for the balloon, which takes what the app can spare but never asks a balloon:
 *
 *   hinted blocks (by the allocator itself) -> volatile regions -> compaction (blocks only, mm/compact.h) ->
 *   the balloon -> an error
 *
 * Time spent here is a stall (mm/pressure.h). Context: task level, not from inside a driver.
 */
#pragma once

#include "mm/appmem.h"

/* Each asks the balloon for a few seconds at most, however slowly its host answers, then gives up. */

/* Room for a promise of `frames`, tables included. Volatile regions need not be dropped yet for that. 0 or -ENOMEM. */
int reclaim_promise(struct appmem *mem, uint64_t frames);

/* Bring free memory to at least `frames`. 0 or -ENOMEM, with what could be freed. */
int reclaim_free(struct appmem *mem, uint64_t frames);

/* Compact until `count` whole blocks are free; where that makes none, without the volatile regions, and with
 * what the balloon gives back. 0: there are some, or -ENOMEM. */
int reclaim_blocks(struct appmem *mem, uint64_t count);

/* The balloon wants `frames` above the reserve: drop what is volatile as far as that needs it. True when
 * they are there and no promise is broken by taking them. */
bool reclaim_for_balloon(struct appmem *mem, uint64_t frames);

/* How many frames a balloon may take as things are, with nothing dropped for it. */
uint64_t reclaim_spare_for_balloon(struct appmem *mem);
