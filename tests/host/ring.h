// SPDX-License-Identifier: BSD-2-Clause
/* One live queue of a few entries on the device model: what the tests of the rings start from. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "tests/model/virtio_rig.h"

#define SIZE 8u
#define BUF  4096u

#define WITH_EVENT    (BIT64(VIRTIO_F_VERSION_1) | BIT64(VIRTIO_F_EVENT_IDX))
#define WITHOUT_EVENT BIT64(VIRTIO_F_VERSION_1)
#define WITH_INDIRECT (WITHOUT_EVENT | BIT64(VIRTIO_F_INDIRECT_DESC))
#define PACKED        BIT64(VIRTIO_F_RING_PACKED)
#define IN_ORDER      BIT64(VIRTIO_F_IN_ORDER)

/* One live queue of SIZE entries and a buffer to carve pieces from. */
struct ring {
    struct virtio_rig rig;
    struct vq *q;
    struct dma_mem buf;
    int tokens[64];
};

/* A device with a queue of `size`, all of which is used. */
static inline void ring_start_sized(struct ring *t, uint64_t features, uint16_t size)
{
    const struct virtio_queue_opts opts = {
        .max_size = size, .indirect_max = 4, .tables = 2};

    memset(t, 0, sizeof(*t));
    rig_init(&t->rig, features);
    if (size > t->rig.model.queues[0].max || (size & (size - 1)) != 0)
        t->rig.model.queues[0].max = t->rig.model.queues[0].size = size;
    assert_int_equal(rig_open(&t->rig), 0);
    assert_int_equal(rig_negotiate(&t->rig, features, 1, &opts), 0);
    assert_int_equal(virtio_driver_ok(&t->rig.dev), 0);
    assert_int_equal(t->rig.hal.hal.dma_alloc(&t->rig.hal, BUF, &t->buf), 0);
    t->q = t->rig.dev.queues[0];
    assert_int_equal(vq_size(t->q), size);
}

static inline void ring_start(struct ring *t, uint64_t features)
{
    ring_start_sized(t, features, SIZE);
}

static inline void ring_end(struct ring *t)
{
    if (t->rig.model.misuse)
        print_message("misuse: %s\n", t->rig.model.complaint);
    assert_int_equal(t->rig.model.misuse, 0);
    t->rig.hal.hal.dma_free(&t->rig.hal, &t->buf);
    assert_int_equal(rig_end(&t->rig), 0);
}

/* Add a buffer of n_out + n_in pieces of 16 bytes; its token is &tokens[id]. */
static inline int add(struct ring *t, unsigned id, unsigned n_out, unsigned n_in)
{
    struct vq_seg segs[32];

    for (unsigned i = 0; i < n_out + n_in; i++)
        segs[i] = (struct vq_seg){.addr = t->buf.addr + 16 * i, .len = 16};
    return vq_add(t->q, segs, n_out, n_in, &t->tokens[id]);
}

static inline int pop(struct ring *t, unsigned *id, uint32_t *written)
{
    void *token = NULL;
    int err = vq_pop(t->q, &token, written);

    if (!err)
        *id = (unsigned)((int *)token - t->tokens);
    return err;
}

/* The queue is broken for good, by exactly this counter. Ends the ring. */
static inline void expect_broken(struct ring *t, const uint64_t *counter)
{
    const struct vq_errors *e = vq_errors(t->q);
    uint32_t written;
    unsigned id;

    assert_int_equal(pop(t, &id, &written), -EPROTO);
    assert_int_equal(*counter, 1);
    assert_int_equal(vq_lies(t->q) - e->len_clamped - e->event_nonsense, 1);
    assert_true(vq_is_broken(t->q));
    assert_int_equal(t->rig.hal.log_lines[LOG_ERROR], 1);

    assert_int_equal(pop(t, &id, &written), -EPROTO);
    assert_int_equal(add(t, 5, 1, 0), -EPROTO);
    assert_false(vq_kick(t->q));
    assert_true(vq_has_used(t->q));
    assert_int_equal(*counter, 1); /* counted and logged once */
    assert_int_equal(t->rig.hal.log_lines[LOG_ERROR], 1);
    assert_int_equal(virtio_poll_status(&t->rig.dev), -EPROTO);
    ring_end(t);
}

/* Two buffers are with the device, the heads 3 and 2, the second one a chain. Heads 0 and 1 were used before.
 * Split: the chain is 2 -> 1. Packed: 3 is in place 4, 2 in places 5 and 6. */
static inline void ring_with_history(struct ring *t, uint64_t features)
{
    struct virtio_chain chain;
    uint32_t written;
    unsigned id;

    ring_start(t, features);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(add(t, i, 1, 0), 0);
    while (virtio_model_pop(&t->rig.model, 0, &chain))
        virtio_model_push(&t->rig.model, 0, chain.head, 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pop(t, &id, &written), 0);
    /* Freed last, taken first. */
    assert_int_equal(add(t, 0, 1, 0), 0);
    assert_int_equal(add(t, 1, 1, 1), 0);
    assert_true(virtio_model_pop(&t->rig.model, 0, &chain));
    assert_int_equal(chain.head, 3);
    assert_true(virtio_model_pop(&t->rig.model, 0, &chain));
    assert_int_equal(chain.head, 2);
    assert_int_equal(pop(t, &id, &written), -EAGAIN);
}
