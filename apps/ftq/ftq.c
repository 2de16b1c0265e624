// SPDX-License-Identifier: BSD-2-Clause
/* Counts units by quantum. */
#include "ftq.h"

#include "workload/report.h"

void ftq_start(struct ftq *f, uint64_t now_ns, uint64_t quantum_ns)
{
    *f = (struct ftq){.quantum_ns = quantum_ns, .end_ns = now_ns + quantum_ns};
}

static void end_quantum(struct ftq *f, struct ftq_tally *tally)
{
    if (f->units > f->best)
        f->best = f->units;
    tally->units += f->units;
    histogram_add(&tally->counts, f->units);
    histogram_add(&tally->lost, f->quantum_ns - f->quantum_ns * f->units / f->best);
    f->units = 0;
    f->end_ns += f->quantum_ns;
}

void ftq_unit_done(struct ftq *f, uint64_t now_ns, struct ftq_tally *tally)
{
    f->units++; /* counts for the quantum it began in */
    while (now_ns >= f->end_ns)
        end_quantum(f, tally);
}

void ftq_tally_merge(struct ftq_tally *into, const struct ftq_tally *from)
{
    into->units += from->units;
    histogram_merge(&into->counts, &from->counts);
    histogram_merge(&into->lost, &from->lost);
}

uint64_t ftq_lost_share(const struct ftq *f, const struct ftq_tally *tally)
{
    uint64_t possible = tally->counts.count * f->best;

    return report_share(possible - tally->units, possible);
}
