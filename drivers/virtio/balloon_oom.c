// SPDX-License-Identifier: BSD-2-Clause
/*
 * Out of memory: the one path that waits for the host. It needs no memory, no interrupt and no other
 * task: the batch, the shared frame and the ring entry are there since attach (R-X-07).
 */
#include "drivers/virtio/balloon_internal.h"

/* How long this call has waited, gaps aside. */
static uint64_t waited_ns(struct virtio_balloon *vb, uint64_t begin_ns)
{
    return vb_now(vb) - vb->forgiven_ns - begin_ns;
}

/* Poll for the answer of the open deflate request until this call's time is over; then the request stays
 * open, for the next step or call. Frames it brought back. */
static uint64_t wait_deflate(struct virtio_balloon *vb, uint64_t begin_ns)
{
    uint64_t frames = vb->core.deflating.frames;

    while (!vb_finish(vb, &vb->deflate)) {
        if (!vb_is_running(vb))
            return 0;
        bool is_over = waited_ns(vb, begin_ns) >= VB_SILENCE_BREAK_NS;
        if (vb->now_ns - vb->deflate.sent_ns >= VB_SILENCE_BREAK_NS) {
            vb->count.silences++;
            vb_fail(vb, "it left an out-of-memory request unanswered for 5 s");
        }
        if (is_over || !vb_is_running(vb))
            return 0;
        vb->hal->relax(vb->hal->ctx);
    }
    return frames;
}

static uint64_t deflate_now(struct virtio_balloon *vb, uint64_t wanted)
{
    uint64_t begin = vb_now(vb) - vb->forgiven_ns;
    uint64_t frames = 0;

    if (vb->deflate.is_open)
        frames += wait_deflate(vb, begin);
    while (frames < wanted && vb_is_running(vb) && !vb->deflate.is_open &&
           waited_ns(vb, begin) < VB_SILENCE_BREAK_NS &&
           balloon_choose_deflate(&vb->core,
                                  (uint32_t)min_u64(wanted - frames, VB_BATCH_FRAMES)) &&
           vb_send(vb, &vb->deflate))
        frames += wait_deflate(vb, begin);
    return frames;
}

uint64_t virtio_balloon_oom(struct virtio_balloon *vb, uint64_t frames)
{
    uint64_t given = virtio_balloon_recall_hinted(vb, frames);

    /* R-V-42: without the bit the host relies on the limit. */
    if (given >= frames || vb->in_step || !vb_is_running(vb) ||
        !virtio_has_feature(&vb->dev, VIRTIO_BALLOON_F_DEFLATE_ON_OOM))
        return given;
    vb->in_step = true;
    given += balloon_oom_begin(&vb->core);
    if (vb->inflate.is_open)
        vb_finish(vb, &vb->inflate); /* what it took may be all there is */
    uint64_t missing = given < frames ? frames - given : 0;
    uint64_t held = balloon_size(&vb->core);
    uint64_t wanted = align_up(min_u64(missing, held), VB_BATCH_FRAMES);
    uint64_t deflated = deflate_now(vb, wanted);

    balloon_oom_end(&vb->core, deflated, vb->now_ns);
    if (vb_is_running(vb))
        vb_publish(vb, true); /* R-V-43 */
    vb->in_step = false;
    vb->hal->wake(vb->hal->ctx);
    return given + deflated;
}
