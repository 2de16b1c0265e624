// SPDX-License-Identifier: BSD-2-Clause
/* What the tables say about the register block, its buses, and the windows of the root bus. */
#include "drivers/bus/hotplug_acpi.h"

#include "drivers/bus/aml.h"

/* Regions that QEMU's tables declare for the block; their places in it. */
#define REGION_MASKS  "PCST"
#define REGION_EJECT  "SEJ_"
#define REGION_SELECT "BNMR"
#define AT_EJECT      0x08u
#define AT_SELECT     0x10u

#define ROOT_NAME "PCI0"

/* Resource descriptors, ACPI 6.4, 6.4.2 and 6.4.3. */
#define RES_LARGE    0x80
#define RES_WORD     0x88
#define RES_DWORD    0x87
#define RES_END      0x79
#define RES_BODY_MIN 3 /* kind and two bytes of flags */
#define KIND_MEMORY  0
#define KIND_IO      1

static void on_region(void *ctx, const struct aml_path *path,
                      const struct aml_region *region)
{
    struct hotplug_acpi_desc *desc = ctx;
    const struct aml_level *inner;

    if (path->depth == 0 || region->space != AML_SPACE_IO || region->offset > UINT16_MAX)
        return;
    inner = &path->level[path->depth - 1];
    if (!aml_name_is(inner->name, ROOT_NAME))
        return;
    if (aml_name_is(region->name, REGION_MASKS))
        desc->block = (uint16_t)region->offset;
    else if (desc->block != 0 && aml_name_is(region->name, REGION_EJECT))
        desc->has_eject = region->offset == desc->block + AT_EJECT;
    else if (desc->block != 0 && aml_name_is(region->name, REGION_SELECT))
        desc->has_select = region->offset == desc->block + AT_SELECT;
}

/* BSEL: its owner is the root bus, or a bridge on a way of bridges that all have an address. */
static void add_bus(struct hotplug_acpi_desc *desc, const struct aml_path *path,
                    uint64_t select)
{
    struct hotplug_acpi_bus_desc bus = {0};
    unsigned i = 0;

    while (i < path->depth && !aml_name_is(path->level[i].name, ROOT_NAME))
        i++;
    bool is_understood = i < path->depth && path->depth - i - 1 <= HOTPLUG_ACPI_DEPTH &&
                         select <= UINT32_MAX && desc->bus_count < HOTPLUG_ACPI_BUSES;

    for (i++; is_understood && i < path->depth; i++) {
        const struct aml_level *level = &path->level[i];

        is_understood = level->is_device && level->has_adr && level->adr <= UINT32_MAX;
        bus.adr[bus.depth++] = (uint32_t)level->adr;
    }
    if (!is_understood) {
        desc->refused++;
        return;
    }
    bus.select = (uint32_t)select;
    desc->bus[desc->bus_count++] = bus;
}

static uint64_t little_endian(const uint8_t *bytes, unsigned width)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < width; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

static void keep_larger(struct pci_range *kept, uint64_t first, uint64_t last)
{
    if (first != 0 && first < last && last - first > kept->last - kept->first)
        *kept = (struct pci_range){first, last};
}

/* An address space descriptor with numbers of `width` bytes: granularity, first, last, ... */
static void add_window(struct hotplug_acpi_desc *desc, const uint8_t *body, size_t length,
                       unsigned width)
{
    if (length < RES_BODY_MIN + 3 * width)
        return;

    uint64_t first = little_endian(body + RES_BODY_MIN + width, width);
    uint64_t last = little_endian(body + RES_BODY_MIN + 2 * width, width);

    if (body[0] == KIND_MEMORY)
        keep_larger(&desc->root_mem, first, last);
    else if (body[0] == KIND_IO)
        keep_larger(&desc->root_io, first, last);
}

static void add_windows(struct hotplug_acpi_desc *desc, const uint8_t *bytes,
                        size_t length)
{
    size_t at = 0;

    while (at < length && bytes[at] != RES_END) {
        size_t head = bytes[at] & RES_LARGE ? 3 : 1;

        if (head > length - at)
            return;

        size_t body =
            head == 3 ? (size_t)little_endian(bytes + at + 1, 2) : bytes[at] & 7;

        if (body > length - at - head)
            return;
        if (bytes[at] == RES_DWORD)
            add_window(desc, bytes + at + head, body, 4);
        else if (bytes[at] == RES_WORD)
            add_window(desc, bytes + at + head, body, 2);
        at += head + body;
    }
}

static void on_name(void *ctx, const struct aml_path *path, const char name[4],
                    const struct aml_value *value)
{
    struct hotplug_acpi_desc *desc = ctx;

    if (aml_name_is(name, "BSEL") && !value->is_buffer)
        add_bus(desc, path, value->number);
    else if (aml_name_is(name, "_CRS") && value->is_buffer && path->depth > 0 &&
             aml_name_is(path->level[path->depth - 1].name, ROOT_NAME))
        add_windows(desc, value->bytes, value->length);
}

void hotplug_acpi_parse(const uint8_t *aml, size_t len, struct hotplug_acpi_desc *desc)
{
    const struct aml_visitor visitor = {
        .ctx = desc, .on_name = on_name, .on_region = on_region};

    desc->refused += aml_walk(aml, len, &visitor);
}
