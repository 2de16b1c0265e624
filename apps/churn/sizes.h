// SPDX-License-Identifier: BSD-2-Clause
/* How large objects are and how long they live: random draws from the distributions that churn knows. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "workload/rng.h"

enum churn_shape {
    CHURN_FIXED,
    CHURN_UNIFORM, /* each size as likely as any other */
    CHURN_LOG,     /* each power of two as likely as any other: many small, few large */
};

struct churn_sizes {
    enum churn_shape shape;
    uint64_t min, max;
};

/* "fixed:N", "uniform:A-B", "log:A-B", sizes from 1 to 1G. */
bool churn_sizes_parse(const char *text, struct churn_sizes *out);

uint64_t churn_sizes_draw(const struct churn_sizes *sizes, struct rng *rng);

double churn_sizes_mean(const struct churn_sizes *sizes);

enum churn_life {
    CHURN_EXPONENTIAL, /* no memory: old objects die as often as young ones */
    CHURN_SPREAD,      /* uniform from 0 to twice the mean */
    CHURN_FIFO,        /* all the same: the oldest dies first */
};

double churn_life_draw(enum churn_life life, double mean, struct rng *rng);
