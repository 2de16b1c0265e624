// SPDX-License-Identifier: BSD-2-Clause
/*
 * The packed ring, virtio 1.3, 2.8 (R-T-24..28 in its own words). Driver and device go around one ring
 * of descriptors. A descriptor says by two bits, compared with a counter that toggles at each turn,
 * whether it is available or used; the device writes a completion over the first place it has not
 * reported yet, whichever buffer was there, and goes on by as many places as the completed buffer had.
 *
 * What we write is also kept privately, by place; buffers are known by the id that is put into their
 * descriptors. Shared descriptors are read for two purposes: the next completion, and to notice that
 * the device wrote to a place that it only had to skip (R-H-04).
 */
#include "base/bits.h"
#include "base/err.h"
#include "base/le.h"
#include "drivers/virtio/queue/vq_format.h"

/* virtio 1.3, 2.8.13; in indirect tables only addr, len and WRITE count. */
struct pvring_desc {
    le64 addr;
    le32 len;
    le16 id;
    le16 flags;
};
_Static_assert(sizeof(struct pvring_desc) == VQ_DESC_BYTES, "virtio 1.3, 2.8.13");

enum pvring_desc_flag {
    PVRING_DESC_NEXT = 1,
    PVRING_DESC_WRITE = 2,
    PVRING_DESC_INDIRECT = 4,
    PVRING_DESC_AVAIL = 1 << 7,
    PVRING_DESC_USED = 1 << 15,
};

/* virtio 1.3, 2.8.14: an event structure is a place in the low half and one of these in the upper. It
 * is written and read as one word, so that the two belong together. */
enum pvring_event {
    PVRING_EVENT_ENABLE,
    PVRING_EVENT_DISABLE,
    PVRING_EVENT_DESC, /* when that place is reached; needs EVENT_IDX */
};

/* A place in the ring and the wrap counter there, as event structures have it. */
#define PLACE_WRAP  0x8000u
#define PLACE_START PLACE_WRAP /* both counters start at 1 */

struct packed {
    struct vq vq; /* first: the formats' common part */
    struct pvring_desc *ring;
    le32 *driver_event, *device_event; /* we write the one, the device the other */
    struct pvring_desc *posted;        /* private: what we wrote to each place */
    uint16_t avail;                    /* place of the next descriptor */
    uint16_t used;                     /* place of the next completion to pop */
    uint32_t unkicked;      /* entries added since the last notification decision */
    uint32_t armed;         /* driver_event as written */
    bool has_used_at_first; /* the buffer to retire lies under its completion */
};

static struct packed *packed_of(const struct vq *q)
{
    return CONTAINER_OF(q, struct packed, vq);
}

static uint16_t at(uint16_t place)
{
    return (uint16_t)(place & ~PLACE_WRAP);
}

static uint16_t place_after(const struct packed *p, uint16_t place, unsigned steps)
{
    unsigned next = at(place) + steps;
    uint16_t wrap = place & PLACE_WRAP;

    if (next < p->vq.cfg.size)
        return (uint16_t)(next | wrap);
    return (uint16_t)((next - p->vq.cfg.size) | (wrap ^ PLACE_WRAP));
}

/* ---- adding ---- */

/* Put a descriptor into the ring but for its flags, which make it available. */
static void post(struct packed *p, uint16_t place, const struct vq_seg *seg, uint16_t id,
                 unsigned flags)
{
    struct pvring_desc *d = &p->ring[at(place)], *posted = &p->posted[at(place)];

    flags |= place & PLACE_WRAP ? PVRING_DESC_AVAIL : PVRING_DESC_USED;
    *posted = (struct pvring_desc){.addr = le64_of(seg->addr),
                                   .len = le32_of(seg->len),
                                   .id = le16_of(id),
                                   .flags = le16_of((uint16_t)flags)};
    d->addr = posted->addr;
    d->len = posted->len;
    d->id = posted->id;
}

/* Release pairs with the device's acquire of the flags: it sees the rest of the descriptor, and with
 * the first one of a chain all that follow. */
static void publish(struct packed *p, uint16_t place)
{
    le16_set_release(&p->ring[at(place)].flags, le16_get(p->posted[at(place)].flags));
}

static void add_direct(struct packed *p, const struct vq_seg *segs, unsigned n_out,
                       unsigned n, uint16_t id)
{
    uint16_t place = p->avail;

    for (unsigned i = 0; i < n; i++) {
        unsigned flags =
            (i + 1 < n ? PVRING_DESC_NEXT : 0) | (i >= n_out ? PVRING_DESC_WRITE : 0);

        post(p, place, &segs[i], id, flags);
        if (i > 0)
            publish(p, place);
        place = place_after(p, place, 1);
    }
}

/* R-T-28. */
static void fill_table(struct pvring_desc *desc, const struct vq_seg *segs,
                       unsigned n_out, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        desc[i] =
            (struct pvring_desc){.addr = le64_of(segs[i].addr),
                                 .len = le32_of(segs[i].len),
                                 .flags = le16_of(i >= n_out ? PVRING_DESC_WRITE : 0)};
}

static uint16_t packed_add(struct vq *q, const struct vq_seg *segs, unsigned n_out,
                           unsigned n, uint16_t table)
{
    struct packed *p = packed_of(q);
    uint16_t id = vq_book_take(q, VQ_ID_BUFFER), first = p->avail;
    unsigned entries = n;

    if (table == VQ_NO_TABLE) {
        add_direct(p, segs, n_out, n, id);
    } else {
        struct vq_seg all = {.len = n * VQ_DESC_BYTES};

        fill_table(vq_book_table(q, table, &all.addr), segs, n_out, n);
        post(p, first, &all, id, PVRING_DESC_INDIRECT);
        entries = 1;
    }
    publish(p, first); /* last: the device follows a chain from here */
    p->avail = place_after(p, first, entries);
    if (p->unkicked <= q->cfg.size)
        p->unkicked += entries;
    return id;
}

/* ---- notifying ---- */

static bool packed_has_new(const struct vq *q)
{
    return packed_of(q)->unkicked > 0;
}

/* One of the last `added` descriptors is at `place`. */
static bool was_passed(const struct packed *p, uint16_t place, uint32_t added)
{
    int size = p->vq.cfg.size;
    bool is_same_turn = (place & PLACE_WRAP) == (p->avail & PLACE_WRAP);
    int behind = at(p->avail) - 1 - (at(place) - (is_same_turn ? 0 : size));

    return behind >= 0 && (uint32_t)behind < added;
}

static bool packed_wants_kick(struct vq *q)
{
    struct packed *p = packed_of(q);
    uint32_t added = p->unkicked, event;
    uint16_t place;

    p->unkicked = 0;
    /* Full barrier, R-T-24: our descriptors are visible before the device's wish is read. Pairs with
     * the barrier between the device's write of that wish and its last look at the ring. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    event = le32_get_once(p->device_event);
    place = (uint16_t)event;
    switch (event >> 16) {
    case PVRING_EVENT_ENABLE:
        return true;
    case PVRING_EVENT_DISABLE:
        return false;
    case PVRING_EVENT_DESC:
        if (q->cfg.event_idx && at(place) < q->cfg.size)
            return added > q->cfg.size || was_passed(p, place, added);
        break;
    }
    q->errors.event_nonsense++; /* an extra doorbell does no harm */
    return true;
}

/* ---- completions ---- */

static bool is_completion(const struct packed *p, uint16_t flags)
{
    const uint16_t both = PVRING_DESC_AVAIL | PVRING_DESC_USED;

    return (flags & both) == (p->used & PLACE_WRAP ? both : 0);
}

/* With nothing in flight what an earlier turn left is there, which never looks like a completion of
 * this one; else the flags are as we wrote them until the device completes something. */
static bool packed_has_used(const struct vq *q)
{
    const struct packed *p = packed_of(q);
    uint16_t flags = le16_get_once(&p->ring[at(p->used)].flags);

    if (q->in_flight == 0)
        return is_completion(p, flags);
    return flags != le16_get(p->posted[at(p->used)].flags);
}

static bool packed_arm(struct vq *q)
{
    struct packed *p = packed_of(q);
    uint32_t how = !q->events         ? PVRING_EVENT_DISABLE
                   : q->cfg.event_idx ? PVRING_EVENT_DESC
                                      : PVRING_EVENT_ENABLE;

    p->armed = how << 16 | p->used;
    le32_set_once(p->driver_event, p->armed);
    if (!q->events)
        return false;
    /* Full barrier, R-T-27: our wish is visible before the ring is looked at again. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return packed_has_used(q);
}

/* With EVENT_IDX the wish names one completion: name the next one when all are taken. True when a
 * completion came in between. */
static bool rearm(struct packed *p)
{
    return p->vq.cfg.event_idx && p->vq.events && (uint16_t)p->armed != p->used &&
           packed_arm(&p->vq);
}

static int packed_fetch(struct vq *q)
{
    struct packed *p = packed_of(q);
    const struct pvring_desc *d = &p->ring[at(p->used)];
    uint16_t flags, id;
    uint32_t len;

    if (!packed_has_used(q) && !rearm(p))
        return -EAGAIN;
    /* Acquire pairs with the device's release of the flags: id and length are complete. */
    flags = le16_get_acquire(&d->flags);
    if (q->in_flight == 0)
        return vq_break(q, &q->errors.idx_jump,
                        "completion with nothing in flight:", p->used);
    if (!is_completion(p, flags))
        return vq_break(q, &q->errors.wrap_bits,
                        "descriptor flags make no sense:", flags);
    /* One load of each: no change after the check. */
    id = le16_get_once(&d->id);
    len = le32_get_once(&d->len);
    /* Some devices tell the length without WRITE, so it is believed as far as something was writable; where
     * nothing was it may be anything. */
    if (!(flags & PVRING_DESC_WRITE) && id < q->cfg.size)
        len = (uint32_t)min_u64(len, q->book.buffers[id].in_bytes);
    p->has_used_at_first = true;
    return vq_book_used(q, id, len, q->in_flight);
}

/* The places from `place` hold what we posted. */
static bool places_are_intact(const struct packed *p, uint16_t place, unsigned n)
{
    for (; n > 0; n--, place = place_after(p, place, 1)) {
        const struct pvring_desc *d = &p->ring[at(place)],
                                 *posted = &p->posted[at(place)];

        if (le64_get(d->addr) != le64_get(posted->addr) ||
            le32_get(d->len) != le32_get(posted->len) ||
            le16_get(d->id) != le16_get(posted->id) ||
            le16_get(d->flags) != le16_get(posted->flags))
            return false;
    }
    return true;
}

/* What the device has no business writing to, R-H-04: the places it skips, our event structure. */
static int packed_retire(struct vq *q, uint16_t id)
{
    struct packed *p = packed_of(q);
    unsigned entries = q->book.buffers[id].entries, written = p->has_used_at_first;

    if (!places_are_intact(p, place_after(p, p->used, written), entries - written))
        return vq_break(q, &q->errors.desc_overwritten,
                        "descriptor was overwritten:", at(p->used));
    if (le32_get_once(p->driver_event) != p->armed)
        return vq_break(q, &q->errors.avail_overwritten,
                        "driver event was overwritten:", p->armed);
    p->has_used_at_first = false;
    p->used = place_after(p, p->used, entries);
    vq_book_give(q, id, 1);
    return 0;
}

/* ---- life ---- */

/* Descriptors, then the driver's event structure, then the device's. */
static size_t driver_at(const struct vq *q)
{
    return q->cfg.size * sizeof(struct pvring_desc);
}

static size_t packed_ring_bytes(const struct vq *q)
{
    return driver_at(q) + 2 * sizeof(le32);
}

/* Any, virtio 1.3, 2.8. */
static uint16_t packed_size_at_most(uint16_t n)
{
    return n;
}

static size_t packed_private_bytes(const struct vq_config *cfg)
{
    return sizeof(struct packed) + cfg->size * sizeof(struct pvring_desc);
}

static void packed_init(struct vq *q)
{
    struct packed *p = packed_of(q);

    p->posted = (void *)(p + 1);
    p->ring = q->ring.ptr;
    p->driver_event = (void *)((char *)q->ring.ptr + driver_at(q));
    p->device_event = p->driver_event + 1;
    p->avail = PLACE_START;
    p->used = PLACE_START;
}

static void packed_areas(const struct vq *q, struct virtio_queue_areas *out)
{
    *out = (struct virtio_queue_areas){
        .size = q->cfg.size,
        .desc_addr = q->ring.addr,
        .driver_addr = q->ring.addr + driver_at(q),
        .device_addr = q->ring.addr + driver_at(q) + sizeof(le32),
    };
}

const struct vq_ops *packed_format(void)
{
    static const struct vq_ops ops = {
        .size_at_most = packed_size_at_most,
        .private_bytes = packed_private_bytes,
        .ring_bytes = packed_ring_bytes,
        .init = packed_init,
        .areas = packed_areas,
        .add = packed_add,
        .has_new = packed_has_new,
        .wants_kick = packed_wants_kick,
        .has_used = packed_has_used,
        .fetch = packed_fetch,
        .retire = packed_retire,
        .arm = packed_arm,
    };

    return &ops;
}
