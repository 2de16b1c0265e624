// SPDX-License-Identifier: BSD-2-Clause
/*
 * A virtio device as its driver must expect it: status, features, configuration, queues in the
 * driver's memory, split or packed as was negotiated, the ISR byte. It obeys by default and notes what
 * the driver does wrong (`misuse`); a test turns single lies on in struct virtio_lies or writes to the
 * rings itself. What a queue does is a hook, so a balloon host or anything else is put on top:
 *
 *     static void process(void *ctx, struct virtio_model *m, uint16_t index)
 *     {
 *         struct virtio_chain chain;
 *
 *         while (virtio_model_pop(m, index, &chain))
 *             virtio_model_push(m, index, chain.head, 0);
 *     }
 *
 *     virtio_model_init(&m, features, queue_sizes, count);
 *     m.dma = hal_model_dma, m.dma_ctx = &hal;
 *     m.process = process, m.process_ctx = ...;
 *
 * Registers are offered by virtio_pci.h in QEMU's layout, and by virtio_mmio.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIRTIO_MODEL_QUEUES    8
#define VIRTIO_MODEL_SEGS      64
#define VIRTIO_MODEL_CONFIG    64
#define VIRTIO_MODEL_NO_VECTOR 0xFFFF
#define VIRTIO_MODEL_IDS       256 /* packed: chains must have ids below this */

struct virtio_model_queue {
    uint16_t max, size; /* max 0: absent; size: as the driver set it */
    bool enabled;
    uint16_t vector;               /* MSI-X; VIRTIO_MODEL_NO_VECTOR: none */
    uint64_t desc, driver, device; /* addresses of the three areas */
    uint16_t last_avail, used_idx; /* split */
    uint16_t next_desc;            /* split: with IN_ORDER the next head */
    /* packed: descriptors taken and reported since the start; ring entries taken and not reported,
     * and by id */
    uint64_t avail_pos, used_pos;
    unsigned outstanding;
    uint8_t entries[VIRTIO_MODEL_IDS];
    /* completions of the doorbell being served that wait for being reported as one batch */
    bool in_doorbell;
    unsigned held, held_entries;
    uint32_t held_id, held_len;
    unsigned kicks, interrupts; /* doorbells seen; interrupts the driver asked for */
};

/* Things no device may do. All off: it obeys. */
struct virtio_lies {
    bool reset_hangs; /* status never reads 0 again */
    /* so many reads of the status until a reset shows (slow, not a lie) */
    unsigned reset_polls;
    bool generation_spins;   /* config_generation differs at every read */
    bool config_spins;       /* configuration words differ at every read */
    bool silent;             /* doorbells do nothing */
    uint16_t queue_size_raw; /* queue_size reads as this; 0: the truth */
    bool enable_drops;       /* queue_enable never reads back as 1 */
    bool size_sticks;        /* queue_size does not take the driver's value */
    bool ok_needs_reset;     /* DRIVER_OK is answered with NEEDS_RESET */
    uint16_t notify_off;     /* queue_notify_off reads as this; 0: the queue's index */
    /* vectors read back as none from the n-th mapping on, from 1; 0: they all work */
    unsigned vector_fails;
};

struct virtio_model {
    uint64_t offered, accepted; /* accepted: as the driver wrote */
    uint64_t insists;           /* FEATURES_OK is refused without these bits */
    bool is_legacy;             /* no FEATURES_OK, 32 features, rings in one block */
    uint8_t status, isr, generation;
    uint16_t config_vector;
    unsigned vectors_mapped; /* since the beginning */
    uint16_t num_queues;
    struct virtio_model_queue queues[VIRTIO_MODEL_QUEUES];
    uint8_t config[VIRTIO_MODEL_CONFIG];
    struct virtio_lies lies;
    /* With IN_ORDER: completions that come within one doorbell become one used entry. */
    bool batches;

    void *(*dma)(void *ctx, uint64_t addr,
                 uint64_t len); /* NULL: outside of driver memory */
    void *dma_ctx;
    void (*process)(void *ctx, struct virtio_model *m,
                    uint16_t index); /* a doorbell rang */
    void (*config_written)(void *ctx, struct virtio_model *m, uint32_t offset,
                           unsigned width);
    /* DRIVER_OK was written; false: the device does not take it as it is set up. NULL: it does. */
    bool (*activate)(void *ctx, const struct virtio_model *m);
    void *process_ctx; /* of these hooks */
    /* Send a message; false: MSI-X is not enabled, the ISR byte tells. NULL: there is no MSI-X. */
    bool (*message)(void *ctx, uint16_t vector);
    void *message_ctx;

    unsigned resets;
    unsigned feature_words; /* bit n: word n was written since the reset */
    unsigned misuse;        /* what a driver must not do; `complaint` names the last */
    unsigned reset_reads_left;
    const char *complaint;
};

/* One buffer as the device sees it. */
struct virtio_chain {
    uint16_t head;     /* its id: split: of the first descriptor */
    unsigned entries;  /* ring descriptors it takes */
    unsigned n, n_out; /* pieces; the first n_out are for reading */
    struct {
        void *ptr;
        uint64_t addr;
        uint32_t len;
    } segs[VIRTIO_MODEL_SEGS];
};

/* `max[i]` is the size of queue i. `features` should contain VERSION_1. */
void virtio_model_init(struct virtio_model *m, uint64_t features, const uint16_t *max,
                       unsigned count);

/* Take the next available buffer; false when there is none or the driver broke the ring (then
 * NEEDS_RESET is set and `misuse` counted). */
bool virtio_model_pop(struct virtio_model *m, uint16_t index, struct virtio_chain *out);
/* Complete a buffer, and raise the ISR bit if the driver wants to hear of it. Any id, any length: the
 * model does not care whether it is true. */
void virtio_model_push(struct virtio_model *m, uint16_t index, uint32_t id, uint32_t len);
/* IN_ORDER: complete `n` buffers by one used entry; `len` is the last one's. */
void virtio_model_push_batch(struct virtio_model *m, uint16_t index,
                             const struct virtio_chain *chains, unsigned n, uint32_t len);
/* Move the used index without an element; packed: mark so many descriptors used as they are. */
void virtio_model_jump(struct virtio_model *m, uint16_t index, uint16_t by);
uint8_t *virtio_model_desc(struct virtio_model *m, uint16_t index,
                           uint16_t id); /* 16 bytes; packed: at place `id` */
void virtio_model_no_notify(struct virtio_model *m, uint16_t index, bool no_notify);

/* Report what is held for a batch. */
void virtio_model_flush(struct virtio_model *m, uint16_t index);

/* Raw words of the split ring, for lies: the device's event field, the driver's, its index. */
void virtio_model_set_avail_event(struct virtio_model *m, uint16_t index, uint16_t value);
uint16_t virtio_model_used_event(struct virtio_model *m, uint16_t index);
uint16_t virtio_model_avail_idx(struct virtio_model *m, uint16_t index);
/* The same for the packed ring: event structures with the place in the low half; the flags of the
 * place that the device reports next. */
void virtio_model_set_device_event(struct virtio_model *m, uint16_t index,
                                   uint32_t value);
uint32_t virtio_model_driver_event(struct virtio_model *m, uint16_t index);
uint16_t *virtio_model_used_flags(struct virtio_model *m, uint16_t index);

/* Change a configuration word as a host does: new generation, config-change cause. */
void virtio_model_set_config(struct virtio_model *m, uint32_t offset, uint32_t value);
uint32_t virtio_model_config(struct virtio_model *m, uint32_t offset);
void virtio_model_need_reset(struct virtio_model *m);

/* What a transport model calls. */
void virtio_model_status_write(struct virtio_model *m, uint8_t status);
uint8_t virtio_model_status_read(struct virtio_model *m);
void virtio_model_doorbell(struct virtio_model *m, uint16_t index);
void virtio_model_config_write(struct virtio_model *m, uint32_t offset, unsigned width,
                               uint32_t value);
uint32_t virtio_model_config_read(struct virtio_model *m, uint32_t offset,
                                  unsigned width);
/* The driver handed a queue over; its areas are set. */
void virtio_model_enable(struct virtio_model *m, struct virtio_model_queue *q);
/* The same for one block at `addr`, with the areas where a legacy device looks for them. */
void virtio_model_legacy_queue(struct virtio_model *m, struct virtio_model_queue *q,
                               uint64_t addr);
/* Map `wanted` to *vector, where `entries` there are; what reads back. */
uint16_t virtio_model_map_vector(struct virtio_model *m, uint16_t *vector,
                                 uint16_t wanted, unsigned entries);
void virtio_model_interrupt(struct virtio_model *m, uint16_t index);
void virtio_model_complain(struct virtio_model *m, const char *what);
