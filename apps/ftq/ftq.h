// SPDX-License-Identifier: BSD-2-Clause
/*
 * Fixed time quantum (Sottile, Minnich): time is cut into quanta of equal length; how many units of work
 * fit into each says how much of it went to somebody else. The measure is the best quantum seen so far.
 */
#pragma once

#include <stdint.h>

#include "workload/histogram.h"

/* Of an interval, or of all. All zero at first. */
struct ftq_tally {
    uint64_t units;
    struct histogram counts; /* units of each quantum */
    struct histogram lost;   /* ns of each quantum that went elsewhere */
};

struct ftq {
    uint64_t quantum_ns, end_ns; /* length; end of the present one */
    uint64_t units;              /* in the present one */
    uint64_t best;               /* units of the best quantum */
};

void ftq_start(struct ftq *f, uint64_t now_ns, uint64_t quantum_ns);

/* A unit was done, and it is now so late. Quanta that are over go to the tally; those that passed without
 * a unit count as lost in full. */
void ftq_unit_done(struct ftq *f, uint64_t now_ns, struct ftq_tally *tally);

void ftq_tally_merge(struct ftq_tally *into, const struct ftq_tally *from);

/* What part of all quanta was lost against the best one, in hundredths of a percent. */
uint64_t ftq_lost_share(const struct ftq *f, const struct ftq_tally *tally);
