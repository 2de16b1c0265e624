// SPDX-License-Identifier: BSD-2-Clause
/* Device model and driver objects put together. */
#include "tests/model/virtio_rig.h"

#include "base/err.h"

void rig_init(struct virtio_rig *r, uint64_t features)
{
    static const uint16_t sizes[] = {128, 128, 128};

    *r = (struct virtio_rig){0};
    hal_model_init(&r->hal);
    pci_model_init(&r->bus, true, false);
    virtio_model_init(&r->model, features, sizes, 3);
    r->model.dma = hal_model_dma;
    r->model.dma_ctx = &r->hal;
    virtio_pci_model_init(&r->pci, &r->model, 0x1045, 3);
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

int rig_open(struct virtio_rig *r)
{
    int err =
        pci_host_init(&r->host, &(struct pci_host_config){.space = &r->bus.space,
                                                          .ecam_base = PCI_MODEL_ECAM,
                                                          .ecam_last = 255,
                                                          .log = r->hal.hal.log});

    if (err)
        return err;
    if (pci_scan(&r->host, take_virtio, r) != 1)
        return -ENODEV;
    err = pci_modern_open(&r->transport, &r->pci_dev);
    if (!err)
        virtio_init(&r->dev, &r->transport.transport, &r->hal.hal, "model");
    return err;
}

void rig_enable_msix(struct virtio_rig *r)
{
    for (unsigned i = 0; i < r->pci.msix_entries; i++)
        r->pci.msix[i].word[3] = 0;
    pci_model_set(&r->pci.fn, VPM_CAP_MSIX + 2, 2, 0x8000 | (r->pci.msix_entries - 1));
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
    if (r->host.cfg.space)
        pci_host_fini(&r->host);
    return hal_model_end(&r->hal) + r->bus.live_maps;
}
