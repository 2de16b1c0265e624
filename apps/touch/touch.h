// SPDX-License-Identifier: BSD-2-Clause
/*
 * A working set of pages that know what they must contain. Each page has a version, 0 for zeroed and never
 * written; a write gives it the next one, a read proves the present one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "workload/report.h"
#include "workload/rng.h"
#include "workload/zipf.h"

enum touch_pattern {
    TOUCH_SEQUENTIAL,
    TOUCH_RANDOM,
    TOUCH_ZIPF,
};

struct touch {
    unsigned char *pages;
    uint8_t *versions;
    uint64_t count; /* of pages */
    uint64_t seed;
    enum touch_pattern pattern;
    unsigned write_percent;
    uint64_t next; /* page of the sequential pattern */
    struct rng rng;
    struct zipf zipf;
};

/* Memory for the set: `bytes`, or if that is refused, half as much, down to one page. The other fields
 * stay as they are. False: not even a page. */
bool touch_map(struct touch *t, uint64_t bytes, unsigned flags,
               struct refusals *refusals);

/* Which page is next. */
uint64_t touch_pick(struct touch *t);

/* Touch a page, by a write or a read, as chance has it. *latency_ns is the time of the first access,
 * in which the page is brought in. False: its contents are wrong. */
bool touch_page(struct touch *t, uint64_t page, uint64_t *latency_ns);

/* Read all pages in full. Returns the first wrong one, or `count`. */
uint64_t touch_verify(const struct touch *t);

void touch_unmap(struct touch *t);
