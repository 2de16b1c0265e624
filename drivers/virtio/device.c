// SPDX-License-Identifier: BSD-2-Clause
/* The status machine, feature negotiation, configuration reads and the queues' life, by device.h. */
#include "drivers/virtio/device.h"

#include "base/assert.h"
#include "base/err.h"
#include "drivers/virtio/queue/vq_format.h"

#define GENERATION_TRIES 16u
#define DEFAULT_SIZE     1024u
#define STATUS_GONE      0xFFu /* what a removed device reads as */

/* R-T-01: cumulative, in this order. */
#define STATUS_ACK      VIRTIO_STATUS_ACKNOWLEDGE
#define STATUS_DRIVER   (STATUS_ACK | VIRTIO_STATUS_DRIVER)
#define STATUS_FEATURES (STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK)
#define STATUS_LIVE     (STATUS_FEATURES | VIRTIO_STATUS_DRIVER_OK)

void virtio_init(struct virtio_device *dev, const struct virtio_transport *transport,
                 const struct balloon_hal *hal, const char *name)
{
    *dev = (struct virtio_device){
        .name = name, .transport = transport, .hal = hal, .state = VIRTIO_RESETTING};
}

void virtio_use_vectors(struct virtio_device *dev, struct virtio_vectors vectors)
{
    assert(dev->state != VIRTIO_LIVE);
    dev->vectors = vectors;
    /* Only a reset from now on finds the registers where they are with these. */
    if (dev->state == VIRTIO_RESET)
        dev->state = VIRTIO_RESETTING;
}

static void status_add(struct virtio_device *dev, uint8_t status)
{
    dev->status = status;
    dev->transport->status_set(dev->transport->ctx, status);
}

static uint8_t status_read(struct virtio_device *dev)
{
    return dev->transport->status_get(dev->transport->ctx);
}

/* ---- reset ---- */

static void renew_deadline(struct virtio_device *dev)
{
    dev->reset_deadline_ns = dev->hal->now(dev->hal->ctx) + VIRTIO_RESET_TIMEOUT;
}

static void start_reset(struct virtio_device *dev)
{
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++)
        if (dev->queues[i])
            vq_stop(dev->queues[i]);
    dev->state = VIRTIO_RESETTING;
    dev->status = 0;
    dev->features = 0;
    dev->transport->reset(dev->transport->ctx);
}

void virtio_reset_start(struct virtio_device *dev)
{
    renew_deadline(dev);
    start_reset(dev);
}

int virtio_reset_poll(struct virtio_device *dev)
{
    if (dev->state == VIRTIO_RESET)
        return 0;
    if (dev->state == VIRTIO_DEAD)
        return -ETIMEDOUT;
    if (status_read(dev) == 0) {
        for (uint16_t i = 0; i < VIRTIO_MAX_QUEUES; i++)
            if (dev->queues[i])
                dev->transport->queue_disable(dev->transport->ctx, i);
        dev->state = VIRTIO_RESET;
        return 0;
    }
    if (dev->hal->now(dev->hal->ctx) < dev->reset_deadline_ns)
        return -EAGAIN;
    dev->errors.reset_timeout++;
    dev->state = VIRTIO_DEAD;
    log_to(&dev->hal->log, LOG_ERROR, "virtio: %s does not complete a reset, status 0x%x",
           dev->name, (unsigned)status_read(dev));
    return -ETIMEDOUT;
}

static int wait_for_reset(struct virtio_device *dev)
{
    int err;

    while ((err = virtio_reset_poll(dev)) == -EAGAIN)
        dev->hal->relax(dev->hal->ctx);
    return err;
}

int virtio_reset(struct virtio_device *dev)
{
    virtio_reset_start(dev);
    return wait_for_reset(dev);
}

void virtio_gone(struct virtio_device *dev)
{
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++)
        if (dev->queues[i])
            vq_stop(dev->queues[i]);
    dev->state = VIRTIO_RESET;
    dev->status = 0;
    dev->features = 0;
}

/* ---- features ---- */

/* All attempts of one start have one deadline for their resets, so that a slow device holds nobody up for longer
 * than one reset may take (R-H-12). */
static int reset_for_attempt(struct virtio_device *dev)
{
    if (dev->state == VIRTIO_RESET || !dev->reset_deadline_ns)
        renew_deadline(dev);
    if (dev->state == VIRTIO_RESET)
        return 0;
    start_reset(dev);
    return wait_for_reset(dev);
}

/* Reset .. DRIVER; dev->offered. */
static int begin(struct virtio_device *dev)
{
    int err = reset_for_attempt(dev);

    if (err)
        return err;
    dev->state =
        VIRTIO_RESETTING; /* what follows is not to be taken for a reset device */
    status_add(dev, STATUS_ACK);
    status_add(dev, STATUS_DRIVER);
    dev->offered = dev->transport->features_get(dev->transport->ctx);
    return 0;
}

/* R-T-03: FEATURES_OK sticks when the device takes the set. */
static bool offer_back(struct virtio_device *dev, uint64_t features)
{
    dev->transport->features_set(dev->transport->ctx, features);
    status_add(dev, STATUS_FEATURES);
    if (status_read(dev) == STATUS_FEATURES)
        return true;
    dev->errors.features_refused++;
    log_to(&dev->hal->log, LOG_WARN, "virtio: %s refuses features 0x%llx", dev->name,
           (unsigned long long)features);
    return false;
}

static int give_up(struct virtio_device *dev)
{
    status_add(dev, dev->status | VIRTIO_STATUS_FAILED);
    dev->state = VIRTIO_BROKEN;
    return -ENOTSUP;
}

/* R-T-16: a vector counts when it reads back. Whoever called falls back to another kind of interrupt. */
static int check_vector(struct virtio_device *dev, uint16_t wanted, uint16_t got)
{
    if (got == wanted)
        return 0;
    dev->errors.vector_refused++;
    dev->state = VIRTIO_BROKEN;
    log_to(&dev->hal->log, LOG_WARN, "virtio: %s does not take vector %u", dev->name,
           (unsigned)wanted);
    return -ENOSPC;
}

static int map_config_vector(struct virtio_device *dev)
{
    const struct virtio_transport *t = dev->transport;
    uint16_t vector = dev->vectors.config;

    if (!dev->vectors.is_msix)
        return 0;
    return check_vector(dev, vector, t->config_vector(t->ctx, vector));
}

static int map_queue_vector(struct virtio_device *dev, uint16_t index)
{
    const struct virtio_transport *t = dev->transport;
    const struct virtio_vectors *v = &dev->vectors;

    if (!v->is_msix)
        return 0;
    uint16_t vector = v->queues;
    if (v->spread)
        vector = (uint16_t)(vector + index % v->spread);
    return check_vector(dev, vector, t->queue_vector(t->ctx, index, vector));
}

int virtio_negotiate(struct virtio_device *dev, const struct virtio_wanted *wanted)
{
    uint64_t required = wanted->required | dev->transport->required_features;
    uint64_t features = wanted->supported | required | dev->transport->optional_features;

    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++)
        assert(!dev->queues[i]);

    for (unsigned attempt = 1;; attempt++) {
        int err = begin(dev);

        if (err)
            return err;
        if ((dev->offered & required) != required) {
            dev->errors.features_missing++;
            log_to(&dev->hal->log, LOG_ERROR, "virtio: %s offers 0x%llx, needed 0x%llx",
                   dev->name, (unsigned long long)dev->offered,
                   (unsigned long long)required);
            return give_up(dev);
        }
        features = dev->offered & (features | required); /* R-V-06 */
        if (offer_back(dev, features)) {
            dev->features = features;
            dev->state = VIRTIO_NEGOTIATED;
            return map_config_vector(dev);
        }
        if (!wanted->fallback || attempt > VIRTIO_MAX_FALLBACKS ||
            !wanted->fallback(wanted->ctx, attempt, dev->offered, &features))
            return give_up(dev);
    }
}

/* ---- queues ---- */

/* What was negotiated about rings; the sizes are open. */
static struct vq_config ring_config(const struct virtio_device *dev)
{
    return (struct vq_config){
        .event_idx = virtio_has_feature(dev, VIRTIO_F_EVENT_IDX),
        .indirect = virtio_has_feature(dev, VIRTIO_F_INDIRECT_DESC),
        .packed = virtio_has_feature(dev, VIRTIO_F_RING_PACKED),
        .in_order = virtio_has_feature(dev, VIRTIO_F_IN_ORDER),
    };
}

/* R-H-09: 1..32768, and what a ring of the format can have. Raw size in, 0 for an absurd one. */
static uint16_t check_size(struct virtio_device *dev, uint16_t index, uint32_t raw)
{
    struct vq_config cfg = ring_config(dev);

    if (raw == 0 || (raw <= VQ_SIZE_LIMIT && vq_size_at_most(&cfg, (uint16_t)raw) == raw))
        return (uint16_t)raw;
    dev->errors.queue_bad_size++;
    log_to(&dev->hal->log, LOG_WARN, "virtio: %s queue %u claims %u entries", dev->name,
           (unsigned)index, (unsigned)raw);
    return 0;
}

uint16_t virtio_queue_max(struct virtio_device *dev, uint16_t index)
{
    return check_size(dev, index, dev->transport->queue_max(dev->transport->ctx, index));
}

static struct vq_config queue_config(const struct virtio_device *dev, uint16_t max,
                                     const struct virtio_queue_opts *opts)
{
    struct vq_config cfg = ring_config(dev);
    uint16_t limit =
        vq_size_at_most(&cfg, opts->max_size ? opts->max_size : DEFAULT_SIZE);

    cfg.size = dev->transport->has_fixed_sizes || max < limit ? max : limit;
    cfg.indirect_max = opts->indirect_max;
    cfg.tables = opts->tables;
    return cfg;
}

int virtio_queue_create(struct virtio_device *dev, uint16_t index,
                        const struct virtio_queue_opts *opts, struct vq **out)
{
    const struct virtio_transport *t = dev->transport;
    struct virtio_queue_areas areas;
    struct vq_config cfg;
    struct vq *q;
    uint32_t raw;
    uint16_t max;
    int err;

    if (dev->state != VIRTIO_NEGOTIATED || index >= VIRTIO_MAX_QUEUES ||
        dev->queues[index])
        return -EINVAL;
    raw = t->queue_max(t->ctx, index);
    max = check_size(dev, index, raw);
    if (max == 0)
        return raw == 0 ? -ENODEV : -EPROTO;
    err = map_queue_vector(dev, index);
    if (err)
        return err;
    cfg = queue_config(dev, max, opts);
    err = vq_create(&cfg, dev->hal, t, index, &q);
    if (err)
        return err;

    q->ops->areas(q, &areas);
    dev->queues[index] = q;
    *out = q;
    err = t->queue_setup(t->ctx, index, &areas);
    if (!err)
        return 0;

    log_to(&dev->hal->log, LOG_ERROR,
           "virtio: %s does not take queue %u of %u entries: %s", dev->name,
           (unsigned)index, (unsigned)cfg.size, err_name(err));
    /* The device may have taken the addresses: the ring stays until a reset. */
    dev->errors.queue_refused++;
    dev->state = VIRTIO_BROKEN;
    return -EPROTO;
}

void virtio_queues_free(struct virtio_device *dev)
{
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
        if (!dev->queues[i])
            continue;
        if (dev->state != VIRTIO_RESET)
            log_to(&dev->hal->log, LOG_WARN,
                   "virtio: %s may still write to ring %u, its memory is lost", dev->name,
                   i);
        vq_destroy(dev->queues[i], dev->state == VIRTIO_RESET);
        dev->queues[i] = NULL;
    }
}

void virtio_fini(struct virtio_device *dev)
{
    virtio_queues_free(dev);
}

/* ---- running ---- */

int virtio_driver_ok(struct virtio_device *dev)
{
    assert(dev->state == VIRTIO_NEGOTIATED);
    /* Before the write: the device may interrupt at once. */
    dev->state = VIRTIO_LIVE;
    dev->reset_deadline_ns = 0;
    status_add(dev, STATUS_LIVE);
    if (virtio_poll_status(dev) != 0)
        return -EPROTO;
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++)
        if (dev->queues[i])
            vq_start(dev->queues[i]);
    return 0;
}

static int broken(struct virtio_device *dev, uint64_t *counter, const char *why,
                  unsigned value)
{
    (*counter)++;
    dev->state = VIRTIO_BROKEN;
    log_to(&dev->hal->log, LOG_ERROR, "virtio: %s is broken: %s 0x%x", dev->name, why,
           value);
    return -EPROTO;
}

int virtio_poll_status(struct virtio_device *dev)
{
    uint8_t status;

    if (dev->state == VIRTIO_BROKEN || dev->state == VIRTIO_DEAD)
        return -EPROTO;
    if (dev->state != VIRTIO_NEGOTIATED && dev->state != VIRTIO_LIVE)
        return 0;
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++)
        if (dev->queues[i] && vq_is_broken(dev->queues[i]))
            return broken(dev, &dev->errors.queue_broken, "queue", i);

    status = status_read(dev);
    if (status != STATUS_GONE && (status & VIRTIO_STATUS_NEEDS_RESET) != 0)
        return broken(dev, &dev->errors.needs_reset, "it asks for a reset, status",
                      status);
    if (status != dev->status)
        return broken(dev, &dev->errors.status_lost, "status", status);
    return 0;
}

uint8_t virtio_irq_ack(struct virtio_device *dev)
{
    if (dev->vectors.is_msix)
        return 0;
    /* Read even when nobody listens: a level-triggered line stays up otherwise. */
    return virtio_irq_filter(dev, dev->transport->isr_ack(dev->transport->ctx));
}

uint8_t virtio_irq_filter(struct virtio_device *dev, uint8_t causes)
{
    if (dev->state == VIRTIO_LIVE || causes == 0)
        return causes;
    dev->errors.early_irq++;
    return 0;
}

/* ---- configuration ---- */

/* Did anything change since `words` were read, behind `generation`? */
static bool config_is_still(const struct virtio_transport *t, uint32_t generation,
                            uint32_t offset, const uint32_t *words, unsigned n)
{
    if (t->has_generation)
        return t->config_generation(t->ctx) == generation;
    for (unsigned i = 0; i < n; i++)
        if (t->config_read(t->ctx, offset + 4 * i, 4) != words[i])
            return false;
    return true;
}

int virtio_config_read(struct virtio_device *dev, uint32_t offset, uint32_t *words,
                       unsigned n)
{
    const struct virtio_transport *t = dev->transport;

    for (unsigned tries = 0; tries < GENERATION_TRIES; tries++) {
        uint32_t before = t->config_generation(t->ctx);

        for (unsigned i = 0; i < n; i++)
            words[i] = t->config_read(t->ctx, offset + 4 * i, 4);
        if (config_is_still(t, before, offset, words, n))
            return 0;
    }
    dev->errors.config_unstable++;
    return -EIO;
}

void virtio_config_write32(struct virtio_device *dev, uint32_t offset, uint32_t value)
{
    dev->transport->config_write(dev->transport->ctx, offset, 4, value);
}
