// SPDX-License-Identifier: BSD-2-Clause
/* Slot registers and the state machine on them. Numbers are those of PCI Express Base 3.0, 7.8. */
#include "drivers/bus/hotplug_pcie.h"

#include "base/bits.h"
#include "base/err.h"

#define HEADER_BRIDGE 1

/* In the capability. */
enum cap_reg {
    CAP_FLAGS = 0x02,       /* 16 bit */
    CAP_LINK = 0x0C,        /* 32 bit */
    CAP_LINK_STATUS = 0x12, /* 16 bit */
    CAP_SLOT = 0x14,        /* 32 bit */
    CAP_SLOT_CONTROL = 0x18,
    CAP_SLOT_STATUS = 0x1A,
    CAP_END = 0x1C,
};

#define FLAGS_TYPE(f)   ((f) >> 4 & 0xF)
#define TYPE_ROOT       4u
#define TYPE_DOWNSTREAM 6u
#define FLAGS_HAS_SLOT  BIT32(8)

#define LINK_TELLS_ACTIVE  BIT32(20)
#define LINK_STATUS_ACTIVE BIT32(13)

#define SLOT_HAS_POWER BIT32(1)
#define SLOT_HOT_PLUG  BIT32(6)

#define CONTROL_INDICATOR       UINT32_C(0x300)
#define CONTROL_INDICATOR_ON    UINT32_C(0x100)
#define CONTROL_INDICATOR_BLINK UINT32_C(0x200)
#define CONTROL_INDICATOR_OFF   UINT32_C(0x300)
#define CONTROL_POWER_OFF       BIT32(10)

/* Written as 1 they are cleared; the others are read-only. */
#define STATUS_BUTTON     BIT32(0)
#define STATUS_PRESENCE   BIT32(3) /* it has changed */
#define STATUS_DONE       BIT32(4) /* a command */
#define STATUS_IS_PRESENT BIT32(6)
#define STATUS_LINK       BIT32(8) /* its state has changed */
#define STATUS_EVENTS     (STATUS_BUTTON | STATUS_PRESENCE | STATUS_LINK)
#define STATUS_CLEAR      (STATUS_EVENTS | STATUS_DONE)

#define ANSWER_NS NS_PER_S /* 6.6.1: what was reset answers within a second */

static uint32_t read16(const struct pcie_slot *slot, enum cap_reg reg)
{
    return pci_cfg_read(&slot->port, slot->cap + reg, 2);
}

static bool is_port_lost(uint32_t status)
{
    return status == 0xFFFF;
}

static void write_status(const struct pcie_slot *slot, uint32_t clear)
{
    pci_cfg_write(&slot->port, slot->cap + CAP_SLOT_STATUS, 2, clear);
}

static void control(const struct pcie_slot *slot, uint32_t indicator, bool power)
{
    uint32_t value = read16(slot, CAP_SLOT_CONTROL) & ~CONTROL_INDICATOR;

    value |= indicator;
    if (slot->has_power_control)
        value = power ? value & ~CONTROL_POWER_OFF : value | CONTROL_POWER_OFF;
    pci_cfg_write(&slot->port, slot->cap + CAP_SLOT_CONTROL, 2, value);
}

static bool has_power(const struct pcie_slot *slot)
{
    return !slot->has_power_control ||
           (read16(slot, CAP_SLOT_CONTROL) & CONTROL_POWER_OFF) == 0;
}

int pcie_slot_open(struct pcie_slot *slot, const struct pci_dev *port)
{
    uint32_t flags, caps;
    unsigned steps = 0;
    int cap = port->header_type == HEADER_BRIDGE
                  ? pci_cap_find(port, PCI_CAP_ID_EXPRESS, 0, &steps)
                  : 0;

    if (cap < 0)
        return cap;
    if (cap == 0 || cap + CAP_END > PCI_CFG_SIZE)
        return -ENODEV;
    *slot = (struct pcie_slot){.port = *port, .cap = (unsigned)cap};
    flags = read16(slot, CAP_FLAGS);
    caps = pci_cfg_read(port, slot->cap + CAP_SLOT, 4);
    if ((FLAGS_TYPE(flags) != TYPE_ROOT && FLAGS_TYPE(flags) != TYPE_DOWNSTREAM) ||
        (flags & FLAGS_HAS_SLOT) == 0 || (caps & SLOT_HOT_PLUG) == 0)
        return -ENODEV;
    slot->bus = (uint8_t)pci_cfg_read(port, PCI_SECONDARY_BUS, 1);
    if (slot->bus <= port->bus)
        return -ENODEV;
    slot->has_power_control = (caps & SLOT_HAS_POWER) != 0;
    slot->tells_link =
        (pci_cfg_read(port, slot->cap + CAP_LINK, 4) & LINK_TELLS_ACTIVE) != 0;

    if ((read16(slot, CAP_SLOT_STATUS) & STATUS_IS_PRESENT) != 0 && has_power(slot)) {
        slot->state = PCIE_SLOT_USED;
        /* How it came is past. A pressed button is a wish that still holds. */
        write_status(slot, STATUS_CLEAR & ~STATUS_BUTTON);
    }
    return 0;
}

static bool answers(const struct pcie_slot *slot)
{
    struct pci_dev dev = {.host = slot->port.host, .bus = slot->bus};
    bool multi;

    if (slot->tells_link && (read16(slot, CAP_LINK_STATUS) & LINK_STATUS_ACTIVE) == 0)
        return false;
    return pci_identify(&dev, &multi);
}

static void turn_on(struct pcie_slot *slot, uint64_t now_ns)
{
    control(slot, CONTROL_INDICATOR_BLINK, true);
    slot->state = PCIE_SLOT_POWERING;
    slot->deadline_ns = now_ns + ANSWER_NS;
}

static void turn_off(struct pcie_slot *slot)
{
    control(slot, CONTROL_INDICATOR_OFF, false);
    slot->state = PCIE_SLOT_EMPTY;
}

/* What came is turned on when presence has changed or the button asks for it, so that a device that
 * does not answer, or was sent away and still sticks in its slot, is not tried for ever. */
static enum pcie_slot_event step_empty(struct pcie_slot *slot, uint32_t status,
                                       uint64_t now_ns)
{
    if ((status & STATUS_IS_PRESENT) != 0 &&
        (status & (STATUS_BUTTON | STATUS_PRESENCE)) != 0)
        turn_on(slot, now_ns);
    return PCIE_SLOT_NOTHING;
}

static enum pcie_slot_event step_powering(struct pcie_slot *slot, uint32_t status,
                                          uint64_t now_ns)
{
    bool is_present = (status & STATUS_IS_PRESENT) != 0;

    if (is_present && answers(slot)) {
        control(slot, CONTROL_INDICATOR_ON, true);
        slot->state = PCIE_SLOT_USED;
        return PCIE_SLOT_CAME;
    }
    if (is_present && now_ns < slot->deadline_ns)
        return PCIE_SLOT_NOTHING;
    slot->errors.no_answer += is_present;
    turn_off(slot);
    return is_present ? PCIE_SLOT_DOES_NOT_ANSWER : PCIE_SLOT_NOTHING;
}

/* USED and LEAVING. What is present but changed or silent is another device, or the same after a reset:
 * the one there was is lost, and what is there may come. */
static enum pcie_slot_event step_used(struct pcie_slot *slot, uint32_t status,
                                      uint64_t now_ns)
{
    bool is_present = (status & STATUS_IS_PRESENT) != 0;

    if (!is_present || (status & STATUS_PRESENCE) != 0 || !answers(slot)) {
        slot->errors.exchanged += is_present;
        if (is_present)
            turn_on(slot, now_ns);
        else
            turn_off(slot);
        return PCIE_SLOT_LOST;
    }
    if (slot->state == PCIE_SLOT_LEAVING || (status & STATUS_BUTTON) == 0)
        return PCIE_SLOT_NOTHING;
    control(slot, CONTROL_INDICATOR_BLINK, true);
    slot->state = PCIE_SLOT_LEAVING;
    return PCIE_SLOT_GOES;
}

static enum pcie_slot_event lose_port(struct pcie_slot *slot)
{
    bool was_used = slot->state == PCIE_SLOT_USED || slot->state == PCIE_SLOT_LEAVING;

    slot->state = PCIE_SLOT_DEAD;
    slot->errors.port_lost++;
    return was_used ? PCIE_SLOT_LOST : PCIE_SLOT_NOTHING;
}

enum pcie_slot_event pcie_slot_step(struct pcie_slot *slot, uint64_t now_ns)
{
    uint32_t status;

    if (slot->state == PCIE_SLOT_DEAD)
        return PCIE_SLOT_NOTHING;
    status = read16(slot, CAP_SLOT_STATUS);
    if (is_port_lost(status))
        return lose_port(slot);
    if ((status & STATUS_CLEAR) != 0)
        write_status(slot, status & STATUS_CLEAR);
    if (slot->state == PCIE_SLOT_EMPTY)
        return step_empty(slot, status, now_ns);
    if (slot->state == PCIE_SLOT_POWERING)
        return step_powering(slot, status, now_ns);
    return step_used(slot, status, now_ns);
}

void pcie_slot_eject(struct pcie_slot *slot)
{
    if (slot->state == PCIE_SLOT_LEAVING)
        turn_off(slot);
}
