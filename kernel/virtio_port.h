// SPDX-License-Identifier: BSD-2-Clause
/*
 * One virtio device that was found, whatever bus it is on: opening picks the transport, and the way
 * its interrupts come. A driver asks nobody else about buses.
 *
 *     virtio_port_open(port);                      // port->transport works; the device was reset
 *     virtio_port_irq_open(port, on_interrupt, NULL);
 *     ... attach the driver to &port->transport ...
 *     virtio_port_irq_start(port);                 // from here on on_interrupt() is called
 *     ...
 *     virtio_port_close(port);                     // interrupts too; may be opened again
 *
 * Context: task level, but the handler.
 */
#pragma once

#include "drivers/bus/pci.h"
#include "drivers/virtio/transport/pci_modern.h"

/* Where a device was found. */
struct virtio_place {
    struct pci_dev pci;
};

enum virtio_port_irq {
    VIRTIO_PORT_POLL, /* none: the driver looks for itself */
    VIRTIO_PORT_INTX,
};

/* Level isr. `causes`: what a message told (enum virtio_isr); 0: a line rose, the device must be
 * asked. True: it was ours. */
typedef bool virtio_port_irq_fn(void *ctx, uint8_t causes);

#define VIRTIO_PORT_NAME_MAX 24

struct virtio_port {
    struct virtio_place place;
    char name[VIRTIO_PORT_NAME_MAX]; /* "00:03.0" */
    bool is_open;
    struct virtio_transport transport; /* while it is open */
    struct pci_modern modern;

    enum virtio_port_irq irq;
    virtio_port_irq_fn *on_irq;
    void *irq_ctx;
    int line; /* attached; -1: none */
};

/* Make a closed port of a place. Does not touch the device. */
void virtio_port_init(struct virtio_port *port, const struct virtio_place *place);

/* Pick the transport, map its windows, reset the device. 0; -ENODEV: no transport of ours fits;
 * -EPROTO: the device lies about its windows; -ENOMEM. */
int virtio_port_open(struct virtio_port *port);

/* Interrupts off, windows gone. No effect on a closed port. */
void virtio_port_close(struct virtio_port *port);

/* Pick how interrupts come, before the driver attaches; port->irq says it. The handler is not called
 * before virtio_port_irq_start(), which may find that there is no way but polling (port->irq). */
void virtio_port_irq_open(struct virtio_port *port, virtio_port_irq_fn *on_irq,
                          void *ctx);
void virtio_port_irq_start(struct virtio_port *port);

/* "intx": the word of the events. */
const char *virtio_port_irq_name(const struct virtio_port *port);

/* The device was torn out: from here on its transport is one of a device that was reset and stays so
 * (drivers/virtio/transport/gone.h), and its registers are left alone. Interrupts are off. */
void virtio_port_lose(struct virtio_port *port);
