// SPDX-License-Identifier: BSD-2-Clause
/* Buckets on a logarithmic scale: the first 16 hold one value each, then 16 to a power of two. */
#include "workload/histogram.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SUBS       (1u << HISTOGRAM_SUB_BITS)
#define BAR_LENGTH 40

static unsigned top_bit(uint64_t value)
{
    return 63u - (unsigned)__builtin_clzll(value);
}

static unsigned bucket_of(uint64_t value)
{
    if (value < SUBS)
        return (unsigned)value;
    if (top_bit(value) > HISTOGRAM_TOP_BIT)
        return HISTOGRAM_BUCKETS - 1;
    unsigned shift = top_bit(value) - HISTOGRAM_SUB_BITS;

    /* Leading bit and the four behind it: 16 to 31. */
    return (shift << HISTOGRAM_SUB_BITS) + (unsigned)(value >> shift);
}

static uint64_t bucket_last(unsigned bucket)
{
    if (bucket < SUBS)
        return bucket;
    unsigned shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
    uint64_t lead = (bucket & (SUBS - 1)) + SUBS;

    return ((lead + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t value)
{
    if (h->count == 0 || value < h->min)
        h->min = value;
    if (value > h->max)
        h->max = value;
    h->count++;
    h->buckets[bucket_of(value)]++;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    if (from->count == 0)
        return;
    if (into->count == 0 || from->min < into->min)
        into->min = from->min;
    if (from->max > into->max)
        into->max = from->max;
    into->count += from->count;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
}

void histogram_clear(struct histogram *h)
{
    memset(h, 0, sizeof(*h));
}

uint64_t histogram_percentile(const struct histogram *h, double percent)
{
    uint64_t wanted = (uint64_t)ceil((double)h->count * percent / 100);
    uint64_t seen = 0;

    if (wanted > h->count)
        wanted = h->count;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
        seen += h->buckets[i];
        if (seen > 0 && seen >= wanted)
            return bucket_last(i) < h->max ? bucket_last(i) : h->max;
    }
    return h->max;
}

static void print_line(const struct histogram *h, unsigned first, unsigned last,
                       const char *unit)
{
    uint64_t count = 0;

    for (unsigned i = first; i <= last; i++)
        count += h->buckets[i];
    if (count == 0)
        return;
    double share = (double)count / (double)h->count;
    int length = (int)ceil(share * BAR_LENGTH);

    printf("  up to %13lu %s %10lu %6.2f %% %.*s\n", bucket_last(last), unit, count,
           share * 100, length, "########################################");
}

void histogram_print(const struct histogram *h, const char *unit)
{
    for (unsigned first = 0; first < HISTOGRAM_BUCKETS; first += SUBS)
        print_line(h, first, first + SUBS - 1, unit);
}
