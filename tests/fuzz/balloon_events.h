// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the host of a balloon may do, and what it may not, as the fuzzer's bytes choose it: for
 * fuzz_balloon.c. An event is its low four bits; bytes that it needs come from the stream.
 */
#pragma once

#include "tests/fuzz/stream.h"
#include "tests/model/balloon_host.h"

#define HINT_WORD   8 /* offsets in the configuration */
#define POISON_WORD 12

static inline void hint_event(struct balloon_rig *r, struct stream *in)
{
    struct virtio_model *m = &r->v.model;

    if (r->host.queue_of[VIRTIO_BALLOON_HINT] != VIRTIO_BALLOON_NO_QUEUE)
        balloon_rig_answer_hints(r, take8(in));
    virtio_model_set_config(m, HINT_WORD, take8(in));
    r->host.is_hint_slow = m->config[HINT_WORD] & 0x40;
}

/* How it is with hints, and what a request costs. */
static inline void change_host(struct balloon_rig *r, uint8_t how)
{
    r->host.is_hint_slow = how & 1;
    r->host.keeps_hint_id = how & 2;
    r->host.done_on_stop = how & 4;
    r->host.request_ns = (how >> 3) * 100 * NS_PER_US;
}

/* An honest host, however slow. */
static inline void host_event(struct balloon_rig *r, struct stream *in, unsigned what)
{
    struct virtio_model *m = &r->v.model;

    switch (what) {
    case 0:
        balloon_rig_target(r, take16(in) % (2 * (uint32_t)r->guest.count));
        break;
    case 1:
        balloon_rig_target(r, take32(in));
        break;
    case 2:
        r->host.is_slow = !r->host.is_slow;
        break;
    case 3:
        balloon_rig_answer(r);
        break;
    case 4:
        if (r->host.has_stats)
            balloon_rig_ask_stats(r);
        break;
    case 5:
        hint_event(r, in);
        break;
    case 6:
        m->isr |= take8(in) & 3;
        break;
    case 7:
        r->irq_works = !r->irq_works;
        break;
    case 8:
        balloon_rig_ask_hints(r, take8(in));
        break;
    case 9:
        balloon_rig_answer_any(r, take8(in));
        break;
    case 10:
        change_host(r, take8(in));
        break;
    default:
        virtio_model_set_config(m, POISON_WORD, take32(in));
        break;
    }
}

/* Any byte of what the driver shares with it: rings, tables, requests, words. */
static inline void scribble(struct balloon_rig *r, struct stream *in)
{
    struct hal_model_dma *mem = &r->v.hal.dma[take8(in) % HAL_MODEL_DMA];
    uint16_t at = take16(in);
    uint8_t value = take8(in);

    if (mem->ptr)
        ((uint8_t *)mem->ptr)[at % mem->size_bytes] = value;
}

static inline void lie_in_registers(struct balloon_rig *r, uint8_t how)
{
    struct virtio_lies *lies = &r->v.model.lies;

    lies->generation_spins = how & 1;
    lies->enable_drops = how & 2;
    lies->size_sticks = how & 4;
    lies->ok_needs_reset = how & 8;
    lies->config_spins = how & 16;
    r->v.mmio.lies.queue_is_on = how & 32;
    r->v.mmio.lies.queue_is_off = how & 64;
    r->v.mmio.lies.extra_irq = how & 128 ? 0xF0 : 0;
}

static inline void lie_about_queue(struct balloon_rig *r, uint16_t queue,
                                   struct stream *in)
{
    struct virtio_lies *lies = &r->v.model.lies;
    uint16_t value = take16(in);

    switch (queue) {
    case 0:
        lies->queue_size_raw = value;
        break;
    case 1:
        lies->notify_off = value;
        break;
    case 2:
        lies->vector_fails = value % 8;
        break;
    default:
        r->v.pci.msix_flip[3] = value;
        break;
    }
}

static inline void lie_in_ring(struct balloon_rig *r, unsigned what, uint16_t queue,
                               struct stream *in)
{
    struct virtio_model *m = &r->v.model;

    if (!m->queues[queue].enabled)
        return;
    if (what == 0)
        virtio_model_push(m, queue, take16(in), take32(in));
    else if (what == 1)
        virtio_model_jump(m, queue, take16(in));
    else
        virtio_model_no_notify(m, queue, take8(in) & 1);
}

static inline void lie_in_status(struct balloon_rig *r, struct stream *in, unsigned what)
{
    struct virtio_model *m = &r->v.model;

    switch (what) {
    case 2:
        virtio_model_need_reset(m);
        break;
    case 3:
        virtio_model_status_write(m, 0);
        break;
    case 4:
        m->status = take8(in);
        break;
    case 5:
        m->lies.silent = !m->lies.silent;
        break;
    case 6:
        m->lies.reset_hangs = take8(in) % 8 == 0;
        break;
    default:
        m->lies.reset_polls = take8(in);
        break;
    }
}

/* A host that does what none may; the next byte chooses the queue. */
static inline void lie(struct balloon_rig *r, struct stream *in, unsigned what)
{
    struct virtio_model *m = &r->v.model;
    uint16_t queue = take8(in) % VIRTIO_BALLOON_QUEUES;

    switch (what) {
    case 0:
    case 1:
        lie_in_ring(r, what, queue, in);
        break;
    case 8:
        scribble(r, in);
        break;
    case 9:
        lie_in_registers(r, take8(in));
        break;
    case 10:
        lie_about_queue(r, queue, in);
        break;
    case 11: /* from the next start on */
        m->offered ^= BIT64(take8(in) % 64);
        break;
    case 12:
        m->queues[queue].max = take16(in);
        break;
    case 13:
        lie_in_ring(r, 2, queue, in);
        break;
    case 14: /* any word of the configuration, without a word */
        m->config[take8(in) % 16] = take8(in);
        break;
    default:
        lie_in_status(r, in, what);
        break;
    }
}
