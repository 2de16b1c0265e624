// SPDX-License-Identifier: BSD-2-Clause
/*
 * The register block of ACPI hot-plug as QEMU's machines have it: masks of slots for the selected bus,
 * read-to-clear for what came, kept until the eject for what shall go; and the event bit of a GPE block.
 * Its ports are reached through the PCI model's `other_ports`.
 */
#pragma once

#include "tests/model/pci_bus.h"

#define BLOCK_MODEL_BUSES 4
#define BLOCK_MODEL_BASE  0xAE00
#define BLOCK_MODEL_GPE   0xAFE0

struct block_model {
    uint32_t select;
    uint8_t gpe;
    struct {
        uint8_t number; /* of the bus whose slots these are */
        uint32_t came, goes, removable;
        uint32_t ejected; /* what the guest ejected so far */
    } bus[BLOCK_MODEL_BUSES];
    struct pci_model *pci;
    bool stays; /* a lie: ejected functions stay */
    bool no_ports;
    unsigned looks; /* masks read */
};

void block_model_init(struct block_model *b, struct pci_model *pci);

/* The host asks for a slot, or fills it. */
void block_model_ask(struct block_model *b, unsigned select, unsigned slot);
void block_model_plug(struct block_model *b, unsigned select, unsigned slot);
