// SPDX-License-Identifier: BSD-2-Clause
/*
 * Bytes of one channel. Out: a ring in shared memory, of which the device has one piece at a time, so that
 * it may complete in any order and pieces grow when it is slow. In: buffers that go round.
 */
#include "drivers/virtio/console_internal.h"

#include "base/assert.h"
#include "base/err.h"

#define RING VIRTIO_CONSOLE_RING
_Static_assert((RING & (RING - 1)) == 0, "positions are cut by a mask");

/* ---- out ---- */

static int send_piece(struct virtio_console *vc, struct vc_channel *ch)
{
    uint32_t at = ch->tail % RING;
    uint32_t len = (uint32_t)min_u64(ch->head - ch->tail, RING - at);
    struct vq_seg seg = {.addr = vc_addr(vc, ch->ring + at), .len = len};
    int err = vq_add(ch->out, &seg, 1, 0, ch);

    if (err)
        return err;
    ch->in_flight = len;
    ch->count.out_requests++;
    vq_kick(ch->out);
    return 0;
}

/* The device had the whole piece: there is no such thing as a part of it. The look that finds nothing asks
 * for the next interrupt. */
static int take_back(struct vc_channel *ch)
{
    uint32_t written;
    void *token;
    int err;

    while ((err = vq_pop(ch->out, &token, &written)) == 0) {
        ch->count.out_bytes += ch->in_flight;
        ch->tail += ch->in_flight;
        ch->in_flight = 0;
    }
    return err == -EAGAIN ? 0 : err;
}

static bool can_send(const struct vc_channel *ch)
{
    return ch->is_open && !ch->in_flight && ch->head != ch->tail;
}

/* A device that answers inside its doorbell gets a whole ring, in two pieces where it wraps. */
int vc_channel_pump(struct virtio_console *vc, struct vc_channel *ch)
{
    int err = ch->out ? take_back(ch) : 0;

    for (unsigned pieces = 0; pieces < 2 && !err && can_send(ch); pieces++) {
        err = send_piece(vc, ch);
        if (!err)
            err = take_back(ch);
    }
    if (!err && can_send(ch))
        vc->hal->wake(vc->hal->ctx);
    return err;
}

/* Nobody listens, and nothing is with the device: the oldest lines go. */
static void make_room(struct vc_channel *ch, size_t len)
{
    while (RING - (ch->head - ch->tail) < len ||
           (ch->tail != ch->head && ch->ring[(ch->tail - 1) % RING] != '\n'))
        ch->tail++;
}

bool virtio_console_write(struct virtio_console *vc, enum virtio_console_channel channel,
                          const char *bytes, size_t len)
{
    struct vc_channel *ch = &vc->channels[channel];
    size_t room = RING - (ch->head - ch->tail);

    if (len > room && len <= RING && !ch->is_open && !ch->in_flight) {
        make_room(ch, len);
        room = len;
    }
    if (len > room) {
        ch->count.dropped_bytes += len;
        ch->count.dropped_writes++;
        return false;
    }
    for (size_t i = 0; i < len; i++)
        ch->ring[(ch->head + i) % RING] = bytes[i];
    ch->head += (uint32_t)len;
    if (ch->is_open && !ch->in_flight)
        vc->hal->wake(vc->hal->ctx);
    return true;
}

/* ---- in ---- */

static int post(struct virtio_console *vc, struct vc_channel *ch, char *buffer)
{
    struct vq_seg seg = {.addr = vc_addr(vc, buffer), .len = VC_IN_BYTES};

    return vq_add(ch->in, &seg, 0, 1, buffer);
}

/* As many as the ring has entries for: a legacy device may have small ones. */
static int post_all(struct virtio_console *vc, enum virtio_console_channel channel)
{
    struct vc_channel *ch = &vc->channels[channel];
    int err = 0;

    for (unsigned i = 0; i < VC_IN_BUFFERS && !err; i++)
        err = post(vc, ch, vc->shared->in[channel][i]);
    if (err && err != -ENOSPC)
        return err;
    vq_enable_events(ch->in);
    vq_kick(ch->in);
    return 0;
}

int vc_channel_bind(struct virtio_console *vc, enum virtio_console_channel channel,
                    uint32_t port)
{
    struct vc_channel *ch = &vc->channels[channel];

    assert(ch->port == VIRTIO_CONSOLE_NO_PORT && port < vc->ports);
    ch->port = port;
    ch->in = vc->port_in[port];
    ch->out = vc->port_out[port];
    vq_enable_events(ch->out);
    return post_all(vc, channel);
}

/* The next buffer that has bytes in it. One that has none would be a way to keep us busy: it counts. */
static int next_buffer(struct virtio_console *vc, struct vc_channel *ch)
{
    void *token;
    int err = vq_pop(ch->in, &token, &ch->buffer_len);

    if (err)
        return err;
    ch->buffer = token;
    ch->buffer_at = 0;
    ch->count.in_bytes += ch->buffer_len;
    if (ch->buffer_len == 0)
        vc->count.bad_messages++;
    return 0;
}

static int give_back(struct virtio_console *vc, struct vc_channel *ch)
{
    int err = post(vc, ch, ch->buffer);

    ch->buffer = NULL;
    if (!err)
        vq_kick(ch->in);
    return err;
}

/* The device may still write to a buffer that it returned: each byte is read once. */
static size_t copy_out(struct vc_channel *ch, char *bytes, size_t max)
{
    size_t len = (size_t)min_u64(max, ch->buffer_len - ch->buffer_at);

    for (size_t i = 0; i < len; i++)
        bytes[i] = __atomic_load_n(&ch->buffer[ch->buffer_at + i], __ATOMIC_RELAXED);
    ch->buffer_at += (uint32_t)len;
    return len;
}

static int read_some(struct virtio_console *vc, struct vc_channel *ch, char *bytes,
                     size_t max, size_t *got)
{
    /* No more than all buffers once, however fast the device fills them again. */
    for (unsigned i = 0; i < VC_IN_BUFFERS && *got < max; i++) {
        int err = ch->buffer ? 0 : next_buffer(vc, ch);

        if (err)
            return err == -EAGAIN ? 0 : err;
        *got += copy_out(ch, bytes + *got, max - *got);
        if (ch->buffer_at == ch->buffer_len)
            err = give_back(vc, ch);
        if (err)
            return err;
    }
    return 0;
}

size_t virtio_console_read(struct virtio_console *vc, enum virtio_console_channel channel,
                           char *bytes, size_t max)
{
    struct vc_channel *ch = &vc->channels[channel];
    size_t got = 0;

    if (vc->state != VIRTIO_CONSOLE_LIVE || !ch->in)
        return 0;
    vc->is_busy = true;
    int err = read_some(vc, ch, bytes, max, &got);
    vc->is_busy = false;
    if (got)
        vc->lively_until_ns = vc->now_ns + VC_LIVELY_NS;
    if (err)
        vc_end(vc, "its input queue is broken");
    return got;
}
