// SPDX-License-Identifier: BSD-2-Clause
// expect: implicit-fallthrough
int f(int n);
int f(int n)
{
    int sum = 0;

    switch (n) {
    case 1:
        sum++;
    case 2:
        sum += 2;
        break;
    default:
        break;
    }
    return sum;
}
