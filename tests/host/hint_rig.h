// SPDX-License-Identifier: BSD-2-Clause
/* A guest of a few blocks whose host asks for hints: what the tests of free page hints start from. */
#pragma once

#include "base/err.h"
#include "drivers/virtio/balloon_internal.h"
#include "tests/model/balloon_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HINT     BIT64(VIRTIO_BALLOON_F_FREE_PAGE_HINT)
#define OOM      BIT64(VIRTIO_BALLOON_F_DEFLATE_ON_OOM)
#define FIRST_ID 0x80000001u
#define STOP     0
#define DONE     1
#define BLOCKS   40 /* of the guest */
#define OFFERED \
    (BLOCKS - 1) /* one stays, so that nobody is short while they are out of reach */
#define A_WHILE (100 * NS_PER_MS)

static struct balloon_rig r;

static inline void start(uint64_t features)
{
    balloon_rig_init(&r, BALLOON_FEATURES | HINT | features, BLOCKS * BLOCK_FRAMES);
    assert_int_equal(balloon_rig_attach(&r), 0);
    balloon_rig_settle(&r);
}

static inline void ask(uint32_t id)
{
    balloon_rig_ask_hints(&r, id);
    balloon_rig_run(&r, A_WHILE);
    balloon_rig_check(&r);
}

/* The host has taken the start word, and nothing else so far. */
static inline void ask_slowly(void)
{
    r.host.is_hint_slow = true;
    ask(FIRST_ID);
    balloon_rig_answer_hints(&r, 1);
    balloon_rig_run(&r, A_WHILE);
    balloon_rig_check(&r);
}

static inline void expect_words(unsigned count, const uint32_t *words)
{
    assert_int_equal(r.host.hint_count, count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(r.host.hint_words[i], words[i]);
}

static inline uint64_t hinted_blocks(void)
{
    return balloon_rig_status(&r).hinted_frames / BLOCK_FRAMES;
}

/* The queue has `size` entries. */
static inline void start_small(uint16_t size)
{
    balloon_rig_init(&r, BALLOON_FEATURES | HINT, BLOCKS * BLOCK_FRAMES);
    r.v.model.queues[3].max = r.v.model.queues[3].size = size;
    assert_int_equal(balloon_rig_attach(&r), 0);
    balloon_rig_settle(&r);
}
