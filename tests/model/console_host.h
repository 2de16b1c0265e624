// SPDX-License-Identifier: BSD-2-Clause
/*
 * A host that plays a virtio console on the device model, with the driver on a virtio_rig: what it was sent
 * on each port, what it types, its side of MULTIPORT. It obeys; a test pushes anything else itself.
 *
 *     console_rig_init(&r, CONSOLE_FEATURES);       // one console port, one with our name; bend things now
 *     assert_int_equal(console_rig_attach(&r), 0);
 *     console_rig_run(&r, NS_PER_S);
 *     console_rig_type(&r, 0, "mem\n", 4);
 *     ...
 *     assert_int_equal(console_rig_end(&r), 0);     // what leaked
 */
#pragma once

#include "drivers/virtio/console.h"
#include "tests/model/virtio_rig.h"

#define CONSOLE_PORTS    4 /* one more than the driver serves */
#define CONSOLE_BYTES    (128 * 1024u)
#define CONSOLE_MESSAGES 64
#define CONSOLE_FEATURES                                                   \
    (BIT64(VIRTIO_CONSOLE_F_SIZE) | BIT64(VIRTIO_CONSOLE_F_MULTIPORT) |    \
     BIT64(VIRTIO_CONSOLE_F_EMERG_WRITE) | BIT64(VIRTIO_F_INDIRECT_DESC) | \
     BIT64(VIRTIO_F_EVENT_IDX) | BIT64(VIRTIO_F_VERSION_1))

struct console_port {
    bool is_there, is_console;
    const char *name; /* NULL: none */
    bool is_open;     /* the host's end */
    bool is_reading;  /* false: what is sent stays with the device */
    bool is_ready, is_driver_open;
    char out[CONSOLE_BYTES];
    size_t out_len;
    char in[CONSOLE_BYTES]; /* not delivered yet */
    size_t in_len;
};

struct console_host {
    struct virtio_model *model;
    struct console_port ports[CONSOLE_PORTS];
    char messages[CONSOLE_MESSAGES][40]; /* to the driver, not delivered yet */
    size_t message_len[CONSOLE_MESSAGES];
    unsigned message_count;
    bool is_name_ended;         /* by a NUL, as some devices do */
    unsigned heard[8], refused; /* from the driver: by event; READY with value 0 */
    unsigned misuse;
    const char *complaint;
};

struct console_rig {
    struct virtio_rig v;
    struct console_host host;
    struct virtio_console_opts opts;
    struct virtio_console *vc;
    bool irq_works; /* false: the device's interrupts are lost */
    bool is_read;   /* the kernel takes what comes in */
    char in[VIRTIO_CONSOLE_CHANNELS][CONSOLE_BYTES];
    size_t in_len[VIRTIO_CONSOLE_CHANNELS];
    unsigned steps;
};

void console_rig_init(struct console_rig *r, uint64_t features);
void console_rig_init_on(struct console_rig *r, enum rig_kind kind, uint64_t features);
int console_rig_attach(struct console_rig *r);

/* Deliver interrupts, wakes and timers, and read, for `for_ns` of model time. */
void console_rig_run(struct console_rig *r, uint64_t for_ns);

/* The host: bytes for the guest; takes what was kept; opens or closes its end; a message of any kind. */
void console_rig_type(struct console_rig *r, unsigned port, const char *bytes,
                      size_t len);
void console_rig_reads(struct console_rig *r, unsigned port, bool is_reading);
void console_rig_open(struct console_rig *r, unsigned port, bool is_open);
void console_rig_send(struct console_rig *r, uint32_t port, uint16_t event,
                      uint16_t value, const char *name);

/* The driver's side. */
bool console_rig_write(struct console_rig *r, enum virtio_console_channel channel,
                       const char *text);
struct virtio_console_status console_rig_status(const struct console_rig *r);
/* Detach if it lives, destroy; what leaked. */
unsigned console_rig_end(struct console_rig *r);
