// SPDX-License-Identifier: BSD-2-Clause
/*
 * The control queues of MULTIPORT, virtio 1.3, 5.3.6.2: which ports there are, which of them is the
 * console, which has our name, and whether the host's ends are open. A port keeps its channel for the
 * device's life: one that goes is closed, and open again when it comes back.
 */
#include "drivers/virtio/console_internal.h"

#include "base/err.h"

/* Answers to one message, at most. */
#define ANSWERS_MAX 2

static int send(struct virtio_console *vc, uint32_t port, enum vc_event event,
                uint16_t value)
{
    unsigned slot = (unsigned)__builtin_ctz(vc->messages_free);
    struct vc_message *message = &vc->shared->control_out[slot];
    struct vq_seg seg = {.addr = vc_addr(vc, message), .len = sizeof(*message)};

    *message = (struct vc_message){
        .id = le32_of(port), .event = le16_of((uint16_t)event), .value = le16_of(value)};
    int err = vq_add(vc->control_out, &seg, 1, 0, message);
    if (!err)
        vc->messages_free &= (uint16_t)~BIT64(slot);
    return err;
}

/* Slots of messages that the device has read. */
static int take_back(struct virtio_console *vc)
{
    uint32_t written;
    void *token;
    int err;

    while ((err = vq_pop(vc->control_out, &token, &written)) == 0) {
        const struct vc_message *message = token;

        vc->messages_free |= (uint16_t)BIT64(message - vc->shared->control_out);
    }
    return err == -EAGAIN ? 0 : err;
}

static bool has_room(const struct virtio_console *vc)
{
    return vq_in_flight(vc->control_out) + ANSWERS_MAX <= VC_MESSAGES_OUT &&
           vq_free_entries(vc->control_out) >= ANSWERS_MAX;
}

static int post(struct virtio_console *vc, char *buffer)
{
    struct vq_seg seg = {.addr = vc_addr(vc, buffer), .len = VC_CONTROL_BYTES};

    return vq_add(vc->control_in, &seg, 0, 1, buffer);
}

int vc_control_start(struct virtio_console *vc)
{
    int err = 0;

    if (vq_size(vc->control_out) < ANSWERS_MAX) { /* nothing would ever be answered */
        log_to(&vc->hal->log, LOG_ERROR,
               "virtio-console: a control queue of %u entries, needed %u",
               (unsigned)vq_size(vc->control_out), ANSWERS_MAX);
        return -EPROTO;
    }
    vc->messages_free = UINT16_MAX;
    for (unsigned i = 0; i < VC_CONTROL_BUFFERS && !err; i++)
        err = post(vc, vc->shared->control_in[i]);
    if (err && err != -ENOSPC)
        return err;
    vq_enable_events(vc->control_in);
    vq_enable_events(vc->control_out);
    vq_kick(vc->control_in);
    err = send(vc, 0, VC_DEVICE_READY, 1);
    vq_kick(vc->control_out);
    return err;
}

static struct vc_channel *channel_of(struct virtio_console *vc, uint32_t port)
{
    for (unsigned i = 0; i < VIRTIO_CONSOLE_CHANNELS; i++) {
        if (vc->channels[i].port == port)
            return &vc->channels[i];
    }
    return NULL;
}

/* The first port of a kind has the channel, and tells the host that somebody is there. */
static int claim(struct virtio_console *vc, enum virtio_console_channel channel,
                 uint32_t port)
{
    if (vc->channels[channel].port != VIRTIO_CONSOLE_NO_PORT || channel_of(vc, port))
        return 0;
    int err = vc_channel_bind(vc, channel, port);

    return err ? err : send(vc, port, VC_PORT_OPEN, 1);
}

/* Devices differ on whether a NUL ends the name. */
static bool is_our_name(const char *name, size_t len)
{
    const char *ours = VIRTIO_CONSOLE_EVENTS_NAME;
    size_t ours_len = sizeof(VIRTIO_CONSOLE_EVENTS_NAME) - 1;

    if (len > ours_len && !name[ours_len])
        len = ours_len;
    return len == ours_len && __builtin_memcmp(name, ours, len) == 0;
}

/* Who has a channel is served. */
static int come_or_go(struct virtio_console *vc, uint32_t port, bool is_here)
{
    struct vc_channel *ch = channel_of(vc, port);

    if (!is_here) {
        if (ch)
            ch->is_open = false;
        return 0;
    }
    bool is_served = port < vc->ports;
    int err = send(vc, port, VC_PORT_READY, is_served);
    if (!err && ch)
        err = send(vc, port, VC_PORT_OPEN, 1);
    return err;
}

static void open_or_close(struct virtio_console *vc, uint32_t port, bool is_open)
{
    struct vc_channel *ch = channel_of(vc, port);

    if (ch)
        ch->is_open = is_open;
}

/* `bytes` is a copy: nobody changes it while we look. */
static int take_message(struct virtio_console *vc, const char *bytes, uint32_t len)
{
    struct vc_message message;

    vc->count.messages++;
    if (len < sizeof(message)) {
        vc->count.bad_messages++;
        return 0;
    }
    __builtin_memcpy(&message, bytes, sizeof(message));
    uint32_t port = le32_get(message.id);
    uint16_t event = le16_get(message.event), value = le16_get(message.value);

    if (event == VC_DEVICE_ADD || event == VC_DEVICE_REMOVE)
        return come_or_go(vc, port, event == VC_DEVICE_ADD);
    if (port >= vc->ports) {
        vc->count.bad_messages++;
        return 0;
    }
    if (event == VC_CONSOLE_PORT)
        return value ? claim(vc, VIRTIO_CONSOLE_TEXT, port) : 0;
    if (event == VC_PORT_NAME &&
        is_our_name(bytes + sizeof(message), len - sizeof(message)))
        return claim(vc, VIRTIO_CONSOLE_EVENTS, port);
    if (event == VC_PORT_OPEN)
        open_or_close(vc, port, value != 0);
    return 0;
}

/* One message; -EAGAIN: there is none. */
static int take_one(struct virtio_console *vc)
{
    char copy[VC_CONTROL_BYTES];
    uint32_t len;
    void *token;
    int err = vq_pop(vc->control_in, &token, &len);

    if (err)
        return err;
    __builtin_memcpy(copy, token, len);
    err = take_message(vc, copy, len);
    return err ? err : post(vc, token);
}

int vc_control_step(struct virtio_console *vc)
{
    int err = take_back(vc);

    /* No more than all buffers once: the device may fill them again at once. */
    for (unsigned i = 0; i < VC_CONTROL_BUFFERS && !err && has_room(vc); i++)
        err = take_one(vc);
    vq_kick(vc->control_in);
    vq_kick(vc->control_out);
    if (err == -EAGAIN)
        return 0;
    if (!err && has_room(vc))
        vc->hal->wake(
            vc->hal->ctx); /* there may be more, and no interrupt was asked for */
    return err;
}
