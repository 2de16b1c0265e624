// SPDX-License-Identifier: BSD-2-Clause
/* The guest is out of memory: frames back, with a word to the host for each, and a pause then (R-L-17). */
#include "drivers/vmware/balloon_internal.h"

#include "base/bits.h"

#define PAUSE_NS (5 * NS_PER_S)

/* Of one size; returns the frames that came. */
static uint64_t shrink_by(struct vmware_balloon *vb, unsigned size, uint64_t wanted)
{
    uint64_t frames = vmware_frames(size), came = 0;
    uint64_t left = vb->sets[size].frames / frames;

    while (came < wanted && left && !vb->cycle.is_over) {
        uint64_t pages = min_u64((wanted - came + frames - 1) / frames, left);
        uint32_t gone;

        vmware_pick(vb, size, min_u64(pages, vmware_chunk_max(vb)));
        left -= vb->chunk.count;
        if (!vmware_is_about_page(vmware_unlock(vb, &gone)))
            vb->cycle.is_over = true;
        came += gone * frames;
    }
    return came;
}

uint64_t vmware_balloon_oom(struct vmware_balloon *vb, uint64_t frames)
{
    uint64_t came;

    if (!vb->opts.shrink || vb->state != VMWARE_BALLOON_LIVE || vb->is_forgotten ||
        !vmware_can_unlock(vb))
        return 0;
    vmware_end_cycle(vb);
    vb->cycle = (struct vmware_cycle){0};
    came = shrink_by(vb, SMALL, frames);
    if (came < frames)
        came += shrink_by(vb, HUGE, frames - came);
    vb->count.shrinks++;
    vb->count.shrink_frames += came;
    vb->shrunk_ns = vb->hal->now(vb->hal->ctx) + PAUSE_NS;
    return came;
}
