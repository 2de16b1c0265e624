// SPDX-License-Identifier: BSD-2-Clause
/* The register block: its events and the eject. The tables are read by hotplug_acpi_parse.c. */
#include "drivers/bus/hotplug_acpi.h"

#include "base/bits.h"
#include "base/err.h"

#define BLOCK_PORTS 0x14
#define GPE_EVENT   BIT32(1)
#define ADR_SLOT(a) ((a) >> 16)
#define ADR_FN(a)   ((a)&0xFFFFu)

/* Of the block, 32 bits each: measured on QEMU 7.2. */
enum block_reg {
    BLOCK_CAME = 0x00, /* reading clears */
    BLOCK_GOES = 0x04,
    BLOCK_EJECT = 0x08,
    BLOCK_REMOVABLE = 0x0C,
    BLOCK_SELECT = 0x10,
};

static void select_bus(struct hotplug_acpi *hp, const struct hotplug_acpi_bus *bus)
{
    reg_write32(&hp->block, BLOCK_SELECT, bus->select);
}

/* Follow the bridges from the root; their secondary buses are what firmware numbered. */
static int find_bus(struct pci_host *host, const struct hotplug_acpi_bus_desc *desc,
                    struct hotplug_acpi_bus *out)
{
    out->select = desc->select;
    for (unsigned i = 0; i < desc->depth; i++) {
        struct pci_dev dev = {.host = host, .bus = out->number};
        bool multi;

        if (ADR_SLOT(desc->adr[i]) >= PCI_SLOTS || ADR_FN(desc->adr[i]) >= PCI_FUNCTIONS)
            return -ENODEV;
        dev.slot = (uint8_t)ADR_SLOT(desc->adr[i]);
        dev.fn = (uint8_t)ADR_FN(desc->adr[i]);
        if (!pci_identify(&dev, &multi) || dev.header_type != 1)
            return -ENODEV;
        out->number = (uint8_t)pci_cfg_read(&dev, PCI_SECONDARY_BUS, 1);
        if (out->number <= dev.bus)
            return -ENODEV;
        out->has_bridge = true;
        out->bridge = dev;
    }
    return 0;
}

static bool is_known(const struct hotplug_acpi *hp, const struct hotplug_acpi_bus *bus)
{
    for (unsigned i = 0; i < hp->bus_count; i++) {
        if (hp->bus[i].number == bus->number || hp->bus[i].select == bus->select)
            return true;
    }
    return false;
}

static void find_buses(struct hotplug_acpi *hp, const struct hotplug_acpi_desc *desc)
{
    for (unsigned i = 0; i < desc->bus_count; i++) {
        struct hotplug_acpi_bus bus = {0};

        if (find_bus(hp->host, &desc->bus[i], &bus) || is_known(hp, &bus)) {
            hp->errors.bus_missing++;
            continue;
        }
        select_bus(hp, &bus);
        bus.removable = reg_read32(&hp->block, BLOCK_REMOVABLE);
        hp->bus[hp->bus_count++] = bus;
    }
}

int hotplug_acpi_open(struct hotplug_acpi *hp, struct pci_host *host,
                      const struct hotplug_acpi_desc *desc, uint16_t gpe_port)
{
    const struct reg_space *space = host->cfg.space;
    int err;

    *hp = (struct hotplug_acpi){.host = host};
    if (desc->block == 0 || !desc->has_eject || !desc->has_select)
        return -ENODEV;
    err = space->port(space->ctx, desc->block, BLOCK_PORTS, &hp->block);
    if (!err && gpe_port != 0)
        err = space->port(space->ctx, gpe_port, 1, &hp->gpe);
    if (err)
        return err;
    find_buses(hp, desc);
    return hp->bus_count > 0 ? 0 : -ENODEV;
}

/* Read all masks, if the event bit says that there is something. It is cleared first, so that what
 * comes meanwhile sets it again. The first time they are read in any case: the bit may be lost. */
static bool look(struct hotplug_acpi *hp)
{
    uint32_t any = 0;

    if (hp->gpe.size_bytes) {
        bool is_set = (reg_read8(&hp->gpe, 0) & GPE_EVENT) != 0;

        if (!is_set && hp->has_looked)
            return false;
        reg_write8(&hp->gpe, 0, GPE_EVENT);
    }
    hp->has_looked = true;
    for (unsigned i = 0; i < hp->bus_count; i++) {
        struct hotplug_acpi_bus *bus = &hp->bus[i];

        select_bus(hp, bus);
        bus->came = reg_read32(&hp->block, BLOCK_CAME);
        bus->goes = reg_read32(&hp->block, BLOCK_GOES);
        if ((bus->came | bus->goes) & ~bus->removable)
            hp->errors.not_removable++;
        bus->came &= bus->removable;
        bus->goes &= bus->removable;
        any |= bus->came | bus->goes;
    }
    return any != 0;
}

static bool take(struct hotplug_acpi_bus *bus, struct hotplug_acpi_event *out)
{
    uint32_t *mask = bus->goes ? &bus->goes : &bus->came;

    if (*mask == 0)
        return false;
    *out = (struct hotplug_acpi_event){
        .is_plug = mask == &bus->came, .bus = bus, .slot = (uint8_t)__builtin_ctz(*mask)};
    *mask &= *mask - 1;
    return true;
}

bool hotplug_acpi_next(struct hotplug_acpi *hp, struct hotplug_acpi_event *out)
{
    if (!hp->is_telling)
        hp->is_telling = look(hp);
    for (unsigned i = 0; hp->is_telling && i < hp->bus_count; i++) {
        if (take(&hp->bus[i], out))
            return true;
    }
    hp->is_telling = false;
    return false;
}

int hotplug_acpi_eject(struct hotplug_acpi *hp, const struct hotplug_acpi_bus *bus,
                       uint8_t slot)
{
    struct pci_dev dev = {.host = hp->host, .bus = bus->number, .slot = slot};
    bool multi;

    select_bus(hp, bus);
    reg_write32(&hp->block, BLOCK_EJECT, BIT32(slot));
    if (!pci_identify(&dev, &multi))
        return 0;
    hp->errors.not_ejected++;
    return -EIO;
}
