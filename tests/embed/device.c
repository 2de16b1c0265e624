// SPDX-License-Identifier: BSD-2-Clause
/* The toy device: two queues, no options, an answer before the doorbell returns. */
#include "tests/embed/device.h"

#include "base/bits.h"

#include <string.h>

#define QUEUE_SIZE 16
#define VERSION_1  BIT64(32)

static void reset(void *ctx)
{
    struct toy_device *toy = ctx;

    toy->status = 0;
    memset(toy->queues, 0, sizeof(toy->queues));
    memset(toy->inflated, 0, sizeof(toy->inflated));
    toy->size = 0;
}

static uint8_t status_get(void *ctx)
{
    return ((struct toy_device *)ctx)->status;
}

static void status_set(void *ctx, uint8_t status)
{
    ((struct toy_device *)ctx)->status = status;
}

static uint64_t features_get(void *ctx)
{
    (void)ctx;
    return VERSION_1;
}

static void features_set(void *ctx, uint64_t features)
{
    (void)ctx;
    (void)features;
}

static uint32_t config_read(void *ctx, uint32_t offset, unsigned width)
{
    struct toy_device *toy = ctx;

    (void)width;
    return offset == 0 ? toy->target : offset == 4 ? toy->actual : UINT32_MAX;
}

static void config_write(void *ctx, uint32_t offset, unsigned width, uint32_t value)
{
    struct toy_device *toy = ctx;

    if (offset == 4 && width == 4)
        toy->actual = value;
    else
        toy->errors++;
}

static uint32_t config_generation(void *ctx)
{
    (void)ctx;
    return 0;
}

static uint32_t queue_max(void *ctx, uint16_t index)
{
    (void)ctx;
    return index < 2 ? QUEUE_SIZE : 0;
}

static int queue_setup(void *ctx, uint16_t index, const struct virtio_queue_areas *areas)
{
    struct toy_device *toy = ctx;

    toy->queues[index] = (struct toy_queue){.areas = *areas, .is_enabled = true};
    return 0;
}

static void queue_disable(void *ctx, uint16_t index)
{
    ((struct toy_device *)ctx)->queues[index].is_enabled = false;
}

static void *at(struct toy_device *toy, uint64_t addr)
{
    return toy->fw->ram + (addr - pfn_to_paddr(toy->fw->ram_first));
}

static void move_frame(struct toy_device *toy, uint32_t pfn, bool in)
{
    uint64_t i = pfn - toy->fw->ram_first.n;

    if (i >= RAM_FRAMES || toy->inflated[i] == in) {
        toy->errors++;
        return;
    }
    /* What a host does: the memory is gone. */
    if (in)
        memset(toy->fw->ram + (i << FRAME_SHIFT), 0, FRAME_SIZE);
    toy->inflated[i] = in;
    toy->size += in ? 1 : (uint64_t)-1;
}

/* One buffer of PFNs: descriptor `head` of the table (virtio 1.3, 2.7.5). */
static void take_buffer(struct toy_device *toy, const struct toy_queue *q, uint16_t head,
                        bool in)
{
    const char *desc = (const char *)at(toy, q->areas.desc_addr) + 16 * head;
    uint64_t addr;
    uint32_t len, pfn;

    memcpy(&addr, desc, 8);
    memcpy(&len, desc + 8, 4);
    for (uint32_t i = 0; i < len; i += 4) {
        memcpy(&pfn, (const char *)at(toy, addr) + i, 4);
        move_frame(toy, pfn, in);
    }
}

static void notify(void *ctx, uint16_t index)
{
    struct toy_device *toy = ctx;
    struct toy_queue *q = &toy->queues[index];
    uint16_t *avail = at(toy, q->areas.driver_addr);
    uint16_t *used = at(toy, q->areas.device_addr);
    uint32_t *elems = (uint32_t *)(used + 2);

    while (q->is_enabled && q->seen != avail[1]) {
        uint16_t slot = q->seen++ % QUEUE_SIZE, head = avail[2 + slot];

        take_buffer(toy, q, head, index == 0);
        elems[2u * slot] = head;
        elems[2u * slot + 1] = 0;
        used[1] = q->seen;
    }
}

static uint16_t config_vector(void *ctx, uint16_t vector)
{
    (void)ctx;
    (void)vector;
    return VIRTIO_NO_VECTOR;
}

static uint16_t queue_vector(void *ctx, uint16_t index, uint16_t vector)
{
    (void)ctx;
    (void)index;
    (void)vector;
    return VIRTIO_NO_VECTOR;
}

static uint8_t isr_ack(void *ctx)
{
    struct toy_device *toy = ctx;
    uint8_t causes = toy->isr;

    toy->isr = 0;
    return causes;
}

void toy_init(struct toy_device *toy, struct firmware *fw)
{
    *toy = (struct toy_device){.fw = fw};
    toy->transport = (struct virtio_transport){
        .name = "toy",
        .ctx = toy,
        .required_features = VERSION_1,
        .config_bytes = 8,
        .reset = reset,
        .status_get = status_get,
        .status_set = status_set,
        .features_get = features_get,
        .features_set = features_set,
        .config_read = config_read,
        .config_write = config_write,
        .config_generation = config_generation,
        .queue_max = queue_max,
        .queue_setup = queue_setup,
        .queue_disable = queue_disable,
        .notify = notify,
        .config_vector = config_vector,
        .queue_vector = queue_vector,
        .isr_ack = isr_ack,
    };
}

void toy_set_target(struct toy_device *toy, uint32_t pages)
{
    toy->target = pages;
    toy->isr |= VIRTIO_ISR_CONFIG;
}
