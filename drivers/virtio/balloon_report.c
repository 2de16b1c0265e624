// SPDX-License-Identifier: BSD-2-Clause
/*
 * Free page reporting, R-V-59..65: what the guest freed leaves the host though nobody asked for it. A free
 * begins a period (balloon_report_pace.c); at its end the whole touched blocks that were free all the time are
 * lent to the host, element by element, and come back as memory without backing. With `report_order` below that
 * of a block, so are the free runs in blocks in pieces where something was freed. What comes and goes faster
 * than the period is left alone, and nothing runs where nothing is freed.
 *
 * The blocks are chosen while nothing is owed and the balloon rests: it would take them itself (R-V-32).
 */
#include "drivers/virtio/balloon_internal.h"

#include "base/assert.h"

#define KEEP_ONE_IN \
    2u /* of what the guest could use: it may want it while the host works */

static bool is_on(const struct virtio_balloon *vb)
{
    return vb->opts.report_delay_ns && vb->state == VIRTIO_BALLOON_LIVE &&
           vb_may_report(vb);
}

static struct idle_blocks look(struct virtio_balloon *vb, uint64_t now_ns)
{
    struct idle_blocks idle;

    vb->hal->idle_blocks(vb->hal->ctx, &idle);
    vb_pace_look(vb, idle.cold_frames, now_ns);
    return idle;
}

static void begin_period(struct virtio_balloon *vb, uint64_t now_ns)
{
    vb->free.look_at_ns = now_ns + vb_pace_period(vb, now_ns);
}

void vb_free_note(struct virtio_balloon *vb)
{
    /* The balloon's own state may be half changed inside of a step; the step looks itself. */
    if (!is_on(vb) || vb->in_step || vb->free.look_at_ns)
        return;
    uint64_t now_ns = vb->hal->now(vb->hal->ctx);
    struct idle_blocks idle = look(vb, now_ns);

    if (!idle.now && !idle.pieces)
        return;
    begin_period(vb, now_ns);
    if (vb->free.look_at_ns < vb->wake_ns) {
        vb->wake_ns = vb->free.look_at_ns;
        vb->hal->wake_at(vb->hal->ctx, vb->wake_ns);
    }
}

/* Frames that may be lent at a time. */
static uint64_t may_lend(struct virtio_balloon *vb)
{
    struct mem_stats mem;

    vb->hal->mem_stats(vb->hal->ctx, &mem);
    return max_u64((mem.available_bytes >> FRAME_SHIFT) / KEEP_ONE_IN, BLOCK_FRAMES);
}

static void choose_blocks(struct virtio_balloon *vb, uint64_t frames)
{
    const struct run_want want = {
        .pfn_limit = vb->core.pfn_limit, .touched_only = true, .free_only = true};
    struct balloon_report *report = &vb->report.ranges;
    uint64_t wanted = min_u64(frames >> BLOCK_ORDER, vb->free.due);
    enum run_state state;

    wanted = min_u64(wanted, vb_report_room(vb));
    while (report->count < wanted) {
        struct page_run *run = &report->runs[report->count];

        if (vb->hal->run_take(vb->hal->ctx, BLOCK_ORDER, want, &run->first, &state)) {
            vb->free.due = report->count; /* and no more */
            break;
        }
        run->frames = BLOCK_FRAMES;
        report->count++;
    }
    vb->free.due -= report->count;
}

static void choose_pieces(struct virtio_balloon *vb, uint64_t frames)
{
    struct balloon_report *report = &vb->report.ranges;
    unsigned order = vb->opts.report_order, room = vb_report_room(vb);
    uint64_t got;

    while (report->count < room && frames >> order > 0) {
        struct page_run *run = &report->runs[report->count];

        if (vb->hal->piece_take(vb->hal->ctx, order, min_u64(frames, BLOCK_FRAMES),
                                &run->first, &got)) {
            vb->free.has_pieces = false;
            return;
        }
        run->frames = (uint32_t)got;
        frames -= got;
        report->count++;
    }
}

/* Ranges for one element: whole blocks, then pieces. */
static bool choose(struct virtio_balloon *vb)
{
    struct balloon_report *report = &vb->report.ranges;
    uint64_t frames = may_lend(vb);

    assert(report->count == 0);
    choose_blocks(vb, frames);
    if (report->count == 0 && vb->free.has_pieces)
        choose_pieces(vb, frames);
    vb->free.open_frames = 0;
    for (uint32_t i = 0; i < report->count; i++)
        vb->free.open_frames += report->runs[i].frames;
    return report->count > 0;
}

static void give(struct virtio_balloon *vb, struct balloon_report *report,
                 enum run_state state)
{
    const struct balloon_hal *hal = vb->hal;

    for (uint32_t i = 0; i < report->count; i++) {
        const struct page_run *run = &report->runs[i];

        if (run->frames == BLOCK_FRAMES)
            hal->run_give(hal->ctx, run->first, BLOCK_ORDER, state);
        else
            hal->piece_give(hal->ctx, run->first, run->frames, state);
    }
    report->count = 0;
    vb->free.open_frames = 0;
}

void vb_free_reported(struct virtio_balloon *vb, struct balloon_report *report)
{
    vb->count.freed_reports++;
    vb->count.freed_frames += vb->free.open_frames;
    vb_pace_reported(vb, vb->free.open_frames);
    give(vb, report, RUN_UNTOUCHED);
}

void vb_free_drop(struct virtio_balloon *vb, struct balloon_report *report)
{
    give(vb, report, RUN_TOUCHED);
}

void vb_free_start(struct virtio_balloon *vb)
{
    vb->free.look_at_ns = vb->free.due = 0;
    vb->free.has_pieces = false;
    vb_pace_start(vb);
}

static bool is_due(const struct virtio_balloon *vb)
{
    return vb->free.due || vb->free.has_pieces;
}

/* Elements, one after the other, as long as the host answers at once and this step has time. */
static void report_due(struct virtio_balloon *vb)
{
    uint64_t begin = vb_now(vb);

    while (is_due(vb) && !vb->report.wait.open && vb->now_ns - begin < VB_STEP_TOTAL_NS &&
           choose(vb)) {
        vb_report_send(vb, VB_REPORT_FREE);
        if (!vb_reap(vb))
            return;
    }
    vb_pace_charge(vb, vb_now(vb) - begin);
    if (vb->report.wait.open)
        vb_await(vb);
    else if (is_due(vb))
        vb_wake_by(vb, vb->now_ns);
}

/* The end of a period, or of the time in which reports are regretted. */
static void look_again(struct virtio_balloon *vb)
{
    struct vb_free *free = &vb->free;
    bool is_period = free->look_at_ns != 0;
    uint64_t look_at_ns = is_period ? free->look_at_ns : free->pace.judge_at_ns;

    if (!look_at_ns || vb->now_ns < look_at_ns)
        return;
    struct idle_blocks idle = look(vb, vb->now_ns);
    if (!is_period)
        return;
    free->due = idle.least;
    free->has_pieces = idle.pieces_due > 0;
    free->look_at_ns = 0;
    if (idle.now > idle.least || idle.pieces > idle.pieces_due)
        begin_period(vb, vb->now_ns);
}

void vb_free_step(struct virtio_balloon *vb)
{
    struct vb_free *free = &vb->free;

    if (!is_on(vb))
        return;
    if (!is_due(vb))
        look_again(vb);
    if (is_due(vb))
        report_due(vb);
    if (free->look_at_ns)
        vb_wake_by(vb, free->look_at_ns);
    else if (free->pace.judge_at_ns && !is_due(vb))
        vb_wake_by(vb, free->pace.judge_at_ns);
}

bool vb_free_is_open(const struct virtio_balloon *vb)
{
    return vb->report.wait.open && vb->report.owner == VB_REPORT_FREE;
}
