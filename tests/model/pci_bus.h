// SPDX-License-Identifier: BSD-2-Clause
/*
 * A PCI bus that exists only behind struct reg_space: functions with 256 bytes of configuration
 * space, reachable by ECAM, by the ports, or by both; BARs that decode only while the command register
 * says so. Windows are counted, and the n-th map() can be made to fail.
 */
#pragma once

#include "hal/reg_io.h"

#include <stdbool.h>

#define PCI_MODEL_FUNCTIONS 16
#define PCI_MODEL_ECAM      UINT64_C(0xB0000000)

struct pci_model;

struct pci_model_fn {
    uint8_t bus, slot, fn;
    uint8_t cfg[256];
    uint64_t bar_size
        [6]; /* 0: not there; the flag bits stand in cfg; a 64-bit BAR counts once */
    void *ctx;
    uint32_t (*bar_read)(void *ctx, unsigned bar, uint64_t offset, unsigned width);
    void (*bar_write)(void *ctx, unsigned bar, uint64_t offset, unsigned width,
                      uint32_t value);

    bool is_absent; /* plugged out, or without power: nobody answers */
    /* Called for a write to configuration space past the header; true: it has done it. NULL: bytes. */
    bool (*cfg_write)(void *ctx, unsigned offset, unsigned width, uint32_t value);

    /* A lie: may change what a configuration read returns. NULL: honest. */
    uint32_t (*cfg_twist)(void *ctx, unsigned offset, unsigned width, uint32_t honest);
};

struct pci_model {
    struct reg_space space; /* ctx is this object */
    struct pci_model_fn *fns[PCI_MODEL_FUNCTIONS];
    unsigned count;
    bool has_ecam, has_ports;
    bool
        needs_bridges; /* functions of other buses than 0 answer only behind a bridge that leads there */
    uint32_t port_address;
    /* Ports other than those of configuration space. NULL: there are none. */
    int (*other_ports)(void *ctx, uint16_t first, uint16_t count, struct reg_io *out);
    void *other_ctx;
    unsigned maps, live_maps; /* calls so far; windows not yet given back */
    unsigned fail_map_at;     /* from 1; 0: none */
    /* BAR size probes while the BAR was decoded: a driver's mistake */
    unsigned probes_decoding;
};

void pci_model_init(struct pci_model *m, bool has_ecam, bool has_ports);
void pci_model_add(struct pci_model *m, struct pci_model_fn *fn);

/* Configuration bytes, little endian, past all rules. */
void pci_model_set(struct pci_model_fn *fn, unsigned offset, unsigned width,
                   uint32_t value);
uint32_t pci_model_get(const struct pci_model_fn *fn, unsigned offset, unsigned width);

/* A function with its identity and nothing else. */
void pci_model_identity(struct pci_model_fn *fn, uint16_t vendor, uint16_t device,
                        uint8_t header);
