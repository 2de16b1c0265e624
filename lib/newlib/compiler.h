// SPDX-License-Identifier: BSD-2-Clause
/* The functions that the compiler calls by itself, for those who define or test them. */
#pragma once

#include <complex.h>
#include <stdint.h>

typedef __int128 int128;
typedef unsigned __int128 uint128;

int __popcountdi2(uint64_t bits);
uint128 __udivmodti4(uint128 a, uint128 b, uint128 *rest);
uint128 __udivti3(uint128 a, uint128 b);
uint128 __umodti3(uint128 a, uint128 b);
int128 __divmodti4(int128 a, int128 b, int128 *rest);
int128 __divti3(int128 a, int128 b);
int128 __modti3(int128 a, int128 b);
double complex __muldc3(double a, double b, double c, double d);
double complex __divdc3(double a, double b, double c, double d);
float complex __mulsc3(float a, float b, float c, float d);
float complex __divsc3(float a, float b, float c, float d);
