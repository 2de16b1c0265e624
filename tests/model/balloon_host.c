// SPDX-License-Identifier: BSD-2-Clause
/* The host's side of virtio 5.5, on a virtio model, as strict as the strictest VMM known. */
#include "tests/model/balloon_host.h"

#include <string.h>

#define STAT_BYTES      10u
#define HINT_DONE       1u
#define HINT_REGISTER   8
#define POISON_REGISTER 12
#define STATUS_FEATURES 11u
#define STATUS_LEGACY   7u
#define STATUS_ALL      15u /* ACKNOWLEDGE to DRIVER_OK, no NEEDS_RESET */

static void complain(struct balloon_host *host, const char *what)
{
    host->misuse++;
    host->complaint = what;
}

/* A reset ends all: what was told is the guest's again. */
static void notice_reset(struct balloon_host *host, struct virtio_model *m)
{
    guest_notice_reset(host->guest);
    if (host->resets_seen == m->resets)
        return;
    host->resets_seen = m->resets;
    memset(host->kept_count, 0, sizeof(host->kept_count));
    host->has_stats = false;
    host->stats_answers = 0;
    host->is_hinting = false;
    memset(&m->config[HINT_REGISTER], 0, 4); /* D-Q-08 */
}

/* Where a page is in the guest's frames; false: nowhere. */
static bool find_page(struct balloon_host *host, uint64_t pfn, uint64_t *at)
{
    *at = pfn - host->guest->base;
    if (pfn >= host->guest->base && *at < host->guest->count)
        return true;
    host->strays++;
    return false;
}

static void move_page(struct balloon_host *host, uint32_t pfn, bool in)
{
    struct guest_frames *g = host->guest;
    uint64_t at;

    if (!find_page(host, pfn, &at))
        return;
    /* A frame that is owed is told back before it may be told again: the order of R-V-32. */
    if (g->host_has[at] == in)
        complain(host, in ? "inflated twice" : "deflated what is not in");
    if (in && g->owner[at] != FRAME_DRIVER)
        complain(host, "inflated a frame that is not the driver's");
    if (!in && g->host_has[at] && g->owner[at] != FRAME_DRIVER)
        g->owed--;
    g->told += in ? 1 : (uint64_t)-1;
    g->host_has[at] = in;
}

static void do_pages(struct balloon_host *host, const struct virtio_chain *chain,
                     enum host_kind kind)
{
    uint32_t pfn, last = 0;

    if (chain->n != chain->n_out || chain->n > (host->is_narrow ? 1 : 2))
        complain(host, "a request is one or two readable pieces");
    host->wide += chain->n > 1;
    for (unsigned n = 0; n < chain->n; n++) {
        uint32_t len = chain->segs[n].len;

        if (len == 0 || len % 4 || len > 1024)
            complain(host, "a piece has 1 to 256 PFNs");
        for (uint32_t i = 0; i + 4 <= len; i += 4) {
            memcpy(&pfn, (char *)chain->segs[n].ptr + i, 4);
            host->descending += (n || i) && pfn <= last;
            last = pfn;
            move_page(host, pfn, kind == HOST_INFLATE);
        }
        host->pages[kind] += len / 4;
    }
}

/* A range is the driver's for as long as the report is open, and what is in the balloon is not reported. */
static void do_report(struct balloon_host *host, const struct virtio_chain *chain)
{
    struct guest_frames *g = host->guest;
    uint64_t at;

    if (chain->n_out != 0 || chain->n > 32)
        complain(host, "a report is up to 32 writable pieces");
    for (unsigned n = 0; n < chain->n; n++) {
        uint64_t pfn = chain->segs[n].addr >> FRAME_SHIFT;

        if (chain->segs[n].len != BLOCK_SIZE || chain->segs[n].addr % BLOCK_SIZE)
            complain(host, "a reported range is a block");
        for (unsigned i = 0; i < BLOCK_FRAMES; i++) {
            if (!find_page(host, pfn + i, &at))
                return;
            if (g->owner[at] != FRAME_DRIVER || g->host_has[at])
                complain(host, "reported a frame that is in the balloon or in use");
        }
        host->pages[HOST_REPORT] += BLOCK_FRAMES;
    }
    if (chain->n > host->longest_report)
        host->longest_report = chain->n;
}

static void do_request(struct balloon_host *host, const struct virtio_chain *chain,
                       enum host_kind kind)
{
    if (kind == HOST_REPORT)
        do_report(host, chain);
    else
        do_pages(host, chain, kind);
    host->requests[kind]++;
    host->hal->now_ns += host->request_ns;
}

static const enum virtio_balloon_queue kind_queues[HOST_KINDS] = {
    VIRTIO_BALLOON_INFLATE, VIRTIO_BALLOON_DEFLATE, VIRTIO_BALLOON_REPORT};

/* Then nothing is answered before what came before it. */
static bool is_in_order(const struct virtio_model *m)
{
    return (m->accepted & BIT64(VIRTIO_F_IN_ORDER)) != 0;
}

static void take_requests(struct balloon_host *host, struct virtio_model *m,
                          enum host_kind kind)
{
    uint16_t index = host->queue_of[kind_queues[kind]];
    struct virtio_chain chain;

    while (virtio_model_pop(m, index, &chain)) {
        unsigned *count = &host->kept_count[kind];

        if (kind != HOST_DEFLATE && host->guest->owed)
            complain(host, "inflated or reported while frames are owed"); /* R-V-32 */
        if (!host->is_slow && !(*count && is_in_order(m))) {
            do_request(host, &chain, kind);
            virtio_model_push(m, index, chain.head, 0);
            continue;
        }
        if (*count == (kind == HOST_REPORT ? 1 : HOST_KEPT))
            complain(host, "too many requests at once");
        else
            host->kept[kind][(*count)++] = chain;
        if (*count > host->most_kept)
            host->most_kept = *count;
    }
}

static void take_stats(struct balloon_host *host, struct virtio_model *m, uint16_t index)
{
    struct virtio_chain chain;

    while (virtio_model_pop(m, index, &chain)) {
        uint32_t len = chain.segs[0].len;

        if (host->has_stats)
            complain(host, "more than one statistics buffer");
        if (chain.n != 1 || chain.n_out != 1 || len % STAT_BYTES ||
            len > HOST_STATS * STAT_BYTES) {
            complain(host, "statistics are one readable piece of 10-byte entries");
            len = 0;
        }
        host->stats = chain;
        host->has_stats = true;
        host->stats_answers++;
        bool is_stale = host->has_stale_stats && host->stats_answers == 1;
        host->stats_count = is_stale ? 0 : len / STAT_BYTES;
        for (unsigned i = 0; i < host->stats_count; i++) {
            const char *entry = (const char *)chain.segs[0].ptr + i * STAT_BYTES;

            memcpy(&host->stats_tag[i], entry, 2);
            memcpy(&host->stats_value[i], entry + 2, 8);
        }
    }
}

static void take_word(struct balloon_host *host, struct virtio_model *m, uint32_t word)
{
    static const uint32_t none = 0;

    if (host->hint_count < ARRAY_LEN(host->hint_words))
        host->hint_words[host->hint_count++] = word;
    if (host->is_hinting && word)
        complain(host, "a hint round inside another");
    host->is_hinting = word != 0;
    if (word && word == host->hint_id && !host->keeps_hint_id)
        memcpy(&m->config[HINT_REGISTER], &none, 4); /* without a notification, D-Q-10 */
    if (!word && host->done_on_stop)
        virtio_model_set_config(m, HINT_REGISTER, HINT_DONE); /* D-F-05 */
}

/* It may be discarded now, so it must still be the driver's: R-V-56. */
static void take_block(struct balloon_host *host, uint64_t addr, uint32_t len)
{
    struct guest_frames *g = host->guest;
    uint64_t at = (addr >> FRAME_SHIFT) - g->base;

    host->hint_stale += !host->is_hinting;
    host->hint_blocks++;
    if (addr % BLOCK_SIZE || len != BLOCK_SIZE) {
        complain(host, "a hint is a whole block");
        return;
    }
    for (uint64_t i = at; i < at + BLOCK_FRAMES; i++)
        if (i >= g->count || g->owner[i] != FRAME_DRIVER || g->host_has[i])
            complain(host, "hinted what is not the driver's alone");
}

static void do_hint(struct balloon_host *host, struct virtio_model *m,
                    const struct virtio_chain *chain)
{
    uint32_t word;

    if (chain->n == 1 && chain->n_out == 0) {
        take_block(host, chain->segs[0].addr, chain->segs[0].len);
    } else if (chain->n == 1 && chain->segs[0].len == 4) {
        memcpy(&word, chain->segs[0].ptr, 4);
        take_word(host, m, word);
    } else {
        complain(host, "a hint is a word of 4 readable bytes or one writable piece");
    }
}

static void take_hints(struct balloon_host *host, struct virtio_model *m, uint16_t index,
                       unsigned max)
{
    struct virtio_chain chain;

    while (max-- > 0 && virtio_model_pop(m, index, &chain)) {
        do_hint(host, m, &chain);
        virtio_model_push(m, index, chain.head, 0);
    }
}

static void process(void *ctx, struct virtio_model *m, uint16_t index)
{
    struct balloon_host *host = ctx;

    notice_reset(host, m);
    for (unsigned kind = 0; kind < HOST_KINDS; kind++) {
        if (index == host->queue_of[kind_queues[kind]]) {
            take_requests(host, m, kind);
            return;
        }
    }
    if (index == host->queue_of[VIRTIO_BALLOON_STATS])
        take_stats(host, m, index);
    else if (index == host->queue_of[VIRTIO_BALLOON_HINT])
        take_hints(host, m, index, host->is_hint_slow ? 0 : UINT32_MAX);
    else
        complain(host, "a doorbell on a queue that must stay idle");
}

static void config_written(void *ctx, struct virtio_model *m, uint32_t offset,
                           unsigned width)
{
    struct balloon_host *host = ctx;

    notice_reset(host, m);
    if (offset == POISON_REGISTER && width == 4 && m->status == STATUS_FEATURES &&
        (m->accepted & BIT64(VIRTIO_BALLOON_F_PAGE_POISON)))
        return; /* never after DRIVER_OK */
    if (offset != 4 || width != 4) {
        complain(host, "actual is one 4-byte write at offset 4"); /* R-V-08 */
        return;
    }
    host->actual = virtio_model_config(m, 4);
    host->actual_writes++;
}

/* What the device reaches: the driver's memory, and in reports the guest's, of which there is none. */
static void *reach(void *ctx, uint64_t addr, uint64_t len)
{
    static char nothing;
    struct balloon_host *host = ctx;
    uint64_t first = addr >> FRAME_SHIFT, past = (addr + len) >> FRAME_SHIFT;
    const struct guest_frames *g = host->guest;

    if (first >= g->base && past <= g->base + g->count)
        return &nothing;
    return hal_model_dma(host->hal, addr, len);
}

/* ---- the rig ---- */

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
    r->v.model.process = process;
    r->v.model.config_written = config_written;
    r->v.model.process_ctx = &r->host;
    r->v.model.dma = reach;
    r->v.model.dma_ctx = &r->host;
    r->opts = (struct virtio_balloon_opts){.accept_oom = true,
                                           .hint = true,
                                           .inflight = 1,
                                           .wide = VIRTIO_BALLOON_WIDE_OFF,
                                           .reset_limit = 3,
                                           .report_batch = 32,
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
    const struct virtio_vectors *v = &r->opts.vectors;
    uint64_t fired = r->v.pci.fired;
    uint8_t causes = 0;

    if (!r->irq_works)
        return false;
    if (!v->is_msix)
        return r->v.model.isr && virtio_balloon_isr(r->vb);
    r->v.pci.fired = 0;
    if (fired & BIT64(v->config))
        causes |= VIRTIO_ISR_CONFIG;
    if (fired & BIT64(v->queues))
        causes |= VIRTIO_ISR_QUEUE;
    virtio_balloon_irq(r->vb, causes);
    return causes != 0;
}

/* One event, if one is due until `until_ns`. */
static bool run_one(struct balloon_rig *r, uint64_t until_ns)
{
    struct hal_model *hal = &r->v.hal;
    bool is_due = hal->wakes > 0;

    notice_reset(&r->host, &r->v.model);
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
    virtio_balloon_step(r->vb);
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
    do_request(host, &chain, kind);
    virtio_model_push(&r->v.model, host->queue_of[kind_queues[kind]], chain.head, 0);
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
        answer(r, kind, is_in_order(&r->v.model) ? 0 : which / HOST_KINDS % count);
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
    take_hints(&r->host, &r->v.model, r->host.queue_of[VIRTIO_BALLOON_HINT], max);
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

    notice_reset(&r->host, &r->v.model);
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
    /* A reset that the driver does not know of yet: the two sides may differ. */
    if (is_up && r->v.model.status != (r->v.model.is_legacy ? STATUS_LEGACY : STATUS_ALL))
        return;
    while (virtio_balloon_next_range(r->vb, first, &first, &frames)) {
        for (uint64_t i = 0; i < frames; i++)
            model_true(r->guest.host_has[first.n - r->guest.base + i]);
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
