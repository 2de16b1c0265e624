// SPDX-License-Identifier: BSD-2-Clause
/*
 * Does what a trace says: malloc, free, realloc, touch; with contents that are checked. An allocation that is
 * refused leaves the id refused: what the trace goes on to do with it is skipped and counted, until it
 * is freed or reallocated.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "line.h"
#include "workload/histogram.h"
#include "workload/report.h"

enum trace_state {
    TRACE_UNUSED,
    TRACE_LIVE,
    TRACE_REFUSED,
};

struct trace_slot {
    void *start;
    size_t bytes;
    uint32_t version; /* of the contents */
    enum trace_state state;
};

struct trace_replay {
    struct trace_slot *slots; /* by id */
    size_t ids;               /* how many there are */
    uint64_t seed;
    uint64_t ops, live_bytes, peak_bytes, skipped;
    struct refusals refusals;
    struct histogram latency_ns[TRACE_TIMED]; /* by enum trace_what */
};

enum trace_result {
    TRACE_OK,
    TRACE_NONSENSE, /* allocates what is live, frees what is not, an id that is too large */
    TRACE_WRONG,    /* contents are not what had been put there */
};

/* `r` is all zero. 0, or -1: no memory for the table. */
int trace_init(struct trace_replay *r, size_t ids, uint64_t seed);

enum trace_result trace_do(struct trace_replay *r, const struct trace_op *op);

/* Free what the trace left. TRACE_WRONG if some of it was. */
enum trace_result trace_free_all(struct trace_replay *r);
