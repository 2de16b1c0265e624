// SPDX-License-Identifier: BSD-2-Clause
/* Ways to break the rules, for tests: the command `crash` and the guest suite of protection. */
#pragma once

#include <stddef.h>

#define FAULT_PANICS   (-1) /* ends in a panic without an exception */
#define FAULT_SURVIVED (-2) /* the kernel goes on */

struct fault {
    const char *name;
    int vector; /* the exception it raises, or one of the above */
    void (*raise)(void *unused);
};

extern const struct fault faults[];
extern const size_t fault_count;
