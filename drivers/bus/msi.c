// SPDX-License-Identifier: BSD-2-Clause
/* MSI by msi.h. Where data and mask lie depends on the width of the address. */
#include "drivers/bus/msi.h"

#include "base/bits.h"
#include "base/err.h"

#define CAP_ID 0x05

/* In the capability; data and mask lie 4 further behind an address of 64 bits. */
enum msi_cap {
    CAP_CONTROL = 2,
    CAP_ADDRESS = 4,
    CAP_ADDRESS_HIGH = 8,
    CAP_DATA = 8,
    CAP_MASK = 12,
};

#define CONTROL_ENABLE   BIT32(0)
#define CONTROL_MESSAGES (7u << 4) /* how many are used, as a power of two */
#define CONTROL_64       BIT32(7)
#define CONTROL_MASKABLE BIT32(8)

static uint32_t control(const struct pci_dev *dev, unsigned cap)
{
    return pci_cfg_read(dev, cap + CAP_CONTROL, 2);
}

static void set_control(const struct pci_dev *dev, unsigned cap, uint32_t value)
{
    pci_cfg_write(dev, cap + CAP_CONTROL, 2, value);
}

static void switch_off(const struct pci_dev *dev, unsigned cap)
{
    if (cap != 0)
        set_control(dev, cap, control(dev, cap) & ~CONTROL_ENABLE);
    pci_disable(dev, PCI_CMD_INTX_DISABLE);
}

void msi_disable(const struct pci_dev *dev)
{
    switch_off(dev, pci_cap_first(dev, CAP_ID));
}

/* Where data and mask begin to lie later. */
static unsigned shift(uint32_t flags)
{
    return flags & CONTROL_64 ? CAP_ADDRESS_HIGH - CAP_ADDRESS : 0;
}

static unsigned used_bytes(uint32_t flags)
{
    return shift(flags) + (flags & CONTROL_MASKABLE ? CAP_MASK + 4 : CAP_DATA + 2);
}

/* Write a register of the capability. True: it holds what it was given. */
static bool set(const struct pci_dev *dev, unsigned at, unsigned width, uint32_t value)
{
    pci_cfg_write(dev, at, width, value);
    return pci_cfg_read(dev, at, width) == value;
}

struct message {
    paddr_t address;
    uint32_t data;
};

static bool write_message(const struct pci_dev *dev, unsigned cap, uint32_t flags,
                          struct message message)
{
    unsigned later = cap + shift(flags);
    bool holds = set(dev, cap + CAP_ADDRESS, 4, (uint32_t)message.address);

    if (flags & CONTROL_64)
        holds &= set(dev, cap + CAP_ADDRESS_HIGH, 4, (uint32_t)(message.address >> 32));
    holds &= set(dev, later + CAP_DATA, 2, message.data);
    if (flags & CONTROL_MASKABLE)
        holds &= set(dev, later + CAP_MASK, 4, 0);
    return holds;
}

int msi_enable(const struct pci_dev *dev, paddr_t address, uint32_t data)
{
    unsigned cap = pci_cap_first(dev, CAP_ID);

    /* A message is changed while it cannot be sent; and whatever fails from here on, it is off. */
    switch_off(dev, cap);
    if (cap == 0)
        return -ENODEV;
    uint32_t flags = control(dev, cap);
    bool fits = flags & CONTROL_64 || address <= UINT32_MAX;

    if (cap + used_bytes(flags) > PCI_CFG_SIZE)
        return -EPROTO;
    if (address % 4 != 0 || data > UINT16_MAX || !fits)
        return -EINVAL;
    if (!write_message(dev, cap, flags, (struct message){address, data}))
        return -EIO;
    pci_enable(dev, PCI_CMD_INTX_DISABLE);
    set_control(dev, cap, (flags & ~CONTROL_MESSAGES) | CONTROL_ENABLE);
    if ((control(dev, cap) & (CONTROL_MESSAGES | CONTROL_ENABLE)) == CONTROL_ENABLE)
        return 0;
    switch_off(dev, cap);
    return -EIO;
}
