// SPDX-License-Identifier: BSD-2-Clause
/* The legacy PCI transport: ports of BAR 0, each with its own width (R-T-12). */
#include "drivers/virtio/transport/pci_legacy.h"

#include "base/bits.h"
#include "base/err.h"
#include "drivers/bus/msix.h"
#include "drivers/virtio/device.h"

/* virtio 1.3, 4.1.4.10. */
enum legacy_reg {
    REG_DEVICE_FEATURES = 0,
    REG_DRIVER_FEATURES = 4,
    REG_QUEUE_PFN = 8,
    REG_QUEUE_SIZE = 12,
    REG_QUEUE_SELECT = 14,
    REG_QUEUE_NOTIFY = 16,
    REG_STATUS = 18,
    REG_ISR = 19,
    REG_CONFIG_VECTOR =
        20, /* with MSI-X enabled; without it the configuration begins here */
    REG_QUEUE_VECTOR = 22,
    CONFIG_PLAIN = 20,
    CONFIG_MSIX = 24,
};

#define PORTS_MIN 24u  /* registers and the first word of the configuration */
#define PORTS_MAX 256u /* we never touch more of them */

#define DEVICE_FIRST 0x1000u /* transitional device numbers, virtio 1.3, 4.1.2.1 */
#define DEVICE_LAST  0x103Fu

/* ---- operations ---- */

static void op_reset(void *ctx)
{
    struct pci_legacy *pl = ctx;

    pl->status = (struct legacy_status){0};
    pl->config_at = msix_is_enabled(&pl->pci) ? CONFIG_MSIX : CONFIG_PLAIN;
    reg_write8(&pl->ports, REG_STATUS, 0);
}

static uint8_t op_status_get(void *ctx)
{
    struct pci_legacy *pl = ctx;

    return legacy_status_get(&pl->status, (uint8_t)reg_read8(&pl->ports, REG_STATUS));
}

static void op_status_set(void *ctx, uint8_t status)
{
    struct pci_legacy *pl = ctx;

    if (legacy_status_set(&pl->status, &status))
        reg_write8(&pl->ports, REG_STATUS, status);
}

static uint64_t op_features_get(void *ctx)
{
    struct pci_legacy *pl = ctx;

    return reg_read32(&pl->ports, REG_DEVICE_FEATURES);
}

static void op_features_set(void *ctx, uint64_t features)
{
    struct pci_legacy *pl = ctx;

    reg_write32(&pl->ports, REG_DRIVER_FEATURES, (uint32_t)features);
}

static bool config_has(const struct pci_legacy *pl, uint32_t offset, unsigned width)
{
    return (uint64_t)pl->config_at + offset + width <= pl->ports.size_bytes;
}

static uint32_t op_config_read(void *ctx, uint32_t offset, unsigned width)
{
    struct pci_legacy *pl = ctx;

    if (!config_has(pl, offset, width))
        return UINT32_MAX >> (32 - 8 * width);
    return pl->ports.read(pl->ports.ctx, (uint64_t)pl->config_at + offset, width);
}

static void op_config_write(void *ctx, uint32_t offset, unsigned width, uint32_t value)
{
    struct pci_legacy *pl = ctx;

    if (config_has(pl, offset, width))
        pl->ports.write(pl->ports.ctx, (uint64_t)pl->config_at + offset, width, value);
}

static uint32_t op_config_generation(void *ctx)
{
    (void)ctx;
    return 0;
}

static uint32_t op_queue_max(void *ctx, uint16_t index)
{
    struct pci_legacy *pl = ctx;

    reg_write16(&pl->ports, REG_QUEUE_SELECT, index);
    return reg_read16(&pl->ports, REG_QUEUE_SIZE);
}

/* The queue `index` is free and has the size that its ring was made for. */
static int select_free(struct pci_legacy *pl, uint16_t index, uint16_t size)
{
    reg_write16(&pl->ports, REG_QUEUE_SELECT, index);
    if (reg_read32(&pl->ports, REG_QUEUE_PFN) != 0) {
        pl->errors.queue_busy++;
        return -EBUSY;
    }
    if (reg_read16(&pl->ports, REG_QUEUE_SIZE) != size) {
        pl->errors.queue_size++;
        return -EPROTO;
    }
    return 0;
}

static int op_queue_setup(void *ctx, uint16_t index,
                          const struct virtio_queue_areas *areas)
{
    struct pci_legacy *pl = ctx;
    uint32_t pfn;
    int err;

    if (index >= VIRTIO_MAX_QUEUES)
        return -EPROTO;
    err = legacy_queue_pfn(areas, &pfn);
    if (err) {
        pl->errors.queue_address++;
        return err;
    }
    err = select_free(pl, index, areas->size);
    if (err)
        return err;
    pci_enable(&pl->pci, PCI_CMD_BUS_MASTER);
    reg_write32(&pl->ports, REG_QUEUE_PFN, pfn);
    if (reg_read32(&pl->ports, REG_QUEUE_PFN) != pfn) {
        pl->errors.queue_refused++;
        return -EPROTO;
    }
    pl->queues_on |= BIT32(index);
    return 0;
}

static void op_queue_disable(void *ctx, uint16_t index)
{
    struct pci_legacy *pl = ctx;

    if (index < VIRTIO_MAX_QUEUES)
        pl->queues_on &= ~BIT32(index);
}

static void op_notify(void *ctx, uint16_t index)
{
    struct pci_legacy *pl = ctx;

    if (index < VIRTIO_MAX_QUEUES && (pl->queues_on & BIT32(index)) != 0)
        reg_write16(&pl->ports, REG_QUEUE_NOTIFY, index);
}

/* Without MSI-X these registers are the configuration's: left alone. */
static uint16_t map_vector(struct pci_legacy *pl, uint32_t reg, uint16_t vector)
{
    if (pl->config_at != CONFIG_MSIX)
        return VIRTIO_NO_VECTOR;
    reg_write16(&pl->ports, reg, vector);
    return (uint16_t)reg_read16(&pl->ports, reg);
}

static uint16_t op_config_vector(void *ctx, uint16_t vector)
{
    return map_vector(ctx, REG_CONFIG_VECTOR, vector);
}

static uint16_t op_queue_vector(void *ctx, uint16_t index, uint16_t vector)
{
    struct pci_legacy *pl = ctx;

    reg_write16(&pl->ports, REG_QUEUE_SELECT, index);
    return map_vector(pl, REG_QUEUE_VECTOR, vector);
}

static uint8_t op_isr_ack(void *ctx)
{
    struct pci_legacy *pl = ctx;

    return reg_read8(&pl->ports, REG_ISR) & (VIRTIO_ISR_QUEUE | VIRTIO_ISR_CONFIG);
}

static const struct virtio_transport operations = {
    .name = "pci-legacy",
    .optional_features = LEGACY_OPTIONAL_FEATURES,
    .ring_align = LEGACY_ALIGN,
    .has_fixed_sizes = true,
    .reset = op_reset,
    .status_get = op_status_get,
    .status_set = op_status_set,
    .features_get = op_features_get,
    .features_set = op_features_set,
    .config_read = op_config_read,
    .config_write = op_config_write,
    .config_generation = op_config_generation,
    .queue_max = op_queue_max,
    .queue_setup = op_queue_setup,
    .queue_disable = op_queue_disable,
    .notify = op_notify,
    .config_vector = op_config_vector,
    .queue_vector = op_queue_vector,
    .isr_ack = op_isr_ack,
};

/* ---- opening ---- */

static int map_ports(struct pci_legacy *pl)
{
    struct pci_bar bar;
    int err = pci_bar_read(&pl->pci, 0, &bar);

    if (err) {
        pl->errors.bar_missing++;
        return err;
    }
    if (!bar.is_io) {
        pl->errors.bar_kind++;
        return -EPROTO;
    }
    if (bar.size_bytes < PORTS_MIN) {
        pl->errors.bar_short++;
        return -EPROTO;
    }
    return pci_bar_map(&pl->pci, &bar, 0, min_u64(bar.size_bytes, PORTS_MAX), &pl->ports);
}

int pci_legacy_open(struct pci_legacy *pl, const struct pci_dev *dev)
{
    int err;

    *pl = (struct pci_legacy){.transport = operations, .pci = *dev};
    pl->transport.ctx = pl;
    if (dev->vendor != PCI_VENDOR_VIRTIO || dev->device < DEVICE_FIRST ||
        dev->device > DEVICE_LAST)
        return -ENODEV;
    err = map_ports(pl);
    if (err)
        return err;
    pl->transport.config_bytes = (uint32_t)pl->ports.size_bytes - CONFIG_MSIX;
    msix_disable(dev);
    pci_enable(dev, PCI_CMD_IO);
    op_reset(pl);
    return 0;
}

void pci_legacy_close(struct pci_legacy *pl)
{
    pci_disable(&pl->pci, PCI_CMD_BUS_MASTER);
    if (pl->ports.size_bytes)
        pci_bar_unmap(&pl->pci, &pl->ports);
}
