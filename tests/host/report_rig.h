// SPDX-License-Identifier: BSD-2-Clause
/* A guest whose host takes reports of free memory: what the tests of free page reporting start from. */
#pragma once

#include "base/err.h"
#include "tests/model/balloon_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define DELAY_NS (10 * NS_PER_MS)
#define FRAMES   16384u
#define BLOCKS   (FRAMES / BLOCK_FRAMES)

static struct balloon_rig r;

static inline void init(uint64_t extra, uint64_t delay_ns, unsigned order)
{
    balloon_rig_init(&r, BALLOON_FEATURES | BIT64(VIRTIO_BALLOON_F_REPORTING) | extra,
                     FRAMES);
    r.opts.early_return = true;
    r.opts.report_delay_ns = delay_ns;
    r.opts.report_order = r.host.report_order = order;
    r.guest.watches_pieces = order < BLOCK_ORDER;
    r.host.request_ns = 10 * NS_PER_US;
}

static inline void attach(void)
{
    assert_int_equal(balloon_rig_attach(&r), 0);
    balloon_rig_settle(&r);
}

static inline void start_with(uint64_t extra, uint64_t delay_ns)
{
    init(extra, delay_ns, BLOCK_ORDER);
    attach();
}

static inline void start(void)
{
    start_with(0, DELAY_NS);
}

/* The guest frees what it uses, and says so. */
static inline void free_frames(uint64_t frames)
{
    guest_unuse(&r.guest, frames);
    virtio_balloon_memory_freed(r.vb);
}

static inline void touch(uint64_t frames)
{
    guest_use(&r.guest, frames);
    free_frames(frames);
}

/* As if it had not been reported before. */
static inline void touch_other(uint64_t frames)
{
    uint64_t cold = r.guest.cold;

    guest_use(&r.guest, frames);
    r.guest.cold = cold;
    free_frames(frames);
}

static inline uint64_t reported_blocks(void)
{
    return balloon_rig_status(&r).freed_frames / BLOCK_FRAMES;
}

static inline uint64_t touched_frames(void)
{
    uint64_t count = 0;

    for (uint64_t i = 0; i < r.guest.count; i++)
        count += r.guest.owner[i] == FRAME_FREE && r.guest.touched[i];
    return count;
}
