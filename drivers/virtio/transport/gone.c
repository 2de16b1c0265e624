// SPDX-License-Identifier: BSD-2-Clause
/* Reads say "reset", "no features", "no queues"; writes go nowhere. */
#include "drivers/virtio/transport/gone.h"

#include "base/err.h"

static void drop(void *ctx)
{
    (void)ctx;
}

static uint8_t status_get(void *ctx)
{
    (void)ctx;
    return 0;
}

static void status_set(void *ctx, uint8_t status)
{
    (void)ctx;
    (void)status;
}

static uint64_t features_get(void *ctx)
{
    (void)ctx;
    return 0;
}

static void features_set(void *ctx, uint64_t features)
{
    (void)ctx;
    (void)features;
}

/* As a bus answers where nobody is. */
static uint32_t config_read(void *ctx, uint32_t offset, unsigned width)
{
    (void)ctx;
    (void)offset;
    return UINT32_MAX >> (32 - 8 * width);
}

static void config_write(void *ctx, uint32_t offset, unsigned width, uint32_t value)
{
    (void)ctx;
    (void)offset;
    (void)width;
    (void)value;
}

static uint32_t config_generation(void *ctx)
{
    (void)ctx;
    return 0;
}

static uint32_t queue_max(void *ctx, uint16_t index)
{
    (void)ctx;
    (void)index;
    return 0;
}

static int queue_setup(void *ctx, uint16_t index, const struct virtio_queue_areas *areas)
{
    (void)ctx;
    (void)index;
    (void)areas;
    return -EPROTO;
}

static void drop_index(void *ctx, uint16_t index)
{
    (void)ctx;
    (void)index;
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

/* A change of configuration: whoever asks shall look at the status. */
static uint8_t isr_ack(void *ctx)
{
    (void)ctx;
    return VIRTIO_ISR_CONFIG;
}

const struct virtio_transport virtio_transport_gone = {
    .name = "gone",
    .reset = drop,
    .status_get = status_get,
    .status_set = status_set,
    .features_get = features_get,
    .features_set = features_set,
    .config_read = config_read,
    .config_write = config_write,
    .config_generation = config_generation,
    .queue_max = queue_max,
    .queue_setup = queue_setup,
    .queue_disable = drop_index,
    .notify = drop_index,
    .config_vector = config_vector,
    .queue_vector = queue_vector,
    .isr_ack = isr_ack,
};
