// SPDX-License-Identifier: BSD-2-Clause
/* What the virtio balloon tells about itself: counters of R-X-12, R-V-68, and the frames it holds. */
#include "drivers/virtio/balloon_internal.h"

uint64_t vb_ring_errors(const struct virtio_balloon *vb)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < VIRTIO_BALLOON_QUEUES; i++)
        if (vb->vqs[i])
            sum += vq_lies(vb->vqs[i]);
    return sum;
}

void vb_costs_init(struct virtio_balloon *vb)
{
    static const uint64_t slow_ns[VB_WORKS] = {4000, 1000, 1000, 1000};

    for (unsigned i = 0; i < VB_WORKS; i++)
        vb->page_ns[i] = slow_ns[i];
}

void vb_note_cost(struct virtio_balloon *vb, enum vb_work work, uint64_t ns,
                  uint64_t frames)
{
    uint64_t page_ns = ns / (frames * VB_RATIO);

    vb->page_ns[work] = vb->page_ns[work] - vb->page_ns[work] / 4 + page_ns / 4;
}

static uint64_t all_errors(const struct virtio_balloon *vb)
{
    const struct virtio_errors *dev = &vb->dev.errors;

    return vb->lost_ring_errors + dev->config_unstable + dev->status_lost +
           dev->queue_bad_size + dev->queue_refused + dev->vector_refused +
           dev->early_irq + vb_ring_errors(vb);
}

void virtio_balloon_get_status(const struct virtio_balloon *vb,
                               struct virtio_balloon_status *out)
{
    const struct balloon *core = &vb->core;

    *out = vb->count;
    out->state = vb->state;
    out->offered = vb->dev.offered;
    out->features = vb->dev.features;
    for (unsigned i = 0; i < VIRTIO_BALLOON_QUEUES; i++)
        out->queues[i] = vb->queue_index[i];
    out->is_polled = vb->irq == VB_IRQ_POLLED;
    out->is_moving = vb->is_moving;
    out->is_emptying = vb->move.is_wanted || vb_move_is_open(vb);
    out->is_returning = vb_is_running(vb) && vb->returning.frames > 0;
    out->wish_pages = core->wish * VB_RATIO;
    out->target_pages = core->target * VB_RATIO;
    out->size_pages = balloon_size(core) * VB_RATIO;
    out->in_flight_pages = (core->inflating + core->deflating + core->reporting +
                            core->moving + core->replaced + vb->free.open_frames) *
                           VB_RATIO;
    out->in_flight_frames = balloon_in_flight(core) + vb->free.open_frames;
    out->deflating_frames = core->deflating - core->given + core->moving;
    out->owed_frames = balloon_owed(core);
    out->absent_frames = core->held.blocks[PAGE_ABSENT] << BLOCK_ORDER;
    out->is_wide = vb->is_wide;
    out->is_early = core->early_return;
    out->is_reporting = core->report_first;
    out->report_delay_ns = vb->free.pace.delay_ns;
    for (unsigned i = 0; i < VB_WORKS; i++)
        out->page_ns[i] = vb->page_ns[i];
    out->held_frames = core->held.frames;
    out->set_bytes = core->held.bytes + vb->hint.held[0].bytes + vb->hint.held[1].bytes;
    out->hinted_frames = vb_hint_open_frames(vb) + virtio_balloon_hinted_frames(vb);
    if (vb->state == VIRTIO_BALLOON_DEAD)
        out->quarantined_frames = core->inflating + core->reporting +
                                  vb->free.open_frames + vb_hint_open_frames(vb);
    out->core = core->count;
    out->ring_errors = all_errors(vb);
}

bool virtio_balloon_has_any(const struct virtio_balloon *vb, pfn_t first, uint64_t frames)
{
    return page_set_has_any(&vb->core.held, first, frames);
}

bool virtio_balloon_next_range(const struct virtio_balloon *vb, pfn_t from, pfn_t *first,
                               uint64_t *frames)
{
    return page_set_next(&vb->core.held, from, first, frames);
}
