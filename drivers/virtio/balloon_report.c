// SPDX-License-Identifier: BSD-2-Clause
/*
 * Free page reporting, R-V-59..65: what the guest freed leaves the host though nobody asked for it. A free
 * begins a period of `report_delay_ns`; at its end the whole touched blocks that were free all the time are
 * lent to the host, element by element, and come back as memory without backing. What comes and goes faster
 * than that is left alone, and nothing runs where nothing is freed.
 *
 * The blocks are chosen while nothing is owed and the balloon rests: it would take them itself (R-V-32).
 */
#include "drivers/virtio/balloon_internal.h"

#include "base/assert.h"

/* Reports may take 1 % of the time. Where they have taken so much more, periods are longer. */
#define COST_INVERSE 100u
#define COST_CREDIT  NS_PER_S
#define PERIOD_MAX   NS_PER_S
#define KEEP_ONE_IN \
    2u /* of what the guest could use: it may want it while the host works */

static bool is_on(const struct virtio_balloon *vb)
{
    return vb->opts.report_delay_ns && vb->state == VIRTIO_BALLOON_LIVE &&
           vb_may_report(vb);
}

static struct idle_blocks look(struct virtio_balloon *vb)
{
    struct idle_blocks idle;

    vb->hal->idle_blocks(vb->hal->ctx, &idle);
    return idle;
}

/* Reports that took `cost_ns`; the time since the last ones pays for them. */
static void charge(struct virtio_balloon *vb, uint64_t cost_ns)
{
    struct vb_free *free = &vb->free;
    uint64_t earned_ns = (vb->now_ns - free->charged_ns) / COST_INVERSE;

    free->debt_ns = free->debt_ns - min_u64(free->debt_ns, earned_ns) + cost_ns;
    free->charged_ns = vb->now_ns;
}

static void begin_period(struct virtio_balloon *vb, uint64_t now_ns)
{
    struct vb_free *free = &vb->free;
    uint64_t delay_ns = vb->opts.report_delay_ns;

    if (free->debt_ns > COST_CREDIT)
        delay_ns = max_u64(delay_ns, PERIOD_MAX);
    free->look_at_ns = now_ns + delay_ns;
}

void vb_free_note(struct virtio_balloon *vb)
{
    /* The balloon's own state may be half changed inside of a step; the step looks itself. */
    if (!is_on(vb) || vb->in_step || vb->free.look_at_ns || !look(vb).now)
        return;
    begin_period(vb, vb->hal->now(vb->hal->ctx));
    if (vb->free.look_at_ns < vb->wake_ns) {
        vb->wake_ns = vb->free.look_at_ns;
        vb->hal->wake_at(vb->hal->ctx, vb->wake_ns);
    }
}

/* Blocks for one element. */
static unsigned choose(struct virtio_balloon *vb)
{
    const struct balloon_hal *hal = vb->hal;
    const struct run_want want = {
        .pfn_limit = vb->core.pfn_limit, .touched_only = true, .free_only = true};
    struct balloon_report *ranges = &vb->report.ranges;
    struct mem_stats mem;
    enum run_state state;

    hal->mem_stats(hal->ctx, &mem);
    uint64_t wanted = max_u64(mem.available_bytes / BLOCK_SIZE / KEEP_ONE_IN, 1);
    wanted = min_u64(min_u64(wanted, vb->free.due), vb_report_room(vb));
    assert(ranges->count == 0);
    while (ranges->count < wanted &&
           !hal->run_take(hal->ctx, BLOCK_ORDER, want, &ranges->blocks[ranges->count],
                          &state))
        ranges->count++;
    vb->free.due = ranges->count ? vb->free.due - ranges->count : 0;
    vb->free.open_frames = (uint64_t)ranges->count << BLOCK_ORDER;
    return ranges->count;
}

static void give(struct virtio_balloon *vb, struct balloon_report *ranges,
                 enum run_state state)
{
    for (uint32_t i = 0; i < ranges->count; i++)
        vb->hal->run_give(vb->hal->ctx, ranges->blocks[i], BLOCK_ORDER, state);
    ranges->count = 0;
    vb->free.open_frames = 0;
}

void vb_free_reported(struct virtio_balloon *vb, struct balloon_report *ranges)
{
    vb->count.freed_reports++;
    vb->count.freed_frames += vb->free.open_frames;
    give(vb, ranges, RUN_UNTOUCHED);
}

void vb_free_drop(struct virtio_balloon *vb, struct balloon_report *ranges)
{
    give(vb, ranges, RUN_TOUCHED);
}

void vb_free_start(struct virtio_balloon *vb)
{
    vb->free.look_at_ns = vb->free.due = 0;
}

/* Elements, one after the other, as long as the host answers at once and this step has time. */
static void report_due(struct virtio_balloon *vb)
{
    uint64_t begin = vb_now(vb);

    while (vb->free.due && !vb->report.wait.open &&
           vb->now_ns - begin < VB_STEP_TOTAL_NS && choose(vb)) {
        vb_report_send(vb, VB_REPORT_FREE);
        if (!vb_reap(vb))
            return;
    }
    charge(vb, vb_now(vb) - begin);
    if (vb->report.wait.open)
        vb_await(vb);
    else if (vb->free.due)
        vb_wake_by(vb, vb->now_ns);
}

void vb_free_step(struct virtio_balloon *vb)
{
    struct vb_free *free = &vb->free;

    if (!is_on(vb))
        return;
    if (!free->due && free->look_at_ns && vb->now_ns >= free->look_at_ns) {
        struct idle_blocks idle = look(vb);

        free->due = idle.least;
        free->look_at_ns = 0;
        if (idle.now > idle.least)
            begin_period(vb, vb->now_ns);
    }
    if (free->due)
        report_due(vb);
    if (free->look_at_ns)
        vb_wake_by(vb, free->look_at_ns);
}

bool vb_free_is_open(const struct virtio_balloon *vb)
{
    return vb->report.wait.open && vb->report.owner == VB_REPORT_FREE;
}
