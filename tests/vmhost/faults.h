// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the host does wrong on purpose: COMMAND[@NTH][+COUNT]:WHAT. README.md lists commands and deeds. NTH
 * counts the calls of the command since the start (default: the next one), COUNT those hit (0: all).
 */
#pragma once

#include "tests/vmhost/balloon_host.h"

#include <stdbool.h>

/* False when `text` is none. */
bool faults_add(const char *text);

/* No more faults. */
void faults_clear(void);

/* Let the fault whose turn it is loose on the call. True when there was one. */
bool faults_apply(struct balloon_exchange *x);
