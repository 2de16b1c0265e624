// SPDX-License-Identifier: BSD-2-Clause
/* The slot registers of PCI Express Base 3.0, 7.8, as far as QEMU's root port has them. */
#include "tests/model/hotplug_port.h"

#define LINK         (PORT_MODEL_CAP + 0x0C)
#define LINK_STATUS  (PORT_MODEL_CAP + 0x12)
#define SLOT         (PORT_MODEL_CAP + 0x14)
#define SLOT_CONTROL (PORT_MODEL_CAP + 0x18)
#define SLOT_STATUS  (PORT_MODEL_CAP + 0x1A)

#define BUTTON     0x0001u
#define PRESENCE   0x0008u
#define DONE       0x0010u
#define IS_PRESENT 0x0040u
#define LINK_MOVED 0x0100u
#define ACTIVE     0x2000u
#define POWER_OFF  0x0400u
#define INDICATOR  0x0300u

static void set_status(struct port_model *p, uint32_t on, uint32_t off)
{
    uint32_t status = pci_model_get(&p->port, SLOT_STATUS, 2);

    pci_model_set(&p->port, SLOT_STATUS, 2, (status & ~off) | on);
}

static bool is_present(const struct port_model *p)
{
    return (pci_model_get(&p->port, SLOT_STATUS, 2) & IS_PRESENT) != 0;
}

static bool is_on(const struct port_model *p)
{
    return p->no_power_control ||
           (pci_model_get(&p->port, SLOT_CONTROL, 2) & POWER_OFF) == 0;
}

static void refresh(struct port_model *p)
{
    bool is_up = is_present(p) && is_on(p);

    p->device.is_absent = !is_up || p->is_mute;
    pci_model_set(&p->port, LINK_STATUS, 2, is_up ? ACTIVE | 0x11 : 0x11);
}

static void take_away(struct port_model *p)
{
    set_status(p, PRESENCE | LINK_MOVED, IS_PRESENT);
    for (unsigned i = 0; i < 6; i++)
        pci_model_set(&p->device, 0x10 + 4 * i, 4, p->device.bar_size[i] ? 0xC : 0);
    pci_model_set(&p->device, 0x04, 2, 0);
    pci_model_set(&p->device, 0x3C, 1, 0);
}

static void write_control(struct port_model *p, uint32_t value)
{
    bool was_on = is_on(p);

    pci_model_set(&p->port, SLOT_CONTROL, 2, value);
    set_status(p, DONE, 0);
    if (was_on && !is_on(p) && (value & INDICATOR) == INDICATOR && is_present(p)) {
        p->ejects++;
        p->early_ejects += p->in_use;
        if (!p->stays)
            take_away(p);
    }
    refresh(p);
}

static bool cfg_write(void *ctx, unsigned offset, unsigned width, uint32_t value)
{
    struct port_model *p = ctx;

    if (offset == SLOT_CONTROL && width == 2)
        write_control(p, value);
    else if (offset == SLOT_STATUS && width == 2)
        set_status(p, 0, value & (BUTTON | PRESENCE | DONE | LINK_MOVED));
    return true; /* all else is read-only */
}

void port_model_init(struct port_model *p, struct pci_model *m, uint8_t slot, uint8_t bus,
                     bool has_device)
{
    struct pci_model_fn *port = &p->port;

    *p = (struct port_model){0};
    port->slot = slot;
    port->ctx = p;
    port->cfg_write = cfg_write;
    pci_model_identity(port, 0x1B36, 0x000C, 1);
    pci_model_set(port, 0x06, 2, 0x10);
    pci_model_set(port, 0x34, 1, PORT_MODEL_CAP);
    pci_model_set(port, 0x19, 1, bus);
    pci_model_set(port, 0x1C, 2, 0xB0C0);     /* no I/O */
    pci_model_set(port, 0x20, 4, 0xFE70FE60); /* 2 MiB of memory */
    pci_model_set(port, 0x24, 4, 0xFEB1FEA1); /* 2 MiB prefetchable */
    pci_model_set(port, 0x3C, 2, 0x010A);     /* INTA on line 10 */
    pci_model_set(port, PORT_MODEL_CAP, 4, 0x01420010);
    pci_model_set(port, LINK, 4, 0x00300604);
    pci_model_set(port, SLOT, 4, 0x000A007B);
    pci_model_set(port, SLOT_CONTROL, 2, has_device ? 0x01C0 : 0x07C0);
    set_status(p, has_device ? IS_PRESENT : 0, 0);
    p->device.bus = bus;
    pci_model_identity(&p->device, 0x1AF4, 0x1045, 0);
    pci_model_set(&p->device, 0x3D, 1, 1);
    p->device.bar_size[4] = 0x4000;
    pci_model_set(&p->device, 0x20, 4, 0xC);
    refresh(p);
    pci_model_add(m, port);
    pci_model_add(m, &p->device);
}

void port_model_ask(struct port_model *p)
{
    set_status(p, BUTTON, 0);
}

void port_model_plug(struct port_model *p)
{
    set_status(p, IS_PRESENT | PRESENCE | BUTTON, 0);
    refresh(p);
}

void port_model_tear(struct port_model *p)
{
    take_away(p);
    refresh(p);
}

uint32_t port_model_get(const struct port_model *p, unsigned reg, unsigned width)
{
    return pci_model_get(&p->port, PORT_MODEL_CAP + reg, width);
}
