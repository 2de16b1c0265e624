// SPDX-License-Identifier: BSD-2-Clause
/*
 * PCI discovery: configuration access by ECAM or by the ports 0xCF8/0xCFC, the scan, capabilities,
 * BARs. The device on the other side is untrusted: every walk is bounded, every BAR is checked
 * before it is mapped, and each lie has its own counter in struct pci_errors.
 *
 *     struct pci_host host;
 *     pci_host_init(&host, &(struct pci_host_config){
 *         .space = &machine_reg_space, .use_ports = true, .log = sink});
 *     pci_scan(&host, on_function, ctx);    // on_function() copies the pci_dev it likes
 *     ...
 *     pci_enable(&dev, PCI_CMD_MEMORY);
 *     pci_bar_read(&dev, 4, &bar);
 *     pci_bar_map(&dev, &bar, offset, length, &window);
 *     pci_host_fini(&host);                 // after the last use of every pci_dev
 *
 * Task context only: a port access is two steps, and the ECAM window moves from bus to bus.
 */
#pragma once

#include "base/log.h"
#include "base/units.h"
#include "hal/reg_io.h"

#include <stdbool.h>
#include <stdint.h>

/* Configuration space header, PCI Local Bus 3.0, 6.1. */
enum pci_reg {
    PCI_VENDOR_ID = 0x00,
    PCI_DEVICE_ID = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_REVISION = 0x08,
    PCI_CLASS = 0x0A,
    PCI_HEADER_TYPE = 0x0E,
    PCI_BAR0 = 0x10,
    PCI_SECONDARY_BUS = 0x19, /* header type 1, as the windows below */
    PCI_IO_BASE = 0x1C,
    PCI_IO_LIMIT = 0x1D,
    PCI_MEM_BASE = 0x20,
    PCI_MEM_LIMIT = 0x22,
    PCI_PREF_BASE = 0x24,
    PCI_PREF_LIMIT = 0x26,
    PCI_PREF_BASE_HIGH = 0x28,
    PCI_PREF_LIMIT_HIGH = 0x2C,
    PCI_SUBSYSTEM_ID = 0x2E,
    PCI_CAP_POINTER = 0x34,
    PCI_INTERRUPT_LINE = 0x3C,
    PCI_INTERRUPT_PIN = 0x3D,
};

enum pci_command {
    PCI_CMD_IO = 1 << 0,
    PCI_CMD_MEMORY = 1 << 1,
    PCI_CMD_BUS_MASTER = 1 << 2,
    PCI_CMD_INTX_DISABLE = 1 << 10,
};

#define PCI_STATUS_CAP_LIST (1 << 4)
#define PCI_CAP_ID_VENDOR   0x09
#define PCI_CAP_ID_EXPRESS  0x10
#define PCI_SLOTS           32
#define PCI_FUNCTIONS       8
#define PCI_CFG_SIZE        256 /* the part we read; ECAM has 4096, nothing there is needed */

/* What devices claimed that cannot be. */
struct pci_errors {
    uint64_t cap_loops; /* more capabilities than fit the space: the list is a loop */
    uint64_t cap_bad_pointer; /* a capability inside the header */
    uint64_t bus_loops;       /* a bridge leads to a bus seen before or upwards */
    /* upper half of another BAR, 64 bits with no room, reserved type */
    uint64_t bar_bad_kind;
    uint64_t bar_bad_size;    /* size mask is no power of two, or 2^64 */
    uint64_t bar_bad_address; /* unassigned, unaligned, or runs past the address space */
    uint64_t bar_no_window;   /* the machine could not map it */
    uint64_t bar_unwilling;   /* does not keep the address it was given */
};

struct pci_host_config {
    const struct reg_space *space;
    paddr_t ecam_base; /* of bus 0 of segment 0, from the MCFG; 0: there is none */
    uint8_t ecam_first, ecam_last; /* buses the MCFG promises */
    bool use_ports; /* 0xCF8 exists; used where ECAM is missing or does not answer */
    struct log_sink log;
};

/* One way into configuration space. Owned by the task that scans; not shared. */
struct pci_host {
    struct pci_host_config cfg;
    bool has_ecam, has_ports;
    struct reg_io ports; /* 8 ports from 0xCF8 */
    struct reg_io ecam;  /* window of one bus, 1 MiB, mapped on demand */
    int ecam_bus;        /* the bus it shows; -1: none */
    struct pci_errors errors;
};

/* One function. Plain data, may be copied; valid as long as its host. */
struct pci_dev {
    struct pci_host *host;
    uint8_t bus, slot, fn;
    uint8_t revision, header_type; /* without the multi-function bit */
    uint16_t vendor, device, subsystem;
    uint16_t class_code; /* base class << 8 | subclass */
};

/* A decoded base address register. */
struct pci_bar {
    paddr_t addr;
    uint64_t size_bytes;
    bool is_io, is_64, is_prefetchable;
};

/* Called once for each function found; `dev` lives during the call, copy it to keep it. A value
 * other than 0 ends the scan and is returned by pci_scan(). */
typedef int (*pci_visit_fn)(void *ctx, const struct pci_dev *dev);

/* Open configuration access. ECAM is preferred; when it cannot be mapped or shows no device at all
 * while the ports do, the ports serve. 0, or -ENODEV when neither works (no PCI: not an error). */
int pci_host_init(struct pci_host *host, const struct pci_host_config *cfg);
void pci_host_fini(struct pci_host *host);

/* Visit every function of every bus that bus 0 leads to. 0 or what `visit` returned. */
int pci_scan(struct pci_host *host, pci_visit_fn visit, void *ctx);

/* Fill in who answers at host, bus, slot and fn of `dev`. False: nobody. *multi: it has further
 * functions. */
bool pci_identify(struct pci_dev *dev, bool *multi);

/* Configuration registers; `width` 1, 2 or 4, offset aligned to it and below PCI_CFG_SIZE. A function
 * that is not there reads as all-ones. */
uint32_t pci_cfg_read(const struct pci_dev *dev, unsigned offset, unsigned width);
void pci_cfg_write(const struct pci_dev *dev, unsigned offset, unsigned width,
                   uint32_t value);

/* The next capability with this id after `after` (0: from the start): its offset, 0 at the end, or
 * -EPROTO when the list is broken. R-H-07: bounded, also over calls, as offsets are remembered in
 * `*steps`, which starts as 0. */
int pci_cap_find(const struct pci_dev *dev, uint8_t id, int after, unsigned *steps);

/* The one capability with this id: its offset, or 0 where there is none that can be reached. */
unsigned pci_cap_first(const struct pci_dev *dev, uint8_t id);

/* Set and clear bits of the command register (enum pci_command), R-T-10. */
void pci_enable(const struct pci_dev *dev, uint16_t command_bits);
void pci_disable(const struct pci_dev *dev, uint16_t command_bits);

/*
 * Decode BAR 0..5 and measure its size. Decoding is switched off meanwhile, so the all-ones probe
 * never claims an address: call it before the device is in use. 0; -ENODEV: not implemented or
 * unassigned; -EPROTO: the upper half of another BAR, or a claim that cannot be (counted).
 */
int pci_bar_read(const struct pci_dev *dev, unsigned bar, struct pci_bar *out);

/* The same for one that may be unassigned: its address is what stands there, unchecked. */
int pci_bar_measure(const struct pci_dev *dev, unsigned bar, struct pci_bar *out);

/* BARs a function of this header type has. */
unsigned pci_bar_count(const struct pci_dev *dev);

/* Map `length` bytes at `offset` of the BAR; offset 0 of the window is that place. Give it back by
 * pci_bar_unmap(). 0; -EINVAL: outside the BAR; else what the machine says. */
int pci_bar_map(const struct pci_dev *dev, const struct pci_bar *bar, uint64_t offset,
                uint64_t length, struct reg_io *out);
void pci_bar_unmap(const struct pci_dev *dev, struct reg_io *window);

/* The legacy interrupt line that firmware routed (an ISA/IOAPIC pin number), or -ENODEV when the
 * function has no pin or no line (0 and 255): poll then. */
int pci_intx_line(const struct pci_dev *dev);
