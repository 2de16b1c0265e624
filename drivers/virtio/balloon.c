// SPDX-License-Identifier: BSD-2-Clause
/* The virtio balloon's life while its device works: attach, events in, one step after another, detach. */
#include "drivers/virtio/balloon_internal.h"

#include "base/assert.h"
#include "base/err.h"

#define MISSED_IRQS_MAX 2 /* in a row; one may be on its way while we look */

uint64_t vb_now(struct virtio_balloon *vb)
{
    uint64_t before = vb->now_ns;

    vb->now_ns = vb->hal->now(vb->hal->ctx);
    uint64_t gap = vb->now_ns - before;
    if (gap > VB_SILENCE_LOG_NS) {
        gap -= VB_SILENCE_LOG_NS;
        vb->inflate.wait.heard_ns += gap;
        vb->deflate.wait.heard_ns += gap;
        vb->report.wait.heard_ns += gap;
        vb->hint.seen_ns += gap;
        vb->forgiven_ns += gap;
    }
    return vb->now_ns;
}

void vb_wake_by(struct virtio_balloon *vb, uint64_t when_ns)
{
    vb->wake_ns = min_u64(vb->wake_ns, when_ns);
}

bool vb_is_running(const struct virtio_balloon *vb)
{
    return vb->state == VIRTIO_BALLOON_LIVE || vb->state == VIRTIO_BALLOON_DETACHING;
}

void vb_note_missed_irq(struct virtio_balloon *vb)
{
    vb->count.missed_irqs++;
    if (++vb->missed_in_row < MISSED_IRQS_MAX)
        return;
    vb->irq = VB_IRQ_POLLED;
    log_to(&vb->hal->log, LOG_WARN,
           "virtio-balloon: no interrupt arrives, polling every %llu ms",
           (unsigned long long)(vb->opts.poll_interval_ns / NS_PER_MS));
}

static struct virtio_balloon *allocate(const struct balloon_hal *hal,
                                       const struct virtio_balloon_opts *opts)
{
    struct virtio_balloon *vb = hal->mem_alloc(hal->ctx, sizeof(*vb));

    if (!vb)
        return NULL;
    if (hal->dma_alloc(hal->ctx, sizeof(struct vb_shared), &vb->shared_mem)) {
        hal->mem_free(hal->ctx, vb, sizeof(*vb));
        return NULL;
    }
    vb->hal = hal;
    vb->shared = vb->shared_mem.ptr;
    vb->opts = *opts;
    vb->opts.poll_interval_ns = max_u64(opts->poll_interval_ns, NS_PER_MS);
    vb->opts.inflight =
        (unsigned)max_u64(min_u64(opts->inflight, VIRTIO_BALLOON_INFLIGHT_MAX), 1);
    vb->opts.report_batch =
        (unsigned)max_u64(min_u64(opts->report_batch, BALLOON_REPORTS), 1);
    vb->opts.report_order = (unsigned)min_u64(opts->report_order, BLOCK_ORDER);
    vb->opts.reset_limit =
        (unsigned)min_u64(opts->reset_limit, VIRTIO_BALLOON_RESETS_MAX);
    if (vb_requests_alloc(vb)) {
        hal->dma_free(hal->ctx, &vb->shared_mem);
        hal->mem_free(hal->ctx, vb, sizeof(*vb));
        return NULL;
    }
    return vb;
}

static void deallocate(struct virtio_balloon *vb)
{
    const struct balloon_hal *hal = vb->hal;

    vb_requests_free(vb);
    if (vb->state != VIRTIO_BALLOON_DEAD)
        hal->dma_free(hal->ctx, &vb->shared_mem);
    hal->mem_free(hal->ctx, vb, sizeof(*vb));
}

int virtio_balloon_attach(const struct virtio_transport *transport,
                          const struct balloon_hal *hal,
                          const struct virtio_balloon_opts *opts,
                          struct virtio_balloon **out)
{
    const struct balloon_rules rules = {.pfn_limit = BIT64(32) / VB_RATIO};

    if (opts->is_confidential) {
        log_to(&hal->log, LOG_WARN,
               "virtio-balloon: not in a guest whose memory is encrypted");
        return -ENOTSUP;
    }
    struct virtio_balloon *vb = allocate(hal, opts);
    if (!vb)
        return -ENOMEM;
    vb->goal = VIRTIO_BALLOON_RESTING;
    vb->irq = opts->is_polled ? VB_IRQ_POLLED : VB_IRQ_UNPROVEN;
    balloon_init(&vb->core, hal, rules);
    vb_hint_init(vb);
    vb_costs_init(vb);
    virtio_init(&vb->dev, transport, hal, "virtio-balloon");
    virtio_use_vectors(&vb->dev, opts->vectors);
    vb_now(vb);
    int err = vb_start(vb);
    if (err) {
        virtio_reset(&vb->dev); /* R-V-16; its answer does not change what we report */
        if (vb->dev.state == VIRTIO_DEAD)
            vb->state = VIRTIO_BALLOON_DEAD; /* it may still read what was posted */
        virtio_fini(&vb->dev);
        vb_hint_fini(vb);
        balloon_fini(&vb->core);
        deallocate(vb);
        return err;
    }
    hal->wake(hal->ctx);
    *out = vb;
    return 0;
}

static void note_causes(struct virtio_balloon *vb, uint8_t causes)
{
    if (!__atomic_load_n(&vb->isr_seen, __ATOMIC_RELAXED))
        __atomic_store_n(&vb->isr_ns, vb->hal->now(vb->hal->ctx), __ATOMIC_RELAXED);
    __atomic_fetch_or(&vb->isr_causes, causes, __ATOMIC_RELAXED);
    __atomic_store_n(&vb->isr_seen, true, __ATOMIC_RELAXED);
}

bool virtio_balloon_isr(struct virtio_balloon *vb)
{
    bool is_gone = __atomic_load_n(&vb->is_gone, __ATOMIC_RELAXED);
    uint8_t causes = is_gone ? 0 : virtio_irq_ack(&vb->dev);

    if (causes)
        note_causes(vb, causes);
    return causes != 0;
}

void virtio_balloon_irq(struct virtio_balloon *vb, uint8_t causes)
{
    causes = virtio_irq_filter(&vb->dev, causes);
    if (causes)
        note_causes(vb, causes);
}

void virtio_balloon_use_polling(struct virtio_balloon *vb)
{
    vb->irq = VB_IRQ_POLLED;
    vb->hal->wake(vb->hal->ctx);
}

/* What the ISR byte would say. With MSI-X that register is not used (R-T-16): a change shows in the
 * generation, or in the values, where a transport has none (R-V-53); a request by its buffer. */
static uint32_t look_for_causes(struct virtio_balloon *vb)
{
    const struct virtio_transport *t = vb->dev.transport;
    const struct vq *stats = vb->vqs[VIRTIO_BALLOON_STATS];
    uint32_t causes = 0;

    if (!vb->opts.vectors.is_msix)
        return virtio_irq_ack(&vb->dev);
    if (stats && vq_has_used(stats) && vb->now_ns >= vb->stats_at_ns)
        causes |= VIRTIO_ISR_QUEUE;
    if (vb->state == VIRTIO_BALLOON_LIVE && !vb->is_config_due &&
        (t->config_generation(t->ctx) != vb->generation ||
         vb_frames(t->config_read(t->ctx, VB_CONFIG_NUM_PAGES, 4)) != vb->core.wish ||
         vb_hint_is_new(vb)))
        causes |= VIRTIO_ISR_CONFIG;
    return causes;
}

/* Look for causes ourselves: always when polled, now and then otherwise (R-V-21). */
static uint32_t poll_causes(struct virtio_balloon *vb)
{
    uint64_t interval = vb->opts.poll_interval_ns;

    if (vb->irq == VB_IRQ_PROVEN)
        interval = max_u64(interval, NS_PER_S);
    if (vb->now_ns < vb->poll_at_ns) {
        vb_wake_by(vb, vb->poll_at_ns);
        return 0;
    }
    uint32_t causes = look_for_causes(vb);

    if (causes && !vb->had_isr && vb->irq != VB_IRQ_POLLED)
        vb_note_missed_irq(vb);
    if (virtio_poll_status(&vb->dev))
        vb_fail(vb, "it asks for a reset or lost its state");
    vb->poll_at_ns = vb->now_ns + interval;
    vb_wake_by(vb, vb->poll_at_ns);
    return causes;
}

/* Gather what happened since the last step. Flags merge, however many there were (R-H-12). */
static void collect(struct virtio_balloon *vb)
{
    uint32_t causes = __atomic_exchange_n(&vb->isr_causes, 0, __ATOMIC_RELAXED);

    vb->had_isr = __atomic_exchange_n(&vb->isr_seen, false, __ATOMIC_RELAXED);
    if (vb->had_isr) {
        vb->missed_in_row = 0;
        if (vb->irq == VB_IRQ_UNPROVEN)
            vb->irq = VB_IRQ_PROVEN;
    }
    causes |= poll_causes(vb);
    vb->cause_ns = 0;
    if (!(causes & VIRTIO_ISR_CONFIG))
        return;
    vb->is_config_due = true;
    if (vb->had_isr)
        vb->cause_ns = __atomic_load_n(&vb->isr_ns, __ATOMIC_RELAXED);
}

static void config_changed(struct virtio_balloon *vb)
{
    const struct virtio_transport *t = vb->dev.transport;

    vb->is_config_due = false;
    if (virtio_poll_status(&vb->dev)) {
        vb_fail(vb, "it asks for a reset or lost its state");
        return;
    }
    vb->generation = t->config_generation(t->ctx);
    /* R-V-53: the id is read here and nowhere else. */
    if (vb->vqs[VIRTIO_BALLOON_HINT])
        vb_hint_latch(vb, t->config_read(t->ctx, VB_CONFIG_HINT_CMD_ID, 4));
}

static void run_step(struct virtio_balloon *vb)
{
    collect(vb);
    if (vb->is_config_due && vb->state == VIRTIO_BALLOON_LIVE)
        config_changed(vb);
    if (vb->state == VIRTIO_BALLOON_LIVE)
        vb_stats_step(vb); /* before resizing, R-V-20 */
    if (vb->state == VIRTIO_BALLOON_LIVE)
        vb_hint_step(vb);
    if (vb_is_running(vb))
        vb_resize(vb);
    if (vb->state == VIRTIO_BALLOON_LIVE)
        vb_hint_make_room(vb);
    if (vb->state == VIRTIO_BALLOON_LIVE && !vb->is_moving)
        vb_free_step(vb);
    /* R-V-46: all is back and published. */
    if (vb->state == VIRTIO_BALLOON_DETACHING && !vb->is_moving && !vb_is_any_open(vb) &&
        balloon_size(&vb->core) == 0)
        vb_begin_reset(vb);
}

void virtio_balloon_step(struct virtio_balloon *vb)
{
    assert(!vb->in_step);
    vb->in_step = true;
    vb->wake_ns = UINT64_MAX;
    vb_now(vb);
    if (vb_is_running(vb))
        run_step(vb);
    if (vb->state == VIRTIO_BALLOON_RESETTING)
        vb_step_reset(vb);
    if (vb->state == VIRTIO_BALLOON_RESTING)
        vb_step_rest(vb);
    vb->in_step = false;
    if (vb->wake_ns <= vb->now_ns)
        vb->hal->wake(vb->hal->ctx);
    else
        vb->hal->wake_at(vb->hal->ctx, vb->wake_ns);
}

/* R-V-46: everything back and told, then a reset, then `goal`. */
static void wind_down(struct virtio_balloon *vb, enum virtio_balloon_state goal)
{
    vb->goal = goal;
    if (vb->state == VIRTIO_BALLOON_LIVE)
        vb->state = VIRTIO_BALLOON_DETACHING;
    else if (vb->state == VIRTIO_BALLOON_RESTING || vb->state == VIRTIO_BALLOON_ASLEEP)
        vb->state = goal; /* it is reset */
    vb->hal->wake(vb->hal->ctx);
}

void virtio_balloon_detach(struct virtio_balloon *vb)
{
    wind_down(vb, VIRTIO_BALLOON_OFF);
}

void virtio_balloon_quiesce(struct virtio_balloon *vb)
{
    if (vb->goal != VIRTIO_BALLOON_OFF)
        wind_down(vb, VIRTIO_BALLOON_ASLEEP);
}

void virtio_balloon_destroy(struct virtio_balloon *vb)
{
    assert(!vb_is_running(vb) && vb->state != VIRTIO_BALLOON_RESETTING);

    virtio_fini(&vb->dev);
    vb_hint_fini(vb);
    balloon_forget(&vb->core); /* of a dead device: what it may still discard */
    balloon_fini(&vb->core);
    deallocate(vb);
}

void virtio_balloon_memory_freed(struct virtio_balloon *vb)
{
    balloon_memory_freed(&vb->core);
    vb_free_note(vb);
    if (vb->core.target > balloon_size(&vb->core))
        vb->hal->wake(vb->hal->ctx);
}
