// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a driver offers the table in kernel/drivers.c. A driver keeps one device at most; its functions
 * run at task level, not from inside its own step.
 */
#pragma once

#include "kernel/virtio_port.h"

struct driver {
    const char *name;       /* "virtio-balloon" */
    uint32_t device_id;     /* virtio 1.3, 5 */
    const char *enabled_by; /* setting, for the log */
    bool (*is_enabled)(void);

    /* A device was found at a closed port, which lives until release() or lost() ended. It is the
     * driver's even if starting it fails: a command may try again. Called when it has none. */
    int (*attach)(struct virtio_port *port);

    /* End orderly and close the port: give everything back, reset. The driver calls drivers_stopped()
     * once, in this call or later. After release() it forgets the port; after suspend() it knows that
     * the device was running, and resume() starts it again. */
    void (*release)(void);
    void (*suspend)(void);
    int (*resume)(void);

    /* The device was torn out; the port's transport is of one that is gone. Forget the port, and
     * drivers_stopped() as above. */
    void (*lost)(void);
};

/* The port is closed: what release(), suspend() or lost() asked for is done. */
void drivers_stopped(const struct virtio_port *port);
