// SPDX-License-Identifier: BSD-2-Clause
/* Three ways to use memory. */
#include "builtin.h"

#include <stdbool.h>
#include <string.h>

#define TEETH        256 /* objects of a sawtooth */
#define VECTORS      16
#define VECTOR_START 64

void trace_builtin_start(struct trace_builtin *b, enum trace_builtin_kind kind,
                         uint64_t peak_bytes, uint64_t seed)
{
    memset(b, 0, sizeof(*b));
    b->kind = kind;
    b->peak_bytes = peak_bytes;
    rng_seed(&b->rng, seed);
}

static struct trace_op make(struct trace_builtin *b, enum trace_what what, uint32_t id,
                            uint64_t bytes)
{
    if (what != TRACE_TOUCH)
        b->bytes[id] = bytes;
    return (struct trace_op){what, id, bytes};
}

static struct trace_op sawtooth(struct trace_builtin *b)
{
    static const enum trace_what phases[] = {TRACE_ALLOC, TRACE_TOUCH, TRACE_FREE};
    enum trace_what what = phases[b->step / TEETH % 3];

    return make(b, what, b->step % TEETH,
                what == TRACE_ALLOC ? b->peak_bytes / TEETH + 1 : 0);
}

static uint64_t server_size(struct trace_builtin *b)
{
    bool is_large = rng_below(&b->rng, 8) == 0;

    return 1 + rng_below(&b->rng, is_large ? b->peak_bytes / 32 + 1 : 1024);
}

static struct trace_op server(struct trace_builtin *b)
{
    uint32_t id = (uint32_t)rng_below(&b->rng, TRACE_BUILTIN_IDS);

    if (b->step % 1024 == 1023)
        return (struct trace_op){TRACE_WAIT, 0, 1000000};
    if (b->bytes[id] == 0)
        return make(b, TRACE_ALLOC, id, server_size(b));
    switch (rng_below(&b->rng, 4)) {
    case 0:
    case 1:
        return make(b, TRACE_FREE, id, 0);
    case 2:
        return make(b, TRACE_REALLOC, id, server_size(b));
    default:
        return make(b, TRACE_TOUCH, id, 0);
    }
}

static struct trace_op vector(struct trace_builtin *b)
{
    uint32_t id = (uint32_t)rng_below(&b->rng, VECTORS);

    if (b->bytes[id] == 0)
        return make(b, TRACE_ALLOC, id, VECTOR_START);
    if (b->bytes[id] * 2 <= b->peak_bytes / VECTORS)
        return make(b, TRACE_REALLOC, id, b->bytes[id] * 2);
    return make(b, rng_below(&b->rng, 16) == 0 ? TRACE_FREE : TRACE_TOUCH, id, 0);
}

struct trace_op trace_builtin_next(struct trace_builtin *b)
{
    struct trace_op op = {.what = TRACE_END};

    switch (b->kind) {
    case TRACE_SAWTOOTH:
        op = sawtooth(b);
        break;
    case TRACE_SERVER:
        op = server(b);
        break;
    case TRACE_VECTOR:
        op = vector(b);
        break;
    }
    b->step++;
    return op;
}
