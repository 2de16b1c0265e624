// SPDX-License-Identifier: BSD-2-Clause
// expect: strict-prototypes
extern int f();
