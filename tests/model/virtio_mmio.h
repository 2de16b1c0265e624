// SPDX-License-Identifier: BSD-2-Clause
/*
 * The registers of a virtio model in an MMIO window, version 2 or the legacy version 1, behind a struct
 * reg_space that has this window and nothing else. Wrong widths, wrong orders, registers of the other
 * version are noted as the model's misuse.
 */
#pragma once

#include "hal/reg_io.h"
#include "tests/model/virtio_dev.h"

#define VIRTIO_MMIO_MODEL_ADDR  UINT64_C(0xFEB02E00)
#define VIRTIO_MMIO_MODEL_BYTES 0x200u

/* Beside those of the device. All off: it obeys. */
struct virtio_mmio_lies {
    bool queue_is_on;   /* QueueReady and QueuePFN read as set from the start */
    bool queue_is_off;  /* they never read back */
    uint32_t extra_irq; /* bits of InterruptStatus that mean nothing */
};

struct virtio_mmio_model {
    struct reg_space space; /* ctx is this object */
    struct virtio_model *dev;
    uint32_t magic, version, device_id; /* as they read: a test may change them */
    uint64_t size_bytes;
    struct virtio_mmio_lies lies;
    uint32_t device_features_sel, driver_features_sel, queue_sel;
    uint32_t page_size, queue_align; /* legacy */
    unsigned live_maps;
    bool map_fails;
};

/* `version` 1 makes the device a legacy one. */
void virtio_mmio_model_init(struct virtio_mmio_model *p, struct virtio_model *dev,
                            uint32_t version);
