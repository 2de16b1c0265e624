// SPDX-License-Identifier: BSD-2-Clause
/* The legacy registers of the virtio model, in the ports of BAR 0. */
#include "tests/model/virtio_pci.h"

#define NO_VALUE UINT32_C(0xFFFFFFFF)
#define PAGE     4096u

static uint32_t config_at(const struct virtio_pci_model *p)
{
    return virtio_pci_model_has_msix_on(p) ? 24 : 20;
}

static struct virtio_model_queue *selected(struct virtio_pci_model *p)
{
    return p->queue_select < p->dev->num_queues ? &p->dev->queues[p->queue_select] : NULL;
}

/* Every register with its own width; those behind the ISR depend on MSI-X. */
static void check_width(struct virtio_pci_model *p, uint64_t offset, unsigned width)
{
    static const uint8_t widths[24] = {
        [0] = 4,  [4] = 4,  [8] = 4,  [12] = 2, [14] = 2,
        [16] = 2, [18] = 1, [19] = 1, [20] = 2, [22] = 2,
    };

    if (offset < config_at(p) && widths[offset] != width)
        virtio_model_complain(p->dev, "legacy register accessed with a wrong width");
}

static uint32_t reg_read(struct virtio_pci_model *p, uint64_t offset)
{
    struct virtio_model_queue *q = selected(p);
    const struct virtio_lies *lies = &p->dev->lies;
    uint32_t isr;

    switch (offset) {
    case 0:
        return (uint32_t)p->dev->offered;
    case 8:
        if (lies->enable_drops)
            return 0;
        return q && q->enabled ? (uint32_t)(q->desc / PAGE) : 0;
    case 12:
        if (lies->queue_size_raw)
            return lies->queue_size_raw;
        return q ? q->max : 0;
    case 18:
        return virtio_model_status_read(p->dev);
    case 19: /* reading acknowledges */
        if (virtio_pci_model_has_msix_on(p))
            virtio_model_complain(p->dev, "the ISR is read with MSI-X on");
        isr = p->dev->isr;
        p->dev->isr = 0;
        return isr;
    case 20:
        return p->dev->config_vector;
    case 22:
        return q ? q->vector : VIRTIO_MODEL_NO_VECTOR;
    default:
        return NO_VALUE;
    }
}

uint32_t virtio_pci_model_port_read(struct virtio_pci_model *p, uint64_t offset,
                                    unsigned width)
{
    check_width(p, offset, width);
    if (offset >= config_at(p))
        return virtio_model_config_read(p->dev, (uint32_t)offset - config_at(p), width);
    return reg_read(p, offset);
}

static void pfn_write(struct virtio_pci_model *p, uint32_t value)
{
    struct virtio_model_queue *q = selected(p);

    if (!q || q->enabled) {
        virtio_model_complain(p->dev, "write to a queue that is absent or enabled");
        return;
    }
    if ((pci_model_get(&p->fn, 0x04, 2) & 4) == 0)
        virtio_model_complain(p->dev, "queue enabled without bus mastering");
    q->size = q->max;
    virtio_model_legacy_queue(p->dev, q, (uint64_t)value * PAGE);
}

static void reg_write(struct virtio_pci_model *p, uint64_t offset, uint32_t value)
{
    struct virtio_model *dev = p->dev;
    struct virtio_model_queue *q = selected(p);

    switch (offset) {
    case 4:
        if ((dev->status & 4) != 0)
            virtio_model_complain(dev, "features written too late");
        dev->accepted = value;
        dev->feature_words |= 1;
        break;
    case 8:
        pfn_write(p, value);
        break;
    case 14:
        p->queue_select = (uint16_t)value;
        break;
    case 16:
        virtio_model_doorbell(dev, (uint16_t)value);
        break;
    case 18:
        virtio_model_status_write(dev, (uint8_t)value);
        break;
    case 20:
        virtio_model_map_vector(dev, &dev->config_vector, (uint16_t)value,
                                p->msix_entries);
        break;
    case 22:
        if (q)
            virtio_model_map_vector(dev, &q->vector, (uint16_t)value, p->msix_entries);
        break;
    default:
        virtio_model_complain(dev, "write to a read-only register");
    }
}

void virtio_pci_model_make_legacy(struct virtio_pci_model *p)
{
    p->dev->is_legacy = true;
    pci_model_set(&p->fn, 0x02, 2, 0x1002);
    pci_model_set(&p->fn, 0x34, 1, p->msix_entries ? VPM_CAP_MSIX : 0);
}

void virtio_pci_model_port_write(struct virtio_pci_model *p, uint64_t offset,
                                 unsigned width, uint32_t value)
{
    check_width(p, offset, width);
    if (offset >= config_at(p))
        virtio_model_config_write(p->dev, (uint32_t)offset - config_at(p), width, value);
    else
        reg_write(p, offset, value);
}
