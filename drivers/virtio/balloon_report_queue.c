// SPDX-License-Identifier: BSD-2-Clause
/*
 * The reporting queue, virtio 1.3, 5.5.6.7: an element names ranges whose contents the host may drop
 * (R-V-63). One element is open at a time; whose ranges it holds is known by its owner, who gets them back
 * with the answer. Its length follows what the host is measured to do in the time one doorbell may take.
 */
#include "drivers/virtio/balloon_internal.h"

#include "base/assert.h"
#include "base/err.h"

bool vb_may_report(const struct virtio_balloon *vb)
{
    /* R-V-57: free memory that is zero may be dropped only by a host that has agreed to that value. */
    return vb->report.wait.vq &&
           (!vb->opts.frees_zeroed ||
            virtio_has_feature(&vb->dev, VIRTIO_BALLOON_F_PAGE_POISON));
}

unsigned vb_report_room(const struct virtio_balloon *vb)
{
    uint64_t block_ns = vb->page_ns[VB_WORK_REPORT] * BLOCK_FRAMES;
    uint64_t in_time = block_ns ? VB_DOORBELL_NS / block_ns : BALLOON_REPORTS;
    uint64_t in_ring = min_u64(vq_size(vb->report.wait.vq), vb->opts.report_batch);

    return (unsigned)min_u64(max_u64(in_time, 1), in_ring);
}

void vb_report_send(struct virtio_balloon *vb, enum vb_report_owner owner)
{
    struct vb_report *report = &vb->report;
    struct vq_seg segs[BALLOON_REPORTS];
    unsigned count = report->ranges.count;

    assert(!report->wait.open && count > 0);
    for (unsigned i = 0; i < count; i++)
        segs[i] = (struct vq_seg){.addr = pfn_to_paddr(report->ranges.runs[i].first),
                                  .len = report->ranges.runs[i].frames << FRAME_SHIFT};
    vb_quiet(vb, &report->wait);
    report->owner = owner;
    if (vq_add(report->wait.vq, segs, 0, count, report)) {
        vb_fail(vb, "a report does not fit an empty queue");
        return;
    }
    vb_wait_begin(vb, &report->wait);
    report->sent_ns = vb->now_ns;
    vb->count.reports++;
    vb_ring(vb, &report->wait);
}

void vb_report_reap(struct virtio_balloon *vb)
{
    struct vb_report *report = &vb->report;
    uint32_t written; /* R-H-05 */
    void *token;

    if (!report->wait.open)
        return;
    int err = vq_pop(report->wait.vq, &token, &written);
    if (err == -EAGAIN)
        return;
    if (err) {
        vb_fail(vb, "its reporting ring contradicts itself");
        return;
    }
    vb_wait_heard(vb, &report->wait, true);
    /* Pieces cost more by the page and less by the range: their number follows that of blocks. */
    if (report->ranges.runs[0].frames == BLOCK_FRAMES)
        vb_note_cost(vb, VB_WORK_REPORT, vb->now_ns - report->sent_ns,
                     (uint64_t)report->ranges.count << BLOCK_ORDER);
    if (report->owner == VB_REPORT_INFLATE)
        balloon_reported(&vb->core, &report->ranges);
    else
        vb_free_reported(vb, &report->ranges);
}

void vb_report_drop(struct virtio_balloon *vb, bool is_reset)
{
    struct vb_report *report = &vb->report;

    if (is_reset && report->ranges.count && report->owner == VB_REPORT_FREE)
        vb_free_drop(vb, &report->ranges);
    else if (is_reset && report->ranges.count)
        balloon_drop_report(&vb->core, &report->ranges);
    report->wait.open = 0;
}
