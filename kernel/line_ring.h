// SPDX-License-Identifier: BSD-2-Clause
/*
 * Lines that wait: events for the console, the console's lines for an app. Bytes in a ring that the owner
 * supplies; lines go in whole and come out one at a time, in pieces if the reader has little room. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct line_ring {
    char *bytes;
    uint32_t size; /* a power of two */
    uint32_t head, tail;
};

static inline bool line_ring_is_empty(const struct line_ring *ring)
{
    return ring->head == ring->tail;
}

/* Add a line that ends with a newline, if it fits and `keep` bytes stay free. False: it does not, and nothing
 * has changed. */
bool line_ring_put(struct line_ring *ring, const char *line, size_t len, size_t keep);

/* Take up to `max` bytes, but not past the end of the first line. How many; 0: it is empty. */
size_t line_ring_take(struct line_ring *ring, char *out, size_t max);
