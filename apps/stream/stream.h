// SPDX-License-Identifier: BSD-2-Clause
/*
 * Three arrays of doubles and the four kernels of the STREAM benchmark (McCalpin), a chunk at a time, so
 * that bandwidth is seen while it changes. A round is each kernel once over all elements.
 *
 * The factor is sqrt(2) - 1: then a round leaves `a` as it was and nothing overflows, however long it runs.
 * No two elements start out equal, so that the check also finds pages that changed places.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum stream_kernel {
    STREAM_COPY,  /* c = a */
    STREAM_SCALE, /* b = q * c */
    STREAM_ADD,   /* c = a + b */
    STREAM_TRIAD, /* a = b + q * c */
    STREAM_KERNELS,
};

extern const char *const stream_names[STREAM_KERNELS];

struct stream {
    double *a, *b, *c;
    size_t count; /* of the elements of each */
    enum stream_kernel kernel;
    size_t next; /* element where it goes on */
    uint64_t rounds;
    uint64_t seed; /* which element starts out smallest */
};

/* Memory for all three together: `bytes`, in whole pages each. 0, or -1: refused. */
int stream_map(struct stream *s, uint64_t bytes, uint64_t seed);

void stream_unmap(struct stream *s);

/* One chunk by the present kernel, then on to the next. Returns how many bytes were read and written. */
uint64_t stream_step(struct stream *s);

/* At the start of a round. Returns the first element that is not what it must be, or their number. */
size_t stream_verify(const struct stream *s);

/* MB/s of steps; all zero at first. */
struct stream_rate {
    uint64_t bytes, ns;
    double min, max; /* of any one step */
};

void stream_rate_add(struct stream_rate *rate, uint64_t bytes, uint64_t ns);
void stream_rate_merge(struct stream_rate *into, const struct stream_rate *from);
double stream_rate_mean(const struct stream_rate *rate);
