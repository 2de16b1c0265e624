// SPDX-License-Identifier: BSD-2-Clause
/*
 * A PCI function whose configuration space and registers are the fuzzer's: 256 bytes, BAR sizes, and
 * then one value for each register read; configuration reads may change from one to the next. The
 * scan, the walk of capabilities, the BARs, the MSI-X table and both transports end, stay inside their
 * windows (the bus model aborts otherwise) and give every window back.
 */
#include "tests/fuzz/stream.h"
#include "tests/model/hal_model.h"
#include "tests/model/pci_bus.h"

#include "base/bits.h"
#include "drivers/bus/msix.h"
#include "drivers/virtio/device.h"
#include "drivers/virtio/transport/pci_legacy.h"
#include "drivers/virtio/transport/pci_modern.h"

#include <stdlib.h>

struct fuzz {
    struct stream in;
    struct hal_model hal;
    struct pci_model bus;
    struct pci_model_fn fn;
    struct pci_host host;
    bool fickle; /* configuration reads change */
    bool use_msix, use_legacy;
    unsigned opened;
};

static void must(bool promise)
{
    if (!promise)
        abort();
}

static uint32_t bar_read(void *ctx, unsigned bar, uint64_t offset, unsigned width)
{
    struct fuzz *f = ctx;
    uint32_t value = take32(&f->in);

    (void)bar;
    (void)offset;
    return value & UINT32_MAX >> (32 - 8 * width);
}

static void bar_write(void *ctx, unsigned bar, uint64_t offset, unsigned width,
                      uint32_t value)
{
    (void)ctx;
    (void)bar;
    (void)offset;
    (void)width;
    (void)value;
}

static uint32_t cfg_twist(void *ctx, unsigned offset, unsigned width, uint32_t honest)
{
    struct fuzz *f = ctx;

    (void)offset;
    (void)width;
    if (!f->fickle || (take8(&f->in) & 15) != 0)
        return honest;
    return honest ^ take32(&f->in);
}

/* A device all of whose answers are made up: run a life on it. */
static void live(struct fuzz *f, const struct virtio_transport *transport,
                 struct virtio_vectors vectors)
{
    static const struct virtio_queue_opts opts = {.max_size = 16};
    const struct virtio_wanted wanted = {.supported = UINT64_MAX};
    struct virtio_device dev;
    uint32_t words[3];
    struct vq *q;

    f->opened++;
    virtio_init(&dev, transport, &f->hal.hal, "fuzz");
    virtio_use_vectors(&dev, vectors);
    if (virtio_negotiate(&dev, &wanted) == 0) {
        for (uint16_t i = 0; i < 3; i++)
            virtio_queue_create(&dev, i, &opts, &q);
        if (dev.state == VIRTIO_NEGOTIATED && virtio_driver_ok(&dev) == 0)
            virtio_irq_ack(&dev);
        virtio_config_read(&dev, 0, words, 3);
        virtio_poll_status(&dev);
    }
    must(virtio_reset(&dev) == 0 || dev.state == VIRTIO_DEAD);
    virtio_fini(&dev);
    must(f->hal.mem_live == 0 && (f->hal.dma_live == 0 || dev.state == VIRTIO_DEAD));
}

static void live_with_msix(struct fuzz *f, const struct pci_dev *found,
                           const struct virtio_transport *transport)
{
    struct virtio_vectors vectors = {.queues = 1};
    struct msix mx = {0};

    if (f->use_msix && msix_open(&mx, found) == 0) {
        must(mx.entries > 0 && mx.entries <= MSIX_ENTRIES);
        for (unsigned i = 0; i < 3; i++)
            must(msix_set(&mx, i, 0xFEE00000, i) != 0 || i < mx.entries);
        vectors.is_msix = msix_enable(&mx) == 0;
    }
    live(f, transport, vectors);
    msix_close(&mx);
}

static void use(struct fuzz *f, const struct pci_dev *found)
{
    struct pci_modern pm;
    struct pci_legacy pl;

    if (f->use_legacy) {
        if (pci_legacy_open(&pl, found) != 0)
            return;
        live_with_msix(f, found, &pl.transport);
        pci_legacy_close(&pl);
    } else if (pci_modern_open(&pm, found) == 0) {
        live_with_msix(f, found, &pm.transport);
        pci_modern_close(&pm);
    }
}

static int visit(void *ctx, const struct pci_dev *dev)
{
    struct fuzz *f = ctx;
    struct pci_bar bar;
    struct pci_dev copy = *dev;

    for (unsigned i = 0; i < 6; i++)
        if (pci_bar_read(dev, i, &bar) == 0)
            must(is_pow2(bar.size_bytes) && bar.addr % bar.size_bytes == 0 &&
                 bar.addr + bar.size_bytes > bar.addr);
    must(pci_intx_line(dev) != 0);
    copy.vendor = PCI_VENDOR_VIRTIO; /* do not let the fuzzer search for it */
    copy.device = 0x1002;
    if (f->opened < 2)
        use(f, &copy);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz *f = calloc(1, sizeof(*f));
    uint8_t flags;

    must(f != NULL);
    f->in = (struct stream){.data = data, .left = size};
    hal_model_init(&f->hal);
    f->hal.relax_ns = NS_PER_S / 4;
    flags = take8(&f->in);
    pci_model_init(&f->bus, (flags & 1) == 0, true);
    for (unsigned i = 0; i < 6; i++) {
        uint8_t shift = take8(&f->in);

        f->fn.bar_size[i] = shift & 0x40 ? BIT64(shift & 63) : 0;
    }
    for (unsigned i = 0; i < sizeof(f->fn.cfg); i++)
        f->fn.cfg[i] = take8(&f->in);
    f->fickle = (flags & 2) != 0;
    f->use_msix = (flags & 4) != 0;
    f->use_legacy = (flags & 8) != 0;
    f->fn.ctx = f;
    f->fn.bar_read = bar_read;
    f->fn.bar_write = bar_write;
    f->fn.cfg_twist = cfg_twist;
    pci_model_add(&f->bus, &f->fn);

    if (pci_host_init(&f->host, &(struct pci_host_config){.space = &f->bus.space,
                                                          .ecam_base = PCI_MODEL_ECAM,
                                                          .ecam_last = 255,
                                                          .use_ports = true,
                                                          .log = f->hal.hal.log}) == 0)
        pci_scan(&f->host, visit, f);
    pci_host_fini(&f->host);
    must(f->bus.live_maps == 0);
    hal_model_end(&f->hal);
    free(f);
    return 0;
}
