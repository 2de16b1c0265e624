// SPDX-License-Identifier: BSD-2-Clause
/*
 * Resizing: from the core's plan to requests, and the size as published. The target is read again before
 * each request (R-V-18). Several requests share a doorbell as far as the host is measured to work them off
 * in the time that one doorbell may take, because most hosts work while the guest stands still.
 */
#include "drivers/virtio/balloon_internal.h"

/* The time from the host's signal to what it is about, for those who wait for memory. */
static void note_fall(struct virtio_balloon *vb)
{
    vb->returning =
        (struct vb_return){.since_ns = vb->cause_ns ? vb->cause_ns : vb->now_ns};
}

static void note_returned(struct virtio_balloon *vb, uint64_t frames)
{
    struct vb_return *r = &vb->returning;

    if (!r->since_ns || !frames)
        return;
    r->last_ns = vb_now(vb);
    if (!r->frames)
        r->first_ns = r->last_ns;
    r->frames += frames;
}

static void note_return_end(struct virtio_balloon *vb)
{
    const struct vb_return *r = &vb->returning;

    if (r->frames) {
        vb->count.returns++;
        vb->count.return_first_ns = r->first_ns - r->since_ns;
        vb->count.return_all_ns = r->last_ns - r->since_ns;
        vb->count.return_frames = r->frames;
    }
    vb->returning = (struct vb_return){0};
}

/* R-V-18: one aligned 32-bit read (R-V-08). */
static struct balloon_plan next_plan(struct virtio_balloon *vb)
{
    uint64_t before = vb->core.target;
    uint32_t pages = 0;

    if (vb->state == VIRTIO_BALLOON_LIVE)
        pages = vb->dev.transport->config_read(vb->dev.transport->ctx,
                                               VB_CONFIG_NUM_PAGES, 4);
    vb_now(vb);
    if (balloon_set_target(&vb->core, vb_frames(pages)))
        log_to(&vb->hal->log, LOG_DEBUG, "virtio-balloon: target %llu pages",
               (unsigned long long)pages);
    if (vb->core.target < before)
        note_fall(vb);
    struct balloon_plan plan = balloon_plan(&vb->core, vb->now_ns);
    if (plan.action != BALLOON_RETURN && vb->returning.since_ns)
        note_return_end(vb);
    return plan;
}

static enum vb_work work_of(const struct virtio_balloon *vb,
                            const struct vb_channel *channel,
                            const struct vb_request *request)
{
    if (channel == &vb->deflate)
        return VB_WORK_DEFLATE;
    return request->batch.is_absent ? VB_WORK_ABSENT : VB_WORK_TOUCHED;
}

/* Put into the batch what the plan says; false: there is nothing to be had. */
static bool choose(struct virtio_balloon *vb, struct balloon_plan plan,
                   struct balloon_batch *batch)
{
    switch (plan.action) {
    case BALLOON_DEFLATE:
        return balloon_choose_deflate(&vb->core, batch, plan.frames);
    case BALLOON_TELL:
        return balloon_choose_owed(&vb->core, batch);
    default:
        return balloon_choose_inflate(&vb->core, batch, plan.frames, vb->now_ns);
    }
}

/* What was sent behind one doorbell. */
struct burst {
    uint64_t frames, cost_ns; /* cost: by the measures so far */
    enum vb_work work;
    bool is_mixed;
};

/* Send requests as planned, as long as the plan stays the same and there is time for one more. */
static void fill_burst(struct virtio_balloon *vb, struct vb_channel *channel,
                       struct balloon_plan plan, struct burst *burst)
{
    enum balloon_action action = plan.action;
    struct vb_request *request = vb_request_free(vb, channel);
    uint64_t cost_ns;

    do {
        if (!choose(vb, plan, &request->batch))
            return;
        enum vb_work work = work_of(vb, channel, request);

        burst->is_mixed |= burst->frames && work != burst->work;
        burst->work = work;
        burst->frames += request->batch.frames;
        cost_ns = request->batch.frames * vb->page_ns[work];
        burst->cost_ns += cost_ns;
        if (!vb_send(vb, channel, request))
            return;
        request = vb_request_free(vb, channel);
        if (!request || burst->cost_ns + cost_ns > VB_DOORBELL_NS)
            return;
        plan = next_plan(vb);
    } while (plan.action == action);
}

/* False: all requests are open already. */
static bool request_pages(struct virtio_balloon *vb, struct balloon_plan plan)
{
    bool is_out = plan.action == BALLOON_DEFLATE || plan.action == BALLOON_TELL;
    struct vb_channel *channel = is_out ? &vb->deflate : &vb->inflate;
    struct burst burst = {0};
    bool was_idle = !channel->wait.open;

    if (!vb_request_free(vb, channel))
        return false;
    vb_quiet(vb, &channel->wait);
    fill_burst(vb, channel, plan, &burst);
    if (!burst.frames || !vb_is_running(vb))
        return true;
    uint64_t ns = vb_ring(vb, &channel->wait);
    if (vb_reap(vb) && was_idle && !channel->wait.open && !burst.is_mixed)
        vb_note_cost(vb, burst.work, ns, burst.frames);
    return true;
}

/* False: a report is open already. */
static bool report_blocks(struct virtio_balloon *vb, struct balloon_plan plan)
{
    if (vb->report.wait.open)
        return false;
    if (!balloon_choose_report(&vb->core, &vb->report.ranges, vb_report_room(vb),
                               plan.frames))
        return request_pages(vb, plan);
    vb_report_send(vb, VB_REPORT_INFLATE);
    return true;
}

/* False: nothing can be done before the host answers. */
static bool act(struct virtio_balloon *vb, struct balloon_plan plan)
{
    switch (plan.action) {
    case BALLOON_RETURN:
        note_returned(vb, balloon_return_blocks(&vb->core, plan.frames));
        return true;
    case BALLOON_CANCEL:
        balloon_cancel_blocks(&vb->core, plan.frames);
        return true;
    case BALLOON_RELEASE:
        balloon_release_blocks(&vb->core, plan.frames);
        return true;
    case BALLOON_REPORT:
        return report_blocks(vb, plan);
    case BALLOON_INFLATE:
    case BALLOON_DEFLATE:
    case BALLOON_TELL:
        return request_pages(vb, plan);
    case BALLOON_IDLE:
    case BALLOON_BUSY:
    case BALLOON_WAIT:
        break;
    }
    return false;
}

/* At the target, or out of memory for now. */
static void rest(struct virtio_balloon *vb, struct balloon_plan plan)
{
    vb->is_moving = false;
    balloon_settle(&vb->core);
    vb_publish(vb, true);
    if (plan.action == BALLOON_WAIT) {
        vb_wake_by(vb, plan.until_ns);
        vb->move.is_wanted = false; /* it has no frames to spare */
    } else if (vb->move.is_wanted) {
        vb_wake_by(vb, vb->now_ns);
    }
}

/* Nothing is under way for the balloon's sake. */
static bool is_quiet(const struct virtio_balloon *vb)
{
    return !vb_is_any_open(vb) ||
           (vb_free_is_open(vb) && !vb->inflate.wait.open && !vb->deflate.wait.open);
}

/* R-V-19, R-H-12: others run too, however far the target is. */
static bool is_turn_over(const struct virtio_balloon *vb, uint64_t begin_ns)
{
    uint64_t elapsed = vb->now_ns - begin_ns;

    return elapsed - min_u64(elapsed, vb->host_ns) >= VB_STEP_OWN_NS ||
           elapsed >= VB_STEP_TOTAL_NS;
}

/* For the sake of another block nothing that the host wants is put off: the target is met, and published. */
static bool may_move(const struct virtio_balloon *vb, struct balloon_plan plan,
                     uint64_t begin_ns)
{
    return vb->state == VIRTIO_BALLOON_LIVE && plan.action == BALLOON_IDLE &&
           !vb->is_moving && is_quiet(vb) && !is_turn_over(vb, begin_ns);
}

void vb_resize(struct virtio_balloon *vb)
{
    uint64_t begin = vb_now(vb);

    vb->host_ns = 0;
    while (vb_reap(vb)) {
        struct balloon_plan plan = next_plan(vb);
        bool is_resting = plan.action == BALLOON_IDLE || plan.action == BALLOON_WAIT;

        if (vb_move_step(vb, may_move(vb, plan, begin)))
            continue;
        if (is_resting && is_quiet(vb) && !vb_move_is_open(vb)) {
            rest(vb, plan);
            vb_await(vb);
            return;
        }
        vb->is_moving |= !is_resting || !vb_move_is_open(vb);
        if (is_turn_over(vb, begin)) {
            vb_wake_by(vb, vb->now_ns);
            break;
        }
        if (act(vb, plan))
            continue;
        if (plan.action == BALLOON_WAIT)
            vb_wake_by(vb, plan.until_ns);
        vb_await(vb);
        break;
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
