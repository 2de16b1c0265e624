// SPDX-License-Identifier: BSD-2-Clause
/*
 * The virtio console, virtio 1.3, 5.3, as a state machine fed with events, beside the balloon: the same
 * transport, the same HAL (its page services are not used). It offers two channels, each with bytes out
 * and bytes in:
 *
 *   text    port 0, or with MULTIPORT the first port that the device calls a console
 *   events  with MULTIPORT the port named "org.aerostat.events"
 *
 *     virtio_console_attach(&transport, &hal, &opts, &vc);
 *     virtio_console_isr(vc);                             // level isr, as for the balloon
 *     virtio_console_step(vc);                            // level task, when the HAL says so
 *     virtio_console_write(vc, VIRTIO_CONSOLE_TEXT, "hello\n", 6);
 *     n = virtio_console_read(vc, VIRTIO_CONSOLE_TEXT, bytes, sizeof(bytes));
 *     virtio_console_detach(vc);                          // then step until the state is OFF
 *     virtio_console_destroy(vc);
 *
 * Writing never waits: bytes go into a ring of VIRTIO_CONSOLE_RING for each channel, and from there to
 * the device in one piece at a time. While the host's end is open and does not read, what does not fit is
 * dropped and counted; while it is closed the newest bytes are kept for whoever opens it.
 *
 * Ports above VIRTIO_CONSOLE_PORTS are refused. A device that breaks the protocol is reset and stays OFF.
 * Context: task level unless said otherwise; one owner, no locks.
 */
#pragma once

#include "drivers/virtio/device.h"

#define VIRTIO_CONSOLE_DEVICE_ID   3 /* virtio 1.3, 5 */
#define VIRTIO_CONSOLE_RING        (64 * 1024u)
#define VIRTIO_CONSOLE_PORTS       3 /* queues of so many; VIRTIO_MAX_QUEUES allows no more */
#define VIRTIO_CONSOLE_NO_PORT     0xFFFFFFFF
#define VIRTIO_CONSOLE_EVENTS_NAME "org.aerostat.events"

/* virtio 1.3, 5.3.3. Bit numbers. */
enum virtio_console_feature {
    VIRTIO_CONSOLE_F_SIZE = 0,
    VIRTIO_CONSOLE_F_MULTIPORT = 1,
    VIRTIO_CONSOLE_F_EMERG_WRITE = 2,
};

enum virtio_console_channel {
    VIRTIO_CONSOLE_TEXT,
    VIRTIO_CONSOLE_EVENTS,
    VIRTIO_CONSOLE_CHANNELS,
};

enum virtio_console_state {
    VIRTIO_CONSOLE_LIVE,
    VIRTIO_CONSOLE_RESETTING, /* reset asked for, not yet seen */
    VIRTIO_CONSOLE_OFF,       /* detached or ended: reset, holds nothing */
    VIRTIO_CONSOLE_DEAD,      /* does not even reset: given up */
};

struct virtio_console_opts {
    bool is_polled;                /* nobody will call virtio_console_isr() or _irq() */
    struct virtio_vectors vectors; /* MSI-X: then _irq() is called */
    uint64_t poll_interval_ns;
};

/* Bytes and counts since attach. */
struct virtio_console_channel_status {
    uint32_t port;                /* VIRTIO_CONSOLE_NO_PORT: none yet */
    bool is_open;                 /* the host's end */
    uint64_t out_bytes, in_bytes; /* the device took, the device brought */
    uint64_t out_requests;
    uint64_t dropped_bytes, dropped_writes; /* the host did not read */
    uint32_t waiting_bytes;
};

struct virtio_console_status {
    enum virtio_console_state state;
    uint64_t offered, features;
    bool is_polled;
    const char *ended_because; /* NULL: it lives, or was detached */
    struct virtio_console_channel_status channels[VIRTIO_CONSOLE_CHANNELS];
    uint64_t irqs, missed_irqs;
    uint64_t messages,
        bad_messages;     /* on the control queue; bad: too short, no such port */
    uint64_t ring_errors; /* lies found in rings and registers */
};

struct virtio_console;

/*
 * Take the device over and start: reset, negotiate, queues, DRIVER_OK. `transport` and `hal` outlive the
 * console. 0 and *out; -ENOMEM; -ENOTSUP: the device refuses our features; -ENODEV: it has no queues;
 * -ETIMEDOUT: it does not reset; -EPROTO: it lies; -ENOSPC: it does not take the vectors: disable MSI-X and
 * attach without them. On failure the device is left reset or FAILED.
 */
int virtio_console_attach(const struct virtio_transport *transport,
                          const struct balloon_hal *hal,
                          const struct virtio_console_opts *opts,
                          struct virtio_console **out);

/* The device interrupted. Reads and clears the cause; true when there was one. Level isr. */
bool virtio_console_isr(struct virtio_console *vc);
/* The same for MSI-X: the vector says what the cause is. Touches no device. Level isr. */
void virtio_console_irq(struct virtio_console *vc, uint8_t causes);

/* No interrupt can be had after all: look for events by timer. */
void virtio_console_use_polling(struct virtio_console *vc);

/* Do what is due. */
void virtio_console_step(struct virtio_console *vc);

/* All of it or, when it does not fit, nothing: false, and counted. At most VIRTIO_CONSOLE_RING bytes. Any
 * context but NMI; also from inside the HAL's log. */
bool virtio_console_write(struct virtio_console *vc, enum virtio_console_channel channel,
                          const char *bytes, size_t len);

/* Up to `max` of the bytes that have come; 0: none now. Call it after each step until it gives 0: only then is
 * the next interrupt asked for. What is not read stays with the device, which then has to wait. Not from
 * inside a step. */
size_t virtio_console_read(struct virtio_console *vc, enum virtio_console_channel channel,
                           char *bytes, size_t max);

/* Send what waits, polling, for at most `for_ns`: the last words. Does nothing when the driver itself was
 * interrupted in the middle of its queues. Any context but NMI, interrupts off or on. */
void virtio_console_flush(struct virtio_console *vc, uint64_t for_ns);

/* Begin to stop: the device is reset. Steps do the rest; no effect when OFF or DEAD. */
void virtio_console_detach(struct virtio_console *vc);

/* Free a console that is OFF or DEAD. What a dead device may still touch stays allocated. */
void virtio_console_destroy(struct virtio_console *vc);

void virtio_console_get_status(const struct virtio_console *vc,
                               struct virtio_console_status *out);
