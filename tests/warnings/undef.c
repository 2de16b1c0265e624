// SPDX-License-Identifier: BSD-2-Clause
// expect: undef
#if CONFIG_THAT_NOBODY_DEFINES
#error "not reached"
#endif
extern int f;
