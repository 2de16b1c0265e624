// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the compiler calls where one instruction does not do: 128-bit division, counting bits, complex
 * numbers. The names are the compiler's. Its own library is of no use here: it is built for programs with
 * a red zone below the stack, which interrupts of this machine overwrite.
 */
#include "lib/newlib/compiler.h"

#include <math.h>

/* Sums of neighbours in fields of growing size. */
int __popcountdi2(uint64_t bits)
{
    bits -= (bits >> 1) & UINT64_C(0x5555555555555555);
    bits = (bits & UINT64_C(0x3333333333333333)) +
           ((bits >> 2) & UINT64_C(0x3333333333333333));
    bits = (bits + (bits >> 4)) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    return (int)((bits * UINT64_C(0x0101010101010101)) >> 56);
}

static int leading_zeros(uint128 a)
{
    uint64_t high = (uint64_t)(a >> 64);

    return high ? __builtin_clzll(high) : 64 + __builtin_clzll((uint64_t)a);
}

/* As on paper, a bit at a time. b is not 0. */
static uint128 divide(uint128 a, uint128 b, uint128 *rest)
{
    uint128 quotient = 0;

    for (int shift = a ? leading_zeros(b) - leading_zeros(a) : -1; shift >= 0; shift--) {
        if (a >> shift < b)
            continue;
        a -= b << shift;
        quotient |= (uint128)1 << shift;
    }
    *rest = a;
    return quotient;
}

/* A division by 0 is the exception that it is for smaller numbers. */
uint128 __udivmodti4(uint128 a, uint128 b, uint128 *rest)
{
    if ((uint64_t)(b >> 64) == 0 && (uint64_t)(a >> 64) == 0) {
        *rest = (uint64_t)a % (uint64_t)b;
        return (uint64_t)a / (uint64_t)b;
    }
    if (b == 0)
        __builtin_trap();
    return divide(a, b, rest);
}

static uint128 magnitude(int128 a)
{
    return a < 0 ? -(uint128)a : (uint128)a;
}

uint128 __udivti3(uint128 a, uint128 b)
{
    uint128 rest;

    return __udivmodti4(a, b, &rest);
}

uint128 __umodti3(uint128 a, uint128 b)
{
    uint128 rest;

    __udivmodti4(a, b, &rest);
    return rest;
}

int128 __divmodti4(int128 a, int128 b, int128 *rest)
{
    uint128 left;
    uint128 quotient = __udivmodti4(magnitude(a), magnitude(b), &left);

    *rest = (int128)(a < 0 ? -left : left);
    return (int128)((a < 0) != (b < 0) ? -quotient : quotient);
}

int128 __divti3(int128 a, int128 b)
{
    int128 rest;

    return __divmodti4(a, b, &rest);
}

int128 __modti3(int128 a, int128 b)
{
    int128 rest;

    __divmodti4(a, b, &rest);
    return rest;
}

static double complex complex_of(double real, double imaginary)
{
    double complex result;

    __real__ result = real;
    __imag__ result = imaginary;
    return result;
}

/* (a + bi) (c + di); called when the plain product is not a number, which it then stays. */
double complex __muldc3(double a, double b, double c, double d)
{
    return complex_of(a * c - b * d, a * d + b * c);
}

/* (a + bi) / (c + di), scaled so that no square of c or d leaves the range. */
double complex __divdc3(double a, double b, double c, double d)
{
    double larger = fmax(fabs(c), fabs(d));
    int scale = larger > 0 && isfinite(larger) ? -ilogb(larger) : 0;

    c = scalbn(c, scale);
    d = scalbn(d, scale);
    double norm = c * c + d * d;
    return complex_of(scalbn((a * c + b * d) / norm, scale),
                      scalbn((b * c - a * d) / norm, scale));
}

float complex __mulsc3(float a, float b, float c, float d)
{
    return (float complex)__muldc3((double)a, (double)b, (double)c, (double)d);
}

float complex __divsc3(float a, float b, float c, float d)
{
    return (float complex)__divdc3((double)a, (double)b, (double)c, (double)d);
}
