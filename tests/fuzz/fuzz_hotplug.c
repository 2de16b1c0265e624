// SPDX-License-Identifier: BSD-2-Clause
/*
 * Hot-plug against a machine that is the fuzzer's: tables, what the block's ports and the slot's registers
 * read, the configuration space of bridge and device. Parsing, opening and looking end; what is told is
 * within its bounds; new BARs lie in their windows; no size is probed while a BAR is decoded.
 */
#include "tests/fuzz/stream.h"
#include "tests/model/hal_model.h"
#include "tests/model/hotplug_port.h"

#include "base/bits.h"
#include "drivers/bus/hotplug_acpi.h"
#include "drivers/bus/hotplug_pcie.h"

#include <stdlib.h>

#define ROUNDS 8

struct fuzz {
    struct stream in;
    struct hal_model hal;
    struct pci_model bus;
    struct port_model port;
    struct pci_host host;
    struct hotplug_acpi_desc desc;
    struct hotplug_acpi hp;
    struct pcie_slot slot;
    struct pci_space space;
};

static void must(bool promise)
{
    if (!promise)
        abort();
}

static uint32_t any_read(void *ctx, uint64_t offset, unsigned width)
{
    struct fuzz *f = ctx;

    (void)offset;
    return take32(&f->in) & UINT32_MAX >> (32 - 8 * width);
}

static void any_write(void *ctx, uint64_t offset, unsigned width, uint32_t value)
{
    (void)ctx;
    (void)offset;
    (void)width;
    (void)value;
}

static int any_ports(void *ctx, uint16_t first, uint16_t count, struct reg_io *out)
{
    (void)first;
    *out = (struct reg_io){ctx, count, any_read, any_write};
    return 0;
}

/* One configuration read in eight is not honest. */
static uint32_t twist(void *ctx, unsigned offset, unsigned width, uint32_t honest)
{
    struct port_model *port = ctx;
    struct fuzz *f = CONTAINER_OF(port, struct fuzz, port);

    (void)offset;
    (void)width;
    return (take8(&f->in) & 7) == 1 ? honest ^ take32(&f->in) : honest;
}

static void parse(struct fuzz *f)
{
    uint16_t wanted = take16(&f->in);
    size_t len = min_u64(wanted, f->in.left);

    hotplug_acpi_parse(f->in.data, len, &f->desc);
    f->in.data += len;
    f->in.left -= len;
    must(f->desc.bus_count <= HOTPLUG_ACPI_BUSES);
    for (unsigned i = 0; i < f->desc.bus_count; i++)
        must(f->desc.bus[i].depth <= HOTPLUG_ACPI_DEPTH);
}

static void use_block(struct fuzz *f)
{
    struct hotplug_acpi_event event;
    unsigned told = 0;

    if (hotplug_acpi_open(&f->hp, &f->host, &f->desc, take8(&f->in) & 1 ? 0xAFE0 : 0) !=
        0)
        return;
    must(f->hp.bus_count > 0);
    for (unsigned i = 0; i < ROUNDS; i++, told = 0) {
        while (hotplug_acpi_next(&f->hp, &event)) {
            must(++told <= 64 * f->hp.bus_count && event.slot < PCI_SLOTS);
            must((event.bus->removable >> event.slot & 1) != 0);
            if (!event.is_plug)
                hotplug_acpi_eject(&f->hp, event.bus, event.slot);
        }
    }
}

static void assign(struct fuzz *f, const struct pci_dev *bridge, uint8_t bus)
{
    struct pci_dev dev = {.host = &f->host, .bus = bus};
    struct pci_lines lines;
    bool multi;

    pci_space_of_bridge(bridge, &f->space);
    if (pci_space_use_bus(&f->space, &f->host, bus) != 0 || !pci_identify(&dev, &multi))
        return;

    unsigned before = f->space.used_count;
    int err = pci_assign(&dev, &f->space);

    must(f->space.used_count <= PCI_USED_MAX && (!err || f->space.used_count == before));
    for (unsigned i = before; i < f->space.used_count; i++) {
        const struct pci_used *got = &f->space.used[i];
        bool is_inside = false;

        for (unsigned w = 0; w < PCI_WINDOWS; w++)
            is_inside |= got->is_io == (w == PCI_WINDOW_IO) &&
                         got->range.first >= f->space.window[w].first &&
                         got->range.last <= f->space.window[w].last;
        must(is_inside && got->range.first <= got->range.last);
        for (unsigned j = 0; j < i; j++)
            must(f->space.used[j].is_io != got->is_io ||
                 f->space.used[j].range.last < got->range.first ||
                 f->space.used[j].range.first > got->range.last);
    }
    pci_lines_learn(&f->host, bus, bridge, &lines);
    pci_lines_give(&dev, &lines);
}

static void use_slot(struct fuzz *f)
{
    struct pci_dev port = {.host = &f->host, .slot = 1};
    uint64_t now = 0;
    bool multi;

    if (!pci_identify(&port, &multi) || pcie_slot_open(&f->slot, &port) != 0)
        return;
    for (unsigned i = 0; i < 4 * ROUNDS; i++, now += NS_PER_S / 5) {
        uint8_t action = take8(&f->in);

        if (action & 1)
            port_model_ask(&f->port);
        if (action & 2)
            port_model_plug(&f->port);
        if (action & 4)
            port_model_tear(&f->port);
        if (pcie_slot_step(&f->slot, now) == PCIE_SLOT_CAME)
            assign(f, &port, f->slot.bus);
        if (action & 8)
            pcie_slot_eject(&f->slot);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz *f = calloc(1, sizeof(*f));
    uint8_t flags;

    must(f != NULL);
    f->in = (struct stream){.data = data, .left = size};
    hal_model_init(&f->hal);
    pci_model_init(&f->bus, false, true);
    f->bus.other_ports = any_ports;
    f->bus.other_ctx = f;
    flags = take8(&f->in);
    port_model_init(&f->port, &f->bus, 1, 1, (flags & 1) != 0);
    if (flags & 2)
        f->port.port.cfg_twist = twist;
    if (flags & 4)
        f->port.device.cfg_twist = twist;
    f->port.device.ctx = &f->port;
    for (unsigned i = 0; i < 6; i++) {
        uint8_t shape = take8(&f->in);

        f->port.device.bar_size[i] = shape & 0x40 ? BIT64(shape & 63) : 0;
        pci_model_set(&f->port.device, 0x10 + 4 * i, 4, take8(&f->in) & 0xF);
    }
    parse(f);
    if (pci_host_init(&f->host, &(struct pci_host_config){.space = &f->bus.space,
                                                          .use_ports = true,
                                                          .log = f->hal.hal.log}) == 0) {
        use_block(f);
        use_slot(f);
    }
    pci_host_fini(&f->host);
    must(f->bus.live_maps == 0);
    hal_model_end(&f->hal);
    free(f);
    return 0;
}
