// SPDX-License-Identifier: BSD-2-Clause
#include "pi.h"

#include "workload/rng.h"

uint64_t pi_throw(uint64_t points, uint64_t seed)
{
    struct rng rng;
    uint64_t inside = 0;

    rng_seed(&rng, seed);
    for (uint64_t i = 0; i < points; i++) {
        double x = rng_unit(&rng), y = rng_unit(&rng);

        inside += x * x + y * y < 1;
    }
    return inside;
}

double pi_estimate(uint64_t inside, uint64_t points)
{
    return points ? 4.0 * (double)inside / (double)points : 0;
}
