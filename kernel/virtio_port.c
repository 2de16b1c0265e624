// SPDX-License-Identifier: BSD-2-Clause
/* Picks transport and interrupt of one device; what each of them is stands in drivers/ and irq.c. */
#include "kernel/virtio_port.h"
#include "kernel/config.h"
#include "kernel/format.h"
#include "kernel/log.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/mmio.h"

#include "base/err.h"
#include "drivers/virtio/transport/gone.h"

/* ---- ways to the registers ---- */

struct virtio_way {
    int (*open)(struct virtio_port *port); /* fills port->transport */
    void (*close)(struct virtio_port *port);
};

static int open_modern(struct virtio_port *port)
{
    int err = pci_modern_open(&port->bus.modern, &port->place.pci);

    port->transport = port->bus.modern.transport;
    return err;
}

static void close_modern(struct virtio_port *port)
{
    pci_modern_close(&port->bus.modern);
}

static int open_legacy(struct virtio_port *port)
{
    int err = pci_legacy_open(&port->bus.legacy, &port->place.pci);

    port->transport = port->bus.legacy.transport;
    return err;
}

static void close_legacy(struct virtio_port *port)
{
    pci_legacy_close(&port->bus.legacy);
}

static int open_mmio(struct virtio_port *port)
{
    const struct mmio_dev *mmio = &port->place.mmio;
    int err = virtio_mmio_open(&port->bus.mmio, &machine_reg_space, mmio->addr,
                               mmio->size_bytes);

    port->transport = port->bus.mmio.transport;
    return err;
}

static void close_mmio(struct virtio_port *port)
{
    virtio_mmio_close(&port->bus.mmio);
}

static const struct virtio_way way_modern = {open_modern, close_modern};
static const struct virtio_way way_legacy = {open_legacy, close_legacy};
static const struct virtio_way way_mmio = {open_mmio, close_mmio};

void virtio_port_init(struct virtio_port *port, const struct virtio_place *place)
{
    const struct pci_dev *pci = &place->pci;

    *port = (struct virtio_port){.place = *place, .line = -1};
    if (place->is_mmio)
        format_s(port->name, sizeof(port->name), "mmio 0x%llx",
                 (unsigned long long)place->mmio.addr);
    else
        format_s(port->name, sizeof(port->name), "%02x:%02x.%u", pci->bus, pci->slot,
                 pci->fn);
}

static int open_way(struct virtio_port *port, const struct virtio_way *way)
{
    int err = way->open(port);

    if (!err)
        port->way = way;
    return err;
}

int virtio_port_open(struct virtio_port *port)
{
    bool is_legacy_first = config_is("virtio.transport", "legacy");

    if (port->place.is_mmio)
        return open_way(port, &way_mmio);

    int err = open_way(port, is_legacy_first ? &way_legacy : &way_modern);
    /* What the second says counts only if it is there. */
    int second = err ? open_way(port, is_legacy_first ? &way_modern : &way_legacy) : 0;
    return second == -ENODEV ? err : second;
}

/* ---- interrupts ---- */

static bool on_line(void *ctx)
{
    struct virtio_port *port = ctx;

    return port->on_irq(port->irq_ctx, 0);
}

/* A host need not heed a mask: what comes while there is no driver is nobody's. */
static bool on_message(void *ctx)
{
    const struct virtio_port_vector *vector = ctx;
    const struct virtio_port *port = vector->port;

    return port->is_started && port->on_irq(port->irq_ctx, vector->causes);
}

static void close_vectors(struct virtio_port *port)
{
    msix_close(&port->msix);
    for (unsigned i = 0; i < VIRTIO_PORT_VECTORS; i++) {
        if (port->vector[i].port)
            irq_message_close(&port->vector[i].message);
        port->vector[i].port = NULL;
    }
    port->vectors = (struct virtio_vectors){0};
}

static void close_irq(struct virtio_port *port)
{
    port->is_started = false;
    if (port->line >= 0)
        irq_detach((uint32_t)port->line, on_line, port);
    port->line = -1;
    close_vectors(port);
    port->irq = VIRTIO_PORT_POLL;
}

/* Entry `index` gets a vector of its own and is masked again. */
static int open_vector(struct virtio_port *port, unsigned index, uint8_t causes)
{
    struct virtio_port_vector *vector = &port->vector[index];

    /* Whole before the handler is there: the host may send any vector. */
    *vector = (struct virtio_port_vector){.port = port, .causes = causes};
    int err = irq_message_open(on_message, vector, &vector->message);
    if (err) {
        vector->port = NULL;
        return err;
    }
    err = msix_set(&port->msix, index, vector->message.addr, vector->message.data);
    msix_mask(&port->msix, index);
    return err;
}

/* The first entry is for changes; each queue has one of the others, or all of them this one. */
static int open_vectors(struct virtio_port *port, unsigned for_queues)
{
    int err =
        open_vector(port, 0, VIRTIO_ISR_CONFIG | (for_queues ? 0 : VIRTIO_ISR_QUEUE));

    for (unsigned i = 1; i <= for_queues && !err; i++)
        err = open_vector(port, i, VIRTIO_ISR_QUEUE);
    if (!err)
        err = msix_enable(&port->msix);
    port->vectors = (struct virtio_vectors){
        .is_msix = true, .queues = for_queues > 0, .spread = (uint16_t)for_queues};
    return err;
}

/* R-T-16. */
static int open_msix(struct virtio_port *port)
{
    int err = msix_open(&port->msix, &port->place.pci);

    if (err)
        return err;
    unsigned for_queues =
        (unsigned)min_u64(port->msix.entries - 1u, VIRTIO_PORT_VECTORS - 1);
    err = open_vectors(port, for_queues);
    if (err)
        close_vectors(port);
    else
        port->irq = for_queues ? VIRTIO_PORT_MSIX : VIRTIO_PORT_MSIX_SHARED;
    return err;
}

void virtio_port_irq_open(struct virtio_port *port, virtio_port_irq_fn *on_irq, void *ctx)
{
    port->on_irq = on_irq;
    port->irq_ctx = ctx;
    port->irq = port->place.is_mmio ? VIRTIO_PORT_GSI : VIRTIO_PORT_INTX;
    if (irq_is_polled())
        port->irq = VIRTIO_PORT_POLL;
    if (port->place.is_mmio || !irq_has_messages())
        return;
    int err = open_msix(port);
    if (err)
        log_info("virtio: %s: no MSI-X (%s), using the line", port->name, err_name(err));
}

bool virtio_port_irq_fall_back(struct virtio_port *port)
{
    if (!port->vectors.is_msix)
        return false;
    log_warn("virtio: %s: MSI-X is refused, using the line", port->name);
    close_vectors(port);
    port->irq = VIRTIO_PORT_INTX;
    return true;
}

/* Nobody may have routed one. */
static int start_line(struct virtio_port *port)
{
    const struct mmio_dev *mmio = &port->place.mmio;
    const struct irq_wiring wiring = {.is_edge = mmio->is_edge,
                                      .is_active_low = mmio->is_active_low};
    int err;

    if (port->place.is_mmio) {
        port->line = (int)mmio->irq;
        err = irq_attach_wired(mmio->irq, wiring, on_line, port);
    } else {
        port->line = pci_intx_line(&port->place.pci);
        err =
            port->line < 0 ? port->line : irq_attach((uint32_t)port->line, on_line, port);
    }
    if (err) {
        port->line = -1;
        return err;
    }
    /* One that rose while its pin was masked may be forgotten, and would never rise again: ask once. */
    uint64_t flags = cpu_irq_save();
    on_line(port);
    cpu_irq_restore(flags);
    return 0;
}

/* Unmask what has been sent meanwhile, and all that will be. */
static int start_vectors(struct virtio_port *port)
{
    int err = 0;

    for (unsigned i = 0; i < VIRTIO_PORT_VECTORS && !err; i++) {
        const struct virtio_port_vector *vector = &port->vector[i];

        if (vector->port)
            err = msix_set(&port->msix, i, vector->message.addr, vector->message.data);
    }
    return err;
}

void virtio_port_irq_start(struct virtio_port *port)
{
    int err = -ENOTSUP;

    port->is_started = true;
    if (port->vectors.is_msix)
        err = start_vectors(port);
    else if (port->irq != VIRTIO_PORT_POLL)
        err = start_line(port);
    if (err) {
        log_info("virtio: %s: no interrupt (%s), polling", port->name, err_name(err));
        port->irq = VIRTIO_PORT_POLL;
    }
}

int virtio_port_start(struct virtio_port *port, virtio_port_irq_fn *on_irq,
                      virtio_port_attach_fn *attach)
{
    int err = virtio_port_open(port);

    if (err)
        return err;
    virtio_port_irq_open(port, on_irq, NULL);
    do
        err = attach(port);
    while (err == -ENOSPC && virtio_port_irq_fall_back(port));
    if (err)
        virtio_port_close(port);
    else
        virtio_port_irq_start(port);
    return err;
}

const char *virtio_port_irq_name(const struct virtio_port *port)
{
    static const char *const names[] = {
        [VIRTIO_PORT_POLL] = "poll",
        [VIRTIO_PORT_INTX] = "intx",
        [VIRTIO_PORT_GSI] = "gsi",
        [VIRTIO_PORT_MSIX] = "msix",
        [VIRTIO_PORT_MSIX_SHARED] = "msix-shared",
    };

    return names[port->irq];
}

/* ---- the end ---- */

void virtio_port_close(struct virtio_port *port)
{
    if (!port->way)
        return;
    close_irq(port);
    port->way->close(port);
    port->way = NULL;
}

static uint32_t read_nothing(void *ctx, uint64_t offset, unsigned width)
{
    (void)ctx;
    (void)offset;
    return UINT32_MAX >> (32 - 8 * width);
}

static void write_nothing(void *ctx, uint64_t offset, unsigned width, uint32_t value)
{
    (void)ctx;
    (void)offset;
    (void)width;
    (void)value;
}

/* Closing writes to the command register and to the MSI-X table: that might meet another device. */
void virtio_port_lose(struct virtio_port *port)
{
    static struct pci_host nowhere = {.cfg = {.space = &machine_reg_space}};

    port->msix.table.read = read_nothing;
    port->msix.table.write = write_nothing;
    port->msix.pci.host = &nowhere;
    if (port->way == &way_modern)
        port->bus.modern.pci.host = &nowhere;
    if (port->way == &way_legacy)
        port->bus.legacy.pci.host = &nowhere;
    close_irq(port);
    port->transport = virtio_transport_gone;
}
