// SPDX-License-Identifier: BSD-2-Clause
/* A chain of pieces of malloc. */
#include "leak.h"

#include <stdlib.h>

#include "workload/fill.h"

struct leak_piece {
    struct leak_piece *before;
    uint64_t rest[];
};

static size_t rest_bytes(const struct leak *leak)
{
    return leak->piece_bytes - sizeof(struct leak_piece);
}

int leak_grow(struct leak *leak)
{
    struct leak_piece *piece = malloc(leak->piece_bytes);

    if (!piece)
        return -1;
    piece->before = leak->last;
    fill_write(piece->rest, rest_bytes(leak), fill_tag(leak->seed, leak->count, 0));
    leak->last = piece;
    leak->count++;
    return 0;
}

uint64_t leak_bytes(const struct leak *leak)
{
    return leak->count * leak->piece_bytes;
}

uint64_t leak_free(struct leak *leak, uint64_t *first_wrong)
{
    uint64_t wrong = 0;

    while (leak->last) {
        struct leak_piece *piece = leak->last;

        leak->count--;
        if (fill_check(piece->rest, rest_bytes(leak),
                       fill_tag(leak->seed, leak->count, 0)) != rest_bytes(leak)) {
            wrong++;
            *first_wrong = leak->count;
        }
        leak->last = piece->before;
        free(piece);
    }
    return wrong;
}
