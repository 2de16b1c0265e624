// SPDX-License-Identifier: BSD-2-Clause
/*
 * What every balloon does with the frames of its OS, whatever it tells its host: how many it may hold, and
 * taking a run that has its place in a page set before anybody hears of it.
 *
 * Context: the balloon's task.
 */
#pragma once

#include "drivers/balloon/page_set.h"

/* The most frames that a balloon may hold: all RAM less the reserve. */
uint64_t frames_limit(const struct balloon_hal *hal);

/* Take 2^order frames for which the set has room then: adding them cannot fail. 0; -ENOMEM: the OS has none such, or
 * there is no memory for the set. */
int frames_take(struct page_set *set, unsigned order, struct run_want want, pfn_t *first,
                enum run_state *state);
