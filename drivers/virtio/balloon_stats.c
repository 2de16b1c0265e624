// SPDX-License-Identifier: BSD-2-Clause
/* Statistics for the host by the "reverse" protocol of virtio 1.3, 5.5.6.3 (R-V-36..40), at a bounded rate. */
#include "drivers/virtio/balloon_internal.h"

#include "base/err.h"

paddr_t vb_shared_addr(const struct virtio_balloon *vb, const void *field)
{
    return vb->shared_mem.addr +
           (paddr_t)((const char *)field - (const char *)vb->shared);
}

/* Sample and hand the one buffer over. */
static int post_stats(struct virtio_balloon *vb)
{
    struct balloon_stat stats[BALLOON_STATS_FULL];
    unsigned count =
        balloon_stats_sample(&vb->core, virtio_balloon_hinted_frames(vb) << FRAME_SHIFT,
                             vb->opts.classic_stats, stats);
    struct vq_seg seg = {.addr = vb_shared_addr(vb, vb->shared->stats),
                         .len = count * (uint32_t)sizeof(struct vb_stat)};

    for (unsigned i = 0; i < count; i++)
        vb->shared->stats[i] = (struct vb_stat){.tag = le16_of(stats[i].tag),
                                                .val = le64_of(stats[i].value)};
    vb->count.stats_tags = count;
    return vq_add(vb->vqs[VIRTIO_BALLOON_STATS], &seg, 1, 0, vb);
}

int vb_stats_prime(struct virtio_balloon *vb)
{
    struct vq *q = vb->vqs[VIRTIO_BALLOON_STATS];

    if (!q)
        return 0;
    int err = post_stats(vb);
    if (err)
        return err;
    vq_enable_events(q);
    vq_kick(q); /* rung by virtio_driver_ok(), R-T-06 */
    return 0;
}

void vb_stats_step(struct virtio_balloon *vb)
{
    struct vq *q = vb->vqs[VIRTIO_BALLOON_STATS];
    uint32_t written;
    void *token;

    /* R-V-37: a wake-up without a request changes nothing. */
    if (!q || !vq_has_used(q))
        return;
    if (vb->now_ns < vb->stats_at_ns) {
        vb_wake_by(vb, vb->stats_at_ns);
        return;
    }
    if (vq_pop(q, &token, &written) || post_stats(vb)) {
        vb_fail(vb, "its statistics ring contradicts itself");
        return;
    }
    vb->stats_at_ns = vb->now_ns + VB_ANSWER_NS;
    vb->count.stats_answers++;
    vq_kick(q);
    if (vq_enable_events(q))
        vb_wake_by(vb, vb->stats_at_ns);
}
