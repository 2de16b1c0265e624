// SPDX-License-Identifier: BSD-2-Clause
/* The device's side of a ring, as far as it does not depend on the format. */
#include "tests/model/virtio_ring.h"

#include <string.h>

void *ring_at(struct virtio_model *m, uint64_t addr, uint64_t len)
{
    void *ptr = m->dma(m->dma_ctx, addr, len);

    if (!ptr)
        virtio_model_complain(m, "address outside of driver memory");
    return ptr;
}

uint16_t ring_read16(struct virtio_model *m, uint64_t addr)
{
    uint16_t value = 0;
    void *ptr = ring_at(m, addr, 2);

    if (ptr)
        memcpy(&value, ptr, 2);
    return value;
}

void ring_write16(struct virtio_model *m, uint64_t addr, uint16_t value)
{
    void *ptr = ring_at(m, addr, 2);

    if (ptr)
        memcpy(ptr, &value, 2);
}

uint8_t *virtio_model_desc(struct virtio_model *m, uint16_t index, uint16_t id)
{
    return ring_at(m, m->queues[index].desc + DESC_SIZE * id, DESC_SIZE);
}

bool ring_fault(struct virtio_model *m, const char *what)
{
    virtio_model_complain(m, what);
    virtio_model_need_reset(m);
    return false;
}

bool ring_add_piece(struct virtio_model *m, struct virtio_chain *c, uint64_t addr,
                    uint32_t len, bool is_write)
{
    void *ptr = ring_at(m, addr, len);

    if (!ptr)
        return ring_fault(m, "buffer outside of driver memory");
    if (len == 0 || c->n == VIRTIO_MODEL_SEGS)
        return ring_fault(m, "empty piece or too many of them");
    if (!is_write && c->n != c->n_out)
        return ring_fault(m, "readable piece after a writable one");
    c->segs[c->n].ptr = ptr;
    c->segs[c->n].addr = addr;
    c->segs[c->n++].len = len;
    c->n_out += !is_write;
    return true;
}

bool virtio_model_pop(struct virtio_model *m, uint16_t index, struct virtio_chain *out)
{
    if (!m->queues[index].enabled || (m->status & S_NEEDS_RESET))
        return false;
    return ring_has(m, F_PACKED) ? packed_model_pop(m, index, out)
                                 : split_model_pop(m, index, out);
}

static void report(struct virtio_model *m, uint16_t index, uint32_t id, uint32_t len,
                   unsigned buffers, unsigned entries)
{
    if (ring_has(m, F_PACKED))
        packed_model_push(m, index, id, len, entries);
    else
        split_model_push(m, index, id, len, buffers);
}

void virtio_model_push(struct virtio_model *m, uint16_t index, uint32_t id, uint32_t len)
{
    struct virtio_model_queue *q = &m->queues[index];

    if (!q->enabled)
        return; /* a reset took the ring away */
    unsigned entries = packed_model_forget(m, index, id);

    if (!m->batches || !q->in_doorbell || !ring_has(m, F_IN_ORDER)) {
        report(m, index, id, len, 1, entries);
        return;
    }
    q->held++;
    q->held_entries += entries;
    q->held_id = id;
    q->held_len = len;
}

void virtio_model_flush(struct virtio_model *m, uint16_t index)
{
    struct virtio_model_queue *q = &m->queues[index];
    unsigned held = q->held, entries = q->held_entries;

    q->held = q->held_entries = 0;
    if (held > 0)
        report(m, index, q->held_id, q->held_len, held, entries);
}

void virtio_model_push_batch(struct virtio_model *m, uint16_t index,
                             const struct virtio_chain *chains, unsigned n, uint32_t len)
{
    unsigned entries = 0;

    for (unsigned i = 0; i < n; i++)
        entries += packed_model_forget(m, index, chains[i].head);
    report(m, index, chains[n - 1].head, len, n, entries);
}

void virtio_model_jump(struct virtio_model *m, uint16_t index, uint16_t by)
{
    if (ring_has(m, F_PACKED))
        packed_model_jump(m, index, by);
    else
        split_model_jump(m, index, by);
}

void virtio_model_no_notify(struct virtio_model *m, uint16_t index, bool no_notify)
{
    if (ring_has(m, F_PACKED))
        virtio_model_set_device_event(m, index, (uint32_t)no_notify << 16);
    else
        ring_write16(m, m->queues[index].device, no_notify);
}
