// SPDX-License-Identifier: BSD-2-Clause
/* Steps in the life of a virtio device on the model, as the tests of device.c take them. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "tests/model/virtio_rig.h"

#define WANTED (BIT64(1) | BIT64(VIRTIO_F_INDIRECT_DESC) | BIT64(VIRTIO_F_EVENT_IDX))

static const struct virtio_queue_opts plain;

static inline void echo(void *ctx, struct virtio_model *m, uint16_t index)
{
    struct virtio_chain chain;

    (void)ctx;
    while (virtio_model_pop(m, index, &chain))
        virtio_model_push(m, index, chain.head, 0);
}

static inline void start(struct virtio_rig *r, uint64_t features)
{
    rig_init(r, features);
    r->model.process = echo;
    assert_int_equal(rig_open(r), 0);
}

static inline void go_live(struct virtio_rig *r)
{
    assert_int_equal(rig_negotiate(r, WANTED, 3, &plain), 0);
    assert_int_equal(virtio_driver_ok(&r->dev), 0);
}

/* Everything was given back and the driver made no mistake on the way. */
static inline void finish(struct virtio_rig *r)
{
    if (r->model.misuse)
        print_message("misuse: %s\n", r->model.complaint);
    assert_int_equal(r->model.misuse, 0);
    assert_int_equal(rig_end(r), 0);
}
