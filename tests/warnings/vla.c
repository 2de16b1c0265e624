// SPDX-License-Identifier: BSD-2-Clause
// expect: vla
int f(int n);
int f(int n)
{
    int array[n];

    array[0] = n;
    return array[0];
}
