// SPDX-License-Identifier: BSD-2-Clause
/* A balloon device, its host and the driver put together, and what has to be true of all three. */
#include "tests/model/balloon_host_internal.h"

#include <string.h>

#define STATUS_LEGACY 7u
#define STATUS_ALL    15u /* ACKNOWLEDGE to DRIVER_OK, no NEEDS_RESET */

void balloon_rig_queues(struct balloon_rig *r,
                        const uint16_t number[VIRTIO_BALLOON_QUEUES])
{
    uint16_t sizes[VIRTIO_MODEL_QUEUES] = {0};
    unsigned count = 0;
    struct virtio_model *m = &r->v.model;

    for (unsigned i = 0; i < VIRTIO_BALLOON_QUEUES; i++) {
        r->host.queue_of[i] = number[i];
        if (number[i] == VIRTIO_BALLOON_NO_QUEUE)
            continue;
        sizes[number[i]] = 128;
        count = count > number[i] + 1u ? count : number[i] + 1u;
    }
    m->num_queues = (uint16_t)count;
    for (unsigned i = 0; i < VIRTIO_MODEL_QUEUES; i++)
        m->queues[i].max = m->queues[i].size = sizes[i];
}

void balloon_rig_init(struct balloon_rig *r, uint64_t features, uint64_t frames)
{
    balloon_rig_init_on(r, RIG_PCI_MODERN, features, frames);
}

void balloon_rig_init_on(struct balloon_rig *r, enum rig_kind kind, uint64_t features,
                         uint64_t frames)
{
    uint16_t next = 3, number[VIRTIO_BALLOON_QUEUES] = {0, 1, 2, VIRTIO_BALLOON_NO_QUEUE,
                                                        VIRTIO_BALLOON_NO_QUEUE};

    memset(r, 0, sizeof(*r));
    rig_init_on(&r->v, kind, features);
    guest_frames_init(&r->guest, &r->v.hal, 0, frames, 0);
    r->guest.resets = &r->v.model.resets;
    r->host.guest = &r->guest;
    r->host.hal = &r->v.hal;
    r->host.request_ns = 300 * NS_PER_US;
    r->host.report_order = BLOCK_ORDER;
    host_install(&r->host, &r->v.model);
    r->opts = (struct virtio_balloon_opts){.accept_oom = true,
                                           .hint = true,
                                           .inflight = 1,
                                           .wide = VIRTIO_BALLOON_WIDE_OFF,
                                           .reset_limit = 3,
                                           .report_batch = 32,
                                           .report_order = BLOCK_ORDER,
                                           .poll_interval_ns = 100 * NS_PER_MS};
    r->irq_works = true;
    if (features & BIT64(VIRTIO_BALLOON_F_FREE_PAGE_HINT))
        number[VIRTIO_BALLOON_HINT] = next++;
    if (features & BIT64(VIRTIO_BALLOON_F_REPORTING))
        number[VIRTIO_BALLOON_REPORT] = next++;
    balloon_rig_queues(r, number);
}

int balloon_rig_attach(struct balloon_rig *r)
{
    int err = r->v.ops ? 0 : rig_open(&r->v);

    if (err)
        return err;
    if (r->opts.vectors.is_msix)
        rig_enable_msix(&r->v);
    r->guest.may_owe = r->opts.early_return &&
                       !(r->v.model.offered & BIT64(VIRTIO_BALLOON_F_MUST_TELL_HOST));
    r->host.is_narrow = r->opts.wide == VIRTIO_BALLOON_WIDE_OFF;
    r->v.dev.transport = NULL; /* the balloon brings its own struct virtio_device */
    return virtio_balloon_attach(r->v.ops, &r->v.hal.hal, &r->opts, &r->vb);
}

/* What the machine's interrupt gates would do. */
static bool deliver_interrupt(struct balloon_rig *r)
{
    if (!r->irq_works)
        return false;
    if (!r->opts.vectors.is_msix)
        return r->v.model.isr && virtio_balloon_isr(r->vb);
    uint8_t causes = rig_take_messages(&r->v, &r->opts.vectors);
    virtio_balloon_irq(r->vb, causes);
    return causes != 0;
}

/* One event, if one is due until `until_ns`. */
static bool run_one(struct balloon_rig *r, uint64_t until_ns)
{
    struct hal_model *hal = &r->v.hal;
    bool is_due = hal->wakes > 0;

    host_notice_reset(&r->host, &r->v.model);
    if (hal->now_ns > until_ns)
        return false;
    is_due |= deliver_interrupt(r);
    if (!is_due && hal->wake_at_ns <= until_ns) {
        hal->now_ns = hal->now_ns > hal->wake_at_ns ? hal->now_ns : hal->wake_at_ns;
        hal->wake_at_ns = UINT64_MAX;
        is_due = true;
    }
    if (!is_due)
        return false;
    hal->wakes = 0;
    hal->now_ns += 20 * NS_PER_US;
    r->steps++;
    uint64_t begun_ns = hal->now_ns;
    virtio_balloon_step(r->vb);
    r->longest_step_ns = max_u64(r->longest_step_ns, hal->now_ns - begun_ns);
    return true;
}

void balloon_rig_run(struct balloon_rig *r, uint64_t for_ns)
{
    uint64_t until = r->v.hal.now_ns + for_ns;

    for (unsigned n = 0; run_one(r, until); n++)
        if (n > 1000000)
            model_fail("the driver never rests", __LINE__);
    if (r->v.hal.now_ns < until)
        r->v.hal.now_ns = until;
}

void balloon_rig_settle(struct balloon_rig *r)
{
    for (unsigned n = 0; n < 10000; n++) {
        struct virtio_balloon_status before = balloon_rig_status(r), after;

        balloon_rig_run(r, 150 * NS_PER_MS);
        after = balloon_rig_status(r);
        if (!after.is_moving && after.size_pages == before.size_pages &&
            after.state == before.state && after.state != VIRTIO_BALLOON_RESETTING)
            return;
    }
    model_fail("the driver does not settle", __LINE__);
}

void balloon_rig_target(struct balloon_rig *r, uint32_t pages)
{
    virtio_model_set_config(&r->v.model, 0, pages);
}

/* The n-th of the requests that it kept. */
static void answer(struct balloon_rig *r, enum host_kind kind, unsigned n)
{
    struct balloon_host *host = &r->host;
    struct virtio_chain chain = host->kept[kind][n];

    host->kept_count[kind]--;
    memmove(&host->kept[kind][n], &host->kept[kind][n + 1],
            (host->kept_count[kind] - n) * sizeof(chain));
    host_do_request(host, &chain, kind);
    virtio_model_push(&r->v.model, host->queue_of[host_kind_queues[kind]], chain.head, 0);
}

void balloon_rig_answer(struct balloon_rig *r)
{
    /* Deflates first: what a driver owes is to be told before anything else. */
    for (unsigned kind = HOST_KINDS; kind-- > 0;)
        while (r->host.kept_count[kind])
            answer(r, kind, 0);
}

bool balloon_rig_answer_any(struct balloon_rig *r, unsigned which)
{
    for (unsigned n = 0; n < HOST_KINDS; n++) {
        unsigned kind = (which + n) % HOST_KINDS;
        unsigned count = r->host.kept_count[kind];

        if (!count)
            continue;
        answer(r, kind, host_is_in_order(&r->v.model) ? 0 : which / HOST_KINDS % count);
        return true;
    }
    return false;
}

void balloon_rig_ask_hints(struct balloon_rig *r, uint32_t id)
{
    r->host.hint_id = id;
    virtio_model_set_config(&r->v.model, HINT_REGISTER, id);
}

void balloon_rig_answer_hints(struct balloon_rig *r, unsigned max)
{
    host_take_hints(&r->host, &r->v.model, r->host.queue_of[VIRTIO_BALLOON_HINT], max);
}

void balloon_rig_ask_stats(struct balloon_rig *r)
{
    if (!r->host.has_stats) {
        model_fail("the driver provided no statistics buffer", __LINE__);
    }
    r->host.has_stats = false;
    virtio_model_push(&r->v.model, r->host.queue_of[VIRTIO_BALLOON_STATS],
                      r->host.stats.head, 0);
}

uint64_t balloon_rig_stat(const struct balloon_rig *r, uint16_t tag)
{
    for (unsigned i = 0; i < r->host.stats_count; i++)
        if (r->host.stats_tag[i] == tag)
            return r->host.stats_value[i];
    return UINT64_MAX;
}

struct virtio_balloon_status balloon_rig_status(const struct balloon_rig *r)
{
    struct virtio_balloon_status status;

    virtio_balloon_get_status(r->vb, &status);
    return status;
}

void balloon_rig_check(struct balloon_rig *r)
{
    struct virtio_balloon_status status = balloon_rig_status(r);
    bool is_up =
        status.state == VIRTIO_BALLOON_LIVE || status.state == VIRTIO_BALLOON_DETACHING;
    uint64_t frames, seen = 0;
    pfn_t first = pfn_of(0);

    host_notice_reset(&r->host, &r->v.model);
    guest_check(&r->guest);
    if (r->host.misuse)
        model_fail(r->host.complaint, __LINE__);
    if (r->v.model.misuse)
        model_fail(r->v.model.complaint, __LINE__);
    model_equal(r->host.strays, 0);
    model_equal(status.held_frames + status.in_flight_frames + status.hinted_frames,
                r->guest.driver);
    model_equal(status.size_pages,
                status.held_frames + status.owed_frames + status.deflating_frames);
    /* A reset that the driver does not know of yet, or has not acted on: the two sides may differ. */
    if (status.state == VIRTIO_BALLOON_RESETTING)
        return;
    if (is_up && r->v.model.status != (r->v.model.is_legacy ? STATUS_LEGACY : STATUS_ALL))
        return;
    while (virtio_balloon_next_range(r->vb, first, &first, &frames)) {
        for (uint64_t i = 0; i < frames; i++)
            model_true(r->guest.host_has[first.n - r->guest.base + i]);
        model_true(virtio_balloon_has_any(r->vb, first, frames));
        seen += frames;
        first = pfn_add(first, frames);
    }
    model_equal(seen, status.held_frames);
    if (!status.is_moving && status.in_flight_frames == 0 && status.owed_frames == 0) {
        model_equal(r->guest.told, status.size_pages);
        if (status.state != VIRTIO_BALLOON_RESTING) /* then nobody may write it */
            model_equal(r->host.actual, status.size_pages);
    }
}

void balloon_rig_end(struct balloon_rig *r)
{
    if (r->vb) {
        balloon_rig_check(r);
        r->host.is_slow = false;
        virtio_balloon_detach(r->vb);
        balloon_rig_answer(r);
        balloon_rig_settle(r);
        balloon_rig_check(r);
        model_equal(balloon_rig_status(r).state, VIRTIO_BALLOON_OFF);
        virtio_balloon_destroy(r->vb);
        r->vb = NULL;
    }
    model_equal(r->guest.driver, 0);
    model_equal(r->guest.accounted, 0);
    model_equal(rig_end(&r->v), 0);
}
