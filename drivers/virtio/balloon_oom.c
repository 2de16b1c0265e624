// SPDX-License-Identifier: BSD-2-Clause
/*
 * Out of memory: the one path that may wait for the host. It needs no memory, no interrupt and no other
 * task: requests, their memory and their ring entries are there since attach (R-X-07). Where frames may
 * be used before the host is told, it hardly ever waits: only for a free request. A call waits 5 s in all,
 * and once more for the reset of a device that broke the rules meanwhile, a second at most.
 */
#include "drivers/virtio/balloon_internal.h"

/* How long this call has waited, gaps aside. */
static uint64_t waited_ns(struct virtio_balloon *vb, uint64_t begin_ns)
{
    return vb_now(vb) - vb->forgiven_ns - begin_ns;
}

/* Poll for an answer in this queue until this call's time is over; then it stays open, for the next step or
 * call. False: none came. */
static bool wait_answer(struct virtio_balloon *vb, const struct vb_wait *wait,
                        uint64_t begin_ns)
{
    unsigned open = wait->open;

    while (vb_reap(vb) && wait->open == open) {
        bool is_over = waited_ns(vb, begin_ns) >= VB_SILENCE_BREAK_NS;

        if (vb->now_ns - wait->heard_ns >= VB_SILENCE_BREAK_NS) {
            vb->count.silences++;
            vb_fail(vb, "it left an out-of-memory request unanswered for 5 s");
        }
        if (is_over || !vb_is_running(vb))
            return false;
        vb->hal->relax(vb->hal->ctx);
    }
    return vb_is_running(vb);
}

/* Frames that are the allocator's by now: owed, or acknowledged. */
static uint64_t freed_frames(const struct virtio_balloon *vb)
{
    const struct balloon_counters *count = &vb->core.count;

    return vb->core.early_return ? count->returned_early : count->deflated;
}

/* One request more, of 1 to `frames`; false: all are open, or nothing is held. */
static bool deflate_more(struct virtio_balloon *vb, uint64_t frames)
{
    struct vb_request *request = vb_request_free(vb, &vb->deflate);

    if (!request)
        return false;
    vb_quiet(vb, &vb->deflate.wait);
    if (!balloon_choose_deflate(&vb->core, &request->batch, frames) ||
        !vb_send(vb, &vb->deflate, request))
        return false;
    vb_ring(vb, &vb->deflate.wait);
    return true;
}

/* Bring `wanted` frames to the allocator, whole blocks at once where that may be. */
static uint64_t deflate_now(struct virtio_balloon *vb, uint64_t wanted, uint64_t begin)
{
    uint64_t before = freed_frames(vb), freed = 0;

    vb_reap(vb); /* what it took or brought may be all there is */
    while (vb_is_running(vb) && (freed = freed_frames(vb) - before) < wanted) {
        uint64_t missing = wanted - freed;

        if (vb->core.early_return && balloon_return_blocks(&vb->core, missing))
            continue;
        uint64_t coming = vb->core.deflating - vb->core.given;
        if (waited_ns(vb, begin) < VB_SILENCE_BREAK_NS && coming < missing &&
            deflate_more(vb, missing - coming))
            continue;
        if (!vb->deflate.wait.open || !wait_answer(vb, &vb->deflate.wait, begin))
            break;
    }
    return freed_frames(vb) - before;
}

/* What is lent to the host for a report is the guest's own: wait for it. */
static uint64_t await_report(struct virtio_balloon *vb, uint64_t begin)
{
    uint64_t before = vb->free.open_frames;

    if (vb_is_running(vb) && vb_free_is_open(vb))
        wait_answer(vb, &vb->report.wait, begin);
    return before - vb->free.open_frames;
}

/* What is neither the allocator's nor lent as a hint. */
static uint64_t ours(const struct virtio_balloon *vb)
{
    return vb->core.held.frames + balloon_in_flight(&vb->core) + vb->free.open_frames;
}

/* A device that is being reset, perhaps for what it did a moment ago: all comes back with that, and nobody
 * need be refused. */
static uint64_t await_reset(struct virtio_balloon *vb)
{
    uint64_t before = ours(vb);

    while (ours(vb) && vb->state == VIRTIO_BALLOON_RESETTING) {
        vb_now(vb);
        vb_step_reset(vb);
        vb->hal->relax(vb->hal->ctx);
    }
    return before - ours(vb);
}

static uint64_t deflate(struct virtio_balloon *vb, uint64_t frames, uint64_t begin)
{
    uint64_t given = balloon_oom_begin(&vb->core, frames);
    uint64_t missing = given < frames ? frames - given : 0;
    uint64_t held = balloon_size(&vb->core) + vb->core.inflating;
    uint64_t wanted = align_up(min_u64(missing, held), VB_BATCH_FRAMES);
    uint64_t deflated = wanted ? deflate_now(vb, wanted, begin) : 0;

    balloon_oom_end(&vb->core, given + deflated, vb->now_ns);
    if (vb_is_running(vb))
        vb_publish(vb, true); /* R-V-43 */
    return given + deflated;
}

static uint64_t get_back(struct virtio_balloon *vb, uint64_t frames)
{
    uint64_t begin = vb_now(vb) - vb->forgiven_ns;
    uint64_t got = await_report(vb, begin);

    /* R-V-42: without the bit the host relies on the limit. */
    if (got < frames && vb_is_running(vb) &&
        virtio_has_feature(&vb->dev, VIRTIO_BALLOON_F_DEFLATE_ON_OOM))
        got += deflate(vb, frames - got, begin);
    return got + (got < frames ? await_reset(vb) : 0);
}

uint64_t virtio_balloon_oom(struct virtio_balloon *vb, uint64_t frames)
{
    uint64_t got = virtio_balloon_recall_hinted(vb, frames);

    if (got >= frames || vb->in_step)
        return got;
    vb->in_step = true;
    got += get_back(vb, frames - got);
    vb->in_step = false;
    vb->hal->wake(vb->hal->ctx);
    return got;
}
