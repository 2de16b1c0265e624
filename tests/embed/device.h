// SPDX-License-Identifier: BSD-2-Clause
/*
 * A toy balloon device behind struct virtio_transport: what stands there on a machine is
 * drivers/virtio/transport/. It reads the rings in the firmware's RAM and keeps count.
 */
#pragma once

#include "drivers/virtio/transport/transport.h"
#include "tests/embed/hal.h"

struct toy_queue {
    struct virtio_queue_areas areas;
    bool is_enabled;
    uint16_t seen;
};

struct toy_device {
    struct virtio_transport transport;
    struct firmware *fw;
    uint8_t status, isr;
    uint32_t target, actual;
    struct toy_queue queues[2];
    uint8_t inflated[RAM_FRAMES];
    uint64_t size;
    unsigned errors; /* frames told twice, or not ours */
};

void toy_init(struct toy_device *toy, struct firmware *fw);

/* The host wants the guest to give `pages` up. */
void toy_set_target(struct toy_device *toy, uint32_t pages);
