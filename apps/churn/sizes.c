// SPDX-License-Identifier: BSD-2-Clause
/* Distributions by inversion: one random number in, one size or lifetime out. */
#include "sizes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "workload/parse.h"

#define SIZE_MAX_BYTES (UINT64_C(1) << 30)

static bool is_size(const char *text, uint64_t *out)
{
    /* No percentage: sizes of objects do not depend on the memory. */
    return !strchr(text, '%') && parse_size(text, 0, out) && *out >= 1 &&
           *out <= SIZE_MAX_BYTES;
}

bool churn_sizes_parse(const char *text, struct churn_sizes *out)
{
    char shape[8], min[16], max[16] = "";
    char end;
    int fields = sscanf(text, "%7[a-z]:%15[^-]-%15s%c", shape, min, max, &end);

    if (fields == 2 && strcmp(shape, "fixed") == 0)
        out->shape = CHURN_FIXED;
    else if (fields == 3 && strcmp(shape, "uniform") == 0)
        out->shape = CHURN_UNIFORM;
    else if (fields == 3 && strcmp(shape, "log") == 0)
        out->shape = CHURN_LOG;
    else
        return false;
    return is_size(min, &out->min) && is_size(fields == 3 ? max : min, &out->max) &&
           out->min <= out->max;
}

uint64_t churn_sizes_draw(const struct churn_sizes *sizes, struct rng *rng)
{
    double min = (double)sizes->min, max = (double)sizes->max;

    switch (sizes->shape) {
    case CHURN_FIXED:
        break;
    case CHURN_UNIFORM:
        return sizes->min + rng_below(rng, sizes->max - sizes->min + 1);
    case CHURN_LOG:
        return (uint64_t)(min * exp(rng_unit(rng) * log(max / min)));
    }
    return sizes->min;
}

double churn_sizes_mean(const struct churn_sizes *sizes)
{
    double min = (double)sizes->min, max = (double)sizes->max;

    if (sizes->shape == CHURN_LOG && sizes->min < sizes->max)
        return (max - min) / log(max / min);
    return (min + max) / 2;
}

double churn_life_draw(enum churn_life life, double mean, struct rng *rng)
{
    switch (life) {
    case CHURN_EXPONENTIAL:
        return -mean * log(1 - rng_unit(rng));
    case CHURN_SPREAD:
        return 2 * mean * rng_unit(rng);
    case CHURN_FIFO:
        break;
    }
    return mean;
}
