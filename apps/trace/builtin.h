// SPDX-License-Identifier: BSD-2-Clause
/* Traces without end, made on the fly from a seed: always well formed, at most about `peak_bytes` live. */
#pragma once

#include <stdint.h>

#include "line.h"
#include "workload/rng.h"

enum trace_builtin_kind {
    TRACE_SAWTOOTH, /* everything is allocated, touched, freed; and again */
    TRACE_SERVER,   /* connections come and go; many small objects, few large ones */
    TRACE_VECTOR,   /* arrays double until they are full, are used, and go */
};

#define TRACE_BUILTIN_WORDS "sawtooth|server|vector"
#define TRACE_BUILTIN_IDS   512

struct trace_builtin {
    enum trace_builtin_kind kind;
    uint64_t peak_bytes;
    uint64_t step;
    struct rng rng;
    uint64_t bytes[TRACE_BUILTIN_IDS]; /* 0: not allocated */
};

void trace_builtin_start(struct trace_builtin *b, enum trace_builtin_kind kind,
                         uint64_t peak_bytes, uint64_t seed);

struct trace_op trace_builtin_next(struct trace_builtin *b);
