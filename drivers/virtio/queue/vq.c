// SPDX-License-Identifier: BSD-2-Clause
/* The part of a virtqueue that does not depend on the ring's format: arguments, life cycle, counters. */
#include "drivers/virtio/queue/vq.h"

#include "base/err.h"
#include "drivers/virtio/queue/vq_format.h"

static bool segs_are_valid(const struct vq_seg *segs, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (segs[i].len == 0)
            return false;
    return true;
}

int vq_add(struct vq *q, const struct vq_seg *segs, unsigned n_out, unsigned n_in,
           void *token)
{
    int err;

    if (q->broken)
        return -EPROTO;
    /* Each count first: their sum may wrap. */
    if (n_out > q->cfg.size || n_in > q->cfg.size || n_out + n_in > q->cfg.size ||
        n_out + n_in == 0 || !token || !segs_are_valid(segs, n_out + n_in))
        return -EINVAL;
    err = q->ops->add(q, segs, n_out, n_in, token);
    if (err == -ENOSPC)
        q->stats.ring_full++;
    if (err)
        return err;
    q->in_flight++;
    q->stats.added++;
    return 0;
}

bool vq_kick(struct vq *q)
{
    if (q->broken || !q->ops->has_new(q))
        return false;
    if (!q->live) {
        q->kick_owed = true;
        return false;
    }
    if (!q->ops->wants_kick(q)) {
        q->stats.kicks_skipped++;
        return false;
    }
    q->stats.kicks++;
    q->transport->notify(q->transport->ctx, q->index);
    return true;
}

int vq_pop(struct vq *q, void **token, uint32_t *written)
{
    int err;

    if (q->broken)
        return -EPROTO;
    if (!q->live)
        return -EAGAIN;
    err = q->ops->pop(q, token, written);
    if (err)
        return err;
    q->in_flight--;
    q->stats.popped++;
    return 0;
}

bool vq_has_used(const struct vq *q)
{
    return q->broken || (q->live && q->ops->has_used(q));
}

bool vq_enable_events(struct vq *q)
{
    q->events = true;
    return q->ops->arm(q) && q->live;
}

void vq_disable_events(struct vq *q)
{
    q->events = false;
    (void)q->ops->arm(q);
}

uint16_t vq_index(const struct vq *q)
{
    return q->index;
}

uint16_t vq_size(const struct vq *q)
{
    return q->cfg.size;
}

uint16_t vq_free_entries(const struct vq *q)
{
    return q->free_entries;
}

uint16_t vq_in_flight(const struct vq *q)
{
    return q->in_flight;
}

bool vq_is_broken(const struct vq *q)
{
    return q->broken;
}

const struct vq_errors *vq_errors(const struct vq *q)
{
    return &q->errors;
}

const struct vq_stats *vq_stats(const struct vq *q)
{
    return &q->stats;
}

void vq_start(struct vq *q)
{
    q->live = true;
    if (q->kick_owed)
        vq_kick(q);
    q->kick_owed = false;
}

void vq_stop(struct vq *q)
{
    q->live = false;
}

void vq_destroy(struct vq *q, bool device_done)
{
    q->ops->destroy(q, device_done);
}

int vq_break(struct vq *q, uint64_t *counter, const char *what, uint32_t value)
{
    q->broken = true;
    (*counter)++;
    log_to(&q->hal->log, LOG_ERROR, "virtio: queue %u broken by the device: %s %u",
           (unsigned)q->index, what, (unsigned)value);
    return -EPROTO;
}
