// SPDX-License-Identifier: BSD-2-Clause
/*
 * Restores from the root down: a bridge comes before what it leads to, because buses are noted in
 * ascending order. Decoding is off until a function is complete. Registers whose writing would do
 * something (status bits, doorbells in vendor capabilities) are not touched.
 */
#include "drivers/bus/pci_save.h"

#include "base/bits.h"
#include "base/err.h"

#define HEADER_PCI_BRIDGE 1u
#define VENDOR_INTEL      0x8086u
#define CAP_ID_EXPRESS    0x10u
#define DECODING          ((uint32_t)PCI_CMD_IO | PCI_CMD_MEMORY | PCI_CMD_BUS_MASTER)

/* `count` registers of `width` bytes in a row. */
struct span {
    uint8_t offset, width, count;
};

/* PCI Local Bus 3.0, 6.1: cache line and latency, BARs, expansion ROM, interrupt line. */
static const struct span header_spans[] = {
    {0x0C, 1, 2}, {0x10, 4, 6}, {0x30, 4, 1}, {PCI_INTERRUPT_LINE, 1, 1}};

/* PCI-to-PCI Bridge 1.2, 3.2: bus numbers first, then windows (the I/O limit and secondary status share
 * a word: bytes), expansion ROM, interrupt line, bridge control. */
static const struct span bridge_spans[] = {
    {0x0C, 1, 2}, {0x10, 4, 2}, {0x18, 1, 4}, {0x1C, 1, 2},
    {0x20, 4, 4}, {0x30, 4, 1}, {0x38, 4, 1}, {PCI_INTERRUPT_LINE, 1, 1},
    {0x3E, 2, 1}};

/* PCI Express 3.0, 7.8: control of the device; of link, slot and root, which others than root ports may
 * lack. Their status is the other half-word. */
#define EXPRESS_FLAGS     0x02
#define EXPRESS_TYPE(f)   ((f) >> 4 & 0xF)
#define EXPRESS_ROOT_PORT 4u
static const struct span express_spans[] = {{0x08, 2, 1}};
static const struct span root_port_spans[] = {{0x10, 2, 1}, {0x18, 2, 1}, {0x1C, 2, 1}};

/* From the data sheets of the chipsets. The q35 host bridge's upper half of PCIEXBAR goes first: the lower
 * one has the enable bit. */
static const struct chipset {
    uint16_t device;
    struct span spans[4];
} chipsets[] = {
    {0x29C0, {{0x64, 4, 1}, {0x60, 4, 1}}}, /* Q35 host bridge: PCIEXBAR */
    /* ICH9 LPC: PMBASE, ACPI_CNTL, PIRQ A-D, E-H, RCBA */
    {0x2918, {{0x40, 4, 2}, {0x60, 1, 4}, {0x68, 1, 4}, {0xF0, 4, 1}}},
    {0x7000, {{0x60, 1, 4}}},               /* PIIX3 ISA: PIRQ A-D */
    {0x7113, {{0x40, 4, 1}, {0x80, 1, 1}}}, /* PIIX4 PM: PMBASE, PMREGMISC */
};

static uint32_t saved_value(const struct pci_saved_fn *fn, unsigned offset,
                            unsigned width)
{
    uint32_t value = fn->cfg[offset / 4] >> (8 * (offset % 4));

    return value & UINT32_MAX >> (32 - 8 * width);
}

/* `base`: where offsets count from. */
static void restore_spans(const struct pci_saved_fn *fn, unsigned base,
                          const struct span *spans, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (unsigned j = 0; j < spans[i].count; j++) {
            unsigned offset = base + spans[i].offset + j * spans[i].width;

            if (offset + spans[i].width <= PCI_CFG_SIZE)
                pci_cfg_write(&fn->dev, offset, spans[i].width,
                              saved_value(fn, offset, spans[i].width));
        }
    }
}

static void restore_chipset(const struct pci_saved_fn *fn)
{
    for (size_t i = 0; fn->dev.vendor == VENDOR_INTEL && i < ARRAY_LEN(chipsets); i++) {
        if (chipsets[i].device == fn->dev.device)
            restore_spans(fn, 0, chipsets[i].spans, ARRAY_LEN(chipsets[i].spans));
    }
}

static void restore_express(const struct pci_saved_fn *fn)
{
    unsigned cap = pci_cap_first(&fn->dev, CAP_ID_EXPRESS);

    if (cap == 0)
        return;
    restore_spans(fn, cap, express_spans, ARRAY_LEN(express_spans));
    if (EXPRESS_TYPE(saved_value(fn, cap + EXPRESS_FLAGS, 2)) == EXPRESS_ROOT_PORT)
        restore_spans(fn, cap, root_port_spans, ARRAY_LEN(root_port_spans));
}

static void restore_fn(const struct pci_saved_fn *fn)
{
    uint32_t command = saved_value(fn, PCI_COMMAND, 2);

    pci_cfg_write(&fn->dev, PCI_COMMAND, 2, command & ~DECODING);
    restore_chipset(fn);
    if (fn->dev.header_type == HEADER_PCI_BRIDGE)
        restore_spans(fn, 0, bridge_spans, ARRAY_LEN(bridge_spans));
    else
        restore_spans(fn, 0, header_spans, ARRAY_LEN(header_spans));
    restore_express(fn);
    pci_cfg_write(&fn->dev, PCI_COMMAND, 2, command);
}

static int count_fn(void *ctx, const struct pci_dev *dev)
{
    size_t *count = ctx;

    (void)dev;
    (*count)++;
    return 0;
}

size_t pci_count(struct pci_host *host)
{
    size_t count = 0;

    pci_scan(host, count_fn, &count);
    return count;
}

static int save_fn(void *ctx, const struct pci_dev *dev)
{
    struct pci_saved *saved = ctx;

    if (saved->count == saved->capacity)
        return -ENOSPC;

    struct pci_saved_fn *fn = &saved->fns[saved->count++];
    fn->dev = *dev;
    for (unsigned i = 0; i < ARRAY_LEN(fn->cfg); i++)
        fn->cfg[i] = pci_cfg_read(dev, i * 4, 4);
    return 0;
}

int pci_save(struct pci_host *host, struct pci_saved *out)
{
    out->count = 0;
    return pci_scan(host, save_fn, out);
}

size_t pci_restore(const struct pci_saved *saved)
{
    size_t missing = 0;

    for (size_t i = 0; i < saved->count; i++) {
        const struct pci_saved_fn *fn = &saved->fns[i];

        if (pci_cfg_read(&fn->dev, PCI_VENDOR_ID, 4) == fn->cfg[0])
            restore_fn(fn);
        else
            missing++;
    }
    return missing;
}
