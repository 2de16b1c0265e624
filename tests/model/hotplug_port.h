// SPDX-License-Identifier: BSD-2-Clause
/*
 * A root port with a hot-plug slot, as QEMU's behaves: a request to unplug presses the button, power off
 * with the indicator off takes the function away, what is plugged changes presence and presses the
 * button, and does not answer before its power is on. Single lies on request.
 */
#pragma once

#include "tests/model/pci_bus.h"

#define PORT_MODEL_CAP 0x54

struct port_model {
    struct pci_model_fn port;
    struct pci_model_fn device; /* slot 0 of the bus below */
    unsigned ejects;            /* the guest turned the power off under a function */
    unsigned early_ejects;      /* ... that was in use (in_use), which is a mistake */
    bool in_use;                /* set by the test */
    bool stays;                 /* as real cards: ejected, but still in the slot */
    bool is_mute;               /* a lie: the function never answers */
    bool no_power_control;
};

/* A port at 00:`slot`.0 with `bus` below; both are added to the model. The device is in the slot and on
 * when `has_device`. */
void port_model_init(struct port_model *p, struct pci_model *m, uint8_t slot, uint8_t bus,
                     bool has_device);

/* What the host does: ask for the device (device_del), put one in (device_add), tear it out. */
void port_model_ask(struct port_model *p);
void port_model_plug(struct port_model *p);
void port_model_tear(struct port_model *p);

/* A register of the capability. */
uint32_t port_model_get(const struct port_model *p, unsigned reg, unsigned width);
