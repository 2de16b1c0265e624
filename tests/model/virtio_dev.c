// SPDX-License-Identifier: BSD-2-Clause
/* The virtio device model: status machine and split queues, seen from the other side. */
#include "tests/model/virtio_dev.h"

#include <string.h>

#define BIT(n)        (UINT64_C(1) << (n))
#define F_INDIRECT    28
#define F_EVENT_IDX   29
#define F_VERSION_1   32
#define S_FEATURES_OK 8u
#define S_DRIVER_OK   4u
#define S_NEEDS_RESET 64u
#define S_FAILED      128u
#define ISR_QUEUE     1u
#define ISR_CONFIG    2u
#define D_NEXT        1u
#define D_WRITE       2u
#define D_INDIRECT    4u
#define DESC_SIZE     16u
#define LEGACY_PAGE   4096u

struct desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};

void virtio_model_complain(struct virtio_model *m, const char *what)
{
    m->misuse++;
    m->complaint = what;
}

void virtio_model_init(struct virtio_model *m, uint64_t features, const uint16_t *max,
                       unsigned count)
{
    *m = (struct virtio_model){.offered = features,
                               .num_queues = (uint16_t)count,
                               .config_vector = VIRTIO_MODEL_NO_VECTOR};
    for (unsigned i = 0; i < VIRTIO_MODEL_QUEUES; i++)
        m->queues[i].vector = VIRTIO_MODEL_NO_VECTOR;
    for (unsigned i = 0; i < count; i++)
        m->queues[i].max = m->queues[i].size = max[i];
}

/* ---- status ---- */

static void reset(struct virtio_model *m)
{
    m->resets++;
    m->status = 0;
    m->isr = 0;
    m->accepted = 0;
    m->feature_words = 0;
    m->config_vector = VIRTIO_MODEL_NO_VECTOR;
    for (unsigned i = 0; i < VIRTIO_MODEL_QUEUES; i++)
        m->queues[i] = (struct virtio_model_queue){.max = m->queues[i].max,
                                                   .size = m->queues[i].max,
                                                   .kicks = m->queues[i].kicks,
                                                   .vector = VIRTIO_MODEL_NO_VECTOR};
    m->reset_reads_left = m->lies.reset_polls;
}

/* R-T-01: only these steps, R-T-04: on a legacy device these; FAILED may be added anywhere. */
static bool step_is_legal(const struct virtio_model *m, uint8_t to)
{
    static const uint8_t modern[] = {0, 1, 3, 11, 15}, legacy[] = {0, 1, 3, 7};
    const uint8_t *order = m->is_legacy ? legacy : modern;
    unsigned steps = m->is_legacy ? sizeof(legacy) : sizeof(modern);

    if (to & S_FAILED)
        return true;
    for (unsigned i = 0; i + 1 < steps; i++)
        if (m->status == order[i] && to == order[i + 1])
            return true;
    return false;
}

void virtio_model_status_write(struct virtio_model *m, uint8_t status)
{
    if (status == 0) {
        reset(m);
        return;
    }
    if (m->reset_reads_left > 0)
        virtio_model_complain(m, "status written before the reset was seen complete");
    if (!step_is_legal(m, status))
        virtio_model_complain(m, "status out of order");
    if (m->is_legacy && (m->accepted & ~(m->offered & UINT32_MAX)) != 0)
        virtio_model_complain(m, "accepted what is not offered");
    if (status == 11 &&
        ((m->accepted & ~m->offered) != 0 || (m->insists & ~m->accepted) != 0 ||
         (m->accepted & BIT(F_VERSION_1)) == 0))
        status &= (uint8_t)~S_FEATURES_OK;
    m->status = status;
    if (m->lies.ok_needs_reset && (status & S_DRIVER_OK))
        virtio_model_need_reset(m);
}

uint8_t virtio_model_status_read(struct virtio_model *m)
{
    if (m->lies.reset_hangs && m->status == 0)
        return 15;
    if (m->reset_reads_left > 0) {
        m->reset_reads_left--;
        return 15;
    }
    return m->status;
}

/* ---- interrupts ---- */

static void interrupt(struct virtio_model *m, uint8_t cause, uint16_t vector)
{
    if (!m->message || !m->message(m->message_ctx, vector))
        m->isr |= cause;
}

uint16_t virtio_model_map_vector(struct virtio_model *m, uint16_t *vector,
                                 uint16_t wanted, unsigned entries)
{
    bool fails = m->lies.vector_fails != 0 && ++m->vectors_mapped >= m->lies.vector_fails;

    *vector = wanted < entries && !fails ? wanted : VIRTIO_MODEL_NO_VECTOR;
    return *vector;
}

void virtio_model_need_reset(struct virtio_model *m)
{
    m->status |= S_NEEDS_RESET;
    interrupt(m, ISR_CONFIG, m->config_vector);
}

/* ---- rings ---- */

void virtio_model_enable(struct virtio_model *m, struct virtio_model_queue *q)
{
    uint8_t ready = m->is_legacy ? 2 : S_FEATURES_OK;

    if ((m->status & (ready | S_DRIVER_OK)) != ready)
        virtio_model_complain(m, "queue enabled outside of FEATURES_OK .. DRIVER_OK");
    if (q->desc % 16 || q->driver % 2 || q->device % 4)
        virtio_model_complain(m, "ring areas are not aligned");
    q->enabled = true;
}

void virtio_model_legacy_queue(struct virtio_model *m, struct virtio_model_queue *q,
                               uint64_t addr)
{
    uint64_t end = addr + DESC_SIZE * q->size + 6 + 2u * q->size;

    q->desc = addr;
    q->driver = addr + DESC_SIZE * q->size;
    q->device = (end + LEGACY_PAGE - 1) & ~(uint64_t)(LEGACY_PAGE - 1);
    virtio_model_enable(m, q);
}

static void *at(struct virtio_model *m, uint64_t addr, uint64_t len)
{
    void *ptr = m->dma(m->dma_ctx, addr, len);

    if (!ptr)
        virtio_model_complain(m, "address outside of driver memory");
    return ptr;
}

static uint16_t read16(struct virtio_model *m, uint64_t addr)
{
    uint16_t value = 0;
    void *ptr = at(m, addr, 2);

    if (ptr)
        memcpy(&value, ptr, 2);
    return value;
}

static void write16(struct virtio_model *m, uint64_t addr, uint16_t value)
{
    void *ptr = at(m, addr, 2);

    if (ptr)
        memcpy(ptr, &value, 2);
}

static uint64_t avail_event_addr(const struct virtio_model_queue *q)
{
    return q->device + 4 + 8u * q->size;
}

uint16_t virtio_model_avail_idx(struct virtio_model *m, uint16_t index)
{
    return read16(m, m->queues[index].driver + 2);
}

uint16_t virtio_model_used_event(struct virtio_model *m, uint16_t index)
{
    return read16(m, m->queues[index].driver + 4 + 2u * m->queues[index].size);
}

void virtio_model_set_avail_event(struct virtio_model *m, uint16_t index, uint16_t value)
{
    write16(m, avail_event_addr(&m->queues[index]), value);
}

void virtio_model_no_notify(struct virtio_model *m, uint16_t index, bool no_notify)
{
    write16(m, m->queues[index].device, no_notify);
}

uint8_t *virtio_model_desc(struct virtio_model *m, uint16_t index, uint16_t id)
{
    return at(m, m->queues[index].desc + DESC_SIZE * id, DESC_SIZE);
}

static bool ring_fault(struct virtio_model *m, const char *what)
{
    virtio_model_complain(m, what);
    virtio_model_need_reset(m);
    return false;
}

/* Append one descriptor's piece; checks what the rules ask of a driver. */
static bool add_piece(struct virtio_model *m, struct virtio_chain *c,
                      const struct desc *d)
{
    void *ptr = at(m, d->addr, d->len);
    bool write = (d->flags & D_WRITE) != 0;

    if (!ptr)
        return ring_fault(m, "buffer outside of driver memory");
    if (d->len == 0 || c->n == VIRTIO_MODEL_SEGS)
        return ring_fault(m, "empty piece or too many of them");
    if (!write && c->n != c->n_out)
        return ring_fault(m, "readable piece after a writable one");
    c->segs[c->n].ptr = ptr;
    c->segs[c->n].addr = d->addr;
    c->segs[c->n++].len = d->len;
    c->n_out += !write;
    return true;
}

/* Walk `n` descriptors at most from `first` in the table at `table`. */
static bool walk(struct virtio_model *m, struct virtio_chain *c, uint64_t table,
                 unsigned entries, uint16_t first, bool nested)
{
    uint16_t i = first;

    for (unsigned steps = 0; steps < entries; steps++) {
        struct desc d;
        const void *ptr = i < entries ? at(m, table + DESC_SIZE * i, DESC_SIZE) : NULL;

        if (!ptr)
            return ring_fault(m, "descriptor outside of the table");
        memcpy(&d, ptr, sizeof(d));
        if (d.flags & D_INDIRECT) {
            if (nested || (d.flags & D_NEXT) || (m->accepted & BIT(F_INDIRECT)) == 0 ||
                d.len == 0 || d.len % DESC_SIZE != 0)
                return ring_fault(m, "bad indirect descriptor");
            return walk(m, c, d.addr, d.len / DESC_SIZE, 0, true);
        }
        if (!add_piece(m, c, &d))
            return false;
        if ((d.flags & D_NEXT) == 0)
            return true;
        i = d.next;
    }
    return ring_fault(m, "chain is a loop");
}

bool virtio_model_pop(struct virtio_model *m, uint16_t index, struct virtio_chain *out)
{
    struct virtio_model_queue *q = &m->queues[index];
    uint16_t waiting;

    if (!q->enabled || (m->status & S_NEEDS_RESET))
        return false;
    if (m->accepted & BIT(F_EVENT_IDX))
        virtio_model_set_avail_event(m, index, q->last_avail);
    waiting = (uint16_t)(virtio_model_avail_idx(m, index) - q->last_avail);
    if (waiting == 0)
        return false;
    if (waiting > q->size)
        return ring_fault(m, "available index jumped");

    *out = (struct virtio_chain){0};
    out->head = read16(m, q->driver + 4 + 2u * (q->last_avail % q->size));
    q->last_avail++;
    return walk(m, out, q->desc, q->size, out->head, false);
}

static bool wants_interrupt(struct virtio_model *m, uint16_t index, uint16_t old)
{
    struct virtio_model_queue *q = &m->queues[index];
    uint16_t event;

    if ((m->accepted & BIT(F_EVENT_IDX)) == 0)
        return (read16(m, q->driver) & 1) == 0;
    event = virtio_model_used_event(m, index);
    return (uint16_t)(q->used_idx - event - 1) < (uint16_t)(q->used_idx - old);
}

void virtio_model_push(struct virtio_model *m, uint16_t index, uint32_t id, uint32_t len)
{
    struct virtio_model_queue *q = &m->queues[index];
    uint32_t *elem = at(m, q->device + 4 + 8u * (q->used_idx % q->size), 8);

    if (!elem)
        return;
    elem[0] = id;
    elem[1] = len;
    virtio_model_jump(m, index, 1);
}

void virtio_model_jump(struct virtio_model *m, uint16_t index, uint16_t by)
{
    struct virtio_model_queue *q = &m->queues[index];
    uint16_t old = q->used_idx;

    q->used_idx = (uint16_t)(q->used_idx + by);
    write16(m, q->device + 2, q->used_idx);
    if (wants_interrupt(m, index, old)) {
        q->interrupts++;
        interrupt(m, ISR_QUEUE, q->vector);
    }
}

void virtio_model_doorbell(struct virtio_model *m, uint16_t index)
{
    if (index >= m->num_queues || !m->queues[index].enabled) {
        virtio_model_complain(m, "doorbell of a queue that is not enabled");
        return;
    }
    m->queues[index].kicks++;
    if ((m->status & S_DRIVER_OK) == 0)
        virtio_model_complain(m, "doorbell before DRIVER_OK");
    else if (m->process && !m->lies.silent)
        m->process(m->process_ctx, m, index);
}

/* ---- configuration ---- */

void virtio_model_set_config(struct virtio_model *m, uint32_t offset, uint32_t value)
{
    memcpy(&m->config[offset], &value, sizeof(value));
    m->generation++;
    if (m->status & S_DRIVER_OK)
        interrupt(m, ISR_CONFIG, m->config_vector);
}

uint32_t virtio_model_config(struct virtio_model *m, uint32_t offset)
{
    return virtio_model_config_read(m, offset, 4);
}

void virtio_model_config_write(struct virtio_model *m, uint32_t offset, unsigned width,
                               uint32_t value)
{
    if (offset + width > sizeof(m->config))
        return;
    memcpy(&m->config[offset], &value, width);
    if (m->config_written)
        m->config_written(m->process_ctx, m, offset, width);
}

uint32_t virtio_model_config_read(struct virtio_model *m, uint32_t offset, unsigned width)
{
    uint32_t value = 0;

    if (m->lies.config_spins)
        m->config[0]++;
    if (offset + width > sizeof(m->config))
        return UINT32_MAX >> (32 - 8 * width);
    memcpy(&value, &m->config[offset], width);
    return value;
}
