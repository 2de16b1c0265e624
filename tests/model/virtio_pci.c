// SPDX-License-Identifier: BSD-2-Clause
/* PCI registers of the virtio model. */
#include "tests/model/virtio_pci.h"

#include <string.h>

#define AREA_SIZE  0x1000u
#define AREA(n)    ((n)*AREA_SIZE)
#define BAR_SIZE   AREA(4)
#define MULTIPLIER 4u
#define NO_VALUE   UINT32_C(0xFFFFFFFF)

#define MSIX_SIZE   0x1000u
#define CONTROL     2u
#define CTRL_ENABLE 0x8000u
#define CTRL_MASK   0x4000u
#define ENTRY_WORDS 4u

/* ---- MSI-X ---- */

bool virtio_pci_model_has_msix_on(const struct virtio_pci_model *p)
{
    return p->msix_entries != 0 &&
           (pci_model_get(&p->fn, VPM_CAP_MSIX + CONTROL, 2) & CTRL_ENABLE) != 0;
}

static bool is_masked(const struct virtio_pci_model *p, unsigned vector)
{
    return (pci_model_get(&p->fn, VPM_CAP_MSIX + CONTROL, 2) & CTRL_MASK) != 0 ||
           (p->msix[vector].word[3] & 1) != 0;
}

static bool message(void *ctx, uint16_t vector)
{
    struct virtio_pci_model *p = ctx;

    if (!virtio_pci_model_has_msix_on(p))
        return false;
    if (vector >= p->msix_entries)
        return true; /* no vector: nobody hears of it */
    if (is_masked(p, vector))
        p->pending |= UINT64_C(1) << vector;
    else
        p->fired |= UINT64_C(1) << vector;
    return true;
}

static uint32_t msix_read(struct virtio_pci_model *p, uint64_t offset, unsigned width)
{
    uint64_t word = offset / 4;

    if (width != 4 || offset % 4 != 0)
        virtio_model_complain(p->dev, "the MSI-X table is read in words");
    if (offset >= VPM_MSIX_PBA)
        return (uint32_t)(p->pending >> 32 * (offset / 4 % 2));
    if (word / ENTRY_WORDS >= p->msix_entries)
        return 0;
    return p->msix[word / ENTRY_WORDS].word[word % ENTRY_WORDS] ^
           p->msix_flip[word % ENTRY_WORDS];
}

static void msix_write(struct virtio_pci_model *p, uint64_t offset, unsigned width,
                       uint32_t value)
{
    uint64_t entry = offset / 16, word = offset / 4 % ENTRY_WORDS;

    if (width != 4 || offset % 4 != 0 || entry >= p->msix_entries) {
        virtio_model_complain(p->dev, "the MSI-X table is written in words");
        return;
    }
    if (word != 3 && (p->msix[entry].word[3] & 1) == 0)
        virtio_model_complain(p->dev, "an MSI-X entry was changed while unmasked");
    p->msix[entry].word[word] = value;
    if ((p->pending & UINT64_C(1) << entry) != 0 && !is_masked(p, (unsigned)entry)) {
        p->pending &= ~(UINT64_C(1) << entry);
        p->fired |= UINT64_C(1) << entry;
    }
}

/* ---- common configuration ---- */

struct common_reg {
    uint8_t offset, width;
};

/* Every register with its own width, R-T-12; 64-bit ones are two halves. */
static bool width_is_right(uint64_t offset, unsigned width)
{
    static const struct common_reg regs[] = {
        {0x00, 4}, {0x04, 4}, {0x08, 4}, {0x0C, 4}, {0x10, 2}, {0x12, 2}, {0x14, 1},
        {0x15, 1}, {0x16, 2}, {0x18, 2}, {0x1A, 2}, {0x1C, 2}, {0x1E, 2}, {0x20, 4},
        {0x24, 4}, {0x28, 4}, {0x2C, 4}, {0x30, 4}, {0x34, 4},
    };

    for (unsigned i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
        if (regs[i].offset == offset)
            return regs[i].width == width;
    return false;
}

static struct virtio_model_queue *selected(struct virtio_pci_model *p)
{
    return p->queue_select < p->dev->num_queues ? &p->dev->queues[p->queue_select] : NULL;
}

static uint32_t queue_read(struct virtio_pci_model *p, uint64_t offset)
{
    const struct virtio_model_queue *q = selected(p);
    const struct virtio_lies *lies = &p->dev->lies;

    switch (offset) {
    case 0x18:
        if (lies->queue_size_raw)
            return lies->queue_size_raw;
        return q ? lies->size_sticks ? q->max : q->size : 0;
    case 0x1A:
        return q ? q->vector : VIRTIO_MODEL_NO_VECTOR;
    case 0x1C:
        return q && q->enabled && !lies->enable_drops;
    case 0x1E:
        return lies->notify_off ? lies->notify_off : p->queue_select;
    default:
        return 0;
    }
}

static uint32_t common_read(struct virtio_pci_model *p, uint64_t offset)
{
    struct virtio_model *dev = p->dev;

    switch (offset) {
    case 0x04:
        return p->device_feature_select > 1
                   ? 0
                   : (uint32_t)(dev->offered >> 32 * p->device_feature_select);
    case 0x10:
        return dev->config_vector;
    case 0x12:
        return dev->num_queues;
    case 0x14:
        return virtio_model_status_read(dev);
    case 0x15:
        return dev->lies.generation_spins ? ++dev->generation : dev->generation;
    case 0x16:
        return p->queue_select;
    default:
        return queue_read(p, offset);
    }
}

static void set_half(uint64_t *addr, bool high, uint32_t value)
{
    *addr = high ? (*addr & UINT32_MAX) | (uint64_t)value << 32
                 : (*addr & ~(uint64_t)UINT32_MAX) | value;
}

static void enable(struct virtio_pci_model *p, struct virtio_model_queue *q,
                   uint32_t value)
{
    if (value != 1)
        virtio_model_complain(p->dev, "queue_enable written with something else than 1");
    if ((pci_model_get(&p->fn, 0x04, 2) & 4) == 0)
        virtio_model_complain(p->dev, "queue enabled without bus mastering");
    virtio_model_enable(p->dev, q);
}

static void queue_write(struct virtio_pci_model *p, uint64_t offset, uint32_t value)
{
    struct virtio_model_queue *q = selected(p);

    if (!q || q->enabled) {
        virtio_model_complain(p->dev, "write to a queue that is absent or enabled");
        return;
    }
    switch (offset) {
    case 0x18:
        q->size = (uint16_t)value;
        break;
    case 0x1A:
        virtio_model_map_vector(p->dev, &q->vector, (uint16_t)value, p->msix_entries);
        break;
    case 0x1C:
        enable(p, q, value);
        break;
    case 0x20:
    case 0x24:
        set_half(&q->desc, offset & 4, value);
        break;
    case 0x28:
    case 0x2C:
        set_half(&q->driver, offset & 4, value);
        break;
    case 0x30:
    case 0x34:
        set_half(&q->device, offset & 4, value);
        break;
    default:
        virtio_model_complain(p->dev, "write to a read-only register");
    }
}

static void common_write(struct virtio_pci_model *p, uint64_t offset, uint32_t value)
{
    struct virtio_model *dev = p->dev;

    switch (offset) {
    case 0x00:
        p->device_feature_select = value;
        break;
    case 0x08:
        p->driver_feature_select = value;
        break;
    case 0x0C:
        if ((dev->status & 8) != 0)
            virtio_model_complain(dev, "features written after FEATURES_OK");
        if (p->driver_feature_select <= 1) {
            set_half(&dev->accepted, p->driver_feature_select == 1, value);
            dev->feature_words |= 1u << p->driver_feature_select;
        }
        break;
    case 0x10:
        virtio_model_map_vector(dev, &dev->config_vector, (uint16_t)value,
                                p->msix_entries);
        break;
    case 0x14:
        virtio_model_status_write(dev, (uint8_t)value);
        break;
    case 0x16:
        p->queue_select = (uint16_t)value;
        break;
    default:
        queue_write(p, offset, value);
    }
}

/* ---- the BAR ---- */

static uint32_t bar_read(void *ctx, unsigned bar, uint64_t offset, unsigned width)
{
    struct virtio_pci_model *p = ctx;
    uint32_t isr;

    if (bar == 0)
        return virtio_pci_model_port_read(p, offset, width);
    if (bar == 1)
        return msix_read(p, offset - p->msix_at, width);
    if (bar != 4)
        return NO_VALUE;
    switch (offset / AREA_SIZE) {
    case 0:
        if (!width_is_right(offset, width))
            virtio_model_complain(p->dev, "common register read with a wrong width");
        return common_read(p, offset);
    case 1: /* reading acknowledges */
        if (virtio_pci_model_has_msix_on(p))
            virtio_model_complain(p->dev, "the ISR is read with MSI-X on");
        isr = p->dev->isr;
        p->dev->isr = 0;
        return isr;
    case 2:
        return virtio_model_config_read(p->dev, (uint32_t)(offset - AREA(2)), width);
    default:
        return NO_VALUE;
    }
}

static void bar_write(void *ctx, unsigned bar, uint64_t offset, unsigned width,
                      uint32_t value)
{
    struct virtio_pci_model *p = ctx;

    if (bar == 0)
        virtio_pci_model_port_write(p, offset, width, value);
    if (bar == 1)
        msix_write(p, offset - p->msix_at, width, value);
    if (bar != 4)
        return;
    switch (offset / AREA_SIZE) {
    case 0:
        if (!width_is_right(offset, width))
            virtio_model_complain(p->dev, "common register written with a wrong width");
        common_write(p, offset, value);
        break;
    case 2:
        virtio_model_config_write(p->dev, (uint32_t)(offset - AREA(2)), width, value);
        break;
    case 3:
        if (width != 2 || (offset - AREA(3)) / MULTIPLIER != value)
            virtio_model_complain(p->dev, "doorbell with a wrong width or value");
        virtio_model_doorbell(p->dev, (uint16_t)value);
        break;
    default:
        virtio_model_complain(p->dev, "write to a read-only area");
    }
}

/* ---- configuration space ---- */

static void add_cap(struct pci_model_fn *fn, unsigned at, unsigned next, unsigned type,
                    unsigned area)
{
    unsigned len = type == 2 || type == 5 ? 20 : 16;

    pci_model_set(fn, at, 4, 0x09u | next << 8 | len << 16 | type << 24);
    pci_model_set(fn, at + 4, 4, type == 5 ? 0 : 4);
    pci_model_set(fn, at + 8, 4, type == 5 ? 0 : AREA(area));
    pci_model_set(fn, at + 12, 4, type == 5 ? 0 : AREA_SIZE);
    if (type == 2)
        pci_model_set(fn, at + 16, 4, MULTIPLIER);
}

void virtio_pci_model_init(struct virtio_pci_model *p, struct virtio_model *dev,
                           uint16_t device_id, uint8_t slot)
{
    struct pci_model_fn *fn = &p->fn;

    *p = (struct virtio_pci_model){.dev = dev};
    fn->slot = slot;
    fn->ctx = p;
    fn->bar_read = bar_read;
    fn->bar_write = bar_write;

    pci_model_identity(fn, 0x1AF4, device_id, 0);
    pci_model_set(fn, 0x06, 2, 0x10);
    pci_model_set(fn, 0x0A, 2, 0x00FF);
    pci_model_set(fn, 0x2E, 2, 5);
    pci_model_set(fn, 0x34, 1, VPM_CAP_WINDOW);
    pci_model_set(fn, 0x3C, 2, 0x010B); /* line 11, pin A */
    pci_model_set(fn, 0x10, 4, 0xC001);
    fn->bar_size[0] = 64;
    pci_model_set(fn, 0x20, 4,
                  (uint32_t)VIRTIO_PCI_BAR_ADDR | 0xC); /* 64 bits, prefetchable */
    pci_model_set(fn, 0x24, 4, (uint32_t)(VIRTIO_PCI_BAR_ADDR >> 32));
    fn->bar_size[4] = BAR_SIZE;

    add_cap(fn, VPM_CAP_WINDOW, VPM_CAP_NOTIFY, 5, 0);
    add_cap(fn, VPM_CAP_NOTIFY, VPM_CAP_DEVICE, 2, 3);
    add_cap(fn, VPM_CAP_DEVICE, VPM_CAP_ISR, 4, 2);
    add_cap(fn, VPM_CAP_ISR, VPM_CAP_COMMON, 3, 1);
    add_cap(fn, VPM_CAP_COMMON, 0, 1, 0);
}

void virtio_pci_model_add_msix(struct virtio_pci_model *p, unsigned entries)
{
    struct pci_model_fn *fn = &p->fn;

    p->msix_entries = entries;
    for (unsigned i = 0; i < entries; i++)
        p->msix[i].word[3] = 1;
    p->dev->message = message;
    p->dev->message_ctx = p;
    pci_model_set(fn, 0x14, 4, (uint32_t)VIRTIO_PCI_MSIX_ADDR);
    fn->bar_size[1] = MSIX_SIZE;
    if (p->dev->is_legacy)
        pci_model_set(fn, 0x34, 1, VPM_CAP_MSIX);
    pci_model_set(fn, VPM_CAP_COMMON + 1, 1, VPM_CAP_MSIX);
    pci_model_set(fn, VPM_CAP_MSIX, 4, 0x11 | (entries - 1) << 16);
    pci_model_set(fn, VPM_CAP_MSIX + 4, 4, 1);
    pci_model_set(fn, VPM_CAP_MSIX + 8, 4, VPM_MSIX_PBA | 1);
}
