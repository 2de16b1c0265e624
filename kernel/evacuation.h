// SPDX-License-Identifier: BSD-2-Clause
/*
 * Who empties blocks of ballooned frames: a task that asks mm/evacuate.h for one block after another and has
 * every balloon move what it holds of it, while all of them rest. Used by kernel/drivers.c and the balloons'
 * devices; task level.
 */
#pragma once

/* Boot context, once. */
void evacuation_start(void);

/* Blocks are wanted, or a balloon has come to rest: look again. Cheap. */
void evacuation_poke(void);
