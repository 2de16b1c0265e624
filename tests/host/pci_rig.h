// SPDX-License-Identifier: BSD-2-Clause
/* A PCI bus of a few functions and what a scan found there. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "drivers/bus/pci.h"
#include "tests/model/hal_model.h"
#include "tests/model/pci_bus.h"

struct rig {
    struct hal_model hal;
    struct pci_model bus;
    struct pci_host host;
    struct pci_model_fn fns[8];
    struct pci_dev found[PCI_MODEL_FUNCTIONS];
    unsigned count;
    unsigned stop_at; /* the visitor ends the scan at this function; 0: never */
};

static inline void rig_init(struct rig *r, bool ecam, bool ports)
{
    *r = (struct rig){0};
    hal_model_init(&r->hal);
    pci_model_init(&r->bus, ecam, ports);
}

static inline struct pci_model_fn *add(struct rig *r, uint8_t bus, uint8_t slot,
                                       uint8_t fn, uint8_t header)
{
    struct pci_model_fn *f = &r->fns[r->bus.count];

    f->bus = bus;
    f->slot = slot;
    f->fn = fn;
    pci_model_identity(f, 0x1234, (uint16_t)(0x100 + r->bus.count), header);
    pci_model_add(&r->bus, f);
    return f;
}

static inline void add_bridge(struct rig *r, uint8_t bus, uint8_t slot, uint8_t to)
{
    pci_model_set(add(r, bus, slot, 0, 1), PCI_SECONDARY_BUS, 1, to);
}

static inline int open_host(struct rig *r, paddr_t ecam, bool use_ports)
{
    return pci_host_init(&r->host, &(struct pci_host_config){.space = &r->bus.space,
                                                             .ecam_base = ecam,
                                                             .ecam_last = 255,
                                                             .use_ports = use_ports,
                                                             .log = r->hal.hal.log});
}

static inline int visit(void *ctx, const struct pci_dev *dev)
{
    struct rig *r = ctx;

    assert_in_range(r->count, 0, PCI_MODEL_FUNCTIONS - 1);
    r->found[r->count++] = *dev;
    return r->count == r->stop_at ? 42 : 0;
}

static inline void scan(struct rig *r)
{
    r->count = 0;
    assert_int_equal(pci_scan(&r->host, visit, r), 0);
}

static inline void rig_end(struct rig *r)
{
    pci_host_fini(&r->host);
    assert_int_equal(r->bus.live_maps, 0);
    assert_int_equal(r->bus.probes_decoding, 0);
    assert_int_equal(hal_model_end(&r->hal), 0);
}

static inline struct pci_model_fn *cap_rig(struct rig *r)
{
    struct pci_model_fn *f;

    rig_init(r, true, false);
    f = add(r, 0, 1, 0, 0);
    pci_model_set(f, PCI_STATUS, 2, PCI_STATUS_CAP_LIST);
    assert_int_equal(open_host(r, PCI_MODEL_ECAM, false), 0);
    scan(r);
    return f;
}
