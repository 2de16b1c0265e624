// SPDX-License-Identifier: BSD-2-Clause
/*
 * The end of a device's life and its next one: reset, and what comes of it. A broken device is reset, its
 * frames return, and it is started again a few times a minute at most (R-H-06, R-T-07); one that is to
 * sleep starts again when it is told to; one that was pulled out is not touched any more.
 */
#include "drivers/virtio/balloon_internal.h"

#include "base/err.h"

#define RESTART_DOUBLINGS 5 /* of the wait before the next start: to 6.4 s */

/* `actual` outlives the reset, and behind it the register is not ours to write any more: say now what
 * the reset makes true (R-V-35). A device that lost its state already is left alone. */
static void publish_end(struct virtio_balloon *vb)
{
    const struct virtio_transport *t = vb->dev.transport;

    if (!vb->actual || !(t->status_get(t->ctx) & VIRTIO_STATUS_DRIVER_OK))
        return;
    virtio_config_write32(&vb->dev, VB_CONFIG_ACTUAL, 0);
    vb->actual = 0;
    vb->count.actual_writes++;
}

void vb_begin_reset(struct virtio_balloon *vb)
{
    publish_end(vb);
    vb->state = VIRTIO_BALLOON_RESETTING;
    vb->is_moving = false;
    vb->returning = (struct vb_return){0};
    vb->count.resets++;
    virtio_reset_start(&vb->dev);
}

void vb_fail(struct virtio_balloon *vb, const char *why)
{
    if (!vb_is_running(vb))
        return;
    log_to(&vb->hal->log, LOG_ERROR, "virtio-balloon: resetting the device: %s", why);
    vb->count.broken++;
    vb_begin_reset(vb);
}

/* When to try again: a little later each time, and so many times a minute at most. */
static void plan_restart(struct virtio_balloon *vb)
{
    unsigned limit = vb->opts.reset_limit;
    uint64_t recent = 0;

    vb->restart_at_ns = vb->now_ns;
    if (limit == 0)
        return;
    uint64_t oldest = vb->restarts[vb->restart_next];
    for (unsigned i = 0; i < limit; i++)
        if (vb->restarts[i] && vb->now_ns - vb->restarts[i] < VB_RESTART_WINDOW_NS)
            recent++;
    vb->restart_at_ns += VB_RESTART_MIN_NS << min_u64(recent, RESTART_DOUBLINGS);
    if (oldest)
        vb->restart_at_ns = max_u64(vb->restart_at_ns, oldest + VB_RESTART_WINDOW_NS);
}

static void note_restart(struct virtio_balloon *vb)
{
    if (vb->opts.reset_limit == 0)
        return;
    vb->restarts[vb->restart_next] = vb->now_ns;
    vb->restart_next = (vb->restart_next + 1) % vb->opts.reset_limit;
}

static void free_queues(struct virtio_balloon *vb)
{
    vb->lost_ring_errors += vb_ring_errors(vb);
    for (unsigned i = 0; i < VIRTIO_BALLOON_QUEUES; i++)
        vb->vqs[i] = NULL;
    virtio_queues_free(&vb->dev);
}

void vb_step_reset(struct virtio_balloon *vb)
{
    int err = virtio_reset_poll(&vb->dev);

    if (err == -EAGAIN) {
        vb_wake_by(vb, vb->now_ns + VB_RESET_POLL_NS);
        return;
    }
    free_queues(vb);
    vb_requests_drop(vb, !err);
    vb_hint_end(vb, err != 0);
    balloon_return_all(&vb->core);
    if (err) {
        log_to(&vb->hal->log, LOG_ERROR, "virtio-balloon: the device is dead: no reset");
        vb->state = VIRTIO_BALLOON_DEAD;
        return;
    }
    vb->state = vb->goal;
    if (vb->state == VIRTIO_BALLOON_RESTING)
        plan_restart(vb);
}

/* It took them at the first start: from here on it has none, and is looked at (R-T-15). MSI-X is on all the
 * same, so the ISR register stays out of use. */
static void do_without_vectors(struct virtio_balloon *vb)
{
    vb->opts.vectors = (struct virtio_vectors){
        .is_msix = true, .config = VIRTIO_NO_VECTOR, .queues = VIRTIO_NO_VECTOR};
    virtio_use_vectors(&vb->dev, vb->opts.vectors);
    vb->irq = VB_IRQ_POLLED;
}

/* What became of the device while it rested nobody knows: step by step, not to wait inside of one. 0,
 * -EAGAIN, -ETIMEDOUT. */
static int reset_before_start(struct virtio_balloon *vb)
{
    if (!vb->is_restarting)
        virtio_reset_start(&vb->dev);
    int err = virtio_reset_poll(&vb->dev);
    vb->is_restarting = err == -EAGAIN;
    return err;
}

void vb_step_rest(struct virtio_balloon *vb)
{
    if (vb->now_ns < vb->restart_at_ns) {
        vb_wake_by(vb, vb->restart_at_ns);
        return;
    }
    int err = reset_before_start(vb);
    if (err == -EAGAIN) {
        vb_wake_by(vb, vb->now_ns + VB_RESET_POLL_NS);
        return;
    }
    if (vb->restart_at_ns)
        note_restart(vb); /* to wake from sleep is none */
    if (!err)
        err = vb_start(vb);
    if (!err) {
        vb_wake_by(vb, vb->now_ns);
        return;
    }
    vb->count.restart_failures++;
    log_to(&vb->hal->log, LOG_WARN, "virtio-balloon: does not start again: %s",
           err_name(err));
    if (vb->dev.state == VIRTIO_DEAD) {
        /* R-T-02: it is given up on. */
        vb->state = VIRTIO_BALLOON_DEAD;
        return;
    }
    if (err == -ENOSPC)
        do_without_vectors(vb);
    vb_begin_reset(vb); /* R-V-16: what there is of queues goes behind it */
    vb_wake_by(vb, vb->now_ns);
}

void virtio_balloon_resume(struct virtio_balloon *vb, struct virtio_vectors vectors)
{
    if (vb->state != VIRTIO_BALLOON_ASLEEP)
        return;
    vb->opts.vectors = vectors;
    virtio_use_vectors(&vb->dev, vectors);
    vb->irq = vb->opts.is_polled ? VB_IRQ_POLLED : VB_IRQ_UNPROVEN;
    vb->missed_in_row = 0;
    vb->goal = vb->state = VIRTIO_BALLOON_RESTING;
    vb->is_restarting = false;
    vb->restart_at_ns = 0;
    vb->hal->wake(vb->hal->ctx);
}

void virtio_balloon_remove(struct virtio_balloon *vb)
{
    __atomic_store_n(&vb->is_gone, true, __ATOMIC_RELAXED);
    vb->is_moving = false;
    virtio_gone(&vb->dev);
    free_queues(vb);
    vb_requests_drop(vb, true);
    vb_hint_end(vb, false);
    balloon_return_all(&vb->core);
    vb->goal = vb->state = VIRTIO_BALLOON_OFF;
    vb->hal->wake(vb->hal->ctx);
}
