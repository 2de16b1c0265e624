// SPDX-License-Identifier: BSD-2-Clause
/* The part of a virtqueue that does not depend on the ring's format: arguments, life cycle, counters. */
#include "drivers/virtio/queue/vq.h"

#include "base/bits.h"
#include "base/err.h"
#include "drivers/virtio/queue/vq_format.h"

/* Length of the writable pieces. False: there is an empty piece. */
static bool measure(const struct vq_seg *segs, unsigned n_out, unsigned n,
                    uint32_t *in_bytes)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < n; i++) {
        if (segs[i].len == 0)
            return false;
        sum += i < n_out ? 0 : segs[i].len;
    }
    *in_bytes = (uint32_t)min_u64(sum, UINT32_MAX);
    return true;
}

/* Buffers of more than one piece take one entry while there is a table for them, R-T-28. */
static bool fits_a_table(const struct vq *q, unsigned n)
{
    return n > 1 && n <= q->cfg.indirect_max && q->book.tables_free > 0;
}

int vq_add(struct vq *q, const struct vq_seg *segs, unsigned n_out, unsigned n_in,
           void *token)
{
    unsigned n = n_out + n_in;
    struct vq_buffer *buffer;
    uint16_t table, entries;
    uint32_t in_bytes;
    bool is_indirect;

    if (q->broken)
        return -EPROTO;
    /* Each count first: their sum may wrap. */
    if (n_out > q->cfg.size || n_in > q->cfg.size || n > q->cfg.size || n == 0 ||
        !token || !measure(segs, n_out, n, &in_bytes))
        return -EINVAL;
    is_indirect = fits_a_table(q, n);
    entries = is_indirect ? 1 : (uint16_t)n;
    if (q->free_entries < entries) { /* R-H-14 */
        q->stats.ring_full++;
        return -ENOSPC;
    }
    table = is_indirect ? vq_book_take_table(q) : VQ_NO_TABLE;
    buffer = &q->book.buffers[q->ops->add(q, segs, n_out, n, table)];
    buffer->order = (uint16_t)q->stats.added++;
    buffer->entries = entries;
    buffer->table = table;
    buffer->in_bytes = in_bytes;
    buffer->token = token;
    q->free_entries = (uint16_t)(q->free_entries - entries);
    q->in_flight++;
    return 0;
}

bool vq_kick(struct vq *q)
{
    if (q->broken || !q->ops->has_new(q))
        return false;
    if (!q->live) {
        q->kick_owed = true;
        return false;
    }
    if (!q->ops->wants_kick(q)) {
        q->stats.kicks_skipped++;
        return false;
    }
    q->stats.kicks++;
    q->transport->notify(q->transport->ctx, q->index);
    return true;
}

int vq_pop(struct vq *q, void **token, uint32_t *written)
{
    struct vq_book *b = &q->book;
    const struct vq_buffer *buffer;
    int err = 0;

    if (q->broken)
        return -EPROTO;
    if (!q->live)
        return -EAGAIN;
    if (b->batch == 0)
        err = q->ops->fetch(q);
    if (!err)
        err = q->ops->retire(q, b->batch_id);
    if (err)
        return err;

    buffer = &b->buffers[b->batch_id]; /* free, but nobody took it yet */
    *token = buffer->token;
    *written = vq_book_written(q);
    q->free_entries = (uint16_t)(q->free_entries + buffer->entries);
    q->in_flight--;
    q->stats.popped++;
    b->batch--;
    b->batch_id = b->oldest;
    return 0;
}

bool vq_has_used(const struct vq *q)
{
    return q->broken || (q->live && (q->book.batch > 0 || q->ops->has_used(q)));
}

bool vq_enable_events(struct vq *q)
{
    bool is_waiting;

    q->events = true;
    is_waiting = q->ops->arm(q);
    return q->live && (is_waiting || q->book.batch > 0);
}

void vq_disable_events(struct vq *q)
{
    q->events = false;
    (void)q->ops->arm(q);
}

uint16_t vq_size(const struct vq *q)
{
    return q->cfg.size;
}

uint16_t vq_free_entries(const struct vq *q)
{
    return q->free_entries;
}

uint16_t vq_in_flight(const struct vq *q)
{
    return q->in_flight;
}

bool vq_is_broken(const struct vq *q)
{
    return q->broken;
}

const struct vq_errors *vq_errors(const struct vq *q)
{
    return &q->errors;
}

const struct vq_stats *vq_stats(const struct vq *q)
{
    return &q->stats;
}

uint64_t vq_lies(const struct vq *q)
{
    const struct vq_errors *e = &q->errors;

    return e->id_range + e->id_not_posted + e->id_replayed + e->id_mid_chain +
           e->id_order + e->idx_jump + e->wrap_bits + e->desc_overwritten +
           e->avail_overwritten + e->len_clamped + e->event_nonsense;
}

/* ---- life ---- */

static const struct vq_ops *format_of(const struct vq_config *cfg)
{
    return cfg->packed ? packed_format() : split_format();
}

uint16_t vq_size_at_most(const struct vq_config *cfg, uint16_t n)
{
    return format_of(cfg)->size_at_most(n);
}

int vq_create(const struct vq_config *cfg, const struct balloon_hal *hal,
              const struct virtio_transport *transport, uint16_t index, struct vq **out)
{
    const struct vq_ops *ops = format_of(cfg);
    struct vq_config c = *cfg;
    struct vq *q;
    int err;

    /* Tables longer than the ring are not portable, R-T-28. */
    c.indirect_max = (uint16_t)min_u64(c.indirect_max, c.size);
    if (!c.indirect || c.indirect_max < 2)
        c.tables = 0;
    q = hal->mem_alloc(hal->ctx, ops->private_bytes(&c) + vq_book_bytes(&c));
    if (!q)
        return -ENOMEM;
    *q = (struct vq){.ops = ops,
                     .hal = hal,
                     .transport = transport,
                     .cfg = c,
                     .index = index,
                     .free_entries = c.size};
    vq_book_init(q, (char *)q + ops->private_bytes(&c));

    err = hal->dma_alloc(hal->ctx, ops->ring_bytes(q), &q->ring);
    if (!err && c.tables > 0)
        err = hal->dma_alloc(hal->ctx, (size_t)c.tables * c.indirect_max * VQ_DESC_BYTES,
                             &q->book.tables);
    if (err) {
        vq_destroy(q, true); /* the device never heard of it */
        return err;
    }
    ops->init(q);
    vq_disable_events(q);
    *out = q;
    return 0;
}

void vq_start(struct vq *q)
{
    q->live = true;
    if (q->kick_owed)
        vq_kick(q);
    q->kick_owed = false;
}

void vq_stop(struct vq *q)
{
    q->live = false;
}

void vq_destroy(struct vq *q, bool device_done)
{
    const struct balloon_hal *hal = q->hal;

    if (device_done && q->ring.ptr)
        hal->dma_free(hal->ctx, &q->ring);
    if (device_done && q->book.tables.ptr)
        hal->dma_free(hal->ctx, &q->book.tables);
    hal->mem_free(hal->ctx, q, q->ops->private_bytes(&q->cfg) + vq_book_bytes(&q->cfg));
}

int vq_break(struct vq *q, uint64_t *counter, const char *what, uint32_t value)
{
    q->broken = true;
    (*counter)++;
    log_to(&q->hal->log, LOG_ERROR, "virtio: queue %u broken by the device: %s %u",
           (unsigned)q->index, what, (unsigned)value);
    return -EPROTO;
}
