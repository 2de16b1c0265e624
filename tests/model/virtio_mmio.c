// SPDX-License-Identifier: BSD-2-Clause
/* MMIO registers of the virtio model. */
#include "tests/model/virtio_mmio.h"

#include "base/err.h"

#include <stdlib.h>

#define MAGIC       UINT32_C(0x74726976)
#define CONFIG      0x100u
#define PAGE        4096u
#define ALL_ONES(w) (UINT32_MAX >> (32 - 8 * (w)))

static bool is_legacy(const struct virtio_mmio_model *p)
{
    return p->dev->is_legacy;
}

static struct virtio_model_queue *selected(struct virtio_mmio_model *p)
{
    return p->queue_sel < p->dev->num_queues ? &p->dev->queues[p->queue_sel] : NULL;
}

/* ---- reading ---- */

static uint32_t queue_read(struct virtio_mmio_model *p, uint64_t offset)
{
    struct virtio_model_queue *q = selected(p);
    const struct virtio_lies *lies = &p->dev->lies;

    if (offset == 0x034)
        return lies->queue_size_raw ? lies->queue_size_raw : q ? q->max : 0;
    if ((offset == 0x044) == is_legacy(p))
        virtio_model_complain(p->dev, "a register of the other version is read");
    if (p->lies.queue_is_on)
        return 1;
    if (!q || !q->enabled || p->lies.queue_is_off)
        return 0;
    return is_legacy(p) ? (uint32_t)(q->desc / PAGE) : 1;
}

static uint32_t reg_read(struct virtio_mmio_model *p, uint64_t offset)
{
    struct virtio_model *dev = p->dev;

    switch (offset) {
    case 0x000:
        return p->magic;
    case 0x004:
        return p->version;
    case 0x008:
        return p->device_id;
    case 0x00C:
        return 0x554D4551;
    case 0x010:
        return p->device_features_sel > 1
                   ? 0
                   : (uint32_t)(dev->offered >> 32 * p->device_features_sel);
    case 0x034:
    case 0x040:
    case 0x044:
        return queue_read(p, offset);
    case 0x060:
        return dev->isr | p->lies.extra_irq;
    case 0x070:
        return virtio_model_status_read(dev);
    case 0x0FC:
        if (is_legacy(p))
            virtio_model_complain(dev, "legacy devices have no generation");
        return dev->lies.generation_spins ? ++dev->generation : dev->generation;
    default:
        virtio_model_complain(dev, "a register that cannot be read");
        return 0;
    }
}

static uint32_t window_read(void *ctx, uint64_t offset, unsigned width)
{
    struct virtio_mmio_model *p = ctx;

    if (offset + width > p->size_bytes)
        abort(); /* the driver left its window */
    if (offset >= CONFIG)
        return virtio_model_config_read(p->dev, (uint32_t)(offset - CONFIG), width);
    if (width != 4 || offset % 4 != 0) {
        virtio_model_complain(p->dev, "registers are read in words");
        return ALL_ONES(width);
    }
    return reg_read(p, offset);
}

/* ---- writing ---- */

static void set_half(uint64_t *addr, bool high, uint32_t value)
{
    *addr = high ? (*addr & UINT32_MAX) | (uint64_t)value << 32
                 : (*addr & ~(uint64_t)UINT32_MAX) | value;
}

static void features_write(struct virtio_mmio_model *p, uint32_t value)
{
    struct virtio_model *dev = p->dev;

    if (is_legacy(p) && p->driver_features_sel != 0)
        virtio_model_complain(dev, "a legacy device has 32 features");
    if ((dev->status & (is_legacy(p) ? 4 : 8)) != 0)
        virtio_model_complain(dev, "features written too late");
    if (p->driver_features_sel > 1)
        return;
    set_half(&dev->accepted, p->driver_features_sel == 1, value);
    dev->feature_words |= 1u << p->driver_features_sel;
}

static void legacy_pfn_write(struct virtio_mmio_model *p, struct virtio_model_queue *q,
                             uint32_t value)
{
    if (p->page_size != PAGE || p->queue_align != PAGE)
        virtio_model_complain(p->dev, "QueuePFN before GuestPageSize and QueueAlign");
    else
        virtio_model_legacy_queue(p->dev, q, (uint64_t)value * PAGE);
}

static void queue_write(struct virtio_mmio_model *p, uint64_t offset, uint32_t value)
{
    struct virtio_model_queue *q = selected(p);

    if (!q || q->enabled) {
        virtio_model_complain(p->dev, "write to a queue that is absent or enabled");
        return;
    }
    if (is_legacy(p) ? offset > 0x040 : offset == 0x03C || offset == 0x040)
        virtio_model_complain(p->dev, "a register of the other version is written");
    switch (offset) {
    case 0x038:
        if (value > q->max)
            virtio_model_complain(p->dev, "a queue larger than its maximum");
        q->size = (uint16_t)value;
        break;
    case 0x03C:
        p->queue_align = value;
        break;
    case 0x040:
        legacy_pfn_write(p, q, value);
        break;
    case 0x044:
        if (value != 1)
            virtio_model_complain(p->dev,
                                  "QueueReady written with something else than 1");
        virtio_model_enable(p->dev, q);
        break;
    case 0x080:
    case 0x084:
        set_half(&q->desc, offset & 4, value);
        break;
    case 0x090:
    case 0x094:
        set_half(&q->driver, offset & 4, value);
        break;
    default:
        set_half(&q->device, offset & 4, value);
    }
}

static void status_write(struct virtio_mmio_model *p, uint32_t value)
{
    if (value == 0)
        p->page_size = p->queue_align = 0;
    virtio_model_status_write(p->dev, (uint8_t)value);
}

static void ack_write(struct virtio_model *dev, uint32_t value, uint32_t extra)
{
    if ((value & ~(dev->isr | extra)) != 0)
        virtio_model_complain(dev, "acknowledged what was not there");
    dev->isr &= (uint8_t)~value;
}

static void reg_write(struct virtio_mmio_model *p, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case 0x014:
        p->device_features_sel = value;
        break;
    case 0x020:
        features_write(p, value);
        break;
    case 0x024:
        p->driver_features_sel = value;
        break;
    case 0x028:
        if (!is_legacy(p))
            virtio_model_complain(p->dev, "a register of the other version is written");
        p->page_size = value;
        break;
    case 0x030:
        p->queue_sel = value;
        break;
    case 0x038:
    case 0x03C:
    case 0x040:
    case 0x044:
    case 0x080:
    case 0x084:
    case 0x090:
    case 0x094:
    case 0x0A0:
    case 0x0A4:
        queue_write(p, offset, value);
        break;
    case 0x050:
        virtio_model_doorbell(p->dev, (uint16_t)value);
        break;
    case 0x064:
        ack_write(p->dev, value, p->lies.extra_irq);
        break;
    case 0x070:
        status_write(p, value);
        break;
    default:
        virtio_model_complain(p->dev, "a register that cannot be written");
    }
}

static void window_write(void *ctx, uint64_t offset, unsigned width, uint32_t value)
{
    struct virtio_mmio_model *p = ctx;

    if (offset + width > p->size_bytes)
        abort();
    if (offset >= CONFIG)
        virtio_model_config_write(p->dev, (uint32_t)(offset - CONFIG), width, value);
    else if (width != 4 || offset % 4 != 0)
        virtio_model_complain(p->dev, "registers are written in words");
    else
        reg_write(p, offset, value);
}

/* ---- the address space ---- */

static int space_map(void *ctx, paddr_t addr, uint64_t size_bytes, struct reg_io *out)
{
    struct virtio_mmio_model *p = ctx;

    if (p->map_fails)
        return -ENOMEM;
    if (addr != VIRTIO_MMIO_MODEL_ADDR || size_bytes > p->size_bytes)
        return -EINVAL;
    p->live_maps++;
    *out = (struct reg_io){
        .ctx = p, .size_bytes = size_bytes, .read = window_read, .write = window_write};
    return 0;
}

static int space_port(void *ctx, uint16_t first, uint16_t count, struct reg_io *out)
{
    (void)ctx;
    (void)first;
    (void)count;
    (void)out;
    return -EINVAL;
}

static void space_unmap(void *ctx, struct reg_io *io)
{
    struct virtio_mmio_model *p = ctx;

    (void)io;
    p->live_maps--;
}

void virtio_mmio_model_init(struct virtio_mmio_model *p, struct virtio_model *dev,
                            uint32_t version)
{
    *p = (struct virtio_mmio_model){.dev = dev,
                                    .magic = MAGIC,
                                    .version = version,
                                    .device_id = 5,
                                    .size_bytes = VIRTIO_MMIO_MODEL_BYTES};
    p->space = (struct reg_space){
        .ctx = p, .map = space_map, .port = space_port, .unmap = space_unmap};
    dev->is_legacy = version == 1;
}
