// SPDX-License-Identifier: BSD-2-Clause
/* The device's side of a split ring. */
#include "tests/model/virtio_ring.h"

#include <string.h>

struct desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};

uint16_t virtio_model_avail_idx(struct virtio_model *m, uint16_t index)
{
    return ring_read16(m, m->queues[index].driver + 2);
}

uint16_t virtio_model_used_event(struct virtio_model *m, uint16_t index)
{
    return ring_read16(m, m->queues[index].driver + 4 + 2u * m->queues[index].size);
}

void virtio_model_set_avail_event(struct virtio_model *m, uint16_t index, uint16_t value)
{
    ring_write16(m, m->queues[index].device + 4 + 8u * m->queues[index].size, value);
}

/* Walk `entries` descriptors at most from `first` in the table at `table`. */
static bool walk(struct virtio_model *m, struct virtio_chain *c, uint64_t table,
                 unsigned entries, uint16_t first, bool nested)
{
    uint16_t i = first;

    for (unsigned steps = 0; steps < entries; steps++) {
        struct desc d;
        const void *ptr =
            i < entries ? ring_at(m, table + DESC_SIZE * i, DESC_SIZE) : NULL;

        if (!ptr)
            return ring_fault(m, "descriptor outside of the table");
        memcpy(&d, ptr, sizeof(d));
        c->entries += !nested;
        if (d.flags & D_INDIRECT) {
            if (nested || (d.flags & D_NEXT) || !ring_has(m, F_INDIRECT) || d.len == 0 ||
                d.len % DESC_SIZE != 0)
                return ring_fault(m, "bad indirect descriptor");
            return walk(m, c, d.addr, d.len / DESC_SIZE, 0, true);
        }
        if (!ring_add_piece(m, c, d.addr, d.len, (d.flags & D_WRITE) != 0))
            return false;
        if ((d.flags & D_NEXT) == 0)
            return true;
        if (ring_has(m, F_IN_ORDER) && !nested && d.next != (i + 1) % entries)
            return ring_fault(m, "descriptors are not used in ring order");
        i = d.next;
    }
    return ring_fault(m, "chain is a loop");
}

bool split_model_pop(struct virtio_model *m, uint16_t index, struct virtio_chain *out)
{
    struct virtio_model_queue *q = &m->queues[index];
    uint16_t waiting;

    if (ring_has(m, F_EVENT_IDX))
        virtio_model_set_avail_event(m, index, q->last_avail);
    waiting = (uint16_t)(virtio_model_avail_idx(m, index) - q->last_avail);
    if (waiting == 0)
        return false;
    if (waiting > q->size)
        return ring_fault(m, "available index jumped");

    *out = (struct virtio_chain){0};
    out->head = ring_read16(m, q->driver + 4 + 2u * (q->last_avail % q->size));
    q->last_avail++;
    if (ring_has(m, F_IN_ORDER) && out->head != q->next_desc)
        return ring_fault(m, "buffers are not made available in ring order");
    if (!walk(m, out, q->desc, q->size, out->head, false))
        return false;
    q->next_desc = (uint16_t)((q->next_desc + out->entries) % q->size);
    return true;
}

static bool wants_interrupt(struct virtio_model *m, uint16_t index, uint16_t old)
{
    struct virtio_model_queue *q = &m->queues[index];
    uint16_t event;

    if (!ring_has(m, F_EVENT_IDX))
        return (ring_read16(m, q->driver) & 1) == 0;
    event = virtio_model_used_event(m, index);
    return (uint16_t)(q->used_idx - event - 1) < (uint16_t)(q->used_idx - old);
}

void split_model_push(struct virtio_model *m, uint16_t index, uint32_t id, uint32_t len,
                      unsigned buffers)
{
    struct virtio_model_queue *q = &m->queues[index];
    uint32_t *elem = ring_at(m, q->device + 4 + 8u * (q->used_idx % q->size), 8);

    if (!elem)
        return;
    elem[0] = id;
    elem[1] = len;
    split_model_jump(m, index, (uint16_t)buffers);
}

void split_model_jump(struct virtio_model *m, uint16_t index, uint16_t by)
{
    struct virtio_model_queue *q = &m->queues[index];
    uint16_t old = q->used_idx;

    q->used_idx = (uint16_t)(q->used_idx + by);
    ring_write16(m, q->device + 2, q->used_idx);
    if (wants_interrupt(m, index, old))
        virtio_model_interrupt(m, index);
}
