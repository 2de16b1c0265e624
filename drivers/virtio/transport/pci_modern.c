// SPDX-License-Identifier: BSD-2-Clause
/*
 * The modern PCI transport: capabilities in, windows out, and the operations on them. Registers are
 * accessed with their own width, 64-bit ones as two halves, low first (R-T-12).
 */
#include "drivers/virtio/transport/pci_modern.h"

#include "base/bits.h"
#include "base/err.h"
#include "drivers/bus/msix.h"
#include "drivers/virtio/device.h"

/* virtio 1.3, 4.1.4: struct virtio_pci_cap. */
enum virtio_pci_cap {
    CAP_LEN = 2,
    CAP_CFG_TYPE = 3,
    CAP_BAR = 4,
    CAP_OFFSET = 8,
    CAP_LENGTH = 12,
    CAP_NOTIFY_MULTIPLIER = 16,
};

#define CAP_SIZE        16u
#define CAP_NOTIFY_SIZE 20u

enum virtio_pci_cap_type {
    CAP_COMMON = 1,
    CAP_NOTIFY = 2,
    CAP_ISR = 3,
    CAP_DEVICE = 4,
    CAP_TYPES, /* further types are ignored */
};

/* virtio 1.3, 4.1.4.3: struct virtio_pci_common_cfg. */
enum common_reg {
    REG_DEVICE_FEATURE_SELECT = 0x00,
    REG_DEVICE_FEATURE = 0x04,
    REG_DRIVER_FEATURE_SELECT = 0x08,
    REG_DRIVER_FEATURE = 0x0C,
    REG_CONFIG_VECTOR = 0x10,
    REG_NUM_QUEUES = 0x12,
    REG_STATUS = 0x14,
    REG_GENERATION = 0x15,
    REG_QUEUE_SELECT = 0x16,
    REG_QUEUE_SIZE = 0x18,
    REG_QUEUE_VECTOR = 0x1A,
    REG_QUEUE_ENABLE = 0x1C,
    REG_QUEUE_NOTIFY_OFF = 0x1E,
    REG_QUEUE_DESC = 0x20,
    REG_QUEUE_DRIVER = 0x28,
    REG_QUEUE_DEVICE = 0x30,
    COMMON_SIZE = 0x38,
};

#define NO_DOORBELL UINT64_MAX

/* What a structure must look like, R-H-08. `most`: we never touch more of it. */
static const struct cap_rule {
    uint32_t cap_size, align, least, most;
} cap_rules[CAP_TYPES] = {
    [CAP_COMMON] = {CAP_SIZE, 4, COMMON_SIZE, COMMON_SIZE},
    [CAP_NOTIFY] = {CAP_NOTIFY_SIZE, 2, 2, 64 * 1024},
    [CAP_ISR] = {CAP_SIZE, 1, 1, 1},
    [CAP_DEVICE] = {CAP_SIZE, 4, 4, 4096},
};

/* ---- operations ---- */

static void op_reset(void *ctx)
{
    struct pci_modern *pm = ctx;

    reg_write8(&pm->common, REG_STATUS, 0);
}

static uint8_t op_status_get(void *ctx)
{
    struct pci_modern *pm = ctx;

    return (uint8_t)reg_read8(&pm->common, REG_STATUS);
}

static void op_status_set(void *ctx, uint8_t status)
{
    struct pci_modern *pm = ctx;

    reg_write8(&pm->common, REG_STATUS, status);
}

static uint64_t op_features_get(void *ctx)
{
    struct pci_modern *pm = ctx;
    uint64_t features;

    reg_write32(&pm->common, REG_DEVICE_FEATURE_SELECT, 0);
    features = reg_read32(&pm->common, REG_DEVICE_FEATURE);
    reg_write32(&pm->common, REG_DEVICE_FEATURE_SELECT, 1);
    return features | (uint64_t)reg_read32(&pm->common, REG_DEVICE_FEATURE) << 32;
}

static void op_features_set(void *ctx, uint64_t features)
{
    struct pci_modern *pm = ctx;

    reg_write32(&pm->common, REG_DRIVER_FEATURE_SELECT, 0);
    reg_write32(&pm->common, REG_DRIVER_FEATURE, (uint32_t)features);
    reg_write32(&pm->common, REG_DRIVER_FEATURE_SELECT, 1);
    reg_write32(&pm->common, REG_DRIVER_FEATURE, (uint32_t)(features >> 32));
}

static bool config_has(const struct pci_modern *pm, uint32_t offset, unsigned width)
{
    return (uint64_t)offset + width <= pm->config.size_bytes;
}

static uint32_t op_config_read(void *ctx, uint32_t offset, unsigned width)
{
    struct pci_modern *pm = ctx;

    if (!config_has(pm, offset, width))
        return UINT32_MAX >> (32 - 8 * width);
    return pm->config.read(pm->config.ctx, offset, width);
}

static void op_config_write(void *ctx, uint32_t offset, unsigned width, uint32_t value)
{
    struct pci_modern *pm = ctx;

    if (config_has(pm, offset, width))
        pm->config.write(pm->config.ctx, offset, width, value);
}

static uint32_t op_config_generation(void *ctx)
{
    struct pci_modern *pm = ctx;

    return reg_read8(&pm->common, REG_GENERATION);
}

static uint32_t op_queue_max(void *ctx, uint16_t index)
{
    struct pci_modern *pm = ctx;

    if (index >= reg_read16(&pm->common, REG_NUM_QUEUES))
        return 0;
    reg_write16(&pm->common, REG_QUEUE_SELECT, index);
    return reg_read16(&pm->common, REG_QUEUE_SIZE);
}

static void write_address(struct pci_modern *pm, uint64_t reg, uint64_t addr)
{
    reg_write32(&pm->common, reg, (uint32_t)addr);
    reg_write32(&pm->common, reg + 4, (uint32_t)(addr >> 32));
}

/* Where queue_notify_off points, R-T-14; it must lie in the window and be aligned. */
static int doorbell_of(struct pci_modern *pm, uint64_t *out)
{
    uint64_t offset =
        (uint64_t)reg_read16(&pm->common, REG_QUEUE_NOTIFY_OFF) * pm->notify_multiplier;

    if (offset + 2 > pm->notify.size_bytes || offset % 2 != 0) {
        pm->errors.doorbell_range++;
        return -EPROTO;
    }
    *out = offset;
    return 0;
}

/* R-T-13, in its order. An enabled queue is never disabled by hand: only a reset does that. */
static int op_queue_setup(void *ctx, uint16_t index,
                          const struct virtio_queue_areas *areas)
{
    struct pci_modern *pm = ctx;
    uint64_t doorbell;
    int err;

    if (index >= PCI_MODERN_QUEUES)
        return -EPROTO;
    reg_write16(&pm->common, REG_QUEUE_SELECT, index);
    if (reg_read16(&pm->common, REG_QUEUE_ENABLE) != 0)
        return -EBUSY;
    reg_write16(&pm->common, REG_QUEUE_SIZE, areas->size);
    if (reg_read16(&pm->common, REG_QUEUE_SIZE) != areas->size)
        return -EPROTO;
    err = doorbell_of(pm, &doorbell);
    if (err)
        return err;

    write_address(pm, REG_QUEUE_DESC, areas->desc_addr);
    write_address(pm, REG_QUEUE_DRIVER, areas->driver_addr);
    write_address(pm, REG_QUEUE_DEVICE, areas->device_addr);
    pci_enable(&pm->pci, PCI_CMD_BUS_MASTER);
    reg_write16(&pm->common, REG_QUEUE_ENABLE, 1);
    if (reg_read16(&pm->common, REG_QUEUE_ENABLE) != 1)
        return -EPROTO;
    pm->doorbell[index] = doorbell;
    return 0;
}

static void op_queue_disable(void *ctx, uint16_t index)
{
    struct pci_modern *pm = ctx;

    if (index < PCI_MODERN_QUEUES)
        pm->doorbell[index] = NO_DOORBELL;
}

static void op_notify(void *ctx, uint16_t index)
{
    struct pci_modern *pm = ctx;

    if (index < PCI_MODERN_QUEUES && pm->doorbell[index] != NO_DOORBELL)
        reg_write16(&pm->notify, pm->doorbell[index], index);
}

static uint16_t op_config_vector(void *ctx, uint16_t vector)
{
    struct pci_modern *pm = ctx;

    reg_write16(&pm->common, REG_CONFIG_VECTOR, vector);
    return (uint16_t)reg_read16(&pm->common, REG_CONFIG_VECTOR);
}

static uint16_t op_queue_vector(void *ctx, uint16_t index, uint16_t vector)
{
    struct pci_modern *pm = ctx;

    reg_write16(&pm->common, REG_QUEUE_SELECT, index);
    reg_write16(&pm->common, REG_QUEUE_VECTOR, vector);
    return (uint16_t)reg_read16(&pm->common, REG_QUEUE_VECTOR);
}

static uint8_t op_isr_ack(void *ctx)
{
    struct pci_modern *pm = ctx;

    return reg_read8(&pm->isr, 0) & (VIRTIO_ISR_QUEUE | VIRTIO_ISR_CONFIG);
}

static const struct virtio_transport operations = {
    .name = "pci-modern",
    .required_features = BIT64(VIRTIO_F_VERSION_1),
    .has_generation = true,
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

/* ---- capabilities ---- */

static struct reg_io *window_of(struct pci_modern *pm, uint32_t type)
{
    switch (type) {
    case CAP_COMMON:
        return &pm->common;
    case CAP_NOTIFY:
        return &pm->notify;
    case CAP_ISR:
        return &pm->isr;
    case CAP_DEVICE:
        return &pm->config;
    default:
        return NULL;
    }
}

/* The BARs, measured once: each probe makes the host rearrange its address space. */
struct bars {
    bool known[6];
    int err[6];
    struct pci_bar bar[6];
};

static const struct pci_bar *bar_of(struct pci_modern *pm, struct bars *bars,
                                    uint32_t index)
{
    if (!bars->known[index])
        bars->err[index] = pci_bar_read(&pm->pci, index, &bars->bar[index]);
    bars->known[index] = true;
    return bars->err[index] ? NULL : &bars->bar[index];
}

/* A capability's claim, read once: the host may change it at any time. */
struct cap_claim {
    uint32_t offset, length;
    const struct pci_bar *bar;
};

/* Why this capability cannot be used: its counter; NULL: it can, and *claim is complete. */
static uint64_t *cap_fault(struct pci_modern *pm, unsigned pos,
                           const struct cap_rule *rule, struct bars *bars,
                           struct cap_claim *claim)
{
    struct pci_modern_errors *e = &pm->errors;
    uint32_t cap_size = pci_cfg_read(&pm->pci, pos + CAP_LEN, 1);
    uint32_t index;

    if (pos + rule->cap_size > PCI_CFG_SIZE || cap_size < rule->cap_size)
        return &e->cap_short;

    index = pci_cfg_read(&pm->pci, pos + CAP_BAR, 1);
    claim->offset = pci_cfg_read(&pm->pci, pos + CAP_OFFSET, 4);
    claim->length = pci_cfg_read(&pm->pci, pos + CAP_LENGTH, 4);
    if (index > 5)
        return &e->bar_index;
    if (claim->offset % rule->align != 0)
        return &e->misaligned;
    if (claim->length < rule->least)
        return &e->length_short;
    claim->bar = bar_of(pm, bars, index);
    if (!claim->bar)
        return &e->bar_missing;
    if (claim->bar->is_io)
        return &e->bar_kind;
    if ((uint64_t)claim->offset + claim->length > claim->bar->size_bytes)
        return &e->out_of_bar;
    return NULL;
}

/* Use the capability at `pos` if it is the first acceptable one of its type. A refused one is
 * counted and passed over. */
static void take_cap(struct pci_modern *pm, unsigned pos, struct bars *bars)
{
    uint32_t type = pci_cfg_read(&pm->pci, pos + CAP_CFG_TYPE, 1);
    struct reg_io *window = window_of(pm, type);
    const struct cap_rule *rule;
    struct cap_claim claim = {0};
    uint64_t *fault;

    if (!window || window->size_bytes != 0)
        return;
    rule = &cap_rules[type];
    fault = cap_fault(pm, pos, rule, bars, &claim);
    if (!fault && pci_bar_map(&pm->pci, claim.bar, claim.offset,
                              min_u64(claim.length, rule->most), window) != 0) {
        *window = (struct reg_io){0};
        fault = &pm->errors.unmappable;
    }
    if (fault) {
        (*fault)++;
        log_to(&pm->pci.host->cfg.log, LOG_WARN,
               "virtio: %02x:%02x.%u: the capability of type %u at 0x%x cannot be used: "
               "offset 0x%x, length 0x%x",
               pm->pci.bus, pm->pci.slot, pm->pci.fn, (unsigned)type, pos,
               (unsigned)claim.offset, (unsigned)claim.length);
        return;
    }
    if (type == CAP_NOTIFY)
        pm->notify_multiplier = pci_cfg_read(&pm->pci, pos + CAP_NOTIFY_MULTIPLIER, 4);
}

/* 0: the list was walked to its end; -ENODEV: there is nothing of ours in it; -EPROTO: broken. */
static int walk_caps(struct pci_modern *pm)
{
    struct bars bars = {0};
    unsigned steps = 0;
    int found = 0;
    int pos = 0;

    while ((pos = pci_cap_find(&pm->pci, PCI_CAP_ID_VENDOR, pos, &steps)) > 0) {
        take_cap(pm, (unsigned)pos, &bars);
        found++;
    }
    if (pos < 0) {
        pm->errors.cap_list++;
        return -EPROTO;
    }
    return found > 0 ? 0 : -ENODEV;
}

int pci_modern_open(struct pci_modern *pm, const struct pci_dev *dev)
{
    int err;

    *pm = (struct pci_modern){.transport = operations, .pci = *dev};
    pm->transport.ctx = pm;
    for (unsigned i = 0; i < PCI_MODERN_QUEUES; i++)
        pm->doorbell[i] = NO_DOORBELL;
    if (dev->vendor != PCI_VENDOR_VIRTIO)
        return -ENODEV;

    err = walk_caps(pm);
    if (!err && !(pm->common.size_bytes && pm->notify.size_bytes && pm->isr.size_bytes &&
                  pm->config.size_bytes)) {
        pm->errors.cap_missing++;
        err = pm->errors.unmappable ? -ENOMEM : -EPROTO;
    }
    if (err) {
        pci_modern_close(pm);
        return err;
    }
    pm->transport.config_bytes = (uint32_t)pm->config.size_bytes;
    msix_disable(dev);
    pci_enable(dev, PCI_CMD_MEMORY);
    op_reset(pm);
    return 0;
}

void pci_modern_close(struct pci_modern *pm)
{
    struct reg_io *windows[] = {&pm->common, &pm->notify, &pm->isr, &pm->config};

    pci_disable(&pm->pci, PCI_CMD_BUS_MASTER);
    for (unsigned i = 0; i < ARRAY_LEN(windows); i++)
        if (windows[i]->size_bytes)
            pci_bar_unmap(&pm->pci, windows[i]);
}
