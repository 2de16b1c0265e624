// SPDX-License-Identifier: BSD-2-Clause
/*
 * A virtio device as its driver sees it: the status machine (R-T-01..07), feature negotiation,
 * configuration reads, queues. Steps, in this order; after any failure go back to virtio_reset():
 *
 *     virtio_init(&dev, transport, hal, "balloon");
 *     virtio_use_vectors(&dev, vectors);        // if MSI-X is enabled
 *     virtio_negotiate(&dev, &wanted);          // reset .. FEATURES_OK; dev.features
 *     virtio_queue_create(&dev, 0, &opts, &q);  // each queue; buffers may be added already
 *     virtio_driver_ok(&dev);                   // now doorbells and interrupts count
 *     ...
 *     virtio_poll_status(&dev);                 // on each config-change cause
 *     ...
 *     virtio_reset(&dev);                       // or virtio_reset_start() and _poll() in steps
 *     virtio_fini(&dev);                        // frees the queues
 *
 * Ring memory and buffers stay the device's until a reset completed. A device that never completes
 * one keeps them: virtio_fini() then leaves the ring memory allocated and says so (R-T-02).
 *
 * Context: the driver's task, but virtio_irq_ack() and virtio_irq_filter(), which the ISR may call. No
 * locks.
 */
#pragma once

#include "base/bits.h"
#include "drivers/virtio/queue/vq.h"
#include "drivers/virtio/transport/transport.h"
#include "hal/balloon_hal.h"

#define VIRTIO_MAX_QUEUES 8

/* virtio 1.3, 6: feature bits that belong to the ring and the transport. Bit numbers. */
enum virtio_feature {
    VIRTIO_F_ANY_LAYOUT = 27, /* of legacy devices */
    VIRTIO_F_INDIRECT_DESC = 28,
    VIRTIO_F_EVENT_IDX = 29,
    VIRTIO_F_VERSION_1 = 32,
    VIRTIO_F_ACCESS_PLATFORM = 33,
    VIRTIO_F_RING_PACKED = 34,
    VIRTIO_F_IN_ORDER = 35,
};

enum virtio_state {
    VIRTIO_RESET,      /* known to be reset: the device holds nothing of ours */
    VIRTIO_RESETTING,  /* reset asked for, not yet seen */
    VIRTIO_NEGOTIATED, /* FEATURES_OK: create queues now */
    VIRTIO_LIVE,       /* DRIVER_OK */
    VIRTIO_BROKEN,     /* lied or wants a reset: only virtio_reset() helps */
    VIRTIO_DEAD,       /* did not even reset: give up on it */
};

/* What the device did that it must not; rings count for themselves (vq_errors()). */
struct virtio_errors {
    uint64_t reset_timeout;    /* status never read 0, R-T-02 */
    uint64_t features_refused; /* FEATURES_OK did not stick, R-T-03 */
    uint64_t features_missing; /* a required bit is not offered, R-T-05 */
    uint64_t config_unstable;  /* generation never settled, R-T-09 */
    uint64_t needs_reset;      /* DEVICE_NEEDS_RESET seen, R-T-07 */
    /* status is not what we wrote: reset or removed behind our back */
    uint64_t status_lost;
    uint64_t queue_bad_size; /* size 0 < x that no ring of ours can have, R-H-09 */
    uint64_t queue_refused;  /* the transport could not set a queue up */
    uint64_t vector_refused; /* a vector did not read back, R-T-16 */
    uint64_t queue_broken;   /* a ring was found broken by virtio_poll_status() */
    uint64_t early_irq;      /* causes before DRIVER_OK: dropped */
};

/* What a driver wants. */
struct virtio_wanted {
    /* bits to accept where offered, R-V-06; VERSION_1 comes by itself */
    uint64_t supported;
    uint64_t required; /* without these: -ENOTSUP */

    /* After a refusal of FEATURES_OK (R-T-03): change *features to the next attempt, a subset of
     * `offered`, and return true, or return false to give up. `attempt` counts from 1; there are at
     * most VIRTIO_MAX_FALLBACKS. May be NULL. */
    bool (*fallback)(void *ctx, unsigned attempt, uint64_t offered, uint64_t *features);
    void *ctx;
};

#define VIRTIO_MAX_FALLBACKS 4
#define VIRTIO_RESET_TIMEOUT NS_PER_S

struct virtio_queue_opts {
    /* use fewer entries than the device offers, where the transport lets us, split rings the power of
     * two below; 0: as many as it has, up to 1024 */
    uint16_t max_size;
    uint16_t indirect_max; /* see struct vq_config; 0: no indirect tables */
    uint16_t tables;
};

/* Entries of the MSI-X table that the device shall use; they may be one and the same (R-T-16). All
 * zero: MSI-X is not used. */
struct virtio_vectors {
    bool is_msix;
    uint16_t config, queues;
    uint16_t spread; /* queue i has entry queues + i % spread; 0: all have `queues` */
};

/* Owned by the driver's task. Fields are read-only outside device.c. */
struct virtio_device {
    const char *name; /* for the log */
    const struct virtio_transport *transport;
    const struct balloon_hal *hal;
    enum virtio_state state;
    uint8_t status;             /* what we last wrote */
    uint64_t offered, features; /* features: negotiated; 0 before FEATURES_OK */
    struct virtio_vectors vectors;
    uint64_t reset_deadline_ns; /* of the resets of this start; 0: none under way */
    struct vq *queues[VIRTIO_MAX_QUEUES]; /* by spec index; NULL: not created */
    struct virtio_errors errors;
};

/* Remember the parts; does not touch the device, of which nothing is assumed (state RESETTING). */
void virtio_init(struct virtio_device *dev, const struct virtio_transport *transport,
                 const struct balloon_hal *hal, const char *name);

/* From the next virtio_negotiate() on, map these vectors, and use the ISR register no more: the bus
 * side has enabled MSI-X. Not while the device is live. */
void virtio_use_vectors(struct virtio_device *dev, struct virtio_vectors vectors);

/* Reset and wait for it, at most VIRTIO_RESET_TIMEOUT. Queues are stopped at once: they give no
 * completions afterwards. 0 or -ETIMEDOUT (state DEAD). */
int virtio_reset(struct virtio_device *dev);
/* The same without waiting: start, then poll until it is not -EAGAIN. */
void virtio_reset_start(struct virtio_device *dev);
int virtio_reset_poll(struct virtio_device *dev);

/* The device is no longer there, so that it holds nothing of ours: as after a completed reset, without
 * touching it. */
void virtio_gone(struct virtio_device *dev);

/* Reset unless it is (state RESET), ACKNOWLEDGE, DRIVER, features, FEATURES_OK, with fallbacks. Queues of a former life must
 * have been freed by virtio_queues_free(). 0 (dev->features); -ETIMEDOUT: no reset; -ENOTSUP: a
 * required bit is missing or every attempt was refused (FAILED was written); -ENOSPC: no vector for
 * configuration changes (state BROKEN): try without vectors. */
int virtio_negotiate(struct virtio_device *dev, const struct virtio_wanted *wanted);

static inline bool virtio_has_feature(const struct virtio_device *dev, unsigned bit)
{
    return (dev->features & BIT64(bit)) != 0;
}

/* Largest size of queue `index`, 0 when it does not exist (also when it is absurd, R-H-09). */
uint16_t virtio_queue_max(struct virtio_device *dev, uint16_t index);

/* Between FEATURES_OK and DRIVER_OK: allocate the ring and hand it to the device. 0; -ENODEV: no
 * such queue; -ENOMEM; -EPROTO: bad size or refused by the device; -EINVAL: wrong state or index;
 * -ENOSPC: no vector for the queue (state BROKEN): try without vectors. */
int virtio_queue_create(struct virtio_device *dev, uint16_t index,
                        const struct virtio_queue_opts *opts, struct vq **out);

/* DRIVER_OK; rings doorbells for what was added before (only where vq_kick() was called). 0;
 * -EPROTO: the device wants a reset or lost its status (state BROKEN). */
int virtio_driver_ok(struct virtio_device *dev);

/* Free all queues. After a completed reset everything is given back; otherwise (DEAD) the ring
 * memory stays allocated, as the device may still write to it. */
void virtio_queues_free(struct virtio_device *dev);
/* Queues and all; virtio_init() may follow. Does not reset. */
void virtio_fini(struct virtio_device *dev);

/* Look at the device's health: NEEDS_RESET, a status that is not ours, a broken ring. 0, or -EPROTO
 * and state BROKEN: reset and start again, with a limit on retries (R-T-07). Cheap (one register). */
int virtio_poll_status(struct virtio_device *dev);

/* Read and clear the interrupt causes (enum virtio_isr). 0 before DRIVER_OK, and always while vectors
 * are used: they tell the cause. ISR or task. */
uint8_t virtio_irq_ack(struct virtio_device *dev);
/* `causes` that a vector told, or 0 before DRIVER_OK. Touches no register. ISR or task. */
uint8_t virtio_irq_filter(struct virtio_device *dev, uint8_t causes);

/* Read `n` consecutive 32-bit configuration words from an aligned offset as one consistent set
 * (R-T-09, R-V-08). 0, or -EIO when the generation never settles (bounded, counted). */
int virtio_config_read(struct virtio_device *dev, uint32_t offset, uint32_t *words,
                       unsigned n);
/* One aligned 32-bit write. */
void virtio_config_write32(struct virtio_device *dev, uint32_t offset, uint32_t value);
