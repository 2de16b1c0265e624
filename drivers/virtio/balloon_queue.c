// SPDX-License-Identifier: BSD-2-Clause
/*
 * Requests in the inflate and deflate rings: several may be open, each with its own memory for page
 * numbers, and the host may answer them in any order. Answers are looked for right behind the doorbell,
 * because most hosts work inside it; otherwise an interrupt or the poll timer brings us back. The host's
 * silence is bounded (R-H-10).
 */
#include "drivers/virtio/balloon_internal.h"

#include "base/assert.h"
#include "base/err.h"

#define PFN_BYTES (VB_BLOCK_PAGES * sizeof(le32)) /* of one request */
_Static_assert(FRAME_SIZE % PFN_BYTES == 0, "no request's memory crosses a frame");

/* Of both directions, and the two of a move. */
static unsigned requests_count(const struct virtio_balloon *vb)
{
    return 2 * vb->opts.inflight + 2;
}

static size_t requests_bytes(const struct virtio_balloon *vb)
{
    return requests_count(vb) * sizeof(struct vb_request);
}

int vb_requests_alloc(struct virtio_balloon *vb)
{
    const struct balloon_hal *hal = vb->hal;
    unsigned count = requests_count(vb);

    vb->requests = hal->mem_alloc(hal->ctx, requests_bytes(vb));
    if (!vb->requests)
        return -ENOMEM;
    if (hal->dma_alloc(hal->ctx, count * PFN_BYTES, &vb->pfn_mem)) {
        hal->mem_free(hal->ctx, vb->requests, requests_bytes(vb));
        return -ENOMEM;
    }
    for (unsigned i = 0; i < count; i++) {
        vb->requests[i].pfns = (void *)((char *)vb->pfn_mem.ptr + i * PFN_BYTES);
        vb->requests[i].addr = vb->pfn_mem.addr + i * PFN_BYTES;
    }
    vb->inflate.requests = vb->requests;
    vb->deflate.requests = vb->requests + vb->opts.inflight;
    vb->move.in = vb->requests + 2 * vb->opts.inflight;
    vb->move.out = vb->move.in + 1;
    return 0;
}

void vb_requests_free(struct virtio_balloon *vb)
{
    const struct balloon_hal *hal = vb->hal;

    /* A dead device may still read it. */
    if (vb->state != VIRTIO_BALLOON_DEAD)
        hal->dma_free(hal->ctx, &vb->pfn_mem);
    hal->mem_free(hal->ctx, vb->requests, requests_bytes(vb));
}

void vb_requests_start(struct virtio_balloon *vb)
{
    bool has_tables = virtio_has_feature(&vb->dev, VIRTIO_F_INDIRECT_DESC);

    vb->inflate.wait = (struct vb_wait){.vq = vb->vqs[VIRTIO_BALLOON_INFLATE]};
    vb->deflate.wait = (struct vb_wait){.vq = vb->vqs[VIRTIO_BALLOON_DEFLATE]};
    vb->report.wait = (struct vb_wait){.vq = vb->vqs[VIRTIO_BALLOON_REPORT]};
    vb->is_wide = vb->opts.wide == VIRTIO_BALLOON_WIDE_ON ||
                  (vb->opts.wide == VIRTIO_BALLOON_WIDE_AUTO && has_tables);
    if (vq_size(vb->inflate.wait.vq) < VB_BLOCK_PARTS ||
        vq_size(vb->deflate.wait.vq) < VB_BLOCK_PARTS)
        vb->is_wide = false; /* R-T-28: no buffer is longer than its ring */
}

bool vb_is_full(const struct virtio_balloon *vb, const struct vb_wait *wait)
{
    return vq_in_flight(wait->vq) >= vb->opts.inflight || !vq_free_entries(wait->vq);
}

struct vb_request *vb_request_free(struct virtio_balloon *vb, struct vb_channel *channel)
{
    if (vb_is_full(vb, &channel->wait))
        return NULL;
    for (unsigned i = 0; i < vb->opts.inflight; i++)
        if (!channel->requests[i].batch.frames)
            return &channel->requests[i];
    return NULL;
}

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

/* Silence counts from now. */
static void renew(struct virtio_balloon *vb, struct vb_wait *wait)
{
    wait->heard_ns = vb_now(vb);
    wait->is_logged = false;
}

/* One element more of the request into the ring. 0, or the error of vq_add(). */
static int add_part(struct virtio_balloon *vb, struct vb_wait *wait,
                    struct vb_request *request)
{
    uint32_t pages = request->batch.frames * VB_RATIO;
    uint32_t at = request->sent * VB_PART_PAGES;
    struct vq_seg segs[VB_BLOCK_PARTS];
    unsigned n = 0;

    do {
        uint32_t count = (uint32_t)min_u64(pages - at, VB_PART_PAGES);

        segs[n++] = (struct vq_seg){.addr = request->addr + at * sizeof(le32),
                                    .len = count * (uint32_t)sizeof(le32)};
        at += count;
    } while (vb->is_wide && at < pages);
    if (n > 1)
        vb->count.wide_requests++;
    return vq_add(wait->vq, segs, n, 0, request);
}

/* As much of the request as the ring has room for. */
static bool push(struct virtio_balloon *vb, struct vb_wait *wait,
                 struct vb_request *request)
{
    int err = 0;

    if (!vq_in_flight(wait->vq))
        renew(vb, wait);
    while (request->sent < request->parts && !vb_is_full(vb, wait) &&
           !(err = add_part(vb, wait, request)))
        request->sent++;
    if (!err || (err == -ENOSPC && vq_in_flight(wait->vq)))
        return true;
    vb_fail(vb, "a request does not fit an empty queue");
    return false;
}

bool vb_send(struct virtio_balloon *vb, struct vb_channel *channel,
             struct vb_request *request)
{
    assert(request->batch.frames > 0); /* R-V-26 */
    uint32_t pages = write_pfns(request->pfns, &request->batch);

    request->parts = vb->is_wide ? 1 : (pages + VB_PART_PAGES - 1) / VB_PART_PAGES;
    request->sent = request->done = 0;
    vb_wait_begin(vb, &channel->wait);
    request->sent_ns = vb->now_ns;
    return push(vb, &channel->wait, request);
}

void vb_quiet(struct virtio_balloon *vb, struct vb_wait *wait)
{
    vq_disable_events(wait->vq);
    wait->is_irq_due = false;
    vb->had_isr = true; /* an answer within this step needs no interrupt */
}

uint64_t vb_ring(struct virtio_balloon *vb, struct vb_wait *wait)
{
    uint64_t begin = vb_now(vb);

    if (vq_kick(wait->vq))
        vb->count.kicks++;
    uint64_t ns = vb_now(vb) - begin;
    vb->host_ns += ns;
    return ns;
}

void vb_wait_begin(struct virtio_balloon *vb, struct vb_wait *wait)
{
    if (!wait->open++)
        renew(vb, wait);
}

void vb_wait_heard(struct virtio_balloon *vb, struct vb_wait *wait, bool is_end)
{
    if (wait->is_irq_due && vb->irq != VB_IRQ_POLLED && !vb->had_isr)
        vb_note_missed_irq(vb);
    wait->is_irq_due = false;
    renew(vb, wait);
    if (is_end)
        wait->open--;
}

/* One answer. */
static void finish(struct virtio_balloon *vb, struct vb_channel *channel,
                   struct vb_request *request)
{
    bool is_end = ++request->done == request->parts;

    vb_wait_heard(vb, &channel->wait, is_end);
    if (!is_end)
        return;
    vb->count.round_trip_ns = vb->now_ns - request->sent_ns;
    if (vb_move_finish(vb, request))
        return;
    if (channel == &vb->inflate)
        balloon_inflated(&vb->core, &request->batch);
    else
        balloon_deflated(&vb->core, &request->batch);
}

/* Elements that did not fit before; the second half of a block waits like anything else until nothing is
 * owed (R-V-32). */
static void push_rest(struct virtio_balloon *vb, struct vb_channel *channel)
{
    bool is_new = false;

    if (channel == &vb->inflate && balloon_owed(&vb->core))
        return;
    for (unsigned i = 0; i < vb->opts.inflight && vb_is_running(vb); i++) {
        struct vb_request *request = &channel->requests[i];

        if (!request->batch.frames || request->sent == request->parts)
            continue;
        push(vb, &channel->wait, request);
        is_new = true;
    }
    if (is_new && vb_is_running(vb))
        vb_ring(vb, &channel->wait);
}

static void reap_channel(struct virtio_balloon *vb, struct vb_channel *channel)
{
    uint32_t written; /* R-H-05: ignored, devices disagree on it */
    void *token;
    int err;

    while (channel->wait.open && !(err = vq_pop(channel->wait.vq, &token, &written)))
        finish(vb, channel, token);
    if (channel->wait.open && err != -EAGAIN)
        vb_fail(vb, "its ring contradicts itself");
    else if (channel->wait.open)
        push_rest(vb, channel);
}

bool vb_reap(struct virtio_balloon *vb)
{
    reap_channel(vb, &vb->deflate);
    if (vb_is_running(vb))
        reap_channel(vb, &vb->inflate);
    if (vb_is_running(vb))
        vb_report_reap(vb);
    return vb_is_running(vb);
}

bool vb_is_any_open(const struct virtio_balloon *vb)
{
    return vb->inflate.wait.open || vb->deflate.wait.open || vb->report.wait.open;
}

static void await(struct virtio_balloon *vb, struct vb_wait *wait)
{
    uint64_t now = vb_now(vb);
    uint64_t silent_ns = now - wait->heard_ns;
    uint64_t poll_ns = min_u64(vb->opts.poll_interval_ns, VB_SILENCE_LOG_NS / 2);

    if (!wait->open || !vq_in_flight(wait->vq))
        return;
    if (silent_ns >= VB_SILENCE_BREAK_NS) {
        vb->count.silences++;
        vb_fail(vb, "it left a request unanswered for 5 s");
        return;
    }
    if (silent_ns >= VB_SILENCE_LOG_NS && !wait->is_logged) {
        wait->is_logged = true;
        log_to(&vb->hal->log, LOG_WARN,
               "virtio-balloon: the host has been silent for 1 s");
    }
    /* What came before we asked comes without an interrupt. */
    wait->is_irq_due = !vq_enable_events(wait->vq);
    if (!wait->is_irq_due)
        vb_wake_by(vb, now);
    vb_wake_by(vb, now + (vb->irq == VB_IRQ_POLLED ? VB_REQUEST_POLL_NS : poll_ns));
}

void vb_await(struct virtio_balloon *vb)
{
    struct vb_wait *waits[] = {&vb->inflate.wait, &vb->deflate.wait, &vb->report.wait};

    for (unsigned i = 0; i < ARRAY_LEN(waits) && vb_is_running(vb); i++)
        await(vb, waits[i]);
}

void vb_requests_drop(struct virtio_balloon *vb, bool is_reset)
{
    for (unsigned i = 0; i < vb->opts.inflight; i++) {
        struct balloon_batch *in = &vb->inflate.requests[i].batch;
        struct balloon_batch *out = &vb->deflate.requests[i].batch;

        if (in->frames && is_reset)
            balloon_drop_inflate(&vb->core, in);
        if (out->frames)
            balloon_drop_deflate(&vb->core, out);
    }
    vb_move_drop(vb, is_reset);
    vb_report_drop(vb, is_reset);
    vb->inflate.wait.open = vb->deflate.wait.open = 0;
}
