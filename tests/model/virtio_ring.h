// SPDX-License-Identifier: BSD-2-Clause
/* Between the parts of the virtio model that play the device's side of a ring: virtio_ring.c has what
 * both formats share and calls the one that was negotiated. */
#pragma once

#include "tests/model/virtio_dev.h"

#define F_INDIRECT  28
#define F_EVENT_IDX 29
#define F_PACKED    34
#define F_IN_ORDER  35

/* Flags of descriptors in both formats. */
#define D_NEXT     1u
#define D_WRITE    2u
#define D_INDIRECT 4u
#define DESC_SIZE  16u

#define S_NEEDS_RESET 64u

static inline bool ring_has(const struct virtio_model *m, unsigned feature)
{
    return (m->accepted >> feature & 1) != 0;
}

/* Memory as the device sees it. Outside of the driver's: a complaint, NULL or 0. */
void *ring_at(struct virtio_model *m, uint64_t addr, uint64_t len);
uint16_t ring_read16(struct virtio_model *m, uint64_t addr);
void ring_write16(struct virtio_model *m, uint64_t addr, uint16_t value);

/* The driver broke the ring. Returns false. */
bool ring_fault(struct virtio_model *m, const char *what);
/* Append one descriptor's piece; checks what the rules ask of a driver. */
bool ring_add_piece(struct virtio_model *m, struct virtio_chain *c, uint64_t addr,
                    uint32_t len, bool is_write);

bool split_model_pop(struct virtio_model *m, uint16_t index, struct virtio_chain *out);
void split_model_push(struct virtio_model *m, uint16_t index, uint32_t id, uint32_t len,
                      unsigned buffers);
void split_model_jump(struct virtio_model *m, uint16_t index, uint16_t by);

bool packed_model_pop(struct virtio_model *m, uint16_t index, struct virtio_chain *out);
void packed_model_push(struct virtio_model *m, uint16_t index, uint32_t id, uint32_t len,
                       unsigned entries);
void packed_model_jump(struct virtio_model *m, uint16_t index, uint16_t by);
/* Entries that buffer `id` takes, 1 when there is none; it has none any more. */
unsigned packed_model_forget(struct virtio_model *m, uint16_t index, uint32_t id);
