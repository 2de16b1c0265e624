// SPDX-License-Identifier: BSD-2-Clause
/* The batch page: up to 512 frames or blocks in one call, a status each. */
#pragma once

#include "tests/vmhost/balloon_host.h"

/* Run the batch and set x->status. */
void batch_run(struct balloon_exchange *x);

/* Lock or unlock one of them; balloon_host.c does the accounts. */
enum balloon_status balloon_page(uint64_t pfn, bool is_lock, bool is_block);
