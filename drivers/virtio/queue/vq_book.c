// SPDX-License-Identifier: BSD-2-Clause
/*
 * A queue's private books, the same for both formats: which ids are free, what is known of each buffer
 * in flight, which indirect tables are free, what a completion covers.
 *
 * With IN_ORDER buffers are completed in the order they were added, and
 * one used entry may stand for a batch of them: it names the last. Ids are then handed out around a
 * circle, 0, 1, 2 ... 0, which is what the split ring asks of the driver; as they come back in the same
 * order the free list is never touched.
 */
#include "base/bits.h"
#include "drivers/virtio/queue/vq_format.h"

size_t vq_book_bytes(const struct vq_config *cfg)
{
    return cfg->size * sizeof(struct vq_buffer) + cfg->tables * sizeof(uint16_t);
}

void vq_book_init(struct vq *q, void *mem)
{
    struct vq_book *b = &q->book;

    b->buffers = mem;
    for (unsigned i = 0; i < q->cfg.size; i++)
        b->buffers[i].next = (uint16_t)((i + 1) % q->cfg.size);
    b->table_free = (void *)(b->buffers + q->cfg.size);
    for (uint16_t i = 0; i < q->cfg.tables; i++)
        b->table_free[b->tables_free++] = i;
}

uint16_t vq_book_take(struct vq *q, enum vq_id_state state)
{
    struct vq_book *b = &q->book;
    uint16_t id = b->id_free;

    b->id_free = b->buffers[id].next;
    b->buffers[id].state = (uint8_t)state;
    return id;
}

void vq_book_give(struct vq *q, uint16_t id, unsigned ids)
{
    struct vq_book *b = &q->book;

    b->buffers[id].completed = true;
    if (b->buffers[id].table != VQ_NO_TABLE)
        b->table_free[b->tables_free++] = b->buffers[id].table;
    for (; ids > 0; ids--) {
        struct vq_buffer *buffer = &b->buffers[id];
        uint16_t next = buffer->next;

        buffer->state = VQ_ID_FREE;
        if (!q->cfg.in_order) {
            buffer->next = b->id_free;
            b->id_free = id;
        }
        id = next;
    }
    b->oldest = id;
}

uint16_t vq_book_take_table(struct vq *q)
{
    struct vq_book *b = &q->book;

    return b->table_free[--b->tables_free];
}

void *vq_book_table(const struct vq *q, uint16_t table, uint64_t *addr)
{
    size_t offset = (size_t)table * q->cfg.indirect_max * VQ_DESC_BYTES;

    *addr = q->book.tables.addr + offset;
    return (char *)q->book.tables.ptr + offset;
}

/* R-H-01, R-H-02: `id` must be that of a buffer in flight. */
static int check_id(struct vq *q, uint32_t id)
{
    const struct vq_buffer *buffer;

    if (id >= q->cfg.size)
        return vq_break(q, &q->errors.id_range, "used id beyond the ring:", id);
    buffer = &q->book.buffers[id];
    if (buffer->state == VQ_ID_MID)
        return vq_break(q, &q->errors.id_mid_chain, "used id is inside a chain:", id);
    if (buffer->state == VQ_ID_FREE && buffer->completed)
        return vq_break(q, &q->errors.id_replayed, "used id was completed before:", id);
    if (buffer->state == VQ_ID_FREE)
        return vq_break(q, &q->errors.id_not_posted, "used id was never posted:", id);
    return 0;
}

int vq_book_used(struct vq *q, uint32_t id, uint32_t len, uint16_t limit)
{
    struct vq_book *b = &q->book;
    int err = check_id(q, id);

    if (err)
        return err;
    b->batch = 1;
    b->batch_id = (uint16_t)id;
    b->batch_len = len;
    if (!q->cfg.in_order)
        return 0;
    b->batch = (uint16_t)(b->buffers[id].order - (uint16_t)q->stats.popped + 1);
    b->batch_id = b->oldest;
    if (b->batch > limit)
        return vq_break(q, &q->errors.id_order, "used id out of order:", id);
    return 0;
}

uint32_t vq_book_written(struct vq *q)
{
    const struct vq_book *b = &q->book;
    uint32_t room = b->buffers[b->batch_id].in_bytes;

    /* Virtio 1.3: what a batch skips counts as used completely. */
    if (b->batch > 1)
        return room;
    if (b->batch_len > room)
        q->errors.len_clamped++;
    return (uint32_t)min_u64(b->batch_len, room);
}
