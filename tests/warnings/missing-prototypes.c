// SPDX-License-Identifier: BSD-2-Clause
// expect: missing-prototypes
int f(void)
{
    return 0;
}
