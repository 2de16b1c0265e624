// SPDX-License-Identifier: BSD-2-Clause
/* The books of a run: what the guest did wrong, and the account that is drawn at its end. */
#pragma once

#include "base/units.h"

#include <stdbool.h>
#include <stdint.h>

/* The guest broke a rule: one line with its rip, and the run will end as failed. `about` is an address, or
 * what the rule is about. */
void audit_violation(const char *kind, uint64_t about);

unsigned audit_violations(void);

/* Check every frame and write the line that the harness compares with the guest's own view. */
void audit_write(const char *why);
