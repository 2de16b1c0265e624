// SPDX-License-Identifier: BSD-2-Clause
/* Memory that is only ever taken: pieces in a chain, each filled with what it must hold until the end. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct leak_piece; /* a link, then the filled rest */

struct leak {
    struct leak_piece *last;
    size_t piece_bytes; /* at least LEAK_PIECE_MIN */
    uint64_t count, seed;
};

#define LEAK_PIECE_MIN 32

/* One piece more. 0, or -1: refused. */
int leak_grow(struct leak *leak);

uint64_t leak_bytes(const struct leak *leak);

/* Check and free all. Returns how many pieces were wrong; *first_wrong is the number of one. */
uint64_t leak_free(struct leak *leak, uint64_t *first_wrong);
