// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the files of the virtio console share. console.c: attach, events, the end; console_channel.c: bytes
 * out and in; console_control.c: the messages of MULTIPORT.
 */
#pragma once

#include "base/le.h"
#include "drivers/virtio/console.h"

/* virtio 1.3, 5.3.4. */
#define VC_CONFIG_MAX_PORTS 4

/* virtio 1.3, 5.3.2: queues of port 0, the control queues, then two for each further port. */
#define VC_QUEUE_CONTROL_IN  2
#define VC_QUEUE_CONTROL_OUT 3

static inline uint16_t vc_queue_in(uint32_t port)
{
    return (uint16_t)(port == 0 ? 0 : 2 + 2 * port);
}
_Static_assert(2 + 2 * VIRTIO_CONSOLE_PORTS <= VIRTIO_MAX_QUEUES, "queues of all ports");

/* virtio 1.3, 5.3.6.2: a control message; a port's name follows the one of that kind. */
struct vc_message {
    le32 id; /* port */
    le16 event, value;
};
_Static_assert(sizeof(struct vc_message) == 8, "virtio 1.3, 5.3.6.2");

enum vc_event {
    VC_DEVICE_READY = 0,
    VC_DEVICE_ADD = 1,
    VC_DEVICE_REMOVE = 2,
    VC_PORT_READY = 3,
    VC_CONSOLE_PORT = 4,
    VC_RESIZE = 5,
    VC_PORT_OPEN = 6,
    VC_PORT_NAME = 7,
};

#define VC_IN_BUFFERS      8 /* of a channel */
#define VC_IN_BYTES        256
#define VC_CONTROL_BUFFERS 8
#define VC_CONTROL_BYTES   128 /* a longer name is cut, and not ours */
#define VC_MESSAGES_OUT    16
#define VC_QUEUE_ENTRIES   16

/* All the memory the device sees, zeroed, ours alone (R-H-13). */
struct vc_shared {
    char out[VIRTIO_CONSOLE_CHANNELS][VIRTIO_CONSOLE_RING];
    char in[VIRTIO_CONSOLE_CHANNELS][VC_IN_BUFFERS][VC_IN_BYTES];
    char control_in[VC_CONTROL_BUFFERS][VC_CONTROL_BYTES];
    struct vc_message control_out[VC_MESSAGES_OUT];
};

#define VC_POLL_BUSY_NS  NS_PER_MS        /* between looks while something goes on */
#define VC_LIVELY_NS     (20 * NS_PER_MS) /* after input */
#define VC_RESET_POLL_NS NS_PER_MS
#define VC_MISSED_MAX    3 /* in a row; one may be on its way while we look */

/* One direction of `head` and `tail` each: bytes ever written to the ring, and taken out of it. */
struct vc_channel {
    uint32_t port; /* VIRTIO_CONSOLE_NO_PORT: none */
    bool is_open;  /* the host's end */
    struct vq *out, *in;
    char *ring;
    uint32_t head, tail;
    uint32_t in_flight; /* bytes from `tail` on that the device has */
    char *buffer;       /* the input that is being read; NULL: none */
    uint32_t buffer_len, buffer_at;
    struct virtio_console_channel_status count; /* only its counters are kept here */
};

/* Owned by the console's task, but the two fields marked isr. */
struct virtio_console {
    const struct balloon_hal *hal;
    struct virtio_device dev;
    struct virtio_console_opts opts;
    enum virtio_console_state state;
    const char *ended_because;
    bool is_busy; /* in the middle of a queue: flush() keeps out */

    struct dma_mem shared_mem;
    struct vc_shared *shared;
    struct vq *port_in[VIRTIO_CONSOLE_PORTS], *port_out[VIRTIO_CONSOLE_PORTS];
    struct vc_channel channels[VIRTIO_CONSOLE_CHANNELS];

    struct vq *control_in, *control_out; /* NULL: no MULTIPORT */
    uint32_t ports;                      /* that we serve */
    uint16_t messages_free;              /* bit n: control_out[n] is ours */

    uint8_t isr_causes; /* isr: set, task: cleared */
    uint32_t isr_count; /* isr: counted */
    uint64_t now_ns, wake_ns, poll_at_ns;
    uint64_t lively_until_ns;  /* input came a moment ago: polled more often */
    bool is_polled, is_proven; /* proven: an interrupt has come */
    unsigned missed_in_row;
    uint64_t lost_ring_errors;          /* of rings that are gone */
    struct virtio_console_status count; /* only its counters are kept here */
};

/* console.c */
void vc_end(struct virtio_console *vc, const char *why);
/* Where the device sees a part of vc->shared. */
paddr_t vc_addr(const struct virtio_console *vc, const void *part);

/* console_channel.c */
/* The channel has found its port: hand its buffers over. 0 or vq_add()'s error. */
int vc_channel_bind(struct virtio_console *vc, enum virtio_console_channel channel,
                    uint32_t port);
/* Take what the device is done with, send what waits. 0, or -EPROTO: a broken queue. */
int vc_channel_pump(struct virtio_console *vc, struct vc_channel *ch);

/* console_control.c */
int vc_control_start(struct virtio_console *vc);
/* Answer the device's messages, as long as there is room for answers. */
int vc_control_step(struct virtio_console *vc);
