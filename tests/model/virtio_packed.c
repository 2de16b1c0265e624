// SPDX-License-Identifier: BSD-2-Clause
/* The device's side of a packed ring. Positions are counted without end: modulo the size they are
 * places, and every other turn has the other wrap counter. */
#include "tests/model/virtio_ring.h"

#include <string.h>

#define D_AVAIL (1u << 7)
#define D_USED  (1u << 15)

#define EVENT_ENABLE  0u
#define EVENT_DISABLE 1u
#define EVENT_DESC    2u

struct desc {
    uint64_t addr;
    uint32_t len;
    uint16_t id, flags;
};

static uint16_t place(const struct virtio_model_queue *q, uint64_t pos)
{
    return (uint16_t)(pos % q->size);
}

static bool wrap(const struct virtio_model_queue *q, uint64_t pos)
{
    return pos / q->size % 2 == 0;
}

static uint16_t event_at(const struct virtio_model_queue *q, uint64_t pos)
{
    return (uint16_t)(place(q, pos) | (unsigned)wrap(q, pos) << 15);
}

static bool is_available(const struct virtio_model_queue *q, uint64_t pos, uint16_t flags)
{
    return ((flags & D_AVAIL) != 0) == wrap(q, pos) &&
           ((flags & D_USED) != 0) != wrap(q, pos);
}

void virtio_model_set_device_event(struct virtio_model *m, uint16_t index, uint32_t value)
{
    uint32_t *event = ring_at(m, m->queues[index].device, 4);

    if (event)
        *event = value;
}

uint32_t virtio_model_driver_event(struct virtio_model *m, uint16_t index)
{
    uint32_t *event = ring_at(m, m->queues[index].driver, 4);

    return event ? *event : 0;
}

static struct desc *desc_at(struct virtio_model *m, uint16_t index, uint64_t pos)
{
    return (void *)virtio_model_desc(m, index, place(&m->queues[index], pos));
}

uint16_t *virtio_model_used_flags(struct virtio_model *m, uint16_t index)
{
    return &desc_at(m, index, m->queues[index].used_pos)->flags;
}

static bool walk_table(struct virtio_model *m, struct virtio_chain *c,
                       const struct desc *head)
{
    if ((head->flags & D_NEXT) || !ring_has(m, F_INDIRECT) || head->len == 0 ||
        head->len % DESC_SIZE != 0)
        return ring_fault(m, "bad indirect descriptor");
    for (uint32_t i = 0; i < head->len; i += DESC_SIZE) {
        const void *ptr = ring_at(m, head->addr + i, DESC_SIZE);
        struct desc d;

        if (!ptr)
            return ring_fault(m, "table outside of driver memory");
        memcpy(&d, ptr, sizeof(d));
        if (d.flags & ~D_WRITE)
            return ring_fault(m, "flags beyond WRITE in an indirect table");
        if (!ring_add_piece(m, c, d.addr, d.len, (d.flags & D_WRITE) != 0))
            return false;
    }
    return true;
}

static bool walk(struct virtio_model *m, uint16_t index, struct virtio_chain *c)
{
    struct virtio_model_queue *q = &m->queues[index];

    for (;;) {
        const struct desc *d = desc_at(m, index, q->avail_pos);

        if (!is_available(q, q->avail_pos, d->flags))
            return ring_fault(m, "chain goes on where nothing is available");
        if (++q->outstanding > q->size)
            return ring_fault(m, "more is available than the ring has");
        q->avail_pos++;
        c->entries++;
        c->head = d->id;
        if (d->flags & D_INDIRECT)
            return c->entries == 1 ? walk_table(m, c, d)
                                   : ring_fault(m, "a table inside of a chain");
        if (!ring_add_piece(m, c, d->addr, d->len, (d->flags & D_WRITE) != 0))
            return false;
        if ((d->flags & D_NEXT) == 0)
            return true;
    }
}

/* Remember what `id` takes. */
static bool note(struct virtio_model *m, uint16_t index, const struct virtio_chain *c)
{
    struct virtio_model_queue *q = &m->queues[index];

    if (c->head >= q->size)
        return ring_fault(m, "buffer id beyond the ring");
    if (c->head >= VIRTIO_MODEL_IDS)
        return c->entries == 1 ? true : ring_fault(m, "too many ids for this model");
    if (q->entries[c->head] != 0)
        return ring_fault(m, "buffer id is in use");
    q->entries[c->head] = (uint8_t)c->entries;
    return true;
}

bool packed_model_pop(struct virtio_model *m, uint16_t index, struct virtio_chain *out)
{
    struct virtio_model_queue *q = &m->queues[index];

    if (ring_has(m, F_EVENT_IDX))
        virtio_model_set_device_event(
            m, index, event_at(q, q->avail_pos) | (uint32_t)EVENT_DESC << 16);
    if (!is_available(q, q->avail_pos, desc_at(m, index, q->avail_pos)->flags))
        return false;
    *out = (struct virtio_chain){0};
    return walk(m, index, out) && note(m, index, out);
}

unsigned packed_model_forget(struct virtio_model *m, uint16_t index, uint32_t id)
{
    struct virtio_model_queue *q = &m->queues[index];
    unsigned entries = id < VIRTIO_MODEL_IDS ? q->entries[id] : 0;

    if (entries > 0)
        q->entries[id] = 0;
    return entries > 0 ? entries : 1;
}

static bool wants_interrupt(struct virtio_model *m, uint16_t index, uint64_t from)
{
    const struct virtio_model_queue *q = &m->queues[index];
    uint32_t event = virtio_model_driver_event(m, index);

    if (event >> 16 != EVENT_DESC)
        return event >> 16 == EVENT_ENABLE;
    if (!ring_has(m, F_EVENT_IDX))
        virtio_model_complain(m, "an event place without EVENT_IDX");
    if ((event & 0x7FFF) >= q->size)
        virtio_model_complain(m, "an event place beyond the ring");
    for (; from < q->used_pos; from++)
        if (event_at(q, from) == (uint16_t)event)
            return true;
    return false;
}

static void move_on(struct virtio_model *m, uint16_t index, unsigned entries)
{
    struct virtio_model_queue *q = &m->queues[index];
    uint64_t from = q->used_pos;

    q->used_pos += entries;
    q->outstanding -= entries < q->outstanding ? entries : q->outstanding;
    if (wants_interrupt(m, index, from))
        virtio_model_interrupt(m, index);
}

static uint16_t used_bits(const struct virtio_model_queue *q, uint64_t pos)
{
    return wrap(q, pos) ? D_AVAIL | D_USED : 0;
}

void packed_model_push(struct virtio_model *m, uint16_t index, uint32_t id, uint32_t len,
                       unsigned entries)
{
    struct virtio_model_queue *q = &m->queues[index];
    struct desc *d = desc_at(m, index, q->used_pos);

    if (!d)
        return;
    d->id = (uint16_t)id;
    d->len = len;
    d->flags = (uint16_t)(used_bits(q, q->used_pos) | (len > 0 ? D_WRITE : 0));
    move_on(m, index, entries);
}

void packed_model_jump(struct virtio_model *m, uint16_t index, uint16_t by)
{
    struct virtio_model_queue *q = &m->queues[index];
    unsigned n = by < 2u * q->size ? by : 2u * q->size;

    for (uint64_t pos = q->used_pos; pos < q->used_pos + n; pos++) {
        struct desc *d = desc_at(m, index, pos);

        if (!d)
            return;
        d->flags = (uint16_t)((d->flags & ~(D_AVAIL | D_USED)) | used_bits(q, pos));
    }
    move_on(m, index, n);
}
