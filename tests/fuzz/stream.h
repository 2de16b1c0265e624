// SPDX-License-Identifier: BSD-2-Clause
/* The fuzzer's bytes as a stream of little-endian numbers; zeros after its end. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream {
    const uint8_t *data;
    size_t left;
};

static inline uint8_t take8(struct stream *s)
{
    if (s->left == 0)
        return 0;
    s->left--;
    return *s->data++;
}

static inline uint16_t take16(struct stream *s)
{
    uint16_t low = take8(s);

    return (uint16_t)(low | take8(s) << 8);
}

static inline uint32_t take32(struct stream *s)
{
    uint32_t low = take16(s);

    return low | (uint32_t)take16(s) << 16;
}

static inline uint64_t take64(struct stream *s)
{
    uint64_t low = take32(s);

    return low | (uint64_t)take32(s) << 32;
}

/* libFuzzer's entry, one per program; tests/fuzz/replay.c calls it too. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
