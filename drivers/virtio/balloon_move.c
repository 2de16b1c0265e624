// SPDX-License-Identifier: BSD-2-Clause
/*
 * Emptying a block of ballooned frames (R-V-45), in steps of the balloon's task: others are inflated for up to 256 of
 * them, and when the host has acknowledged that, these are deflated. `actual` stays. A batch begins only while
 * the balloon rests, so a new target waits for one batch at most, and for nothing else; and as it is begun by
 * a step and by nothing that allocates, it cannot begin inside itself, whatever taking a frame sets off.
 */
#include "drivers/virtio/balloon_internal.h"

#include "base/err.h"

bool vb_move_is_open(const struct virtio_balloon *vb)
{
    return vb->move.in->batch.frames || vb->move.out->batch.frames;
}

static void send(struct virtio_balloon *vb, struct vb_channel *channel,
                 struct vb_request *request)
{
    vb_quiet(vb, &channel->wait);
    if (vb_send(vb, channel, request))
        vb_ring(vb, &channel->wait);
}

/* The new ones are in the balloon, the old ones have not been told yet. */
static bool is_half_done(const struct virtio_balloon *vb)
{
    const struct vb_move *move = &vb->move;

    return move->out->batch.frames && !move->in->batch.frames && !move->out->parts;
}

bool vb_move_step(struct virtio_balloon *vb, bool may_begin)
{
    struct vb_move *move = &vb->move;

    if (is_half_done(vb) && !vb_is_full(vb, &vb->deflate.wait)) {
        send(vb, &vb->deflate, move->out);
        return true;
    }
    if (!may_begin || !move->is_wanted || vb_move_is_open(vb))
        return false;
    move->out->parts = 0;
    if (!balloon_choose_move(&vb->core, move->block, &move->in->batch,
                             &move->out->batch)) {
        move->is_wanted = false;
        return false;
    }
    send(vb, &vb->inflate, move->in);
    return true;
}

bool vb_move_finish(struct virtio_balloon *vb, struct vb_request *request)
{
    if (request == vb->move.in)
        balloon_moved_in(&vb->core, &request->batch);
    else if (request == vb->move.out)
        balloon_moved_out(&vb->core, &request->batch);
    else
        return false;
    return true;
}

void vb_move_drop(struct virtio_balloon *vb, bool is_reset)
{
    balloon_drop_move(&vb->core, &vb->move.in->batch, &vb->move.out->batch, !is_reset);
    vb->move.is_wanted = false;
}

int virtio_balloon_empty(struct virtio_balloon *vb, pfn_t block)
{
    if (vb->in_step || vb->state != VIRTIO_BALLOON_LIVE || vb->move.is_wanted)
        return -EBUSY;
    vb->move.is_wanted = true;
    vb->move.block = block;
    vb->hal->wake(vb->hal->ctx);
    return 0;
}
