// SPDX-License-Identifier: BSD-2-Clause
/*
 * The units everything is counted in. A frame is 4 KiB, a block is 2 MiB, as in the hardware.
 * Frame numbers are a struct, so that a byte address cannot pass for one.
 */
#pragma once

#include <stdint.h>

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define FRAME_SHIFT  12
#define FRAME_SIZE   (UINT64_C(1) << FRAME_SHIFT)
#define BLOCK_SHIFT  21
#define BLOCK_SIZE   (UINT64_C(1) << BLOCK_SHIFT)
#define BLOCK_ORDER  (BLOCK_SHIFT - FRAME_SHIFT) /* 9: a block is 2^9 frames */
#define BLOCK_FRAMES (1u << BLOCK_ORDER)

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

/* A guest-physical byte address. */
typedef uint64_t paddr_t;

/* A guest-physical frame number: address >> FRAME_SHIFT. */
typedef struct {
    uint64_t n;
} pfn_t;

static inline pfn_t pfn_of(uint64_t n)
{
    return (pfn_t){n};
}

static inline pfn_t pfn_from_paddr(paddr_t addr)
{
    return (pfn_t){addr >> FRAME_SHIFT};
}

static inline paddr_t pfn_to_paddr(pfn_t pfn)
{
    return pfn.n << FRAME_SHIFT;
}

static inline pfn_t pfn_add(pfn_t pfn, uint64_t frames)
{
    return (pfn_t){pfn.n + frames};
}

/* Frames in bytes. A host may name more of them than have bytes in 64 bits: then it is the most there are. */
static inline uint64_t bytes_of_frames(uint64_t frames)
{
    return frames > UINT64_MAX >> FRAME_SHIFT ? UINT64_MAX : frames << FRAME_SHIFT;
}
