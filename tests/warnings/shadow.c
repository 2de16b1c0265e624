// SPDX-License-Identifier: BSD-2-Clause
// expect: shadow
int f(int a);
int f(int a)
{
    for (int i = 0; i < 3; i++) {
        int a = i;

        if (a == 2)
            return a;
    }
    return a;
}
