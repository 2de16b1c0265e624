// SPDX-License-Identifier: BSD-2-Clause
/*
 * From the kernel's way of telling errors to the C library's. Not for apps: they have include/guest.h and
 * the headers of C.
 */
#pragma once

#include <stdint.h>

/* What app_call() returned; when that is an error -1, and errno is set. */
int64_t call_result(int64_t result);
