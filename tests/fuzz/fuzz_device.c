// SPDX-License-Identifier: BSD-2-Clause
/*
 * The status machine on a transport whose every answer is the fuzzer's: status, features, queue
 * sizes, configuration, causes. All calls end, states stay legal, unknown bits are never accepted, no
 * doorbell rings before DRIVER_OK, and memory is given back unless the device never completed a reset.
 */
#include "tests/fuzz/stream.h"
#include "tests/model/hal_model.h"

#include "base/err.h"
#include "drivers/virtio/device.h"

#include <stdlib.h>

#define SUPPORTED                                                     \
    (BIT64(0) | BIT64(1) | BIT64(5) | BIT64(VIRTIO_F_INDIRECT_DESC) | \
     BIT64(VIRTIO_F_EVENT_IDX) | BIT64(VIRTIO_F_RING_PACKED) | BIT64(VIRTIO_F_IN_ORDER))

struct fuzz {
    struct stream in;
    struct hal_model hal;
    struct virtio_transport transport;
    struct virtio_device dev;
    uint8_t written; /* status as the driver wrote it */
    uint64_t offered;
};

static void must(bool promise)
{
    if (!promise)
        abort();
}

static void op_reset(void *ctx)
{
    struct fuzz *f = ctx;

    f->written = 0;
}

/* Mostly what was written, else anything. */
static uint8_t op_status_get(void *ctx)
{
    struct fuzz *f = ctx;
    uint8_t twist = take8(&f->in);

    return twist & 7 ? f->written : (uint8_t)(f->written ^ take8(&f->in));
}

static void op_status_set(void *ctx, uint8_t status)
{
    struct fuzz *f = ctx;

    must(status != 0);
    f->written = status;
}

static uint64_t op_features_get(void *ctx)
{
    struct fuzz *f = ctx;

    f->offered = take64(&f->in) | (take8(&f->in) & 3 ? BIT64(VIRTIO_F_VERSION_1) : 0);
    return f->offered;
}

static void op_features_set(void *ctx, uint64_t features)
{
    struct fuzz *f = ctx;

    must((features & ~f->offered) == 0);
    must((features & ~(SUPPORTED | BIT64(VIRTIO_F_VERSION_1) |
                       BIT64(VIRTIO_F_ACCESS_PLATFORM))) == 0);
}

static uint32_t op_config_read(void *ctx, uint32_t offset, unsigned width)
{
    struct fuzz *f = ctx;

    must(width == 4 && offset % 4 == 0);
    return take32(&f->in);
}

static void op_config_write(void *ctx, uint32_t offset, unsigned width, uint32_t value)
{
    (void)ctx;
    (void)value;
    must(width == 4 && offset % 4 == 0);
}

static uint32_t op_generation(void *ctx)
{
    struct fuzz *f = ctx;

    return take8(&f->in);
}

static uint32_t op_queue_max(void *ctx, uint16_t index)
{
    struct fuzz *f = ctx;

    (void)index;
    return take8(&f->in) & 3 ? 128 : take32(&f->in);
}

static int op_queue_setup(void *ctx, uint16_t index,
                          const struct virtio_queue_areas *areas)
{
    struct fuzz *f = ctx;

    bool is_packed = virtio_has_feature(&f->dev, VIRTIO_F_RING_PACKED);

    must(index < VIRTIO_MAX_QUEUES && areas->size > 0 && areas->size <= VQ_SIZE_LIMIT &&
         (is_packed || is_pow2(areas->size)));
    must(areas->desc_addr % 16 == 0 && areas->driver_addr % 2 == 0 &&
         areas->device_addr % 4 == 0);
    must(hal_model_dma(&f->hal, areas->device_addr,
                       is_packed ? 4 : 6 + 8u * areas->size) != NULL);
    return take8(&f->in) & 7 ? 0 : -EPROTO;
}

static void op_queue_disable(void *ctx, uint16_t index)
{
    (void)ctx;
    (void)index;
}

static void op_notify(void *ctx, uint16_t index)
{
    struct fuzz *f = ctx;

    must((f->written & VIRTIO_STATUS_DRIVER_OK) != 0 && f->dev.queues[index]);
}

/* Taken, most of the time. */
static uint16_t op_config_vector(void *ctx, uint16_t vector)
{
    struct fuzz *f = ctx;

    return take8(&f->in) & 7 ? vector : take16(&f->in);
}

static uint16_t op_queue_vector(void *ctx, uint16_t index, uint16_t vector)
{
    struct fuzz *f = ctx;

    must(index < VIRTIO_MAX_QUEUES && !f->dev.queues[index]);
    return op_config_vector(f, vector);
}

static uint8_t op_isr_ack(void *ctx)
{
    struct fuzz *f = ctx;

    must(!f->dev.vectors.is_msix);
    return take8(&f->in);
}

static bool fallback(void *ctx, unsigned attempt, uint64_t offered, uint64_t *features)
{
    struct fuzz *f = ctx;

    must(attempt <= VIRTIO_MAX_FALLBACKS && offered == f->offered);
    *features |= BIT64(VIRTIO_F_ACCESS_PLATFORM);
    return take8(&f->in) & 1;
}

/* One buffer into each queue; what comes back must have been put in. */
static void play(struct fuzz *f)
{
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
        struct vq *q = f->dev.queues[i];
        uint32_t written;
        void *token;

        if (!q)
            continue;
        must(vq_add(q, &(struct vq_seg){4096, 4}, 1, 0, f) == 0);
        vq_kick(q);
        must(vq_pop(q, &token, &written) == -EAGAIN); /* the ring's memory is untouched */
    }
}

static void live(struct fuzz *f)
{
    uint32_t words[4];

    if (virtio_driver_ok(&f->dev) != 0)
        return;
    play(f);
    for (unsigned i = 0; i < 8; i++) {
        int err = virtio_config_read(&f->dev, 4u * i, words, 1 + i % 4);

        must(err == 0 || err == -EIO);
        virtio_config_write32(&f->dev, 4, words[0]);
        virtio_irq_ack(&f->dev);
        virtio_irq_filter(&f->dev, VIRTIO_ISR_QUEUE);
        err = virtio_poll_status(&f->dev);
        must(err == 0 ? f->dev.state == VIRTIO_LIVE : f->dev.state == VIRTIO_BROKEN);
    }
}

static void one_life(struct fuzz *f, struct virtio_vectors vectors)
{
    const struct virtio_wanted wanted = {
        .supported = SUPPORTED, .fallback = fallback, .ctx = f};
    static const struct virtio_queue_opts opts = {
        .max_size = 32, .indirect_max = 8, .tables = 1};
    struct vq *q;

    virtio_init(&f->dev, &f->transport, &f->hal.hal, "fuzz");
    virtio_use_vectors(&f->dev, vectors);
    if (virtio_negotiate(&f->dev, &wanted) == 0) {
        must(f->dev.features & BIT64(VIRTIO_F_VERSION_1));
        for (uint16_t i = 0; i < 5; i++)
            virtio_queue_create(&f->dev, i, &opts, &q);
        virtio_irq_ack(&f->dev);
        if (f->dev.state == VIRTIO_NEGOTIATED)
            live(f);
    }
    if (virtio_reset(&f->dev) != 0)
        must(f->dev.state == VIRTIO_DEAD && f->dev.errors.reset_timeout > 0);
    virtio_fini(&f->dev);
    must(f->hal.mem_live == 0);
    must(f->hal.dma_live == 0 || f->dev.state == VIRTIO_DEAD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz *f = calloc(1, sizeof(*f));

    must(f != NULL);
    f->in = (struct stream){.data = data, .left = size};
    hal_model_init(&f->hal);
    f->hal.relax_ns = NS_PER_S / 8;
    f->transport = (struct virtio_transport){
        .name = "fuzz",
        .ctx = f,
        .required_features = BIT64(VIRTIO_F_VERSION_1),
        .has_generation = true,
        .reset = op_reset,
        .status_get = op_status_get,
        .status_set = op_status_set,
        .features_get = op_features_get,
        .features_set = op_features_set,
        .config_read = op_config_read,
        .config_write = op_config_write,
        .config_generation = op_generation,
        .queue_max = op_queue_max,
        .queue_setup = op_queue_setup,
        .queue_disable = op_queue_disable,
        .notify = op_notify,
        .config_vector = op_config_vector,
        .queue_vector = op_queue_vector,
        .isr_ack = op_isr_ack,
    };
    f->hal.fail_at = take8(&f->in); /* and the machine may run out of memory */
    one_life(f, (struct virtio_vectors){0});
    if (f->dev.state != VIRTIO_DEAD)
        one_life(f, (struct virtio_vectors){.is_msix = true, .queues = 1});
    hal_model_end(&f->hal);
    free(f);
    return 0;
}
