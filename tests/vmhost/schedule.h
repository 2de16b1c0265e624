// SPDX-License-Identifier: BSD-2-Clause
/*
 * Targets one after the other, moved on by the guest's polls only, so that a run under -icount is the same
 * each time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* "frames,frames,…". False when it is not that. */
bool schedule_set(const char *text);

/* Move on after so many polls, whatever the guest did; 0 (default): when it has met the target. */
void schedule_set_polls(uint64_t polls);

/* What met means: at most so many frames off, at two polls in a row. */
void schedule_set_met(uint64_t frames);

/* Begin again at the end. */
void schedule_set_repeat(uint64_t on);

/* "ms,frames": a target that comes so much later, wherever the guest's polls lie; the next one tells it. False
 * when it is not that. */
bool schedule_set_later(const char *text);

/* The guest asks for its target. */
void schedule_poll(void);

/* After each of its calls: a line when it has met the target. */
void schedule_watch(void);
