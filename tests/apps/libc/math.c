// SPDX-License-Identifier: BSD-2-Clause
/* <math.h> and <fenv.h>: known values, the special ones, rounding. */
#include "tests/apps/check.h"
#include "tests/apps/libc/libc.h"

#include <complex.h>
#include <fenv.h>
#include <float.h>
#include <math.h>

/* Relative; newlib promises less than one unit in the last place. */
static bool is_near(double got, double want)
{
    return fabs(got - want) <= 2 * DBL_EPSILON * fabs(want);
}

#define NEAR(call, want) CHECK(is_near(call, want))

static void trigonometry(void)
{
    NEAR(sin(HIDE(1.0)), 0.8414709848078965);
    NEAR(cos(HIDE(1.0)), 0.5403023058681398);
    NEAR(tan(HIDE(1.0)), 1.5574077246549023);
    NEAR(sin(HIDE(1e22)), -0.8522008497671888); /* the argument is reduced exactly */
    NEAR(asin(HIDE(0.5)), 0.5235987755982989);
    NEAR(acos(HIDE(0.5)), 1.0471975511965979);
    NEAR(atan(HIDE(1.0)), 0.7853981633974483);
    NEAR(atan2(HIDE(-1.0), -1.0), -2.356194490192345);
    NEAR(sinh(HIDE(1.0)), 1.1752011936438014);
    NEAR(cosh(HIDE(1.0)), 1.5430806348152437);
    NEAR(tanh(HIDE(1.0)), 0.7615941559557649);
    NEAR(asinh(HIDE(1.0)), 0.881373587019543);
    NEAR(acosh(HIDE(2.0)), 1.3169578969248166);
    NEAR(atanh(HIDE(0.5)), 0.5493061443340549);
    NEAR((double)sinf(HIDE(0.0F)), 0);
    CHECK(fabsf(cosf(HIDE(1.0F)) - 0.54030231F) < 1e-6F);
}

static void powers(void)
{
    NEAR(exp(HIDE(1.0)), 2.718281828459045);
    NEAR(exp2(HIDE(0.5)), 1.4142135623730951);
    NEAR(expm1(HIDE(1e-10)), 1.00000000005e-10);
    NEAR(log(HIDE(10.0)), 2.302585092994046);
    NEAR(log10(HIDE(1000.0)), 3);
    NEAR(log2(HIDE(8.0)), 3);
    NEAR(log1p(HIDE(1e-10)), 9.9999999995e-11);
    NEAR(pow(HIDE(2.0), 0.5), 1.4142135623730951);
    NEAR(pow(HIDE(-2.0), 3), -8);
    NEAR(sqrt(HIDE(2.0)), 1.4142135623730951);
    NEAR(cbrt(HIDE(27.0)), 3);
    NEAR(hypot(HIDE(3e200), 4e200), 5e200);
    NEAR(erf(HIDE(1.0)), 0.8427007929497149);
    NEAR(erfc(HIDE(1.0)), 0.15729920705028513);
    NEAR(tgamma(HIDE(5.0)), 24);
    NEAR(lgamma(HIDE(10.0)), 12.801827480081469);
    NEAR(j0(HIDE(1.0)), 0.7651976865579666);
    CHECK(sqrtl(HIDE(4.0L)) == 2);
    CHECK(cabs(HIDE(3.0) + 4.0 * I) == 5);
}

static void parts(void)
{
    double whole;
    int exponent;

    CHECK(floor(HIDE(-1.5)) == -2 && ceil(HIDE(-1.5)) == -1 && trunc(HIDE(-1.5)) == -1);
    CHECK(round(HIDE(2.5)) == 3 && rint(HIDE(2.5)) == 2 && nearbyint(HIDE(3.5)) == 4);
    CHECK(lround(HIDE(-2.5)) == -3 && llrint(HIDE(2.5)) == 2);
    CHECK(fmod(HIDE(-7.5), 2) == -1.5 && remainder(HIDE(7.5), 2) == -0.5);
    CHECK(frexp(HIDE(12.0), &exponent) == 0.75 && exponent == 4);
    CHECK(ldexp(HIDE(0.75), 4) == 12 && scalbn(HIDE(1.0), -3) == 0.125);
    CHECK(modf(HIDE(-3.25), &whole) == -0.25 && whole == -3);
    CHECK(ilogb(HIDE(1000.0)) == 9 && logb(HIDE(0.1)) == -4);
    CHECK(fma(HIDE(2.0), 3, 4) == 10);
    CHECK(nextafter(HIDE(1.0), 2) == 1 + DBL_EPSILON);
    CHECK(copysign(HIDE(3.0), -0.0) == -3 && fdim(HIDE(3.0), 5) == 0);
    CHECK(fmax(HIDE(1.0), NAN) == 1 && fmin(HIDE(1.0), 2) == 1);
}

static void special(void)
{
    CHECK(isnan(sqrt(HIDE(-1.0))) && isnan(log(HIDE(-1.0))) && isnan(acos(HIDE(2.0))));
    CHECK(log(HIDE(0.0)) == -INFINITY && exp(HIDE(1000.0)) == INFINITY);
    CHECK(exp(HIDE(-1000.0)) == 0 && pow(HIDE(0.0), -1) == INFINITY);
    CHECK(1 / HIDE(0.0) == INFINITY && -1 / HIDE(0.0) == -INFINITY);
    CHECK(isnan(HIDE(INFINITY) - HIDE(INFINITY)) && isnan(0 * HIDE(INFINITY)));
    CHECK(HIDE(NAN) != HIDE(NAN) && !isfinite(HIDE(INFINITY)) && isnormal(HIDE(1.0)));
    CHECK(fpclassify(HIDE(0x1p-1074)) == FP_SUBNORMAL && HIDE(DBL_MIN) / 2 > 0);
    CHECK(signbit(HIDE(-0.0)) && atan2(HIDE(-0.0), -1) < 0 && pow(HIDE(NAN), 0) == 1);
}

void check_math(void)
{
    trigonometry();
    powers();
    parts();
    special();
}

/* The last rounding stays: the next start must not find it. */
void check_fenv(void)
{
    CHECK(feclearexcept(FE_ALL_EXCEPT) == 0 && fetestexcept(FE_ALL_EXCEPT) == 0);
    CHECK(HIDE(1.0) / HIDE(0.0) > 0 && fetestexcept(FE_DIVBYZERO));
    CHECK(fesetround(FE_DOWNWARD) == 0 && fegetround() == FE_DOWNWARD);
    double low = HIDE(1.0) / HIDE(3.0);
    CHECK(rint(HIDE(1.9)) == 1);
    CHECK(fesetround(FE_UPWARD) == 0);
    CHECK(HIDE(1.0) / HIDE(3.0) > low && rint(HIDE(1.1)) == 2);
}
