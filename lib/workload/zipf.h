// SPDX-License-Identifier: BSD-2-Clause
/*
 * Zipf's law: of n things the one of rank r (from 0) is asked for in proportion to 1 / (r + 1)^theta.
 * theta 0 is uniform; 0.99 is what key-value stores see; above 1 a few things get nearly everything.
 *
 *     struct zipf zipf;
 *
 *     zipf_init(&zipf, objects, 0.99);
 *     size_t object = zipf_next(&zipf, &rng);
 *
 * Exact, without tables: memory and time of a draw do not grow with n.
 */
#pragma once

#include <stdint.h>

#include "workload/rng.h"

struct zipf {
    uint64_t n;
    double theta;
    double first, last; /* the range of areas that are drawn from */
    double sure;        /* a draw as close as this to its rank needs no further look */
};

/* n from 1, theta from 0. */
void zipf_init(struct zipf *zipf, uint64_t n, double theta);

/* A rank, 0 to n-1. */
uint64_t zipf_next(const struct zipf *zipf, struct rng *rng);

/* A place for each rank, so that popular things are no neighbours. One to one for n below 2^31. */
uint64_t zipf_scatter(uint64_t rank, uint64_t n);
