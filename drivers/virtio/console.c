// SPDX-License-Identifier: BSD-2-Clause
/*
 * The virtio console's life: attach, events in, one step after another, and its end, asked for or brought
 * about by the device. Unlike a balloon it is not started again: nothing of the host hangs on it.
 */
#include "drivers/virtio/console_internal.h"

#include "base/assert.h"
#include "base/err.h"

/* ---- start ---- */

paddr_t vc_addr(const struct virtio_console *vc, const void *part)
{
    return vc->shared_mem.addr +
           (paddr_t)((const char *)part - (const char *)vc->shared_mem.ptr);
}

static int create_queue(struct virtio_console *vc, uint16_t index, struct vq **out)
{
    const struct virtio_queue_opts opts = {.max_size = VC_QUEUE_ENTRIES};

    return virtio_queue_create(&vc->dev, index, &opts, out);
}

static int create_port(struct virtio_console *vc, uint32_t port)
{
    int err = create_queue(vc, vc_queue_in(port), &vc->port_in[port]);

    return err ? err
               : create_queue(vc, (uint16_t)(vc_queue_in(port) + 1), &vc->port_out[port]);
}

/* Port 0 always, and with MULTIPORT the control queues and as many more as there may be. */
static int create_queues(struct virtio_console *vc)
{
    uint32_t max_ports = 1;
    int err = 0;

    if (virtio_has_feature(&vc->dev, VIRTIO_CONSOLE_F_MULTIPORT)) {
        err = virtio_config_read(&vc->dev, VC_CONFIG_MAX_PORTS, &max_ports, 1);
        if (!err)
            err = create_queue(vc, VC_QUEUE_CONTROL_IN, &vc->control_in);
        if (!err)
            err = create_queue(vc, VC_QUEUE_CONTROL_OUT, &vc->control_out);
    }
    vc->ports = (uint32_t)min_u64(max_u64(max_ports, 1), VIRTIO_CONSOLE_PORTS);
    for (uint32_t port = 0; port < vc->ports && !err; port++)
        err = create_port(vc, port);
    return err;
}

static int set_up(struct virtio_console *vc)
{
    const struct virtio_wanted wanted = {
        .supported = BIT64(VIRTIO_CONSOLE_F_MULTIPORT) | BIT64(VIRTIO_F_EVENT_IDX) |
                     BIT64(VIRTIO_F_RING_PACKED) | BIT64(VIRTIO_F_IN_ORDER)};
    int err = virtio_negotiate(&vc->dev, &wanted);

    if (!err)
        err = create_queues(vc);
    if (err)
        return err;
    if (vc->control_in) {
        err = vc_control_start(vc);
    } else {
        vc->channels[VIRTIO_CONSOLE_TEXT].is_open = true;
        err = vc_channel_bind(vc, VIRTIO_CONSOLE_TEXT, 0);
    }
    return err ? err : virtio_driver_ok(&vc->dev);
}

static void free_shared(struct virtio_console *vc)
{
    vc->hal->dma_free(vc->hal->ctx, &vc->shared_mem);
}

static struct virtio_console *allocate(const struct balloon_hal *hal)
{
    struct virtio_console *vc = hal->mem_alloc(hal->ctx, sizeof(*vc));

    if (!vc)
        return NULL;
    if (hal->dma_alloc(hal->ctx, sizeof(struct vc_shared), &vc->shared_mem)) {
        hal->mem_free(hal->ctx, vc, sizeof(*vc));
        return NULL;
    }
    vc->hal = hal;
    vc->shared = vc->shared_mem.ptr;
    for (unsigned i = 0; i < VIRTIO_CONSOLE_CHANNELS; i++) {
        vc->channels[i].port = VIRTIO_CONSOLE_NO_PORT;
        vc->channels[i].ring = vc->shared->out[i];
    }
    return vc;
}

int virtio_console_attach(const struct virtio_transport *transport,
                          const struct balloon_hal *hal,
                          const struct virtio_console_opts *opts,
                          struct virtio_console **out)
{
    struct virtio_console *vc = allocate(hal);

    if (!vc)
        return -ENOMEM;
    vc->opts = *opts;
    vc->opts.poll_interval_ns = max_u64(opts->poll_interval_ns, NS_PER_MS);
    vc->is_polled = opts->is_polled;
    virtio_init(&vc->dev, transport, hal, "virtio-console");
    virtio_use_vectors(&vc->dev, opts->vectors);
    int err = set_up(vc);
    if (err) {
        virtio_reset(&vc->dev);
        bool is_dead = vc->dev.state == VIRTIO_DEAD;
        virtio_fini(&vc->dev);
        if (!is_dead) /* it may still read and write there */
            free_shared(vc);
        hal->mem_free(hal->ctx, vc, sizeof(*vc));
        return err;
    }
    hal->wake(hal->ctx);
    *out = vc;
    return 0;
}

/* ---- events ---- */

static void note_causes(struct virtio_console *vc, uint8_t causes)
{
    if (!causes)
        return;
    __atomic_fetch_or(&vc->isr_causes, causes, __ATOMIC_RELAXED);
    __atomic_fetch_add(&vc->isr_count, 1, __ATOMIC_RELAXED);
}

bool virtio_console_isr(struct virtio_console *vc)
{
    uint8_t causes = virtio_irq_ack(&vc->dev);

    note_causes(vc, causes);
    return causes != 0;
}

void virtio_console_irq(struct virtio_console *vc, uint8_t causes)
{
    note_causes(vc, virtio_irq_filter(&vc->dev, causes));
}

void virtio_console_use_polling(struct virtio_console *vc)
{
    vc->is_polled = true;
    vc->hal->wake(vc->hal->ctx);
}

/* Completions that nobody has taken: with working interrupts there are none. */
static bool has_completions(const struct virtio_console *vc)
{
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
        if (vc->dev.queues[i] && vq_has_used(vc->dev.queues[i]))
            return true;
    }
    return false;
}

static void note_missed_irq(struct virtio_console *vc)
{
    vc->count.missed_irqs++;
    if (++vc->missed_in_row < VC_MISSED_MAX)
        return;
    vc->is_polled = true;
    log_to(&vc->hal->log, LOG_WARN,
           "virtio-console: no interrupt arrives, polling every %llu ms",
           (unsigned long long)(vc->opts.poll_interval_ns / NS_PER_MS));
}

static bool is_lively(const struct virtio_console *vc)
{
    if (vc->now_ns < vc->lively_until_ns)
        return true;
    for (unsigned i = 0; i < VIRTIO_CONSOLE_CHANNELS; i++) {
        if (vc->channels[i].in_flight)
            return true;
    }
    return false;
}

/* Always when polled, at times until an interrupt has come, seldom afterwards. `was_irq`: this step is an
 * interrupt's. */
static void poll(struct virtio_console *vc, bool was_irq)
{
    uint64_t interval = vc->opts.poll_interval_ns;

    if (vc->is_proven && !vc->is_polled)
        interval = max_u64(interval, NS_PER_S);
    if (vc->now_ns >= vc->poll_at_ns) {
        bool is_missed = !was_irq && !vc->is_polled && has_completions(vc);

        if (is_missed)
            note_missed_irq(vc);
        else
            vc->missed_in_row = 0;
        if (virtio_poll_status(&vc->dev))
            vc_end(vc, "it asks for a reset or lost its state");
        vc->poll_at_ns = vc->now_ns + interval;
    }
    vc->wake_ns = min_u64(vc->wake_ns, vc->poll_at_ns);
}

static void collect(struct virtio_console *vc)
{
    uint8_t causes = __atomic_exchange_n(&vc->isr_causes, 0, __ATOMIC_RELAXED);

    if (causes)
        vc->is_proven = true;
    if (causes & VIRTIO_ISR_CONFIG && virtio_poll_status(&vc->dev))
        vc_end(vc, "it asks for a reset or lost its state");
    if (vc->state == VIRTIO_CONSOLE_LIVE)
        poll(vc, causes != 0);
}

static int pump_all(struct virtio_console *vc)
{
    int err = vc->control_in ? vc_control_step(vc) : 0;

    for (unsigned i = 0; i < VIRTIO_CONSOLE_CHANNELS && !err; i++)
        err = vc_channel_pump(vc, &vc->channels[i]);
    return err;
}

static void run_step(struct virtio_console *vc)
{
    collect(vc);
    if (vc->state != VIRTIO_CONSOLE_LIVE)
        return;
    if (pump_all(vc))
        vc_end(vc, "a queue is broken");
    else if (vc->is_polled && is_lively(vc))
        vc->wake_ns = min_u64(vc->wake_ns, vc->now_ns + VC_POLL_BUSY_NS);
}

static bool has_output(const struct virtio_console *vc)
{
    for (unsigned i = 0; i < VIRTIO_CONSOLE_CHANNELS; i++) {
        const struct vc_channel *ch = &vc->channels[i];

        if (ch->is_open && ch->head != ch->tail)
            return true;
    }
    return false;
}

void virtio_console_flush(struct virtio_console *vc, uint64_t for_ns)
{
    const struct balloon_hal *hal = vc->hal;
    uint64_t end_ns = hal->now(hal->ctx) + for_ns;

    if (vc->is_busy || vc->state != VIRTIO_CONSOLE_LIVE)
        return;
    vc->is_busy = true;
    while (!pump_all(vc) && has_output(vc) && hal->now(hal->ctx) < end_ns)
        hal->relax(hal->ctx);
    vc->is_busy = false;
}

/* ---- the end ---- */

void vc_end(struct virtio_console *vc, const char *why)
{
    if (vc->state != VIRTIO_CONSOLE_LIVE)
        return;
    vc->state = VIRTIO_CONSOLE_RESETTING;
    vc->ended_because = why;
    if (why)
        log_to(&vc->hal->log, LOG_ERROR, "virtio-console: given up: %s", why);
    virtio_reset_start(&vc->dev);
    vc->hal->wake(vc->hal->ctx);
}

static uint64_t ring_errors(const struct virtio_console *vc)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
        if (vc->dev.queues[i])
            sum += vq_lies(vc->dev.queues[i]);
    }
    return sum;
}

static void free_queues(struct virtio_console *vc)
{
    vc->lost_ring_errors += ring_errors(vc);
    for (unsigned i = 0; i < VIRTIO_CONSOLE_CHANNELS; i++) {
        struct vc_channel *ch = &vc->channels[i];

        ch->out = ch->in = NULL;
        ch->buffer = NULL;
        ch->is_open = false;
        ch->in_flight = 0;
    }
    virtio_queues_free(&vc->dev);
}

static void step_reset(struct virtio_console *vc)
{
    int err = virtio_reset_poll(&vc->dev);

    if (err == -EAGAIN) {
        vc->wake_ns = vc->now_ns + VC_RESET_POLL_NS;
        return;
    }
    free_queues(vc);
    vc->state = err ? VIRTIO_CONSOLE_DEAD : VIRTIO_CONSOLE_OFF;
    if (err)
        log_to(&vc->hal->log, LOG_ERROR, "virtio-console: the device is dead: no reset");
}

void virtio_console_step(struct virtio_console *vc)
{
    assert(!vc->is_busy);
    vc->is_busy = true;
    vc->wake_ns = UINT64_MAX;
    vc->now_ns = vc->hal->now(vc->hal->ctx);
    if (vc->state == VIRTIO_CONSOLE_LIVE)
        run_step(vc);
    if (vc->state == VIRTIO_CONSOLE_RESETTING)
        step_reset(vc);
    vc->is_busy = false;
    vc->hal->wake_at(vc->hal->ctx, vc->wake_ns);
}

void virtio_console_detach(struct virtio_console *vc)
{
    vc_end(vc, NULL);
}

void virtio_console_destroy(struct virtio_console *vc)
{
    assert(vc->state == VIRTIO_CONSOLE_OFF || vc->state == VIRTIO_CONSOLE_DEAD);
    const struct balloon_hal *hal = vc->hal;

    virtio_fini(&vc->dev);
    if (vc->state == VIRTIO_CONSOLE_OFF)
        free_shared(vc);
    hal->mem_free(hal->ctx, vc, sizeof(*vc));
}

void virtio_console_get_status(const struct virtio_console *vc,
                               struct virtio_console_status *out)
{
    const struct virtio_errors *dev = &vc->dev.errors;

    *out = vc->count;
    out->state = vc->state;
    out->offered = vc->dev.offered;
    out->features = vc->dev.features;
    out->is_polled = vc->is_polled;
    out->ended_because = vc->ended_because;
    for (unsigned i = 0; i < VIRTIO_CONSOLE_CHANNELS; i++) {
        const struct vc_channel *ch = &vc->channels[i];

        out->channels[i] = ch->count;
        out->channels[i].port = ch->port;
        out->channels[i].is_open = ch->is_open;
        out->channels[i].waiting_bytes = ch->head - ch->tail;
    }
    out->irqs = __atomic_load_n(&vc->isr_count, __ATOMIC_RELAXED);
    out->ring_errors = vc->lost_ring_errors + ring_errors(vc) + dev->config_unstable +
                       dev->status_lost + dev->queue_bad_size + dev->queue_refused +
                       dev->vector_refused + dev->early_irq;
}
