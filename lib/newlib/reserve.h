// SPDX-License-Identifier: BSD-2-Clause
/*
 * The last memory of the C library: printf() with floating point takes a failed allocation for a failed
 * assertion, and an app that is out of memory must still be able to say so. Not for malloc() itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Aligned as malloc()'s; NULL: used up, or too large. It does not come back: what the library takes here
 * it keeps for its next numbers. */
void *reserve_take(size_t size);

bool reserve_has(const void *ptr);
