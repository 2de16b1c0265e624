// SPDX-License-Identifier: BSD-2-Clause
// expect: unused-variable
int f(void);
int f(void)
{
    int unused;

    return 0;
}
