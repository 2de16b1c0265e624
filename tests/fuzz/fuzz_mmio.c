// SPDX-License-Identifier: BSD-2-Clause
/*
 * An MMIO device of either version whose registers lie now and then: each read is the model's answer, or
 * the fuzzer's. The probe, the transport and the status machine end, stay inside the window (the model
 * aborts otherwise), ring no doorbell of a queue that was not set up, and give everything back.
 */
#include "tests/fuzz/stream.h"
#include "tests/model/hal_model.h"
#include "tests/model/virtio_mmio.h"

#include "base/bits.h"
#include "base/err.h"
#include "drivers/virtio/device.h"
#include "drivers/virtio/transport/mmio.h"

#include <stdlib.h>

#define NOTIFY 0x050u

struct fuzz {
    struct stream in;
    struct hal_model hal;
    struct virtio_model model;
    struct virtio_mmio_model regs;
    struct reg_space space; /* before the model's */
    struct reg_io honest;
    struct virtio_device dev;
};

static void must(bool promise)
{
    if (!promise)
        abort();
}

/* ---- the window ---- */

static uint32_t lying_read(void *ctx, uint64_t offset, unsigned width)
{
    struct fuzz *f = ctx;
    uint32_t value = f->honest.read(f->honest.ctx, offset, width);
    uint8_t twist = take8(&f->in);

    if ((twist & 7) != 7)
        return value;
    value = twist & 8 ? take32(&f->in) : value ^ BIT32(twist >> 4 & 31);
    return value & UINT32_MAX >> (32 - 8 * width);
}

static void watched_write(void *ctx, uint64_t offset, unsigned width, uint32_t value)
{
    struct fuzz *f = ctx;

    if (offset == NOTIFY)
        must(value < VIRTIO_MAX_QUEUES && f->dev.queues[value] &&
             (f->dev.status & VIRTIO_STATUS_DRIVER_OK) != 0);
    f->honest.write(f->honest.ctx, offset, width, value);
}

static int space_map(void *ctx, paddr_t addr, uint64_t size_bytes, struct reg_io *out)
{
    struct fuzz *f = ctx;
    int err = f->regs.space.map(f->regs.space.ctx, addr, size_bytes, &f->honest);

    if (err)
        return err;
    *out = f->honest;
    out->ctx = f;
    out->read = lying_read;
    out->write = watched_write;
    return 0;
}

static void space_unmap(void *ctx, struct reg_io *io)
{
    struct fuzz *f = ctx;

    f->regs.space.unmap(f->regs.space.ctx, io);
}

/* ---- the driver ---- */

static void echo(void *ctx, struct virtio_model *m, uint16_t index)
{
    struct virtio_chain chain;

    (void)ctx;
    while (virtio_model_pop(m, index, &chain))
        virtio_model_push(m, index, chain.head, 0);
}

/* Buffers through each queue; what comes back must have been put in. */
static void play(struct fuzz *f)
{
    uint32_t written, words[3];
    void *token;

    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
            struct vq *q = f->dev.queues[i];
            struct vq_seg seg = {.addr = f->hal.dma[0].addr, .len = 4};

            if (!q)
                continue;
            if (vq_add(q, &seg, 1, 0, f) == 0)
                vq_kick(q);
            while (vq_pop(q, &token, &written) == 0)
                must(token == f);
        }
        must((virtio_irq_ack(&f->dev) & ~3) == 0);
        virtio_config_read(&f->dev, 0, words, 3);
        virtio_config_write32(&f->dev, 4, words[0]);
        if (virtio_poll_status(&f->dev) != 0)
            break;
    }
}

static void one_life(struct fuzz *f, const struct virtio_transport *transport)
{
    static const struct virtio_queue_opts opts = {.max_size = 16};
    const struct virtio_wanted wanted = {
        .supported = BIT64(1) | BIT64(VIRTIO_F_INDIRECT_DESC) |
                     BIT64(VIRTIO_F_EVENT_IDX) | BIT64(VIRTIO_F_RING_PACKED) |
                     BIT64(VIRTIO_F_IN_ORDER)};
    struct vq *q;

    virtio_init(&f->dev, transport, &f->hal.hal, "fuzz");
    if (virtio_negotiate(&f->dev, &wanted) == 0) {
        for (uint16_t i = 0; i < 4; i++)
            virtio_queue_create(&f->dev, i, &opts, &q);
        if (f->dev.state == VIRTIO_NEGOTIATED && virtio_driver_ok(&f->dev) == 0)
            play(f);
    }
    must(virtio_reset(&f->dev) == 0 || f->dev.state == VIRTIO_DEAD);
    virtio_fini(&f->dev);
    must(f->hal.mem_live == 0);
    must(f->hal.dma_live == 0 || f->dev.state == VIRTIO_DEAD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t sizes[] = {16, 128, 8};
    struct fuzz *f = calloc(1, sizeof(*f));
    struct virtio_mmio vm;
    uint8_t flags;

    must(f != NULL);
    f->in = (struct stream){.data = data, .left = size};
    flags = take8(&f->in);
    hal_model_init(&f->hal);
    f->hal.relax_ns = NS_PER_S / 8;
    f->hal.fail_at = flags >> 4; /* and the machine may run out of memory */
    uint64_t mix = flags & 4 ? BIT64(VIRTIO_F_RING_PACKED) : 0;
    mix |= flags & 8 ? BIT64(VIRTIO_F_IN_ORDER) : 0;
    virtio_model_init(&f->model, BIT64(1) | BIT64(27) | UINT64_C(0x1F0000000) | mix,
                      sizes, 3);
    f->model.dma = hal_model_dma;
    f->model.dma_ctx = &f->hal;
    f->model.process = echo;
    virtio_mmio_model_init(&f->regs, &f->model, flags & 1 ? 1 : 2);
    f->regs.size_bytes = flags & 2 ? VIRTIO_MMIO_MIN_BYTES : VIRTIO_MMIO_MODEL_BYTES;
    f->space = (struct reg_space){.ctx = f, .map = space_map, .unmap = space_unmap};

    if (virtio_mmio_open(&vm, &f->space, VIRTIO_MMIO_MODEL_ADDR, f->regs.size_bytes) ==
        0) {
        one_life(f, &vm.transport);
        if (f->dev.state != VIRTIO_DEAD)
            one_life(f, &vm.transport);
        virtio_mmio_close(&vm);
    }
    must(f->regs.live_maps == 0);
    hal_model_end(&f->hal);
    free(f);
    return 0;
}
