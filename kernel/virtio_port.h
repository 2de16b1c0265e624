// SPDX-License-Identifier: BSD-2-Clause
/*
 * One virtio device that was found, whatever bus it is on: opening picks the transport, and the way
 * its interrupts come. A driver asks nobody else about buses.
 *
 *     virtio_port_start(port, on_interrupt, attach);  // attach() the driver to &port->transport
 *     ...
 *     virtio_port_close(port);                        // interrupts too; may be started again
 *
 * Interrupts are the best that work: MSI-X with a vector for configuration changes and one for all
 * queues, MSI-X with one for both, the line, polling (R-T-15 to R-T-18). Each step down is logged.
 *
 * Context: task level, but the handler.
 */
#pragma once

#include "kernel/irq.h"
#include "kernel/virtio_find.h"

#include "drivers/bus/msix.h"
#include "drivers/virtio/device.h"
#include "drivers/virtio/transport/mmio.h"
#include "drivers/virtio/transport/pci_legacy.h"
#include "drivers/virtio/transport/pci_modern.h"

enum virtio_port_irq {
    VIRTIO_PORT_POLL, /* none: the driver looks for itself */
    VIRTIO_PORT_INTX,
    VIRTIO_PORT_GSI, /* the line of a device on no bus */
    VIRTIO_PORT_MSIX,
    VIRTIO_PORT_MSIX_SHARED, /* one vector for everything */
};

/* Level isr. `causes`: what a message told (enum virtio_isr); 0: a line rose, the device must be
 * asked. True: it was ours. */
typedef bool virtio_port_irq_fn(void *ctx, uint8_t causes);

#define VIRTIO_PORT_NAME_MAX 32
#define VIRTIO_PORT_VECTORS  7 /* changes, and a console's six queues */

struct virtio_port {
    struct virtio_place place;
    char name[VIRTIO_PORT_NAME_MAX]; /* "00:03.0", "mmio 0xfeb00e00" */

    const struct virtio_way *way;      /* NULL: closed */
    struct virtio_transport transport; /* while it is open */
    union {
        struct pci_modern modern;
        struct pci_legacy legacy;
        struct virtio_mmio mmio;
    } bus;

    enum virtio_port_irq irq;
    struct virtio_vectors vectors; /* what the driver shall map */
    virtio_port_irq_fn *on_irq;
    void *irq_ctx;
    bool is_started; /* the handler may be called; read by the ISR */
    int line;        /* attached; -1: none */
    struct msix msix;
    struct virtio_port_vector {
        struct virtio_port *port; /* NULL: not open */
        uint8_t causes;           /* enum virtio_isr */
        struct irq_message message;
    } vector[VIRTIO_PORT_VECTORS];
};

/* Make a closed port of a place. Does not touch the device. */
void virtio_port_init(struct virtio_port *port, const struct virtio_place *place);

/* Pick the transport, map its windows, reset the device. 0; -ENODEV: no transport of ours fits;
 * -EPROTO: the device lies about its windows; -ENOTSUP: a version nobody knows; -ENOMEM. */
int virtio_port_open(struct virtio_port *port);

/* Interrupts off, windows gone. No effect on a closed port. */
void virtio_port_close(struct virtio_port *port);

/* Pick how interrupts come, before the driver attaches: port->irq and port->vectors. The handler is not
 * called before virtio_port_irq_start(), which may find that there is no way but polling. */
void virtio_port_irq_open(struct virtio_port *port, virtio_port_irq_fn *on_irq,
                          void *ctx);
void virtio_port_irq_start(struct virtio_port *port);

/* The device does not take the vectors: go on without. True: attach again; false: that is not why. */
bool virtio_port_irq_fall_back(struct virtio_port *port);

/* Attach the driver, which maps port->vectors; -ENOSPC: the device does not take them. */
typedef int virtio_port_attach_fn(struct virtio_port *port);

/* All of the above: open, attach with the best kind of interrupt that the device takes, let interrupts come.
 * Where port->irq is VIRTIO_PORT_POLL afterwards the driver must look for itself. 0; on an error of opening
 * or attaching the port is closed. */
int virtio_port_start(struct virtio_port *port, virtio_port_irq_fn *on_irq,
                      virtio_port_attach_fn *attach);

/* "msix": the word of the events. */
const char *virtio_port_irq_name(const struct virtio_port *port);

/* The device was torn out: from here on its transport is one of a device that was reset and stays so
 * (drivers/virtio/transport/gone.h), and its registers are left alone. Interrupts are off. */
void virtio_port_lose(struct virtio_port *port);
