// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/line_ring.h"

bool line_ring_put(struct line_ring *ring, const char *line, size_t len, size_t keep)
{
    size_t room = ring->size - (ring->head - ring->tail);

    if (keep > room || len > room - keep)
        return false;
    for (size_t i = 0; i < len; i++)
        ring->bytes[ring->head++ % ring->size] = line[i];
    return true;
}

size_t line_ring_take(struct line_ring *ring, char *out, size_t max)
{
    size_t len = 0;

    while (len < max && !line_ring_is_empty(ring)) {
        out[len++] = ring->bytes[ring->tail++ % ring->size];
        if (out[len - 1] == '\n')
            break;
    }
    return len;
}
