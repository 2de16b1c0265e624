// SPDX-License-Identifier: BSD-2-Clause
/* Windows, what is used of them, and the places of new BARs; wires of a bus and their lines. */
#include "drivers/bus/pci_assign.h"

#include "base/bits.h"
#include "base/err.h"

#define BARS_MAX   6u
#define BAR_IO     BIT32(0)
#define BAR_IS_64  BIT32(2)
#define IO_BAR_MAX UINT64_C(256)
/* Below lies what old machines have at fixed places. */
#define IO_FIRST      UINT64_C(0x1000)
#define MEM_FIRST     MIB
#define IO_LAST       UINT64_C(0xFFFF)
#define MEM32_LAST    UINT64_C(0xFFFFFFFF)
#define MEM64_LAST    (BIT64(52) - 1)
#define PIIX_VENDOR   0x8086
#define PIIX_DEVICE   0x7000
#define PIIX_SLOT     1u
#define PIIX_PIRQ     0x60
#define PIIX_LINES    16
#define HEADER_PLAIN  0u
#define HEADER_BRIDGE 1u

static const struct pci_range nothing = {.first = 1, .last = 0};

static bool is_empty(struct pci_range range)
{
    return range.first > range.last;
}

void pci_space_init(struct pci_space *space)
{
    space->used_count = 0;
    for (unsigned i = 0; i < PCI_WINDOWS; i++)
        space->window[i] = nothing;
}

/* ---- windows of a bridge: PCI-to-PCI Bridge Architecture 1.2, 3.2.5 ---- */

static struct pci_range io_window(const struct pci_dev *bridge)
{
    uint32_t base = pci_cfg_read(bridge, PCI_IO_BASE, 1);
    uint32_t limit = pci_cfg_read(bridge, PCI_IO_LIMIT, 1);

    return (struct pci_range){(base & 0xF0) << 8, (limit & 0xF0) << 8 | 0xFFF};
}

static struct pci_range mem_window(const struct pci_dev *bridge, unsigned base_reg,
                                   unsigned limit_reg)
{
    uint64_t base = pci_cfg_read(bridge, base_reg, 2);
    uint64_t limit = pci_cfg_read(bridge, limit_reg, 2);

    return (struct pci_range){(base & 0xFFF0) << 16, (limit & 0xFFF0) << 16 | 0xFFFFF};
}

static struct pci_range pref_window(const struct pci_dev *bridge)
{
    struct pci_range range = mem_window(bridge, PCI_PREF_BASE, PCI_PREF_LIMIT);

    if ((pci_cfg_read(bridge, PCI_PREF_BASE, 1) & 0xF) == 1) { /* 64 bits wide */
        range.first |= (uint64_t)pci_cfg_read(bridge, PCI_PREF_BASE_HIGH, 4) << 32;
        range.last |= (uint64_t)pci_cfg_read(bridge, PCI_PREF_LIMIT_HIGH, 4) << 32;
    }
    return range;
}

void pci_space_of_bridge(const struct pci_dev *bridge, struct pci_space *space)
{
    pci_space_init(space);
    space->window[PCI_WINDOW_IO] = io_window(bridge);
    space->window[PCI_WINDOW_MEM] = mem_window(bridge, PCI_MEM_BASE, PCI_MEM_LIMIT);
    space->window[PCI_WINDOW_PREF] = pref_window(bridge);
}

/* ---- what is used ---- */

int pci_space_use(struct pci_space *space, struct pci_range range, bool is_io)
{
    if (is_empty(range))
        return 0;
    if (space->used_count == PCI_USED_MAX)
        return -ENOSPC;
    space->used[space->used_count++] = (struct pci_used){.range = range, .is_io = is_io};
    return 0;
}

/* A BAR is aligned to its size, so the lowest set bit of its address bounds that. */
static int use_bar(struct pci_space *space, uint64_t addr, bool is_io)
{
    uint64_t size = addr & (~addr + 1);

    if (addr == 0)
        return 0;
    if (is_io)
        size = min_u64(size, IO_BAR_MAX);
    return pci_space_use(space, (struct pci_range){addr, addr + (size - 1)}, is_io);
}

static int use_bars(struct pci_space *space, const struct pci_dev *dev)
{
    unsigned count = pci_bar_count(dev);
    int err = 0;

    for (unsigned bar = 0; bar < count && !err; bar++) {
        uint32_t low = pci_cfg_read(dev, PCI_BAR0 + 4 * bar, 4);
        bool is_io = (low & BAR_IO) != 0;
        uint64_t addr = low & ~UINT32_C(0xF);

        if (!is_io && (low & BAR_IS_64) != 0 && bar + 1 < count)
            addr |= (uint64_t)pci_cfg_read(dev, PCI_BAR0 + 4 * ++bar, 4) << 32;
        err = use_bar(space, addr, is_io);
    }
    return err;
}

static int use_function(struct pci_space *space, const struct pci_dev *dev)
{
    int err = use_bars(space, dev);

    if (err || dev->header_type != HEADER_BRIDGE)
        return err;

    struct pci_space inner;

    pci_space_of_bridge(dev, &inner);
    for (unsigned i = 0; i < PCI_WINDOWS && !err; i++)
        err = pci_space_use(space, inner.window[i], i == PCI_WINDOW_IO);
    return err;
}

int pci_space_use_bus(struct pci_space *space, struct pci_host *host, uint8_t bus)
{
    for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
        unsigned functions = 1;

        for (unsigned fn = 0; fn < functions; fn++) {
            struct pci_dev dev = {
                .host = host, .bus = bus, .slot = (uint8_t)slot, .fn = (uint8_t)fn};
            bool multi;

            if (!pci_identify(&dev, &multi))
                continue;
            if (fn == 0 && multi)
                functions = PCI_FUNCTIONS;
            int err = use_function(space, &dev);
            if (err)
                return err;
        }
    }
    return 0;
}

/* ---- the new function ---- */

struct wish {
    unsigned bar;
    struct pci_bar want;
};

/* All BARs, the largest first. */
static int measure(const struct pci_dev *dev, struct wish wishes[BARS_MAX],
                   unsigned *count)
{
    *count = 0;
    for (unsigned bar = 0; bar < BARS_MAX; bar++) {
        struct wish wish = {.bar = bar};
        unsigned at = *count;
        int err = pci_bar_measure(dev, bar, &wish.want);

        if (err == -ENODEV)
            continue;
        if (err)
            return err;
        for (; at > 0 && wishes[at - 1].want.size_bytes < wish.want.size_bytes; at--)
            wishes[at] = wishes[at - 1];
        wishes[at] = wish;
        ++*count;
        bar += wish.want.is_64;
    }
    return 0;
}

static const struct pci_used *find_overlap(const struct pci_space *space, uint64_t addr,
                                           const struct pci_bar *want)
{
    for (unsigned i = 0; i < space->used_count; i++) {
        const struct pci_used *used = &space->used[i];

        if (used->is_io == want->is_io &&
            used->range.first <= addr + (want->size_bytes - 1) &&
            used->range.last >= addr)
            return used;
    }
    return NULL;
}

/* The highest aligned address in the window that is free; 0: none. Each range that is in the way is
 * met once, as the search goes down. */
static uint64_t find_place(const struct pci_space *space, enum pci_window window,
                           const struct pci_bar *want)
{
    uint64_t limit = want->is_io ? IO_LAST : want->is_64 ? MEM64_LAST : MEM32_LAST;
    struct pci_range range = space->window[window];
    uint64_t first = max_u64(range.first, want->is_io ? IO_FIRST : MEM_FIRST);
    uint64_t end = min_u64(range.last, limit); /* the last byte that may be used */

    if (is_empty(range))
        return 0;
    while (end >= want->size_bytes - 1) {
        uint64_t addr = align_down(end - (want->size_bytes - 1), want->size_bytes);
        const struct pci_used *used;

        if (addr < first)
            return 0;
        used = find_overlap(space, addr, want);
        if (!used)
            return addr;
        if (used->range.first <= first)
            return 0;
        end = used->range.first - 1;
    }
    return 0;
}

static uint64_t place(const struct pci_space *space, const struct pci_bar *want)
{
    uint64_t addr = 0;

    if (want->is_io)
        return find_place(space, PCI_WINDOW_IO, want);
    if (want->is_prefetchable)
        addr = find_place(space, PCI_WINDOW_PREF, want);
    return addr ? addr : find_place(space, PCI_WINDOW_MEM, want);
}

/* False when the function does not keep it. */
static bool write_bar(const struct pci_dev *dev, const struct wish *wish, uint64_t addr)
{
    unsigned reg = PCI_BAR0 + 4 * wish->bar;
    uint32_t flags = wish->want.is_io ? 0x3 : 0xF;
    bool kept;

    pci_cfg_write(dev, reg, 4, (uint32_t)addr);
    kept = (pci_cfg_read(dev, reg, 4) & ~flags) == (uint32_t)addr;
    if (wish->want.is_64) {
        pci_cfg_write(dev, reg + 4, 4, (uint32_t)(addr >> 32));
        kept &= pci_cfg_read(dev, reg + 4, 4) == (uint32_t)(addr >> 32);
    }
    return kept;
}

static int assign_one(const struct pci_dev *dev, const struct wish *wish,
                      struct pci_space *space)
{
    uint64_t addr = place(space, &wish->want);

    if (addr == 0 && !wish->want.is_io)
        return -ENOSPC;
    if (!write_bar(dev, wish, addr)) {
        dev->host->errors.bar_unwilling++;
        return -EPROTO;
    }
    if (addr == 0)
        return 0;
    return pci_space_use(space,
                         (struct pci_range){addr, addr + (wish->want.size_bytes - 1)},
                         wish->want.is_io);
}

int pci_assign(const struct pci_dev *dev, struct pci_space *space)
{
    struct wish wishes[BARS_MAX];
    unsigned count, used = space->used_count;
    int err;

    if (dev->header_type != HEADER_PLAIN)
        return -ENOTSUP;
    pci_disable(dev, PCI_CMD_IO | PCI_CMD_MEMORY);
    err = measure(dev, wishes, &count);
    for (unsigned i = 0; i < count && !err; i++)
        err = assign_one(dev, &wishes[i], space);
    if (!err)
        return 0;
    for (unsigned i = 0; i < count; i++)
        write_bar(dev, &wishes[i], 0);
    space->used_count = used;
    return err;
}

/* ---- interrupt lines ---- */

/* Pin A is 1. */
static unsigned wire_of(const struct pci_dev *dev, uint32_t pin)
{
    return (dev->slot + pin - 1) & 3;
}

static uint8_t line_on_bus(struct pci_host *host, uint8_t bus, unsigned wire)
{
    for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
        struct pci_dev dev = {.host = host, .bus = bus, .slot = (uint8_t)slot};
        bool multi;
        int line = pci_identify(&dev, &multi) ? pci_intx_line(&dev) : -ENODEV;

        if (line > 0 && wire_of(&dev, pci_cfg_read(&dev, PCI_INTERRUPT_PIN, 1)) == wire)
            return (uint8_t)line;
    }
    return 0;
}

/* i440FX with PIIX3 (QEMU's pc): the ISA bridge has a register for each of PIRQA to D, and slot 1 begins
 * with A. Bit 7: not routed. */
static uint8_t line_of_piix(struct pci_host *host, uint8_t bus, unsigned wire)
{
    struct pci_dev isa = {.host = host, .bus = bus, .slot = PIIX_SLOT};
    uint32_t line;
    bool multi;

    if (!pci_identify(&isa, &multi) || isa.vendor != PIIX_VENDOR ||
        isa.device != PIIX_DEVICE)
        return 0;
    line = pci_cfg_read(&isa, PIIX_PIRQ + ((wire - PIIX_SLOT) & 3), 1);
    return line < PIIX_LINES ? (uint8_t)line : 0;
}

void pci_lines_learn(struct pci_host *host, uint8_t bus, const struct pci_dev *bridge,
                     struct pci_lines *out)
{
    for (unsigned wire = 0; wire < 4; wire++) {
        out->line[wire] = line_on_bus(host, bus, wire);
        if (out->line[wire] == 0 && bridge)
            out->line[wire] = line_on_bus(host, bridge->bus, (bridge->slot + wire) & 3);
        else if (out->line[wire] == 0)
            out->line[wire] = line_of_piix(host, bus, wire);
    }
}

void pci_lines_give(const struct pci_dev *dev, const struct pci_lines *lines)
{
    uint32_t pin = pci_cfg_read(dev, PCI_INTERRUPT_PIN, 1);

    if (pin >= 1 && pin <= 4)
        pci_cfg_write(dev, PCI_INTERRUPT_LINE, 1, lines->line[wire_of(dev, pin)]);
}
