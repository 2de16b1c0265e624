// SPDX-License-Identifier: BSD-2-Clause
/*
 * Configuration access and the scan. ECAM shows one bus at a time through a 1 MiB window; the ports
 * reach the first 256 bytes of every function. Capabilities and BARs are in pci_func.c.
 */
#include "drivers/bus/pci.h"

#include "base/bits.h"
#include "base/err.h"

#define PORT_ADDRESS   0xCF8u
#define PORT_COUNT     8u /* the address register and, 4 further, the data register */
#define DATA_OFFSET    4u
#define ADDRESS_ENABLE BIT32(31)

#define ECAM_BUS_SIZE (UINT64_C(1) << 20)
#define BUSES         256u

#define NO_VENDOR         0xFFFFu
#define HEADER_MULTI      0x80u
#define HEADER_TYPE_MASK  0x7Fu
#define HEADER_PCI_BRIDGE 1u

static uint64_t ecam_offset(const struct pci_dev *dev, unsigned offset)
{
    return (uint64_t)dev->slot << 15 | (uint64_t)dev->fn << 12 | offset;
}

static uint32_t port_address(const struct pci_dev *dev, unsigned offset)
{
    return ADDRESS_ENABLE | (uint32_t)dev->bus << 16 | (uint32_t)dev->slot << 11 |
           (uint32_t)dev->fn << 8 | (offset & ~3u);
}

static void ecam_hide(struct pci_host *host)
{
    if (host->ecam_bus >= 0)
        host->cfg.space->unmap(host->cfg.space->ctx, &host->ecam);
    host->ecam_bus = -1;
}

/* Move the window to this bus. False where ECAM cannot serve it. */
static bool ecam_show(struct pci_host *host, uint8_t bus)
{
    if (!host->has_ecam || bus < host->cfg.ecam_first || bus > host->cfg.ecam_last)
        return false;
    if (host->ecam_bus == bus)
        return true;
    ecam_hide(host);

    paddr_t addr = host->cfg.ecam_base + bus * ECAM_BUS_SIZE;

    if (host->cfg.space->map(host->cfg.space->ctx, addr, ECAM_BUS_SIZE, &host->ecam) != 0)
        return false;
    host->ecam_bus = bus;
    return true;
}

uint32_t pci_cfg_read(const struct pci_dev *dev, unsigned offset, unsigned width)
{
    struct pci_host *host = dev->host;

    if (ecam_show(host, dev->bus))
        return host->ecam.read(host->ecam.ctx, ecam_offset(dev, offset), width);
    if (!host->has_ports)
        return UINT32_MAX >> (32 - 8 * width);
    reg_write32(&host->ports, 0, port_address(dev, offset));
    return host->ports.read(host->ports.ctx, DATA_OFFSET + (offset & 3), width);
}

void pci_cfg_write(const struct pci_dev *dev, unsigned offset, unsigned width,
                   uint32_t value)
{
    struct pci_host *host = dev->host;

    if (ecam_show(host, dev->bus)) {
        host->ecam.write(host->ecam.ctx, ecam_offset(dev, offset), width, value);
    } else if (host->has_ports) {
        reg_write32(&host->ports, 0, port_address(dev, offset));
        host->ports.write(host->ports.ctx, DATA_OFFSET + (offset & 3), width, value);
    }
}

static bool bus_has_devices(struct pci_host *host, uint8_t bus)
{
    struct pci_dev dev = {.host = host, .bus = bus};

    for (dev.slot = 0; dev.slot < PCI_SLOTS; dev.slot++)
        if (pci_cfg_read(&dev, PCI_VENDOR_ID, 2) != NO_VENDOR)
            return true;
    return false;
}

/* The address register of the ports keeps what is written; where there is no PCI it does not. */
static bool ports_answer(struct pci_host *host)
{
    reg_write32(&host->ports, 0, ADDRESS_ENABLE);
    return reg_read32(&host->ports, 0) == ADDRESS_ENABLE;
}

int pci_host_init(struct pci_host *host, const struct pci_host_config *cfg)
{
    const struct reg_space *space = cfg->space;

    *host = (struct pci_host){.cfg = *cfg, .ecam_bus = -1};

    host->has_ecam = cfg->ecam_base != 0;
    if (host->has_ecam &&
        !(ecam_show(host, cfg->ecam_first) && bus_has_devices(host, cfg->ecam_first))) {
        ecam_hide(host);
        host->has_ecam = false;
        log_to(&cfg->log, LOG_WARN, "pci: nothing answers at ecam 0x%llx",
               (unsigned long long)cfg->ecam_base);
    }
    if (cfg->use_ports &&
        space->port(space->ctx, PORT_ADDRESS, PORT_COUNT, &host->ports) == 0)
        host->has_ports = ports_answer(host);
    return host->has_ecam || host->has_ports ? 0 : -ENODEV;
}

void pci_host_fini(struct pci_host *host)
{
    ecam_hide(host);
    host->has_ecam = host->has_ports = false;
}

/* Buses that are still to visit, and all that were ever found. */
struct bus_walk {
    uint64_t pending[BUSES / 64], seen[BUSES / 64];
};

static void walk_add(struct bus_walk *walk, uint8_t bus)
{
    walk->pending[bus / 64] |= BIT64(bus % 64);
    walk->seen[bus / 64] |= BIT64(bus % 64);
}

static bool walk_next(struct bus_walk *walk, uint8_t *bus)
{
    for (unsigned i = 0; i < BUSES / 64; i++) {
        if (walk->pending[i] == 0)
            continue;

        unsigned bit = (unsigned)__builtin_ctzll(walk->pending[i]);

        walk->pending[i] &= walk->pending[i] - 1;
        *bus = (uint8_t)(i * 64 + bit);
        return true;
    }
    return false;
}

/* A bridge leads to a bus with a higher number that no other bridge leads to; 0 means that firmware
 * did not set it up. */
static void note_bridge(struct pci_dev *dev, struct bus_walk *walk)
{
    uint8_t to = (uint8_t)pci_cfg_read(dev, PCI_SECONDARY_BUS, 1);

    if (to == 0)
        return;
    if (to <= dev->bus || (walk->seen[to / 64] & BIT64(to % 64)) != 0)
        dev->host->errors.bus_loops++;
    else
        walk_add(walk, to);
}

bool pci_identify(struct pci_dev *dev, bool *multi)
{
    uint32_t id = pci_cfg_read(dev, PCI_VENDOR_ID, 4);
    uint32_t header;

    if ((id & 0xFFFF) == NO_VENDOR || (id & 0xFFFF) == 0)
        return false;
    header = pci_cfg_read(dev, PCI_HEADER_TYPE, 1);
    dev->vendor = (uint16_t)id;
    dev->device = (uint16_t)(id >> 16);
    dev->revision = (uint8_t)pci_cfg_read(dev, PCI_REVISION, 1);
    dev->class_code = (uint16_t)pci_cfg_read(dev, PCI_CLASS, 2);
    dev->header_type = (uint8_t)(header & HEADER_TYPE_MASK);
    dev->subsystem =
        dev->header_type == 0 ? (uint16_t)pci_cfg_read(dev, PCI_SUBSYSTEM_ID, 2) : 0;
    *multi = (header & HEADER_MULTI) != 0;
    return true;
}

static int scan_slot(struct pci_dev *dev, struct bus_walk *walk, pci_visit_fn visit,
                     void *ctx)
{
    unsigned functions = 1;

    for (unsigned fn = 0; fn < functions; fn++) {
        bool multi = false;
        int ret;

        dev->fn = (uint8_t)fn;
        if (!pci_identify(dev, &multi)) {
            if (fn == 0)
                return 0;
            continue;
        }
        if (multi)
            functions = PCI_FUNCTIONS;
        if (dev->header_type == HEADER_PCI_BRIDGE)
            note_bridge(dev, walk);
        ret = visit(ctx, dev);
        if (ret != 0)
            return ret;
    }
    return 0;
}

int pci_scan(struct pci_host *host, pci_visit_fn visit, void *ctx)
{
    struct bus_walk walk = {0};
    uint8_t bus;

    walk_add(&walk, 0);
    while (walk_next(&walk, &bus)) {
        for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
            struct pci_dev dev = {.host = host, .bus = bus, .slot = (uint8_t)slot};
            int ret = scan_slot(&dev, &walk, visit, ctx);

            if (ret != 0)
                return ret;
        }
    }
    return 0;
}
