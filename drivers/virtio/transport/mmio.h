// SPDX-License-Identifier: BSD-2-Clause
/*
 * virtio over MMIO, virtio 1.3, 4.2 (R-T-20, R-T-21), both versions of the register layout: 2, and the
 * legacy 1 that QEMU still makes by default (R-T-22). No bus finds these devices: drivers/bus/mmio.h
 * tells where to look, virtio_mmio_open() whether something is there. One object per device, owned by
 * the driver's task.
 *
 *     struct virtio_mmio vm;
 *     virtio_mmio_open(&vm, space, addr, size);   // 0: vm.device_id says what it is
 *     virtio_init(&dev, &vm.transport, hal, "balloon");
 *     ...
 *     virtio_mmio_close(&vm);                     // after virtio_reset() and virtio_fini()
 */
#pragma once

#include "drivers/virtio/transport/legacy.h"
#include "hal/reg_io.h"

#define VIRTIO_MMIO_MIN_BYTES \
    0x104u /* registers and the first word of the configuration */

struct virtio_mmio_id {
    uint32_t version; /* 1: legacy, 2 */
    uint32_t device;  /* virtio 1.3, 5; 0: an empty slot */
    uint32_t vendor;
};

struct virtio_mmio_errors {
    uint64_t queue_busy;    /* a queue was on before its set-up, R-T-20 */
    uint64_t queue_refused; /* its ready bit or page number does not read back */
    uint64_t queue_address; /* legacy: the ring's page number does not fit 32 bits */
};

struct virtio_mmio {
    struct virtio_transport transport; /* ctx is this object */
    const struct reg_space *space;
    struct reg_io regs;
    struct virtio_mmio_id id;
    struct legacy_status status; /* version 1 */
    uint32_t queues_on; /* a bit per queue that was set up: its doorbell may ring */
    struct virtio_mmio_errors errors;
};

/* What is behind this window of at least VIRTIO_MMIO_MIN_BYTES. Reads only. 0: a device, *out is
 * complete; -ENODEV: none, or an empty slot (not an error: say nothing); -ENOTSUP: a virtio device of a
 * version that nobody knows (*out is complete). */
int virtio_mmio_probe(const struct reg_io *regs, struct virtio_mmio_id *out);

/* Map the window, look what it is, write status 0 (its completion is the matter of virtio_reset()). 0,
 * the error of the probe, -EINVAL: the window is too small or not aligned to 4, or -ENOMEM: not
 * mapped. On failure nothing stays mapped; after -ENOTSUP `id` tells what was found. */
int virtio_mmio_open(struct virtio_mmio *vm, const struct reg_space *space, paddr_t addr,
                     uint64_t size_bytes);
void virtio_mmio_close(struct virtio_mmio *vm);
