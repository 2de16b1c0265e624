// SPDX-License-Identifier: BSD-2-Clause
/* The arrays, the kernels, and what must come out. */
#include "stream.h"

#include <float.h>
#include <guest.h>
#include <math.h>

#define CHUNK  8192                /* elements: 64 KiB of each array */
#define FACTOR 0.41421356237309503 /* sqrt(2) - 1 */

const char *const stream_names[STREAM_KERNELS] = {"copy", "scale", "add", "triad"};

static size_t bytes_of_each(const struct stream *s)
{
    return s->count * sizeof(double);
}

static double first_a(const struct stream *s, size_t i)
{
    return 1 + (double)((i + s->seed % s->count) % s->count) / (double)s->count;
}

int stream_map(struct stream *s, uint64_t bytes, uint64_t seed)
{
    uint64_t pages = bytes / 3 / GUEST_PAGE_BYTES;

    *s = (struct stream){.seed = seed};
    s->count = (pages ? pages : 1) * GUEST_PAGE_BYTES / sizeof(double);
    s->a = guest_map(3 * bytes_of_each(s), 0);
    if (!s->a)
        return -1;
    s->b = s->a + s->count;
    s->c = s->b + s->count;
    for (size_t i = 0; i < s->count; i++) {
        s->a[i] = first_a(s, i);
        s->b[i] = 0; /* zero already, but the first touch is not to be measured */
        s->c[i] = 0;
    }
    return 0;
}

void stream_unmap(struct stream *s)
{
    guest_unmap(s->a, 3 * bytes_of_each(s));
}

static uint64_t copy(double *restrict to, const double *restrict from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = from[i];
    return 2 * count * sizeof(double);
}

static uint64_t scale(double *restrict to, const double *restrict from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = FACTOR * from[i];
    return 2 * count * sizeof(double);
}

static uint64_t add(double *restrict to, const double *restrict x,
                    const double *restrict y, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = x[i] + y[i];
    return 3 * count * sizeof(double);
}

static uint64_t triad(double *restrict to, const double *restrict x,
                      const double *restrict y, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = x[i] + FACTOR * y[i];
    return 3 * count * sizeof(double);
}

static uint64_t run_kernel(const struct stream *s, size_t from, size_t count)
{
    double *a = s->a + from, *b = s->b + from, *c = s->c + from;

    switch (s->kernel) {
    case STREAM_COPY:
        return copy(c, a, count);
    case STREAM_SCALE:
        return scale(b, c, count);
    case STREAM_ADD:
        return add(c, a, b, count);
    case STREAM_TRIAD:
        return triad(a, b, c, count);
    case STREAM_KERNELS:
        break;
    }
    return 0;
}

uint64_t stream_step(struct stream *s)
{
    size_t count = s->count - s->next < CHUNK ? s->count - s->next : CHUNK;
    uint64_t bytes = run_kernel(s, s->next, count);

    s->next += count;
    if (s->next < s->count)
        return bytes;
    s->next = 0;
    s->kernel++;
    if (s->kernel == STREAM_KERNELS) {
        s->kernel = STREAM_COPY;
        s->rounds++;
    }
    return bytes;
}

static bool is_close(double found, double expected, double tolerance)
{
    return fabs(found - expected) <= tolerance * fabs(expected); /* false for a NaN */
}

size_t stream_verify(const struct stream *s)
{
    /* Each round may add a few roundings, at worst all to the same side. */
    double tolerance = 8 * DBL_EPSILON * (double)(s->rounds + 1);

    for (size_t i = 0; i < s->count; i++) {
        double a = first_a(s, i);
        double b = s->rounds ? FACTOR * a : 0;
        double c = s->rounds ? a + b : 0;

        if (!is_close(s->a[i], a, tolerance) || !is_close(s->b[i], b, tolerance) ||
            !is_close(s->c[i], c, tolerance))
            return i;
    }
    return s->count;
}

void stream_rate_add(struct stream_rate *rate, uint64_t bytes, uint64_t ns)
{
    double rate_now =
        ns ? (double)bytes * 1e3 / (double)ns : 0; /* bytes/ns = 1000 MB/s */
    const struct stream_rate one = {bytes, ns, rate_now, rate_now};

    if (ns > 0)
        stream_rate_merge(rate, &one);
}

void stream_rate_merge(struct stream_rate *into, const struct stream_rate *from)
{
    if (from->ns == 0)
        return;
    if (into->ns == 0 || from->min < into->min)
        into->min = from->min;
    if (from->max > into->max)
        into->max = from->max;
    into->bytes += from->bytes;
    into->ns += from->ns;
}

double stream_rate_mean(const struct stream_rate *rate)
{
    return rate->ns ? (double)rate->bytes * 1e3 / (double)rate->ns : 0;
}
