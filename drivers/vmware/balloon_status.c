// SPDX-License-Identifier: BSD-2-Clause
/* What the driver tells about itself. */
#include "drivers/vmware/balloon_internal.h"

#include "base/bits.h"

const char *vmware_level_name(enum vmware_level level)
{
    static const char *const names[] = {
        [VMWARE_LEVEL_NONE] = "none",
        [VMWARE_LEVEL_BASIC] = "basic",
        [VMWARE_LEVEL_BATCHED] = "batched",
        [VMWARE_LEVEL_BATCHED_2M] = "batched-2m",
    };

    return names[level];
}

const char *vmware_policy_name(enum vmware_policy policy)
{
    return policy == VMWARE_POLICY_CLASSIC ? "classic" : "modern";
}

/* In a cycle: refused, in the chunk of a group that is being offered in pieces. */
static uint64_t kept_frames(const struct vmware_balloon *vb)
{
    return vb->refused[SMALL].count + (uint64_t)vb->refused[HUGE].count * BLOCK_FRAMES +
           vb->cycle.split_left;
}

void vmware_balloon_get_status(const struct vmware_balloon *vb,
                               struct vmware_balloon_status *out)
{
    *out = (struct vmware_balloon_status){
        .state = vb->state,
        .policy = vb->opts.policy,
        .level = vmware_level(vb),
        .wished_caps = vb->wished_caps,
        .caps = vb->caps,
        .has_doorbell = vb->has_doorbell,
        .no_lock = vb->no_lock,
        .no_unlock = vb->no_unlock,
        .is_reset_due = vb->is_reset_due,
        .is_emptying = vb->is_emptying,
        .is_moving = vb->phase != PHASE_IDLE || vb->state == VMWARE_BALLOON_DETACHING,
        .wish_frames = vb->wish,
        .target_frames = vb->target,
        .limit_frames = vb->limit,
        .size_frames = vmware_size(vb),
        .huge_frames = vb->sets[HUGE].frames,
        .refused_frames = kept_frames(vb),
        .rate_alloc = vb->rate_alloc,
        .rate_free = vb->rate_free,
        .slow_cycles = vb->slow_cycles,
        .last_start = vb->last_start,
        .set_bytes = vb->sets[SMALL].bytes + vb->sets[HUGE].bytes,
        .all_bytes = sizeof(*vb) + vb->sets[SMALL].bytes + vb->sets[HUGE].bytes +
                     (vb->batch.ptr ? FRAME_SIZE : 0),
        .count = vb->count,
    };
}

void vmware_warn(struct vmware_balloon *vb, enum vmware_warning what, const char *fmt,
                 ...)
{
    const struct log_sink *log = &vb->hal->log;
    uint64_t now = vb->hal->now(vb->hal->ctx);
    uint32_t bit = BIT32(what);
    va_list args;

    if (vb->warned & bit || now < vb->warn_at_ns[what])
        return;
    vb->warned |= bit;
    vb->warn_at_ns[what] = now + WARN_GAP_NS;
    va_start(args, fmt);
    log->vwrite(log->ctx, LOG_WARN, fmt, args);
    va_end(args);
}

bool vmware_balloon_next_range(const struct vmware_balloon *vb, pfn_t from, pfn_t *first,
                               uint64_t *frames)
{
    pfn_t other;
    uint64_t other_frames;
    bool has_small = page_set_next(&vb->sets[SMALL], from, first, frames);

    if (!page_set_next(&vb->sets[HUGE], from, &other, &other_frames))
        return has_small;
    if (!has_small || other.n < first->n) {
        *first = other;
        *frames = other_frames;
    }
    return true;
}
