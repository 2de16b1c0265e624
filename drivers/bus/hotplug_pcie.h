// SPDX-License-Identifier: BSD-2-Clause
/*
 * Native hot-plug of one slot: that of a PCI Express root port or downstream port (PCI Express Base
 * 3.0, 6.7 and 7.8). A state machine over the port's slot registers, moved by looking: nothing waits.
 *
 *     if (pcie_slot_open(&slot, &port) == 0) ...
 *     every now and then:
 *         switch (pcie_slot_step(&slot, now_ns)) {
 *         case PCIE_SLOT_CAME:        assign and use what is on bus slot.bus
 *         case PCIE_SLOT_GOES:        release it, then pcie_slot_eject(&slot)
 *         case PCIE_SLOT_LOST:        it is gone already
 *         case PCIE_SLOT_DOES_NOT_ANSWER, PCIE_SLOT_NOTHING: ...
 *         }
 *
 * The port may lie: every step is a few register accesses and tells one event at most; a port that
 * vanishes takes its slot along. Task context.
 */
#pragma once

#include "drivers/bus/pci.h"

enum pcie_slot_state {
    PCIE_SLOT_EMPTY,    /* nothing there, or nothing that was turned on; power is off */
    PCIE_SLOT_POWERING, /* power is on, the function does not answer yet */
    PCIE_SLOT_USED,
    PCIE_SLOT_LEAVING, /* PCIE_SLOT_GOES was told, pcie_slot_eject() is awaited */
    PCIE_SLOT_DEAD,    /* the port itself is gone */
};

enum pcie_slot_event {
    PCIE_SLOT_NOTHING,
    PCIE_SLOT_CAME, /* it answers; its BARs are unassigned */
    PCIE_SLOT_GOES,
    PCIE_SLOT_LOST,
    PCIE_SLOT_DOES_NOT_ANSWER, /* not within a second; power is off again */
};

/* What the port claimed that cannot be, and what went wrong. */
struct pcie_slot_errors {
    uint64_t port_lost; /* the port reads as all-ones */
    uint64_t no_answer; /* presence without a function */
    uint64_t exchanged; /* present, but changed or silent: not the device there was */
};

/* One slot. Owned by the task that steps it. */
struct pcie_slot {
    struct pci_dev port;
    uint8_t bus;  /* below the port */
    unsigned cap; /* offset of the PCI Express capability */
    bool has_power_control;
    bool tells_link; /* data link layer active can be read */
    enum pcie_slot_state state;
    uint64_t deadline_ns; /* of POWERING */
    struct pcie_slot_errors errors;
};

/* Take over the slot of a port, in the state firmware left it: USED when it has power and something is
 * in it. -ENODEV: no port, no slot, or none that can be plugged; -EPROTO: a broken capability list. */
int pcie_slot_open(struct pcie_slot *slot, const struct pci_dev *port);

/* Look, and go on one step. */
enum pcie_slot_event pcie_slot_step(struct pcie_slot *slot, uint64_t now_ns);

/* Nobody uses the slot any more: power off, the indicator too. The slot is EMPTY then, and told to be
 * plugged again only by a change of presence or by its button. Only while LEAVING. */
void pcie_slot_eject(struct pcie_slot *slot);
