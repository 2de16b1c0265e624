// SPDX-License-Identifier: BSD-2-Clause
/* One PCI function: its capability list, command register, BARs and interrupt line. */
#include "drivers/bus/pci.h"

#include "base/bits.h"
#include "base/err.h"

#define CAP_FIRST 0x40u
#define CAP_STEPS ((PCI_CFG_SIZE - CAP_FIRST) / 4) /* each takes 4 bytes at least */
#define CAP_NEXT  1u

#define BAR_IO           BIT32(0)
#define BAR_TYPE(low)    ((low) >> 1 & 3u)
#define BAR_TYPE_64      2u
#define BAR_TYPE_RSVD    3u
#define BAR_PREFETCHABLE BIT32(3)
#define BAR_MEM_FLAGS    UINT32_C(0xF)
#define BAR_IO_FLAGS     UINT32_C(0x3)
#define IO_SPACE         UINT64_C(0x10000)
#define PHYS_LIMIT       BIT64(52)

int pci_cap_find(const struct pci_dev *dev, uint8_t id, int after, unsigned *steps)
{
    uint32_t pos;

    if (after == 0 && (pci_cfg_read(dev, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST) == 0)
        return 0;
    pos = pci_cfg_read(dev, after == 0 ? PCI_CAP_POINTER : (unsigned)after + CAP_NEXT, 1);

    for (;;) {
        pos &= 0xFC;
        if (pos == 0)
            return 0;
        if (pos < CAP_FIRST) {
            dev->host->errors.cap_bad_pointer++;
            return -EPROTO;
        }
        if (++*steps > CAP_STEPS) {
            dev->host->errors.cap_loops++;
            return -EPROTO;
        }
        if (pci_cfg_read(dev, pos, 1) == id)
            return (int)pos;
        pos = pci_cfg_read(dev, pos + CAP_NEXT, 1);
    }
}

unsigned pci_cap_first(const struct pci_dev *dev, uint8_t id)
{
    unsigned steps = 0;
    int pos = pci_cap_find(dev, id, 0, &steps);

    return pos > 0 ? (unsigned)pos : 0;
}

void pci_enable(const struct pci_dev *dev, uint16_t command_bits)
{
    uint32_t command = pci_cfg_read(dev, PCI_COMMAND, 2);

    pci_cfg_write(dev, PCI_COMMAND, 2, command | command_bits);
}

void pci_disable(const struct pci_dev *dev, uint16_t command_bits)
{
    uint32_t command = pci_cfg_read(dev, PCI_COMMAND, 2);

    pci_cfg_write(dev, PCI_COMMAND, 2, command & ~(uint32_t)command_bits);
}

static unsigned bar_reg(unsigned bar)
{
    return PCI_BAR0 + 4 * bar;
}

static bool bar_is_64(uint32_t low)
{
    return (low & BAR_IO) == 0 && BAR_TYPE(low) == BAR_TYPE_64;
}

/* True when `bar` is where a BAR begins, not the upper half of a 64-bit one. */
static bool bar_begins(const struct pci_dev *dev, unsigned bar)
{
    unsigned i = 0;

    while (i < bar)
        i += bar_is_64(pci_cfg_read(dev, bar_reg(i), 4)) ? 2 : 1;
    return i == bar;
}

/* What the register keeps of all-ones; its value is put back. Decoding is off. */
static uint32_t probe(const struct pci_dev *dev, unsigned bar)
{
    uint32_t value = pci_cfg_read(dev, bar_reg(bar), 4);
    uint32_t mask;

    pci_cfg_write(dev, bar_reg(bar), 4, UINT32_MAX);
    mask = pci_cfg_read(dev, bar_reg(bar), 4);
    pci_cfg_write(dev, bar_reg(bar), 4, value);
    return mask;
}

/* The address bits that are wired, as a 64-bit mask; 0 when the BAR is not implemented. */
static uint64_t probe_mask(const struct pci_dev *dev, unsigned bar,
                           const struct pci_bar *out)
{
    uint32_t command = pci_cfg_read(dev, PCI_COMMAND, 2);
    uint64_t mask;

    pci_cfg_write(dev, PCI_COMMAND, 2,
                  command & ~(uint32_t)(PCI_CMD_IO | PCI_CMD_MEMORY));
    mask = probe(dev, bar) & ~(out->is_io ? BAR_IO_FLAGS : BAR_MEM_FLAGS);
    if (out->is_64)
        mask |= (uint64_t)probe(dev, bar + 1) << 32;
    else if (mask != 0) /* an I/O BAR may leave its upper half unwired */
        mask |= out->is_io ? ~(IO_SPACE - 1) : ~(uint64_t)UINT32_MAX;
    pci_cfg_write(dev, PCI_COMMAND, 2, command);
    return mask;
}

/* Where the BAR lies makes sense for its size. */
static bool address_fits(const struct pci_bar *bar)
{
    uint64_t limit = bar->is_io ? IO_SPACE : bar->is_64 ? PHYS_LIMIT : BIT64(32);

    return (bar->addr & (bar->size_bytes - 1)) == 0 && bar->size_bytes <= limit &&
           bar->addr <= limit - bar->size_bytes;
}

unsigned pci_bar_count(const struct pci_dev *dev)
{
    return dev->header_type == 0 ? 6 : 2;
}

int pci_bar_measure(const struct pci_dev *dev, unsigned bar, struct pci_bar *out)
{
    unsigned count = pci_bar_count(dev);
    struct pci_errors *errors = &dev->host->errors;
    struct pci_bar b = {0};
    uint32_t low;
    uint64_t mask;

    if (bar >= count)
        return -ENODEV;
    low = pci_cfg_read(dev, bar_reg(bar), 4);
    b.is_io = (low & BAR_IO) != 0;
    b.is_64 = bar_is_64(low);
    b.is_prefetchable = !b.is_io && (low & BAR_PREFETCHABLE) != 0;
    if (!bar_begins(dev, bar) || (b.is_64 && bar + 1 == count) ||
        (!b.is_io && BAR_TYPE(low) == BAR_TYPE_RSVD)) {
        errors->bar_bad_kind++;
        return -EPROTO;
    }

    b.addr = low & ~(b.is_io ? BAR_IO_FLAGS : BAR_MEM_FLAGS);
    if (b.is_64)
        b.addr |= (uint64_t)pci_cfg_read(dev, bar_reg(bar + 1), 4) << 32;
    mask = probe_mask(dev, bar, &b);
    if (mask == 0)
        return -ENODEV;

    b.size_bytes = ~mask + 1;
    if (!is_pow2(b.size_bytes)) {
        errors->bar_bad_size++;
        return -EPROTO;
    }
    *out = b;
    return 0;
}

int pci_bar_read(const struct pci_dev *dev, unsigned bar, struct pci_bar *out)
{
    struct pci_bar b;
    int err = pci_bar_measure(dev, bar, &b);

    if (err)
        return err;
    if (b.addr == 0)
        return -ENODEV;
    if (!address_fits(&b)) {
        dev->host->errors.bar_bad_address++;
        return -EPROTO;
    }
    *out = b;
    return 0;
}

int pci_bar_map(const struct pci_dev *dev, const struct pci_bar *bar, uint64_t offset,
                uint64_t length, struct reg_io *out)
{
    const struct reg_space *space = dev->host->cfg.space;
    int err;

    if (length == 0 || offset > bar->size_bytes || length > bar->size_bytes - offset)
        return -EINVAL;
    if (bar->is_io)
        err = space->port(space->ctx, (uint16_t)(bar->addr + offset), (uint16_t)length,
                          out);
    else
        err = space->map(space->ctx, bar->addr + offset, length, out);
    if (err)
        dev->host->errors.bar_no_window++;
    return err;
}

void pci_bar_unmap(const struct pci_dev *dev, struct reg_io *window)
{
    const struct reg_space *space = dev->host->cfg.space;

    space->unmap(space->ctx, window);
    *window = (struct reg_io){0};
}

int pci_intx_line(const struct pci_dev *dev)
{
    uint32_t pin = pci_cfg_read(dev, PCI_INTERRUPT_PIN, 1);
    uint32_t line = pci_cfg_read(dev, PCI_INTERRUPT_LINE, 1);

    if (pin == 0 || pin > 4 || line == 0 || line == 0xFF)
        return -ENODEV;
    return (int)line;
}
