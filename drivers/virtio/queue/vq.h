// SPDX-License-Identifier: BSD-2-Clause
/*
 * Virtqueues, virtio 1.3, 2.6-2.8: one interface, whatever the ring's format. A driver gets its
 * queues from virtio_queue_create() (device.h) and uses:
 *
 *     struct vq_seg seg = {.addr = buf.addr, .len = 1024};
 *     vq_add(q, &seg, 1, 0, request);       // request: comes back from vq_pop()
 *     vq_kick(q);                           // rings the doorbell if the device wants it
 *     ...
 *     while (vq_pop(q, &token, &written) == 0)
 *         finish(token);
 *
 * The ring is shared with an untrusted device. All state we act on is private; from the shared
 * memory only the used ring and the device's event field are read, once each, and checked. The first
 * contradiction marks the queue broken, for good: adds fail, pops return nothing more, and the owner
 * must reset the device (R-H-06). Each kind has its own counter in struct vq_errors.
 *
 * Buffers belong to the device from vq_add() to vq_pop(), or to the end of a completed reset.
 * Context: the driver's task.
 */
#pragma once

#include "hal/balloon_hal.h"

#include <stdbool.h>
#include <stdint.h>

#define VQ_SIZE_LIMIT 32768u /* virtio 1.3, 2.7 */

/* One piece of a buffer, as the device sees it. `len` > 0. */
struct vq_seg {
    paddr_t addr;
    uint32_t len;
};

/* What the device did that it must not. All but the last two break the queue. */
struct vq_errors {
    uint64_t id_range;      /* used id >= queue size, R-H-01 */
    uint64_t id_not_posted; /* id was never the head of a buffer, R-H-02 */
    uint64_t id_replayed;   /* id was completed before and not posted again, R-H-02 */
    uint64_t id_mid_chain;  /* id is in flight but not the head of its chain, R-H-02 */
    /* IN_ORDER: the id is that of a later buffer than the used index allows for */
    uint64_t id_order;
    /* split: used index moved by more than is in flight; packed: completion with none in flight,
     * R-H-03 */
    uint64_t idx_jump;
    uint64_t wrap_bits; /* packed: flags neither as we wrote them nor of a completion */
    /* a posted descriptor does not hold what we wrote, R-H-04 */
    uint64_t desc_overwritten;
    /* split: the available index, packed: our event structure, does not hold what we wrote */
    uint64_t avail_overwritten;
    uint64_t len_clamped; /* used length beyond the writable part: clamped, R-H-05 */
    /* the device's event field says what it cannot mean: we notify, R-T-25 */
    uint64_t event_nonsense;
};

struct vq_stats {
    uint64_t added, popped;
    uint64_t kicks; /* doorbells rung */
    /* vq_kick() with new buffers that the device did not want to hear of */
    uint64_t kicks_skipped;
    uint64_t ring_full; /* vq_add() refused for want of entries */
};

/* How a queue is made; see virtio_queue_create() for the usual way. */
struct vq_config {
    uint16_t size;  /* entries; a power of two for split rings */
    bool event_idx; /* VIRTIO_F_EVENT_IDX was negotiated */
    bool indirect;  /* VIRTIO_F_INDIRECT_DESC was negotiated */
    bool packed;    /* VIRTIO_F_RING_PACKED was negotiated */
    bool in_order;  /* VIRTIO_F_IN_ORDER was negotiated */
    /* longest buffer put into an indirect table; 0 or 1: never use one */
    uint16_t indirect_max;
    uint16_t tables; /* indirect tables made in advance; buffers beyond them go direct */
};

struct vq;

/* Put a buffer into the ring: `n_out` pieces the device reads, then `n_in` pieces it writes. `token`
 * comes back from vq_pop() and is not NULL. 0; -ENOSPC: too few free entries, try after a pop;
 * -EINVAL: no pieces, an empty piece, more pieces than the ring is long; -EPROTO: broken. */
int vq_add(struct vq *q, const struct vq_seg *segs, unsigned n_out, unsigned n_in,
           void *token);

/* Show the device what was added and ring the doorbell if it asks for that (R-T-25). Before
 * DRIVER_OK nothing is rung: virtio_driver_ok() catches up (R-T-06). True when the doorbell rang. */
bool vq_kick(struct vq *q);

/* Take the next completed buffer. `written`: bytes the device claims to have written, clamped to the
 * writable part (R-H-05). 0; -EAGAIN: none; -EPROTO: broken, now or before. Nothing is taken before
 * DRIVER_OK. A caller's loop is bounded by what was in flight. */
int vq_pop(struct vq *q, void **token, uint32_t *written);

/* True when vq_pop() would return something else than -EAGAIN. */
bool vq_has_used(const struct vq *q);

/* Ask for an interrupt at the next completion, or for none (R-T-27); advisory, expect spurious ones.
 * New queues have events disabled. vq_enable_events() returns true when completions are waiting
 * already: pop again, no interrupt may come for them. While events are enabled a vq_pop() that
 * returns -EAGAIN has asked for the next interrupt. */
bool vq_enable_events(struct vq *q);
void vq_disable_events(struct vq *q);

uint16_t vq_size(const struct vq *q);
uint16_t vq_free_entries(const struct vq *q);
uint16_t vq_in_flight(const struct vq *q); /* buffers, not entries */
bool vq_is_broken(const struct vq *q);
const struct vq_errors *vq_errors(const struct vq *q);
uint64_t vq_lies(const struct vq *q); /* sum of all struct vq_errors counts */
const struct vq_stats *vq_stats(const struct vq *q);
