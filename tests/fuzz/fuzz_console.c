// SPDX-License-Identifier: BSD-2-Clause
/*
 * A virtio console whose host does anything: types, reads or not, sends any message, completes buffers it
 * was never given, asks for resets, goes silent. Whatever it does, steps end, what an honest host was
 * sent are the bytes that were written, and the memory is back unless the device never reset.
 */
#include "tests/fuzz/stream.h"
#include "tests/model/console_host.h"

#include <stdlib.h>
#include <string.h>

#define ACTIONS 200

static struct console_rig r;

static void must(bool promise)
{
    if (!promise)
        abort();
}

/* Bytes count up: what arrives out of order, twice or cut shows. */
static struct {
    uint8_t next, seen;
} text;

static struct virtio_console_channel_status text_status(void)
{
    return console_rig_status(&r).channels[VIRTIO_CONSOLE_TEXT];
}

/* It did not fit beside what waited, so old lines went for it: only while nobody listens, and whole lines. */
static void go_on_with_what_is_kept(bool was_open, uint32_t len)
{
    uint32_t kept = text_status().waiting_bytes;

    must(!was_open);
    text.seen = (uint8_t)(text.next - kept);
    must(kept == len || (uint8_t)(text.seen - 1) == '\n');
}

static void write_text(uint32_t len)
{
    char bytes[4096];
    struct virtio_console_channel_status before = text_status();

    for (uint32_t i = 0; i < len; i++)
        bytes[i] = (char)(text.next + i);
    if (!virtio_console_write(r.vc, VIRTIO_CONSOLE_TEXT, bytes, len))
        return;
    text.next = (uint8_t)(text.next + len);
    if (before.waiting_bytes + len > VIRTIO_CONSOLE_RING)
        go_on_with_what_is_kept(before.is_open, len);
}

static void check_text(void)
{
    struct console_port *port = &r.host.ports[0];

    for (size_t i = 0; i < port->out_len; i++)
        must((uint8_t)port->out[i] == text.seen++);
    port->out_len = 0;
}

static void push(struct stream *in)
{
    uint16_t queue = take8(in) % 8;
    uint8_t how = take8(in);

    if (!r.v.model.queues[queue].enabled)
        return;
    if (how & 1)
        virtio_model_jump(&r.v.model, queue, take16(in));
    else
        virtio_model_push(&r.v.model, queue, how & 2 ? take32(in) : how >> 3, take32(in));
}

/* True: the host broke a rule that all else hangs on. */
static bool act(struct stream *in)
{
    static char typed[300];
    unsigned port = take8(in) % CONSOLE_PORTS;

    switch (take8(in) % 9) {
    case 0:
        write_text(take16(in) % 4096);
        break;
    case 1:
        console_rig_type(&r, port, typed, take16(in) % sizeof(typed));
        break;
    case 2:
        console_rig_reads(&r, port, take8(in) & 1);
        break;
    case 3:
        console_rig_send(&r, take8(in) & 1 ? port : take32(in), take8(in) % 10,
                         take16(in), take8(in) & 1 ? VIRTIO_CONSOLE_EVENTS_NAME : NULL);
        break;
    case 4:
        push(in);
        return true;
    case 5:
        virtio_console_flush(r.vc, take16(in));
        break;
    case 6:
        r.v.model.lies.silent = take8(in) & 1;
        break;
    case 7:
        if (take8(in) == 7)
            virtio_model_need_reset(&r.v.model);
        break;
    default:
        console_rig_run(&r, take8(in) * NS_PER_MS);
    }
    return false;
}

static void live(struct stream *in)
{
    bool is_honest = true;
    unsigned steps = r.steps;

    for (unsigned i = 0; i < ACTIONS && in->left > 0; i++) {
        is_honest &= !act(in);
        if (is_honest && r.host.ports[0].is_open)
            check_text();
        r.host.ports[0].out_len = 0;
    }
    must(r.steps - steps < 1000000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stream in = {.data = data, .left = size};
    uint8_t flags = take8(&in);
    uint64_t features = CONSOLE_FEATURES;

    if (flags & 4)
        features &= ~BIT64(VIRTIO_CONSOLE_F_MULTIPORT);
    if (flags & 8)
        features &= ~BIT64(VIRTIO_F_EVENT_IDX);
    console_rig_init_on(&r, flags & 1 ? RIG_MMIO : RIG_PCI_MODERN, features);
    r.opts.is_polled = flags & 2;
    r.irq_works = !(flags & 2);
    r.v.hal.relax_ns = 10 * NS_PER_MS;
    r.v.hal.fail_at = flags >> 4; /* and the machine may run out of memory */
    memset(&text, 0, sizeof(text));
    if (console_rig_attach(&r) == 0)
        live(&in);
    r.v.model.lies = (struct virtio_lies){.reset_hangs = take8(&in) == 7};
    bool is_dead = r.v.model.lies.reset_hangs;
    unsigned leaked = console_rig_end(&r);
    must(leaked == 0 || is_dead);
    return 0;
}
