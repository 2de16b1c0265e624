// SPDX-License-Identifier: BSD-2-Clause
/*
 * The transport seam: what virtio needs of a bus, virtio 1.3, 2 and 4. One table per kind of
 * transport, every operation mandatory; quirks of a kind stay inside its file, so nobody ever asks
 * which one it is. A legacy transport emulates what it lacks: FEATURES_OK reads back as written,
 * config_generation() as a constant; what it asks of others stands in the properties below.
 *
 * Values come from an untrusted device and are handed on unchecked: device.c and the rings check.
 * Context: the driver's task; isr_ack() also from the ISR.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PCI_VENDOR_VIRTIO 0x1AF4

/* virtio 1.3, 2.1: device status bits. */
enum virtio_status {
    VIRTIO_STATUS_ACKNOWLEDGE = 1,
    VIRTIO_STATUS_DRIVER = 2,
    VIRTIO_STATUS_DRIVER_OK = 4,
    VIRTIO_STATUS_FEATURES_OK = 8,
    VIRTIO_STATUS_NEEDS_RESET = 64,
    VIRTIO_STATUS_FAILED = 128,
};

/* Causes of an interrupt, bits of the ISR byte (R-T-17). */
enum virtio_isr {
    VIRTIO_ISR_QUEUE = 1,
    VIRTIO_ISR_CONFIG = 2,
};

/* Reads back where a device has no vector for an event, or has no vectors at all (R-T-16). */
#define VIRTIO_NO_VECTOR 0xFFFF

/* Where a queue's three areas lie, as the device sees them. Split: descriptors, available, used;
 * packed: descriptors, driver events, device events. */
struct virtio_queue_areas {
    uint16_t size; /* entries */
    uint64_t desc_addr, driver_addr, device_addr;
};

struct virtio_transport {
    const char *name; /* "pci-modern" */
    void *ctx;        /* passed back untouched */

    /* Bits that the driver must accept here, R-T-05: VERSION_1, or none on a legacy transport. */
    uint64_t required_features;
    /* Bits that are accepted where offered, whatever the driver is: ANY_LAYOUT on a legacy one. */
    uint64_t optional_features;

    /* Not 0, legacy: a split ring is one block aligned to this, its used ring begins at a multiple of it
     * (R-T-19). Always a power of two. */
    uint32_t ring_align;
    uint32_t config_bytes; /* of the device configuration that can be reached */
    bool has_fixed_sizes; /* queues have the size queue_max() says, no smaller one */
    bool
        has_generation; /* config_generation() means something; else read twice, R-T-09 */

    /* Write 0 to the status. Reset is complete when status_get() reads 0, R-T-02. */
    void (*reset)(void *ctx);
    uint8_t (*status_get)(void *ctx);
    void (*status_set)(void *ctx, uint8_t status); /* never 0 */

    /* All 64 bits, R-T-08. */
    uint64_t (*features_get)(void *ctx);
    void (*features_set)(void *ctx, uint64_t features);

    /* Device configuration, one aligned access of width 1, 2 or 4. Outside: reads are all-ones,
     * writes are dropped. */
    uint32_t (*config_read)(void *ctx, uint32_t offset, unsigned width);
    void (*config_write)(void *ctx, uint32_t offset, unsigned width, uint32_t value);
    uint32_t (*config_generation)(void *ctx);

    uint32_t (*queue_max)(void *ctx, uint16_t index); /* 0: no such queue */
    /* Tell the device where the queue is and enable it. 0; -EBUSY: enabled already; -EPROTO: the
     * device does not take it or its doorbell lies outside the window. */
    int (*queue_setup)(void *ctx, uint16_t index, const struct virtio_queue_areas *areas);
    /* Forget the queue: notify() does nothing from here on. Only after a completed reset. */
    void (*queue_disable)(void *ctx, uint16_t index);

    void (*notify)(void *ctx, uint16_t index);

    /* Send the configuration changes, or the completions of queue `index`, to this entry of the MSI-X
     * table, until the next reset. Between reset and DRIVER_OK, with MSI-X enabled; queues before their
     * set-up. Return what reads back: `vector`, or VIRTIO_NO_VECTOR when the device cannot. */
    uint16_t (*config_vector)(void *ctx, uint16_t vector);
    uint16_t (*queue_vector)(void *ctx, uint16_t index, uint16_t vector);

    /* Read and acknowledge the causes (enum virtio_isr); drops the line. 0: not ours. Not while
     * vectors are used. */
    uint8_t (*isr_ack)(void *ctx);
};
