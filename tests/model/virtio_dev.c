// SPDX-License-Identifier: BSD-2-Clause
/* The virtio device model: status machine, doorbells and configuration, seen from the other side. */
#include "tests/model/virtio_dev.h"

#include <string.h>

#define BIT(n)        (UINT64_C(1) << (n))
#define F_VERSION_1   32
#define S_FEATURES_OK 8u
#define S_DRIVER_OK   4u
#define S_NEEDS_RESET 64u
#define S_FAILED      128u
#define ISR_QUEUE     1u
#define ISR_CONFIG    2u
#define DESC_SIZE     16u
#define LEGACY_PAGE   4096u

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
    bool is_refused =
        m->lies.ok_needs_reset || (m->activate && !m->activate(m->process_ctx, m));
    if ((status & S_DRIVER_OK) && is_refused)
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

/* ---- queues ---- */

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

void virtio_model_interrupt(struct virtio_model *m, uint16_t index)
{
    m->queues[index].interrupts++;
    interrupt(m, ISR_QUEUE, m->queues[index].vector);
}

void virtio_model_doorbell(struct virtio_model *m, uint16_t index)
{
    if (index >= m->num_queues || !m->queues[index].enabled) {
        virtio_model_complain(m, "doorbell of a queue that is not enabled");
        return;
    }
    m->queues[index].kicks++;
    if ((m->status & S_DRIVER_OK) == 0) {
        virtio_model_complain(m, "doorbell before DRIVER_OK");
    } else if (m->process && !m->lies.silent) {
        m->queues[index].in_doorbell = true;
        m->process(m->process_ctx, m, index);
        m->queues[index].in_doorbell = false;
        virtio_model_flush(m, index);
    }
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
