// SPDX-License-Identifier: BSD-2-Clause
/*
 * Between device.c and the ring formats: how a queue is made and ended, what a format implements, and
 * the private books that both formats keep in the same way (vq_book.c). Drivers use vq.h.
 *
 * The device knows a buffer by an id. In the split ring that is the number of its first descriptor,
 * and each further descriptor takes one more id; in the packed ring it is one id, whatever the places.
 * All that is known of a buffer hangs on its id, out of the device's reach.
 */
#pragma once

#include "drivers/virtio/queue/vq.h"
#include "drivers/virtio/transport/transport.h"

#include <stddef.h>

#define VQ_DESC_BYTES 16u /* of both formats, in the ring and in indirect tables */
#define VQ_NO_TABLE   UINT16_MAX

enum vq_id_state {
    VQ_ID_FREE,
    VQ_ID_BUFFER, /* a buffer in flight */
    VQ_ID_MID,    /* split: a further descriptor of one */
};

/* What is known of one id; the last group of buffers only. */
struct vq_buffer {
    uint8_t state;  /* enum vq_id_state */
    bool completed; /* was popped as a buffer at least once */
    uint16_t next;  /* in the chain, or in the free list */

    uint16_t order; /* buffers added before it, modulo 2^16 */
    uint16_t entries, table;
    uint32_t in_bytes; /* length of the writable part */
    void *token;
};

struct vq_book {
    struct vq_buffer *buffers; /* by id, as many as the ring has entries */
    uint16_t id_free;          /* first of the free list */
    struct dma_mem tables;
    uint16_t *table_free; /* stack of free tables */
    uint16_t tables_free;
    /* What the device completed and vq_pop() did not hand out yet: how many buffers (more than one
     * only with IN_ORDER), the next one's id, the written length of the last one. */
    uint16_t batch, batch_id;
    uint32_t batch_len;
    uint16_t oldest; /* with IN_ORDER: id of the buffer that must be completed first */
};

/* What a ring format does; vq.c has checked state and arguments before. */
struct vq_ops {
    /* The largest size up to n > 0 that such a ring can have. */
    uint16_t (*size_at_most)(uint16_t n);
    size_t (*private_bytes)(const struct vq_config *cfg); /* its own struct and arrays */
    size_t (*ring_bytes)(const struct vq *q);
    void (*init)(struct vq *q); /* all memory is there, zeroed */
    void (*areas)(const struct vq *q, struct virtio_queue_areas *out);

    /* Publish n pieces, the first n_out to be read, in `table` or in entries of their own; there are
     * enough. Returns the id. */
    uint16_t (*add)(struct vq *q, const struct vq_seg *segs, unsigned n_out, unsigned n,
                    uint16_t table);
    bool (*has_new)(const struct vq *q); /* added since the last wants_kick() */
    /* True when the device wants to hear of what was added since the last call. */
    bool (*wants_kick)(struct vq *q);

    bool (*has_used)(const struct vq *q);
    /* Pass the next completion to vq_book_used(): 0, -EAGAIN or -EPROTO. */
    int (*fetch)(struct vq *q);
    /* Buffer `id` is done: check that the device left alone what is ours, give ids back. 0, -EPROTO. */
    int (*retire)(struct vq *q, uint16_t id);
    /* Write the event state `q->events`; true when completions are waiting. */
    bool (*arm)(struct vq *q);
};

/* Functions, so that a library of position-independent code needs no global offset table. */
const struct vq_ops *split_format(void);
const struct vq_ops *packed_format(void);

/* The part of a queue that all formats share; first member of the format's own struct. */
struct vq {
    const struct vq_ops *ops;
    const struct balloon_hal *hal;
    const struct virtio_transport *transport;
    struct vq_config cfg;
    uint16_t index;
    uint16_t free_entries, in_flight;
    bool live;      /* DRIVER_OK was written: doorbells and completions count */
    bool broken;    /* the device contradicted itself; for good */
    bool events;    /* an interrupt is wanted */
    bool kick_owed; /* vq_kick() came before DRIVER_OK */
    struct dma_mem ring;
    struct vq_book book;
    struct vq_errors errors;
    struct vq_stats stats;
};

/* The largest size up to n > 0 that a ring of the configuration's format can have. */
uint16_t vq_size_at_most(const struct vq_config *cfg, uint16_t n);

/* 0 or -ENOMEM. The queue is not live yet. */
int vq_create(const struct vq_config *cfg, const struct balloon_hal *hal,
              const struct virtio_transport *transport, uint16_t index, struct vq **out);

/* From DRIVER_OK to reset. vq_start() rings the doorbell that is owed. */
void vq_start(struct vq *q);
void vq_stop(struct vq *q);
/* Free everything; the memory the device can reach only if `device_done`. */
void vq_destroy(struct vq *q, bool device_done);

/* Mark broken, count, log; -EPROTO for the caller to return. */
int vq_break(struct vq *q, uint64_t *counter, const char *what, uint32_t value);

/* ---- the books ---- */

size_t vq_book_bytes(const struct vq_config *cfg);
/* `mem`: vq_book_bytes(), zeroed, aligned to 8. All ids and tables are free. */
void vq_book_init(struct vq *q, void *mem);

/* The next free id; there is one. Ids taken in a row are linked by `next`. */
uint16_t vq_book_take(struct vq *q, enum vq_id_state state);
/* Buffer `id` and its table are free, and all of its `ids` ids. */
void vq_book_give(struct vq *q, uint16_t id, unsigned ids);
/* A free indirect table; there is one. */
uint16_t vq_book_take_table(struct vq *q);
/* Where indirect table `table` is, and for the device. */
void *vq_book_table(const struct vq *q, uint16_t table, uint64_t *addr);

/* The device claims to have completed `id` and with IN_ORDER all buffers before it, `limit` at most.
 * Checks that (R-H-01, R-H-02) and opens the batch: 0 or -EPROTO. */
int vq_book_used(struct vq *q, uint32_t id, uint32_t len, uint16_t limit);
/* Bytes written into the batch's next buffer, clamped (R-H-05). */
uint32_t vq_book_written(struct vq *q);
