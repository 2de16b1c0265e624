// SPDX-License-Identifier: BSD-2-Clause
/*
 * Between device.c and the ring formats: how a queue is made and ended, and what a format implements.
 * Drivers use vq.h.
 */
#pragma once

#include "drivers/virtio/queue/vq.h"
#include "drivers/virtio/transport/transport.h"

/* What a ring format does; vq.c has checked state and arguments before. */
struct vq_ops {
    int (*add)(struct vq *q, const struct vq_seg *segs, unsigned n_out, unsigned n_in,
               void *token);
    /* True when the device wants to hear of what was added since the last call. */
    bool (*wants_kick)(struct vq *q);
    bool (*has_new)(const struct vq *q); /* added since the last wants_kick() */
    int (*pop)(struct vq *q, void **token, uint32_t *written);
    bool (*has_used)(const struct vq *q);
    /* Write the event state `q->events`; true when completions are waiting. */
    bool (*arm)(struct vq *q);
    void (*areas)(const struct vq *q, struct virtio_queue_areas *out);
    /* Free everything; the memory the device can reach only if `device_done`. */
    void (*destroy)(struct vq *q, bool device_done);
};

/* The part of a queue that all formats share; first member of the format's own struct. */
struct vq {
    const struct vq_ops *ops;
    const struct balloon_hal *hal;
    const struct virtio_transport *transport;
    struct vq_config cfg;
    uint16_t index;
    uint16_t free_entries, in_flight;
    bool live;      /* DRIVER_OK was written: doorbells and completions count */
    bool broken;    /* the device contradicted itself; for good */
    bool events;    /* an interrupt is wanted */
    bool kick_owed; /* vq_kick() came before DRIVER_OK */
    struct vq_errors errors;
    struct vq_stats stats;
};

/* 0 or -ENOMEM. The queue is not live yet. */
int split_create(const struct vq_config *cfg, const struct balloon_hal *hal,
                 const struct virtio_transport *transport, uint16_t index,
                 struct vq **out);

/* From DRIVER_OK to reset. vq_start() rings the doorbell that is owed. */
void vq_start(struct vq *q);
void vq_stop(struct vq *q);
void vq_destroy(struct vq *q, bool device_done);

/* Mark broken, count, log; -EPROTO for the caller to return. */
int vq_break(struct vq *q, uint64_t *counter, const char *what, uint32_t value);
