// SPDX-License-Identifier: BSD-2-Clause
/*
 * The split ring, virtio 1.3, 2.7 (R-T-24..28). What we write to a descriptor is also kept privately;
 * chains are walked and freed by the private books only. The shared table is looked at again for one
 * purpose: to notice that the device wrote to it (R-H-04).
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

struct split {
    struct vq vq; /* first: the formats' common part */
    struct vring_desc *desc;
    struct vring_avail *avail;
    struct vring_used *used;
    le16 *used_event, *avail_event;
    struct vring_desc *posted; /* private: what we wrote to each descriptor */
    uint16_t avail_idx;        /* what we published */
    uint16_t kicked_idx;       /* avail_idx at the last notification decision */
    uint16_t seen;             /* used index up to which completions were popped */
    uint16_t armed;            /* used_event as written */
};

static struct split *split_of(const struct vq *q)
{
    return CONTAINER_OF(q, struct split, vq);
}

/* ---- adding ---- */

static uint16_t seg_flags(unsigned i, unsigned n_out, unsigned n)
{
    return (uint16_t)((i + 1 < n ? VRING_DESC_NEXT : 0) |
                      (i >= n_out ? VRING_DESC_WRITE : 0));
}

static struct vring_desc desc_of(const struct vq_seg *seg, uint16_t flags, uint16_t next)
{
    return (struct vring_desc){.addr = le64_of(seg->addr),
                               .len = le32_of(seg->len),
                               .flags = le16_of(flags),
                               .next = le16_of(flags & VRING_DESC_NEXT ? next : 0)};
}

static void post(struct split *s, uint16_t at, struct vring_desc desc)
{
    s->posted[at] = desc;
    s->desc[at] = desc;
}

/* One descriptor for each piece. Returns the head. */
static uint16_t add_direct(struct split *s, const struct vq_seg *segs, unsigned n_out,
                           unsigned n)
{
    uint16_t head = vq_book_take(&s->vq, VQ_ID_BUFFER), at = head;

    for (unsigned i = 0; i < n; i++) {
        uint16_t next = i + 1 < n ? vq_book_take(&s->vq, VQ_ID_MID) : 0;

        post(s, at, desc_of(&segs[i], seg_flags(i, n_out, n), next));
        at = next;
    }
    return head;
}

/* One descriptor that points to a table, R-T-28. */
static uint16_t add_indirect(struct split *s, const struct vq_seg *segs, unsigned n_out,
                             unsigned n, uint16_t table)
{
    uint16_t head = vq_book_take(&s->vq, VQ_ID_BUFFER);
    struct vq_seg all = {.len = n * VQ_DESC_BYTES};
    struct vring_desc *desc = vq_book_table(&s->vq, table, &all.addr);

    for (unsigned i = 0; i < n; i++)
        desc[i] = desc_of(&segs[i], seg_flags(i, n_out, n), (uint16_t)(i + 1));
    post(s, head, desc_of(&all, VRING_DESC_INDIRECT, 0));
    return head;
}

static uint16_t split_add(struct vq *q, const struct vq_seg *segs, unsigned n_out,
                          unsigned n, uint16_t table)
{
    struct split *s = split_of(q);
    uint16_t head = table == VQ_NO_TABLE ? add_direct(s, segs, n_out, n)
                                         : add_indirect(s, segs, n_out, n, table);

    le16_set_once(&s->avail->ring[s->avail_idx & (q->cfg.size - 1)], head);
    s->avail_idx++;
    /* Release pairs with the device's acquire of idx: it sees the descriptors and the slot. */
    le16_set_release(&s->avail->idx, s->avail_idx);
    return head;
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

static int split_fetch(struct vq *q)
{
    struct split *s = split_of(q);
    const struct vring_used_elem *elem = &s->used->ring[s->seen & (q->cfg.size - 1)];
    uint16_t advance;

    if (!split_has_used(q) && !rearm(s))
        return -EAGAIN;
    /* Acquire pairs with the device's release of idx: the element is complete. */
    advance = (uint16_t)(le16_get_acquire(&s->used->idx) - s->seen);
    if (advance == 0 || advance > q->in_flight)
        return vq_break(q, &q->errors.idx_jump, "used index moved by", advance);
    /* One load of each: no change after the check. A batch has its element in its first place. */
    return vq_book_used(q, le32_get_once(&elem->id), le32_get_once(&elem->len), advance);
}

/* The shared table still holds what we posted. */
static bool chain_is_intact(const struct split *s, uint16_t head)
{
    uint16_t at = head;

    for (unsigned n = s->vq.book.buffers[head].entries; n > 0; n--) {
        const struct vring_desc *d = &s->desc[at], *posted = &s->posted[at];

        if (le64_get(d->addr) != le64_get(posted->addr) ||
            le32_get(d->len) != le32_get(posted->len) ||
            le16_get(d->flags) != le16_get(posted->flags) ||
            le16_get(d->next) != le16_get(posted->next))
            return false;
        at = s->vq.book.buffers[at].next;
    }
    return true;
}

/* What the device has no business writing to, R-H-04. */
static int split_retire(struct vq *q, uint16_t head)
{
    struct split *s = split_of(q);

    if (!chain_is_intact(s, head))
        return vq_break(q, &q->errors.desc_overwritten,
                        "descriptor was overwritten:", head);
    if (le16_get_once(&s->avail->idx) != s->avail_idx)
        return vq_break(q, &q->errors.avail_overwritten,
                        "available index was overwritten:", s->avail_idx);
    vq_book_give(q, head, q->book.buffers[head].entries);
    s->seen++;
    return 0;
}

/* ---- life ---- */

/* The three areas follow each other, the used ring aligned to 4 or as a legacy transport wants it. */
static size_t ring_align(const struct vq *q)
{
    return max_u64(q->transport->ring_align, 4);
}

static size_t avail_at(const struct vq *q)
{
    return q->cfg.size * sizeof(struct vring_desc);
}

static size_t used_at(const struct vq *q)
{
    return align_up(avail_at(q) + 6 + 2u * q->cfg.size, ring_align(q));
}

static size_t split_ring_bytes(const struct vq *q)
{
    return align_up(used_at(q) + 6 + 8u * q->cfg.size, ring_align(q));
}

/* A power of two, virtio 1.3, 2.7. */
static uint16_t split_size_at_most(uint16_t n)
{
    return (uint16_t)(BIT32(31) >> __builtin_clz(n));
}

static size_t split_private_bytes(const struct vq_config *cfg)
{
    return sizeof(struct split) + cfg->size * sizeof(struct vring_desc);
}

static void split_init(struct vq *q)
{
    struct split *s = split_of(q);
    char *base = q->ring.ptr;

    s->posted = (void *)(s + 1);
    s->desc = (void *)base;
    s->avail = (void *)(base + avail_at(q));
    s->used = (void *)(base + used_at(q));
    s->used_event = &s->avail->ring[q->cfg.size];
    s->avail_event = (void *)&s->used->ring[q->cfg.size];
}

static void split_areas(const struct vq *q, struct virtio_queue_areas *out)
{
    *out = (struct virtio_queue_areas){
        .size = q->cfg.size,
        .desc_addr = q->ring.addr,
        .driver_addr = q->ring.addr + avail_at(q),
        .device_addr = q->ring.addr + used_at(q),
    };
}

const struct vq_ops *split_format(void)
{
    static const struct vq_ops ops = {
        .size_at_most = split_size_at_most,
        .private_bytes = split_private_bytes,
        .ring_bytes = split_ring_bytes,
        .init = split_init,
        .areas = split_areas,
        .add = split_add,
        .has_new = split_has_new,
        .wants_kick = split_wants_kick,
        .has_used = split_has_used,
        .fetch = split_fetch,
        .retire = split_retire,
        .arm = split_arm,
    };

    return &ops;
}
