// SPDX-License-Identifier: BSD-2-Clause
/*
 * A histogram of latencies, or of any counts: 16 buckets to each power of two, so that a percentile is
 * right to 1/16 from nanoseconds to half an hour. Fixed memory, about 5 KiB: keep it static, not on
 * the stack.
 *
 *     histogram_add(&latency, after_ns - before_ns);
 *     printf("p99 %lu ns\n", histogram_percentile(&latency, 99));
 */
#pragma once

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 4
#define HISTOGRAM_TOP_BIT  40 /* values from 2^41 on share the last bucket */
#define HISTOGRAM_BUCKETS \
    ((HISTOGRAM_TOP_BIT - HISTOGRAM_SUB_BITS + 2) << HISTOGRAM_SUB_BITS)

/* All zero is an empty one. */
struct histogram {
    uint64_t count, min, max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t value);

/* Adds all of `from`. */
void histogram_merge(struct histogram *into, const struct histogram *from);

void histogram_clear(struct histogram *h);

/* The smallest number that `percent` of the values do not exceed; never too small, too large by 1/16
 * at most. 0 of an empty one. */
uint64_t histogram_percentile(const struct histogram *h, double percent);

/* A line with count, share and bar for each power of two that has values. */
void histogram_print(const struct histogram *h, const char *unit);
