// SPDX-License-Identifier: BSD-2-Clause
/*
 * The whole balloon driver between a guest that lives its life and a host that does what the input says:
 * targets, slow answers, wrong ids, jumps of the used index, resets out of nowhere, silence, interrupts
 * without cause; and memory that runs out. No frame is ever given back twice or without having been
 * taken, the driver comes to rest, and a detach ends with everything returned unless the device is dead.
 */
#include "tests/fuzz/stream.h"
#include "tests/model/balloon_host.h"

#define FRAMES 4096u

static struct balloon_rig r;

static void guest_event(struct stream *in, unsigned what)
{
    switch (what) {
    case 0:
        guest_use(&r.guest, take16(in) % FRAMES);
        break;
    case 1:
        guest_unuse(&r.guest, take16(in) % FRAMES);
        virtio_balloon_memory_freed(r.vb);
        break;
    case 2:
        virtio_balloon_oom(r.vb, take16(in));
        break;
    default:
        r.v.hal.fail_at = r.v.hal.allocs + 1 + take8(in) % 16;
        break;
    }
}

static void host_event(struct stream *in, unsigned what)
{
    struct virtio_model *m = &r.v.model;

    switch (what) {
    case 0:
        balloon_rig_target(&r, take16(in) % (2 * FRAMES));
        break;
    case 1:
        balloon_rig_target(&r, take32(in));
        break;
    case 2:
        r.host.is_slow = !r.host.is_slow;
        break;
    case 3:
        balloon_rig_answer(&r);
        break;
    case 4:
        if (r.host.has_stats)
            balloon_rig_ask_stats(&r);
        break;
    case 5:
        if (r.host.queue_of[VIRTIO_BALLOON_HINT] != VIRTIO_BALLOON_NO_QUEUE)
            balloon_rig_answer_hints(&r, take8(in));
        virtio_model_set_config(m, 8, take8(in));
        r.host.is_hint_slow = m->config[8] & 0x40;
        break;
    case 6:
        m->isr |= take8(in) & 3;
        break;
    default:
        r.irq_works = !r.irq_works;
        break;
    }
}

static void lie(struct stream *in, unsigned what)
{
    struct virtio_model *m = &r.v.model;
    uint16_t queue = take8(in) % 5;

    switch (what) {
    case 0:
        if (m->queues[queue].enabled)
            virtio_model_push(m, queue, take16(in), take32(in));
        break;
    case 1:
        if (m->queues[queue].enabled)
            virtio_model_jump(m, queue, take16(in));
        break;
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

static void live(struct stream *in)
{
    while (in->left > 0) {
        uint8_t event = take8(in);

        if (event & 0x80)
            balloon_rig_run(&r, (event & 0x7F) * 10 * NS_PER_MS);
        else if (event & 0x40)
            host_event(in, event & 7);
        else if (event & 0x20)
            lie(in, event & 7);
        else
            guest_event(in, event & 3);
        model_true(r.guest.returned_twice == 0);
    }
}

/* The host behaves from here on; one that does not even reset stays dead. */
static void end(void)
{
    r.host.is_slow = false;
    r.host.is_hint_slow = false;
    r.v.model.lies.silent = false;
    r.v.model.lies.reset_polls = 0;
    r.v.hal.fail_at = 0;
    virtio_balloon_detach(r.vb);
    balloon_rig_run(&r, 200 * NS_PER_S);
    struct virtio_balloon_status status = balloon_rig_status(&r);
    model_true(status.state == VIRTIO_BALLOON_OFF || status.state == VIRTIO_BALLOON_DEAD);
    model_equal(r.guest.driver, status.quarantined_frames);
    virtio_balloon_destroy(r.vb);
    r.vb = NULL;
    model_equal(r.v.hal.mem_live, 0);
    model_equal(r.guest.accounted, 0);
    model_true(r.v.hal.dma_live == 0 || status.state == VIRTIO_BALLOON_DEAD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stream in = {.data = data, .left = size};
    uint8_t bits = take8(&in);
    uint64_t features = BALLOON_FEATURES | (bits & 0x2D); /* 0, 2, 3, 5 */

    features ^= rig_mix(bits >> 4);
    balloon_rig_init(&r, features, FRAMES);
    r.v.model.batches = true;
    r.guest.reserve = take8(&in);
    uint8_t ways = take8(&in);
    r.opts.is_polled = ways & 1;
    r.opts.early_return = ways & 2;
    r.opts.inflight = 1 + (ways >> 2 & 7);
    r.opts.wide = (ways >> 5) % 3;
    if (!balloon_rig_attach(&r)) {
        live(&in);
        end();
    }
    rig_end(&r.v);
    return 0;
}
