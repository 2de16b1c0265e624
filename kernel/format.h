// SPDX-License-Identifier: BSD-2-Clause
/*
 * printf formatting without floating point: %d %i %u %x %X %p %s %c %% with flags "-0+ #", width,
 * precision, '*', and hh h l ll z j t. Pure: also built for the host.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

/* As C99's: always terminates when size > 0, returns the length it would have had. Any context. */
int format_v(char *buf, size_t size, const char *fmt, va_list args);
__attribute__((format(printf, 3, 4))) int format_s(char *buf, size_t size,
                                                   const char *fmt, ...);
