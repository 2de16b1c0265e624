// SPDX-License-Identifier: BSD-2-Clause
/* The host's side of virtio 5.5, on a virtio model, as strict as the strictest VMM known. */
#include "tests/model/balloon_host_internal.h"

#include <string.h>

#define STAT_BYTES      10u
#define HINT_DONE       1u
#define POISON_REGISTER 12
#define STATUS_FEATURES 11u /* before DRIVER_OK */
#define STATUS_DRIVER   3u  /* the same of a legacy device */

static void complain(struct balloon_host *host, const char *what)
{
    host->misuse++;
    host->complaint = what;
}

/* Where reach() says that the guest's memory is: as much as a table's descriptor, all zeros. */
static char nothing[16];

/* Is there something to read? */
static bool has_bytes(const struct virtio_chain *chain, unsigned n)
{
    return n < chain->n_out && chain->segs[n].ptr != nothing;
}

/* A reset ends all: what was told is the guest's again. */
void host_notice_reset(struct balloon_host *host, struct virtio_model *m)
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

        if (len == 0 || len % 4 || len > 1024 || !has_bytes(chain, n)) {
            complain(host, "a piece has 1 to 256 PFNs");
            continue;
        }
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

        uint64_t unit = FRAME_SIZE << host->report_order, len = chain->segs[n].len;
        if (!len || len % unit || chain->segs[n].addr % unit || len > BLOCK_SIZE)
            complain(host, "a reported range is a block, or a piece of one");
        for (unsigned i = 0; i < len >> FRAME_SHIFT; i++) {
            if (!find_page(host, pfn + i, &at))
                return;
            if (g->owner[at] != FRAME_DRIVER || g->host_has[at])
                complain(host, "reported a frame that is in the balloon or in use");
        }
        host->pages[HOST_REPORT] += len >> FRAME_SHIFT;
    }
    if (chain->n > host->longest_report)
        host->longest_report = chain->n;
}

void host_do_request(struct balloon_host *host, const struct virtio_chain *chain,
                     enum host_kind kind)
{
    if (kind == HOST_REPORT)
        do_report(host, chain);
    else
        do_pages(host, chain, kind);
    host->requests[kind]++;
    host->hal->now_ns += host->request_ns;
}

const enum virtio_balloon_queue host_kind_queues[HOST_KINDS] = {
    VIRTIO_BALLOON_INFLATE, VIRTIO_BALLOON_DEFLATE, VIRTIO_BALLOON_REPORT};

static void take_requests(struct balloon_host *host, struct virtio_model *m,
                          enum host_kind kind)
{
    uint16_t index = host->queue_of[host_kind_queues[kind]];
    struct virtio_chain chain;

    while (virtio_model_pop(m, index, &chain)) {
        unsigned *count = &host->kept_count[kind];

        if (kind != HOST_DEFLATE && host->guest->owed)
            complain(host, "inflated or reported while frames are owed"); /* R-V-32 */
        if (!host->is_slow && !(*count && host_is_in_order(m))) {
            host_do_request(host, &chain, kind);
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
            len > HOST_STATS * STAT_BYTES || !has_bytes(&chain, 0)) {
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
    } else if (chain->n == 1 && chain->segs[0].len == 4 && has_bytes(chain, 0)) {
        memcpy(&word, chain->segs[0].ptr, 4);
        take_word(host, m, word);
    } else {
        complain(host, "a hint is a word of 4 readable bytes or one writable piece");
    }
}

void host_take_hints(struct balloon_host *host, struct virtio_model *m, uint16_t index,
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

    host_notice_reset(host, m);
    for (unsigned kind = 0; kind < HOST_KINDS; kind++) {
        if (index == host->queue_of[host_kind_queues[kind]]) {
            take_requests(host, m, kind);
            return;
        }
    }
    if (index == host->queue_of[VIRTIO_BALLOON_STATS])
        take_stats(host, m, index);
    else if (index == host->queue_of[VIRTIO_BALLOON_HINT])
        host_take_hints(host, m, index, host->is_hint_slow ? 0 : UINT32_MAX);
    else
        complain(host, "a doorbell on a queue that must stay idle");
}

static void config_written(void *ctx, struct virtio_model *m, uint32_t offset,
                           unsigned width)
{
    struct balloon_host *host = ctx;

    host_notice_reset(host, m);
    if (offset == POISON_REGISTER && width == 4 &&
        m->status == (m->is_legacy ? STATUS_DRIVER : STATUS_FEATURES) &&
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
    struct balloon_host *host = ctx;
    uint64_t first = addr >> FRAME_SHIFT, past = (addr + len) >> FRAME_SHIFT;
    const struct guest_frames *g = host->guest;

    if (first >= g->base && past >= first && past <= g->base + g->count)
        return nothing;
    return hal_model_dma(host->hal, addr, len);
}

void host_install(struct balloon_host *host, struct virtio_model *m)
{
    m->process = process;
    m->config_written = config_written;
    m->process_ctx = host;
    m->dma = reach;
    m->dma_ctx = host;
}
