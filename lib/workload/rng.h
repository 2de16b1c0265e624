// SPDX-License-Identifier: BSD-2-Clause
/*
 * Random numbers of workloads: small, fast, and the same for the same seed on every machine.
 *
 *     struct rng rng;
 *
 *     rng_seed(&rng, 42);
 *     size_t page = rng_below(&rng, pages);
 *
 * The generator is splitmix64 (Steele, Lea, Flood 2014): good enough for any workload, no secret.
 */
#pragma once

#include <stdint.h>

struct rng {
    uint64_t state;
};

void rng_seed(struct rng *rng, uint64_t seed);

/* All 64 bits. */
uint64_t rng_next(struct rng *rng);

/* 0 to n-1, n at least 1. */
uint64_t rng_below(struct rng *rng, uint64_t n);

/* 0 to below 1. */
double rng_unit(struct rng *rng);

/* The scrambling step alone: different numbers give different, unlike numbers. */
uint64_t rng_mix(uint64_t x);
