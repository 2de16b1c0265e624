// SPDX-License-Identifier: BSD-2-Clause
/*
 * Hot-plug by the register block that QEMU's machines have for it: a bus is selected, then a mask of
 * slots tells what came and what shall go, and writing a mask ejects. The tables say where the block
 * is and which bus each select number means; QEMU numbers them in an order of its own.
 *
 *     hotplug_acpi_parse(dsdt + 36, len - 36, &desc);       // other blocks add to it
 *     hotplug_acpi_open(&hp, &desc, &config);
 *     every now and then:
 *         while (hotplug_acpi_next(&hp, &event)) ...        // bounded: a mask for each bus
 *     ... release what is in the slot ...
 *     hotplug_acpi_eject(&hp, bus, slot);
 *
 * Nothing is believed: a bus that does not exist is refused, the events of one round are bounded, and
 * what is said of empty slots is counted, not done. Works by looking; the event bit of the GPE block
 * is set whether ACPI mode is on or not. Task context.
 */
#pragma once

#include "drivers/bus/pci_assign.h"

#include <stddef.h>

#define HOTPLUG_ACPI_BUSES 32
#define HOTPLUG_ACPI_DEPTH 4 /* bridges below the root bus */

/* What the tables say. Starts as zeros; hotplug_acpi_parse() adds. */
struct hotplug_acpi_desc {
    uint16_t block;             /* its first port; 0: there is none */
    bool has_eject, has_select; /* they lie where they should */
    /* What the root bus has, from its _CRS: the largest range of each kind. */
    struct pci_range root_io, root_mem;
    unsigned bus_count;
    struct hotplug_acpi_bus_desc {
        uint32_t select;
        unsigned depth; /* 0: the root bus */
        uint32_t adr
            [HOTPLUG_ACPI_DEPTH]; /* of each bridge on the way: slot << 16 | function */
    } bus[HOTPLUG_ACPI_BUSES];
    unsigned refused; /* packages and names that were not understood */
};

/* One definition block without its header of 36 bytes. Pure. */
void hotplug_acpi_parse(const uint8_t *aml, size_t len, struct hotplug_acpi_desc *desc);

struct hotplug_acpi_bus {
    uint32_t select;
    uint8_t number;        /* of the bus */
    bool has_bridge;       /* else a root bus */
    struct pci_dev bridge; /* whose secondary bus it is */
    uint32_t removable;    /* slots that can be plugged */
    uint32_t came, goes;   /* read from the block, not told yet */
};

/* What the host claimed that cannot be. */
struct hotplug_acpi_errors {
    uint64_t bus_missing;   /* at open: no bridge where the tables say */
    uint64_t not_removable; /* events of slots that cannot be plugged */
    uint64_t not_ejected;   /* the function still answers after the eject */
};

struct hotplug_acpi {
    struct pci_host *host;
    struct reg_io block, gpe; /* gpe.size_bytes 0: none, look at the masks each time */
    bool has_looked;          /* at least once */
    bool is_telling;          /* a round is not told to its end */
    unsigned bus_count;
    struct hotplug_acpi_bus bus[HOTPLUG_ACPI_BUSES];
    struct hotplug_acpi_errors errors;
};

struct hotplug_acpi_event {
    bool is_plug;                       /* else a request to unplug */
    const struct hotplug_acpi_bus *bus; /* lives as long as the instance */
    uint8_t slot;
};

/* Reach the block and find each bus. `gpe_port`: GPE0_STS, 0 for none. 0; -ENODEV: the tables name no
 * block or no bus of it exists; or what the machine says of the ports. */
int hotplug_acpi_open(struct hotplug_acpi *hp, struct pci_host *host,
                      const struct hotplug_acpi_desc *desc, uint16_t gpe_port);

/* The next event. A round of looking at the block yields each slot of each bus once for each kind;
 * false ends it. A request stays and is told again until the slot is ejected. */
bool hotplug_acpi_next(struct hotplug_acpi *hp, struct hotplug_acpi_event *out);

/* Eject a slot that nobody uses any more. 0; -EIO: it is still there. */
int hotplug_acpi_eject(struct hotplug_acpi *hp, const struct hotplug_acpi_bus *bus,
                       uint8_t slot);
