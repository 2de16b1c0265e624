// SPDX-License-Identifier: BSD-2-Clause
/* Picks transport and interrupt of one device; what each of them is stands in drivers/ and irq.c. */
#include "kernel/virtio_port.h"
#include "kernel/format.h"
#include "kernel/irq.h"
#include "kernel/log.h"
#include "kernel/x86/mmio.h"

#include "base/err.h"
#include "drivers/virtio/transport/gone.h"

void virtio_port_init(struct virtio_port *port, const struct virtio_place *place)
{
    const struct pci_dev *pci = &place->pci;

    *port = (struct virtio_port){.place = *place, .line = -1};
    format_s(port->name, sizeof(port->name), "%02x:%02x.%u", pci->bus, pci->slot,
             pci->fn);
}

int virtio_port_open(struct virtio_port *port)
{
    int err = pci_modern_open(&port->modern, &port->place.pci);

    if (err)
        return err;
    port->transport = port->modern.transport;
    port->is_open = true;
    return 0;
}

static bool on_line(void *ctx)
{
    struct virtio_port *port = ctx;

    return port->on_irq(port->irq_ctx, 0);
}

static void close_irq(struct virtio_port *port)
{
    if (port->line >= 0)
        irq_detach((uint32_t)port->line, on_line, port);
    port->line = -1;
    port->irq = VIRTIO_PORT_POLL;
}

void virtio_port_close(struct virtio_port *port)
{
    if (!port->is_open)
        return;
    close_irq(port);
    pci_modern_close(&port->modern);
    port->is_open = false;
}

void virtio_port_irq_open(struct virtio_port *port, virtio_port_irq_fn *on_irq, void *ctx)
{
    port->on_irq = on_irq;
    port->irq_ctx = ctx;
    port->irq = irq_is_polled() ? VIRTIO_PORT_POLL : VIRTIO_PORT_INTX;
}

/* Only where the firmware routed a line. */
static int start_line(struct virtio_port *port)
{
    int line = pci_intx_line(&port->place.pci);
    int err = line < 0 ? line : irq_attach((uint32_t)line, on_line, port);

    if (!err)
        port->line = line;
    return err;
}

void virtio_port_irq_start(struct virtio_port *port)
{
    int err = port->irq == VIRTIO_PORT_INTX ? start_line(port) : -ENOTSUP;

    if (err) {
        log_info("virtio: %s: no interrupt (%s), polling", port->name, err_name(err));
        port->irq = VIRTIO_PORT_POLL;
    }
}

const char *virtio_port_irq_name(const struct virtio_port *port)
{
    static const char *const names[] = {
        [VIRTIO_PORT_POLL] = "poll", [VIRTIO_PORT_INTX] = "intx"};

    return names[port->irq];
}

void virtio_port_lose(struct virtio_port *port)
{
    /* What closing writes to the command register might else meet another device in the same slot. */
    static struct pci_host nowhere = {.cfg = {.space = &machine_reg_space}};

    close_irq(port);
    port->transport = virtio_transport_gone;
    port->modern.pci.host = &nowhere;
}
