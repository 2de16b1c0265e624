// SPDX-License-Identifier: BSD-2-Clause
/*
 * Rejection-inversion: W. Hoermann, G. Derflinger: "Rejection-inversion to generate variates from
 * monotone discrete distributions", 1996. Draws a point below the curve x^-theta, whose area can be
 * inverted, and rejects the few points that do not lie in the bar of their rank as well.
 */
#include "workload/zipf.h"

#include <math.h>

/* Below the curve between 1 and x. expm1 and log1p keep it exact where theta is close to 1. */
static double area(double theta, double x)
{
    double power = 1 - theta;

    return power == 0 ? log(x) : expm1(power * log(x)) / power;
}

static double area_inverse(double theta, double a)
{
    double power = 1 - theta;

    return exp(power == 0 ? a : log1p(power * a) / power);
}

static double weight(double theta, double x)
{
    return exp(-theta * log(x));
}

void zipf_init(struct zipf *zipf, uint64_t n, double theta)
{
    zipf->n = n;
    zipf->theta = theta;
    /* The bar of rank 1 is as wide as its weight, 1; the others reach from k-1/2 to k+1/2. */
    zipf->first = area(theta, 1.5) - 1;
    zipf->last = area(theta, (double)n + 0.5);
    zipf->sure = 2 - area_inverse(theta, area(theta, 2.5) - weight(theta, 2));
}

uint64_t zipf_next(const struct zipf *zipf, struct rng *rng)
{
    for (;;) {
        double a = zipf->last + rng_unit(rng) * (zipf->first - zipf->last);
        double x = area_inverse(zipf->theta, a);
        double k = fmin(fmax(floor(x + 0.5), 1), (double)zipf->n);

        if (k - x <= zipf->sure ||
            a >= area(zipf->theta, k + 0.5) - weight(zipf->theta, k))
            return (uint64_t)k - 1;
    }
}

uint64_t zipf_scatter(uint64_t rank, uint64_t n)
{
    /* A prime above n, so that no two products are equal modulo n; close to 2^32 / golden ratio,
     * so that neighbours land far apart. */
    return rank * UINT64_C(2654435761) % n;
}
