// SPDX-License-Identifier: BSD-2-Clause
/* Device model and driver objects put together. */
#include "tests/model/virtio_rig.h"

#include "base/err.h"

#include <string.h>

static const struct {
    unsigned bit;
    const char *name;
} ring_features[] = {
    {VIRTIO_F_EVENT_IDX, " event_idx"},
    {VIRTIO_F_INDIRECT_DESC, " indirect"},
    {VIRTIO_F_RING_PACKED, " packed"},
    {VIRTIO_F_IN_ORDER, " in_order"},
};

uint64_t rig_mix(unsigned mix)
{
    uint64_t bits = 0;

    for (unsigned i = 0; i < ARRAY_LEN(ring_features); i++)
        if (mix >> i & 1)
            bits |= BIT64(ring_features[i].bit);
    return bits;
}

const char *rig_mix_name(unsigned mix)
{
    static char name[64];

    strcpy(name, "ring:");
    for (unsigned i = 0; i < ARRAY_LEN(ring_features); i++)
        if (mix >> i & 1)
            strcat(name, ring_features[i].name);
    return name;
}

void rig_init(struct virtio_rig *r, uint64_t features)
{
    rig_init_on(r, RIG_PCI_MODERN, features);
}

static bool is_on_pci(const struct virtio_rig *r)
{
    return r->kind == RIG_PCI_MODERN || r->kind == RIG_PCI_LEGACY;
}

void rig_init_on(struct virtio_rig *r, enum rig_kind kind, uint64_t features)
{
    static const uint16_t sizes[] = {128, 128, 128};

    *r = (struct virtio_rig){.kind = kind};
    hal_model_init(&r->hal);
    pci_model_init(&r->bus, true, false);
    virtio_model_init(&r->model, features, sizes, 3);
    r->model.dma = hal_model_dma;
    r->model.dma_ctx = &r->hal;
    if (!is_on_pci(r)) {
        virtio_mmio_model_init(&r->mmio, &r->model, kind == RIG_MMIO ? 2 : 1);
        return;
    }
    virtio_pci_model_init(&r->pci, &r->model, 0x1045, 3);
    if (kind == RIG_PCI_LEGACY)
        virtio_pci_model_make_legacy(&r->pci);
    pci_model_add(&r->bus, &r->pci.fn);
}

static int take_virtio(void *ctx, const struct pci_dev *dev)
{
    struct virtio_rig *r = ctx;

    if (dev->vendor != PCI_VENDOR_VIRTIO)
        return 0;
    r->pci_dev = *dev;
    return 1;
}

static int find_on_pci(struct virtio_rig *r)
{
    int err =
        pci_host_init(&r->host, &(struct pci_host_config){.space = &r->bus.space,
                                                          .ecam_base = PCI_MODEL_ECAM,
                                                          .ecam_last = 255,
                                                          .log = r->hal.hal.log});

    if (err)
        return err;
    return pci_scan(&r->host, take_virtio, r) == 1 ? 0 : -ENODEV;
}

static int open_transport(struct virtio_rig *r)
{
    int err = is_on_pci(r) ? find_on_pci(r) : 0;

    if (err)
        return err;
    if (r->kind == RIG_PCI_MODERN)
        return pci_modern_open(&r->transport, &r->pci_dev);
    if (r->kind == RIG_PCI_LEGACY)
        return pci_legacy_open(&r->legacy, &r->pci_dev);
    return virtio_mmio_open(&r->mmio_transport, &r->mmio.space, VIRTIO_MMIO_MODEL_ADDR,
                            VIRTIO_MMIO_MODEL_BYTES);
}

static const struct virtio_transport *transport_of(struct virtio_rig *r)
{
    if (r->kind == RIG_PCI_MODERN)
        return &r->transport.transport;
    return r->kind == RIG_PCI_LEGACY ? &r->legacy.transport
                                     : &r->mmio_transport.transport;
}

int rig_open(struct virtio_rig *r)
{
    int err = open_transport(r);

    if (err)
        return err;
    r->ops = transport_of(r);
    virtio_init(&r->dev, r->ops, &r->hal.hal, "model");
    return 0;
}

void rig_enable_msix(struct virtio_rig *r)
{
    for (unsigned i = 0; i < r->pci.msix_entries; i++)
        r->pci.msix[i].word[3] = 0;
    pci_model_set(&r->pci.fn, VPM_CAP_MSIX + 2, 2, 0x8000 | (r->pci.msix_entries - 1));
}

uint8_t rig_take_messages(struct virtio_rig *r, const struct virtio_vectors *vectors)
{
    uint64_t of_queues = (BIT64(max_u64(vectors->spread, 1)) - 1) << vectors->queues;
    uint64_t fired = r->pci.fired;

    r->pci.fired = 0;
    return (uint8_t)((fired & BIT64(vectors->config) ? VIRTIO_ISR_CONFIG : 0) |
                     (fired & of_queues ? VIRTIO_ISR_QUEUE : 0));
}

int rig_negotiate(struct virtio_rig *r, uint64_t features, unsigned queues,
                  const struct virtio_queue_opts *opts)
{
    int err = virtio_negotiate(&r->dev, &(struct virtio_wanted){.supported = features});

    for (uint16_t i = 0; !err && i < queues; i++) {
        struct vq *q;

        err = virtio_queue_create(&r->dev, i, opts, &q);
    }
    return err;
}

unsigned rig_end(struct virtio_rig *r)
{
    if (r->dev.transport) {
        virtio_reset(&r->dev);
        virtio_fini(&r->dev);
    }
    if (r->transport.pci.host)
        pci_modern_close(&r->transport);
    if (r->legacy.pci.host)
        pci_legacy_close(&r->legacy);
    virtio_mmio_close(&r->mmio_transport);
    if (r->host.cfg.space)
        pci_host_fini(&r->host);
    return hal_model_end(&r->hal) + r->bus.live_maps + r->mmio.live_maps;
}
