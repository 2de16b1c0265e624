// SPDX-License-Identifier: BSD-2-Clause
/* The mode of newlib's math functions: they set errno, as math_errhandling says. Instead of its own. */
#include <math.h>

_LIB_VERSION_TYPE _LIB_VERSION = _POSIX_;
