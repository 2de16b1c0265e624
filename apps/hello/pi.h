// SPDX-License-Identifier: BSD-2-Clause
/* Pi by throwing darts: the share of random points of a square that lie in the circle in it. */
#pragma once

#include <stdint.h>

/* How many of `points` fell into the circle. The same seed, the same points. */
uint64_t pi_throw(uint64_t points, uint64_t seed);

/* What that makes of pi; 0 without points. */
double pi_estimate(uint64_t inside, uint64_t points);
