// SPDX-License-Identifier: BSD-2-Clause
/*
 * The split ring, virtio 1.3, 2.7 (R-T-24..28). Every descriptor we post has a private slot with what
 * we wrote and how it links on; chains are walked and freed by the slots only. The shared table is
 * looked at again for one purpose: to notice that the device wrote to it (R-H-04).
 */
#include "base/bits.h"
#include "base/err.h"
#include "base/le.h"
#include "drivers/virtio/queue/vq_format.h"

#include <stddef.h>

/* virtio 1.3, 2.7.5. */
struct vring_desc {
    le64 addr;
    le32 len;
    le16 flags;
    le16 next;
};
_Static_assert(sizeof(struct vring_desc) == 16, "virtio 1.3, 2.7.5");

enum vring_desc_flag {
    VRING_DESC_NEXT = 1,
    VRING_DESC_WRITE = 2,
    VRING_DESC_INDIRECT = 4,
};

/* virtio 1.3, 2.7.6; used_event follows ring[size]. */
struct vring_avail {
    le16 flags; /* 1: no interrupts */
    le16 idx;
    le16 ring[];
};

struct vring_used_elem {
    le32 id;
    le32 len;
};

/* virtio 1.3, 2.7.8; avail_event follows ring[size]. The device writes all of it. */
struct vring_used {
    le16 flags; /* 1: no doorbells */
    le16 idx;
    struct vring_used_elem ring[];
};
_Static_assert(offsetof(struct vring_used, ring) == 4, "virtio 1.3, 2.7.8");

#define NO_INTERRUPT UINT16_C(1)
#define NO_NOTIFY    UINT16_C(1)
#define NO_TABLE     UINT16_MAX

enum slot_state {
    SLOT_FREE,
    SLOT_HEAD, /* first descriptor of a buffer in flight */
    SLOT_MID,  /* a further one */
};

/* Private shadow of one descriptor. */
struct slot {
    void *token;   /* heads only */
    uint64_t addr; /* as written to the table */
    uint32_t len;
    uint16_t flags;
    uint16_t next;     /* in the chain, or in the free list */
    uint32_t in_bytes; /* heads: length of the writable part */
    uint16_t entries;  /* heads: descriptors in the chain */
    uint16_t table;    /* heads: indirect table, or NO_TABLE */
    uint8_t state;     /* enum slot_state */
    bool completed;    /* was popped as a head at least once */
};

struct split {
    struct vq vq; /* first: the formats' common part */
    struct dma_mem ring, tables;
    struct vring_desc *desc;
    struct vring_avail *avail;
    struct vring_used *used;
    le16 *used_event, *avail_event;
    struct slot *slots;   /* size entries */
    uint16_t *table_free; /* stack of free tables */
    uint16_t tables_free;
    uint16_t free_head;
    uint16_t avail_idx;  /* what we published */
    uint16_t kicked_idx; /* avail_idx at the last notification decision */
    uint16_t seen;       /* used elements consumed */
    uint16_t armed;      /* used_event as written */
};

static struct split *split_of(const struct vq *q)
{
    return CONTAINER_OF(q, struct split, vq);
}

/* ---- adding ---- */

static uint16_t slot_take(struct split *s)
{
    uint16_t i = s->free_head;

    s->free_head = s->slots[i].next;
    s->vq.free_entries--;
    return i;
}

static void slot_give(struct split *s, uint16_t i)
{
    s->slots[i].state = SLOT_FREE;
    s->slots[i].next = s->free_head;
    s->free_head = i;
    s->vq.free_entries++;
}

static void desc_write(struct vring_desc *d, uint64_t addr, uint32_t len, uint16_t flags,
                       uint16_t next)
{
    d->addr = le64_of(addr);
    d->len = le32_of(len);
    d->flags = le16_of(flags);
    d->next = le16_of(next);
}

static void slot_write(struct split *s, uint16_t i)
{
    const struct slot *slot = &s->slots[i];
    uint16_t next = slot->flags & VRING_DESC_NEXT ? slot->next : 0;

    desc_write(&s->desc[i], slot->addr, slot->len, slot->flags, next);
}

static uint16_t seg_flags(unsigned i, unsigned n_out, unsigned n)
{
    return (uint16_t)((i + 1 < n ? VRING_DESC_NEXT : 0) |
                      (i >= n_out ? VRING_DESC_WRITE : 0));
}

/* One descriptor for each piece. Returns the head; there are enough free entries. */
static uint16_t add_direct(struct split *s, const struct vq_seg *segs, unsigned n_out,
                           unsigned n)
{
    uint16_t head = s->free_head;

    for (unsigned i = 0; i < n; i++) {
        uint16_t at = slot_take(s); /* its `next` already names the slot taken after it */
        struct slot *slot = &s->slots[at];

        slot->state = i == 0 ? SLOT_HEAD : SLOT_MID;
        slot->addr = segs[i].addr;
        slot->len = segs[i].len;
        slot->flags = seg_flags(i, n_out, n);
        slot_write(s, at);
    }
    s->slots[head].entries = (uint16_t)n;
    s->slots[head].table = NO_TABLE;
    return head;
}

/* One descriptor that points to a table, R-T-28. */
static uint16_t add_indirect(struct split *s, const struct vq_seg *segs, unsigned n_out,
                             unsigned n)
{
    uint16_t table = s->table_free[--s->tables_free];
    size_t offset = (size_t)table * s->vq.cfg.indirect_max * sizeof(struct vring_desc);
    struct vring_desc *desc = (void *)((char *)s->tables.ptr + offset);
    uint16_t head = slot_take(s);
    struct slot *slot = &s->slots[head];

    for (unsigned i = 0; i < n; i++) {
        uint16_t flags = seg_flags(i, n_out, n);

        desc_write(&desc[i], segs[i].addr, segs[i].len, flags,
                   flags & VRING_DESC_NEXT ? (uint16_t)(i + 1) : 0);
    }
    slot->state = SLOT_HEAD;
    slot->addr = s->tables.addr + offset;
    slot->len = (uint32_t)(n * sizeof(struct vring_desc));
    slot->flags = VRING_DESC_INDIRECT;
    slot->entries = 1;
    slot->table = table;
    slot_write(s, head);
    return head;
}

static uint32_t writable_bytes(const struct vq_seg *segs, unsigned n_out, unsigned n)
{
    uint64_t sum = 0;

    for (unsigned i = n_out; i < n; i++)
        sum += segs[i].len;
    return (uint32_t)min_u64(sum, UINT32_MAX);
}

static int split_add(struct vq *q, const struct vq_seg *segs, unsigned n_out,
                     unsigned n_in, void *token)
{
    struct split *s = split_of(q);
    unsigned n = n_out + n_in;
    bool indirect = n > 1 && n <= q->cfg.indirect_max && s->tables_free > 0;
    uint16_t head;

    /* R-H-14: never more than the free entries. */
    if (q->free_entries < (indirect ? 1 : n))
        return -ENOSPC;
    head = indirect ? add_indirect(s, segs, n_out, n) : add_direct(s, segs, n_out, n);
    s->slots[head].token = token;
    s->slots[head].in_bytes = writable_bytes(segs, n_out, n);

    le16_set_once(&s->avail->ring[s->avail_idx & (q->cfg.size - 1)], head);
    s->avail_idx++;
    /* Release pairs with the device's acquire of idx: it sees the descriptors and the slot. */
    le16_set_release(&s->avail->idx, s->avail_idx);
    return 0;
}

/* ---- notifying ---- */

static bool split_has_new(const struct vq *q)
{
    const struct split *s = split_of(q);

    return s->avail_idx != s->kicked_idx;
}

static bool split_wants_kick(struct vq *q)
{
    struct split *s = split_of(q);
    uint16_t old = s->kicked_idx;
    uint16_t event, ahead;

    s->kicked_idx = s->avail_idx;
    /* Full barrier, R-T-24: our idx is visible before the device's wish is read. Pairs with the
     * barrier between the device's write of that wish and its last look at our idx. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!q->cfg.event_idx)
        return (le16_get_once(&s->used->flags) & NO_NOTIFY) == 0;

    /* The device may leave an old value, however old, and may ask for an index that one ring full
     * of buffers will reach. Anything beyond is not a wish: an extra doorbell does no harm. */
    event = le16_get_once(s->avail_event);
    ahead = (uint16_t)(event - s->avail_idx);
    if (ahead > q->cfg.size && ahead < 0x8000) {
        q->errors.event_nonsense++;
        return true;
    }
    return (uint16_t)(s->avail_idx - event - 1) < (uint16_t)(s->avail_idx - old);
}

/* ---- completions ---- */

static bool split_has_used(const struct vq *q)
{
    const struct split *s = split_of(q);

    return le16_get_acquire(&s->used->idx) != s->seen;
}

static bool split_arm(struct vq *q)
{
    struct split *s = split_of(q);

    if (q->cfg.event_idx) {
        s->armed = q->events ? s->seen : (uint16_t)(s->seen - 1);
        le16_set_once(s->used_event, s->armed);
    } else {
        le16_set_once(&s->avail->flags, q->events ? UINT16_C(0) : (uint16_t)NO_INTERRUPT);
    }
    if (!q->events)
        return false;
    /* Full barrier, R-T-27: our wish is visible before used idx is read again. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return split_has_used(q);
}

/* With EVENT_IDX the wish names one completion: name the next one when all are taken. True when a
 * completion came in between. */
static bool rearm(struct split *s)
{
    return s->vq.cfg.event_idx && s->vq.events && s->armed != s->seen &&
           split_arm(&s->vq);
}

/* The shared table still holds what we posted. */
static bool chain_is_intact(const struct split *s, uint16_t head)
{
    uint16_t i = head;

    for (unsigned n = s->slots[head].entries; n > 0; n--) {
        const struct vring_desc *d = &s->desc[i];
        const struct slot *slot = &s->slots[i];

        if (le64_get(d->addr) != slot->addr || le32_get(d->len) != slot->len ||
            le16_get(d->flags) != slot->flags ||
            le16_get(d->next) != (slot->flags & VRING_DESC_NEXT ? slot->next : 0))
            return false;
        i = slot->next;
    }
    return true;
}

static void chain_free(struct split *s, uint16_t head)
{
    uint16_t i = head;

    s->slots[head].completed = true;
    if (s->slots[head].table != NO_TABLE)
        s->table_free[s->tables_free++] = s->slots[head].table;
    for (unsigned n = s->slots[head].entries; n > 0; n--) {
        uint16_t next = s->slots[i].next;

        slot_give(s, i);
        i = next;
    }
}

/* R-H-01, R-H-02: `id` must be the head of a buffer in flight. */
static int check_id(struct split *s, uint32_t id)
{
    struct vq *q = &s->vq;

    if (id >= q->cfg.size)
        return vq_break(q, &q->errors.id_range, "used id beyond the ring:", id);
    if (s->slots[id].state == SLOT_MID)
        return vq_break(q, &q->errors.id_mid_chain, "used id is inside a chain:", id);
    if (s->slots[id].state == SLOT_FREE && s->slots[id].completed)
        return vq_break(q, &q->errors.id_replayed, "used id was completed before:", id);
    if (s->slots[id].state == SLOT_FREE)
        return vq_break(q, &q->errors.id_not_posted, "used id was never posted:", id);
    return 0;
}

/* What the device has no business writing to, R-H-04. */
static int check_ours(struct split *s, uint16_t head)
{
    struct vq *q = &s->vq;

    if (!chain_is_intact(s, head))
        return vq_break(q, &q->errors.desc_overwritten,
                        "descriptor was overwritten:", head);
    if (le16_get_once(&s->avail->idx) != s->avail_idx)
        return vq_break(q, &q->errors.avail_overwritten,
                        "available index was overwritten:", s->avail_idx);
    return 0;
}

static int split_pop(struct vq *q, void **token, uint32_t *written)
{
    struct split *s = split_of(q);
    /* Acquire pairs with the device's release of idx: the element below is complete. */
    uint16_t advance = (uint16_t)(le16_get_acquire(&s->used->idx) - s->seen);
    const struct vring_used_elem *elem;
    uint32_t id, len;
    int err;

    if (advance == 0 && !rearm(s))
        return -EAGAIN;
    advance = (uint16_t)(le16_get_acquire(&s->used->idx) - s->seen);
    if (advance == 0 || advance > q->in_flight)
        return vq_break(q, &q->errors.idx_jump, "used index moved by", advance);

    elem = &s->used->ring[s->seen & (q->cfg.size - 1)];
    id = le32_get_once(&elem->id); /* one load: no change after the check */
    len = le32_get_once(&elem->len);
    err = check_id(s, id);
    if (!err)
        err = check_ours(s, (uint16_t)id);
    if (err)
        return err;

    if (len > s->slots[id].in_bytes) {
        q->errors.len_clamped++;
        len = s->slots[id].in_bytes;
    }
    *token = s->slots[id].token;
    *written = len;
    chain_free(s, (uint16_t)id);
    s->seen++;
    return 0;
}

/* ---- life ---- */

static void split_areas(const struct vq *q, struct virtio_queue_areas *out)
{
    const struct split *s = split_of(q);
    const char *base = s->ring.ptr;

    *out = (struct virtio_queue_areas){
        .size = q->cfg.size,
        .desc_addr = s->ring.addr,
        .driver_addr = s->ring.addr + (uint64_t)((const char *)s->avail - base),
        .device_addr = s->ring.addr + (uint64_t)((const char *)s->used - base),
    };
}

static size_t private_bytes(const struct vq_config *cfg)
{
    return sizeof(struct split) + cfg->size * sizeof(struct slot) +
           cfg->tables * sizeof(uint16_t);
}

static void split_destroy(struct vq *q, bool device_done)
{
    struct split *s = split_of(q);
    const struct balloon_hal *hal = q->hal;

    if (device_done && s->ring.ptr)
        hal->dma_free(hal->ctx, &s->ring);
    if (device_done && s->tables.ptr)
        hal->dma_free(hal->ctx, &s->tables);
    hal->mem_free(hal->ctx, s, private_bytes(&q->cfg));
}

static const struct vq_ops split_ops = {
    .add = split_add,
    .wants_kick = split_wants_kick,
    .has_new = split_has_new,
    .pop = split_pop,
    .has_used = split_has_used,
    .arm = split_arm,
    .areas = split_areas,
    .destroy = split_destroy,
};

/* Lay the three areas out in s->ring, used ring aligned to 4, or as a legacy transport wants it. */
static int ring_alloc(struct split *s)
{
    size_t size = s->vq.cfg.size;
    size_t avail_at = size * sizeof(struct vring_desc);
    size_t align = max_u64(s->vq.transport->ring_align, 4);
    size_t used_at = align_up(avail_at + 6 + 2 * size, align);
    const struct balloon_hal *hal = s->vq.hal;
    char *base;
    int err = hal->dma_alloc(hal->ctx, align_up(used_at + 6 + 8 * size, align), &s->ring);

    if (err)
        return err;
    base = s->ring.ptr;
    s->desc = (void *)base;
    s->avail = (void *)(base + avail_at);
    s->used = (void *)(base + used_at);
    s->used_event = &s->avail->ring[size];
    s->avail_event = (void *)&s->used->ring[size];
    return 0;
}

static int tables_alloc(struct split *s)
{
    const struct balloon_hal *hal = s->vq.hal;
    const struct vq_config *cfg = &s->vq.cfg;

    if (cfg->tables == 0)
        return 0;
    for (uint16_t i = 0; i < cfg->tables; i++)
        s->table_free[s->tables_free++] = i;
    return hal->dma_alloc(
        hal->ctx, (size_t)cfg->tables * cfg->indirect_max * sizeof(struct vring_desc),
        &s->tables);
}

int split_create(const struct vq_config *cfg, const struct balloon_hal *hal,
                 const struct virtio_transport *transport, uint16_t index,
                 struct vq **out)
{
    struct vq_config c = *cfg;
    struct split *s;
    int err;

    /* Tables longer than the ring are not portable, R-T-28. */
    c.indirect_max = (uint16_t)min_u64(c.indirect_max, c.size);
    if (!c.indirect || c.indirect_max < 2)
        c.tables = 0;
    s = hal->mem_alloc(hal->ctx, private_bytes(&c));
    if (!s)
        return -ENOMEM;
    s->vq = (struct vq){
        .ops = &split_ops, .hal = hal, .transport = transport, .cfg = c, .index = index};
    s->slots = (void *)(s + 1);
    s->table_free = (void *)(s->slots + c.size);
    for (unsigned i = c.size; i-- > 0;)
        slot_give(s, (uint16_t)i);

    err = ring_alloc(s);
    if (!err)
        err = tables_alloc(s);
    if (err) {
        split_destroy(&s->vq, true); /* the device never heard of it */
        return err;
    }
    vq_disable_events(&s->vq);
    *out = &s->vq;
    return 0;
}
