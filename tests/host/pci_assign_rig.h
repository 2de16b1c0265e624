// SPDX-License-Identifier: BSD-2-Clause
/* A bus of functions and bridges that no firmware has seen. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/err.h"
#include "drivers/bus/pci_assign.h"
#include "tests/model/hal_model.h"
#include "tests/model/pci_bus.h"

struct rig {
    struct hal_model hal;
    struct pci_model bus;
    struct pci_host host;
    struct pci_model_fn fns[12];
    struct pci_space space;
};

static inline void rig_init(struct rig *r)
{
    memset(r, 0, sizeof(*r));
    hal_model_init(&r->hal);
    pci_model_init(&r->bus, false, true);
    pci_space_init(&r->space);
    assert_int_equal(
        pci_host_init(&r->host, &(struct pci_host_config){.space = &r->bus.space,
                                                          .use_ports = true,
                                                          .log = r->hal.hal.log}),
        0);
}

static inline struct pci_model_fn *add(struct rig *r, uint8_t bus, uint8_t slot,
                                       uint8_t header)
{
    struct pci_model_fn *f = &r->fns[r->bus.count];

    f->bus = bus;
    f->slot = slot;
    pci_model_identity(f, 0x1AF4, 0x1045, header);
    pci_model_add(&r->bus, f);
    return f;
}

static inline struct pci_dev dev_of(struct rig *r, const struct pci_model_fn *f)
{
    struct pci_dev dev = {.host = &r->host, .bus = f->bus, .slot = f->slot, .fn = f->fn};
    bool multi;

    assert_true(pci_identify(&dev, &multi));
    return dev;
}

static inline void rig_end(struct rig *r)
{
    pci_host_fini(&r->host);
    assert_int_equal(r->bus.probes_decoding, 0);
    assert_int_equal(hal_model_end(&r->hal), 0);
}

/* An unassigned BAR: flags and size. */
static inline void want(struct pci_model_fn *f, unsigned bar, uint32_t flags,
                        uint64_t size)
{
    pci_model_set(f, PCI_BAR0 + 4 * bar, 4, flags);
    f->bar_size[bar] = size;
}

static inline uint64_t bar_at(const struct pci_model_fn *f, unsigned bar)
{
    uint64_t addr = pci_model_get(f, PCI_BAR0 + 4 * bar, 4);

    if (addr & 1)
        return addr & ~UINT64_C(3);
    if (addr & 4)
        addr |= (uint64_t)pci_model_get(f, PCI_BAR0 + 4 * bar + 4, 4) << 32;
    return addr & ~UINT64_C(15);
}

static inline struct pci_model_fn *add_bridge(struct rig *r, uint8_t slot)
{
    struct pci_model_fn *f = add(r, 0, slot, 1);

    pci_model_set(f, PCI_IO_BASE, 2, 0xB0C0);
    pci_model_set(f, PCI_MEM_BASE, 4, 0xFE70FE60);
    pci_model_set(f, PCI_PREF_BASE, 4, 0xFEB1FEA1);
    pci_model_set(f, PCI_SECONDARY_BUS, 1, 1);
    return f;
}
