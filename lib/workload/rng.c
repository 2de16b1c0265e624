// SPDX-License-Identifier: BSD-2-Clause
/* splitmix64 with the constants of Steele, Lea, Flood: "Fast splittable pseudorandom number
 * generators", 2014. */
#include "workload/rng.h"

void rng_seed(struct rng *rng, uint64_t seed)
{
    rng->state = seed;
}

uint64_t rng_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

uint64_t rng_next(struct rng *rng)
{
    rng->state += 0x9E3779B97F4A7C15u; /* 2^64 / golden ratio */
    return rng_mix(rng->state);
}

uint64_t rng_below(struct rng *rng, uint64_t n)
{
    /* The high half of the product; uneven by n / 2^64 at most, which nobody can measure. */
    return (uint64_t)(((unsigned __int128)rng_next(rng) * n) >> 64);
}

double rng_unit(struct rng *rng)
{
    return (double)(rng_next(rng) >> 11) * 0x1p-53;
}
