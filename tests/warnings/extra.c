// SPDX-License-Identifier: BSD-2-Clause
// expect: sign-compare
int f(int a, unsigned b);
int f(int a, unsigned b)
{
    return a < b;
}
