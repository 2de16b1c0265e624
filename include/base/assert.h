// SPDX-License-Identifier: BSD-2-Clause
/*
 * assert() is for our own bugs only: the host can never make one fail. It is on in every build and
 * its expression has no side effects. Who links the core defines assert_failed(): the kernel panics,
 * host tests abort.
 */
#pragma once

_Noreturn void assert_failed(const char *expr, const char *file, int line);

#undef assert
#define assert(expr) ((expr) ? (void)0 : assert_failed(#expr, __FILE__, __LINE__))
