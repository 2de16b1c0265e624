// SPDX-License-Identifier: BSD-2-Clause
/*
 * Requests and resizing: from the core's plan to the inflate and deflate queues and back. One request
 * per direction, its answer looked for right behind the doorbell, because most hosts work inside it;
 * otherwise an interrupt or the poll timer brings us back. The host's silence is bounded (R-H-10).
 */
#include "drivers/virtio/balloon_internal.h"

#include "base/assert.h"
#include "base/err.h"

/* R-V-28: PFNs tightly packed, as many per frame as it has balloon pages. */
static uint32_t write_pfns(le32 *out, const struct balloon_batch *batch)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < batch->run_count; i++) {
        const struct page_run *run = &batch->runs[i];
        uint32_t pfn = (uint32_t)(run->first.n * VB_RATIO);

        for (uint32_t n = run->frames * VB_RATIO; n > 0; n--)
            out[count++] = le32_of(pfn++);
    }
    return count;
}

bool vb_send(struct virtio_balloon *vb, struct vb_request *request)
{
    bool is_inflate = request == &vb->inflate;
    le32 *pfns = is_inflate ? vb->shared->inflate : vb->shared->deflate;
    const struct balloon_batch *batch =
        is_inflate ? &vb->core.inflating : &vb->core.deflating;

    /* R-V-26, R-V-27: never empty, and the queue is empty, so adding cannot fail on our side. */
    assert(batch->frames > 0 && !request->is_open);
    struct vq_seg seg = {.addr = vb->shared_mem.addr +
                                 (paddr_t)((char *)pfns - (char *)vb->shared),
                         .len = write_pfns(pfns, batch) * (uint32_t)sizeof(le32)};

    vq_disable_events(request->vq);
    if (vq_add(request->vq, &seg, 1, 0, request)) {
        vb_fail(vb, "a request does not fit an empty queue");
        return false;
    }
    request->is_open = true;
    request->is_logged = false;
    request->is_irq_due = false;
    request->sent_ns = vb_now(vb);
    vq_kick(request->vq);
    return true;
}

bool vb_finish(struct virtio_balloon *vb, struct vb_request *request)
{
    uint32_t written; /* R-H-05: ignored, devices disagree on it */
    void *token;
    int err = vq_pop(request->vq, &token, &written);

    if (err == -EAGAIN)
        return false;
    if (err) {
        vb_fail(vb, "its ring contradicts itself");
        return false;
    }
    request->is_open = false;
    vb->count.round_trip_ns = vb_now(vb) - request->sent_ns;
    if (request == &vb->inflate)
        balloon_inflated(&vb->core);
    else
        balloon_deflated(&vb->core);
    return true;
}

/* The answer is not there: see that somebody wakes us, and that silence has an end. */
static void await(struct virtio_balloon *vb, struct vb_request *request)
{
    uint64_t now = vb_now(vb);
    uint64_t silent_ns = now - request->sent_ns;
    uint64_t poll_ns = min_u64(vb->opts.poll_interval_ns, VB_SILENCE_LOG_NS / 2);

    if (silent_ns >= VB_SILENCE_BREAK_NS) {
        vb->count.silences++;
        vb_fail(vb, "it left a request unanswered for 5 s");
        return;
    }
    if (silent_ns >= VB_SILENCE_LOG_NS && !request->is_logged) {
        request->is_logged = true;
        log_to(&vb->hal->log, LOG_WARN,
               "virtio-balloon: the host has been silent for 1 s");
    }
    /* What came before we asked comes without an interrupt. */
    request->is_irq_due = !vq_enable_events(request->vq);
    if (!request->is_irq_due)
        vb_wake_by(vb, now);
    vb_wake_by(vb, now + (vb->irq == VB_IRQ_POLLED ? VB_REQUEST_POLL_NS : poll_ns));
}

/* True when no request is open any more. */
static bool finish_open(struct virtio_balloon *vb)
{
    struct vb_request *requests[] = {&vb->inflate, &vb->deflate};
    bool is_clear = true;

    for (unsigned i = 0; i < ARRAY_LEN(requests); i++) {
        if (!requests[i]->is_open)
            continue;
        if (vb_finish(vb, requests[i])) {
            if (requests[i]->is_irq_due && vb->irq != VB_IRQ_POLLED && !vb->had_isr)
                vb_note_missed_irq(vb);
        } else {
            is_clear = false;
            if (vb_is_running(vb))
                await(vb, requests[i]);
        }
    }
    return is_clear;
}

/* R-V-18: the target is read again before every request. One aligned 32-bit read (R-V-08). */
static struct balloon_plan next_plan(struct virtio_balloon *vb)
{
    uint32_t pages = 0;

    if (vb->state == VIRTIO_BALLOON_LIVE)
        pages = vb->dev.transport->config_read(vb->dev.transport->ctx,
                                               VB_CONFIG_NUM_PAGES, 4);
    if (balloon_set_target(&vb->core, vb_frames(pages)))
        log_to(&vb->hal->log, LOG_DEBUG, "virtio-balloon: target %llu pages",
               (unsigned long long)pages);
    struct balloon_plan plan = balloon_plan(&vb->core, vb_now(vb));
    plan.frames = (uint32_t)min_u64(plan.frames, VB_BATCH_FRAMES);
    return plan;
}

/* Choose and send as planned. False: there is no request to wait for. */
static bool submit(struct virtio_balloon *vb, struct balloon_plan plan)
{
    if (plan.action == BALLOON_DEFLATE) {
        balloon_choose_deflate(&vb->core, plan.frames);
        return vb_send(vb, &vb->deflate);
    }
    return balloon_choose_inflate(&vb->core, plan.frames, vb->now_ns) &&
           vb_send(vb, &vb->inflate);
}

/* At the target, or out of memory for now. */
static void rest(struct virtio_balloon *vb, struct balloon_plan plan)
{
    vb->is_moving = false;
    balloon_settle(&vb->core);
    vb_publish(vb, true);
    if (plan.action == BALLOON_WAIT)
        vb_wake_by(vb, plan.until_ns);
}

void vb_resize(struct virtio_balloon *vb)
{
    uint64_t begin = vb_now(vb), host_ns = 0;

    while (vb_is_running(vb) && finish_open(vb)) {
        uint64_t elapsed = vb_now(vb) - begin;
        struct balloon_plan plan = next_plan(vb);

        if (plan.action == BALLOON_IDLE || plan.action == BALLOON_WAIT) {
            rest(vb, plan);
            return;
        }
        vb->is_moving = true;
        /* R-V-19, R-H-12: others run too, however far the target is. */
        if (elapsed - host_ns >= VB_STEP_OWN_NS || elapsed >= VB_STEP_TOTAL_NS) {
            vb_wake_by(vb, vb->now_ns);
            break;
        }
        vb->had_isr = true; /* an answer within this step needs no interrupt */
        if (submit(vb, plan))
            host_ns +=
                vb_now(vb) - (plan.action == BALLOON_DEFLATE ? vb->deflate.sent_ns
                                                             : vb->inflate.sent_ns);
    }
    if (vb_is_running(vb))
        vb_publish(vb, false);
}

void vb_publish(struct virtio_balloon *vb, bool now)
{
    uint32_t pages = (uint32_t)(balloon_size(&vb->core) * VB_RATIO);

    if (pages == vb->actual)
        return;
    if (!now && vb->now_ns - vb->published_ns < VB_PUBLISH_NS) {
        vb_wake_by(vb, vb->published_ns + VB_PUBLISH_NS);
        return;
    }
    virtio_config_write32(&vb->dev, VB_CONFIG_ACTUAL, pages);
    vb->actual = pages;
    vb->published_ns = vb->now_ns;
    vb->count.actual_writes++;
}
