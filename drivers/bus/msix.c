// SPDX-License-Identifier: BSD-2-Clause
/* MSI-X by msix.h: the capability's two claims (table, pending bits), the table's entries, the switch. */
#include "drivers/bus/msix.h"

#include "base/bits.h"
#include "base/err.h"

#define CAP_ID   0x11
#define CAP_SIZE 12u

/* In the capability. */
enum msix_cap {
    CAP_CONTROL = 2,
    CAP_TABLE = 4,
    CAP_PENDING = 8,
};

#define CONTROL_LAST   0x07FFu /* number of the last entry */
#define CONTROL_MASK   BIT32(14)
#define CONTROL_ENABLE BIT32(15)

/* Table and pending words name a BAR in their low 3 bits. */
#define CLAIM_BAR 7u

/* In an entry. */
enum msix_entry {
    ENTRY_ADDRESS = 0,
    ENTRY_ADDRESS_HIGH = 4,
    ENTRY_DATA = 8,
    ENTRY_CONTROL = 12,
    ENTRY_SIZE = 16,
};

#define ENTRY_MASKED 1u

/* ---- the switch ---- */

static uint32_t control(const struct pci_dev *dev, unsigned cap)
{
    return pci_cfg_read(dev, cap + CAP_CONTROL, 2);
}

static void set_control(const struct pci_dev *dev, unsigned cap, uint32_t value)
{
    pci_cfg_write(dev, cap + CAP_CONTROL, 2, value & 0xFFFF);
}

bool msix_is_enabled(const struct pci_dev *dev)
{
    unsigned cap = pci_cap_first(dev, CAP_ID);

    return cap != 0 && (control(dev, cap) & CONTROL_ENABLE) != 0;
}

void msix_disable(const struct pci_dev *dev)
{
    unsigned cap = pci_cap_first(dev, CAP_ID);

    if (cap != 0)
        set_control(dev, cap, control(dev, cap) & ~CONTROL_ENABLE);
    pci_disable(dev, PCI_CMD_INTX_DISABLE);
}

int msix_enable(struct msix *mx)
{
    uint32_t value = (control(&mx->pci, mx->cap) | CONTROL_ENABLE) & ~CONTROL_MASK;

    pci_enable(&mx->pci, PCI_CMD_INTX_DISABLE);
    set_control(&mx->pci, mx->cap, value);
    if ((control(&mx->pci, mx->cap) & (CONTROL_ENABLE | CONTROL_MASK)) == CONTROL_ENABLE)
        return 0;
    mx->errors.not_taken++;
    msix_disable(&mx->pci);
    return -EIO;
}

/* ---- entries ---- */

static uint64_t entry_at(unsigned index)
{
    return (uint64_t)index * ENTRY_SIZE;
}

void msix_mask(struct msix *mx, unsigned index)
{
    if (index < mx->entries)
        reg_write32(&mx->table, entry_at(index) + ENTRY_CONTROL, ENTRY_MASKED);
}

static bool entry_is(const struct msix *mx, uint64_t at, paddr_t address, uint32_t data)
{
    return reg_read32(&mx->table, at + ENTRY_ADDRESS) == (uint32_t)address &&
           reg_read32(&mx->table, at + ENTRY_ADDRESS_HIGH) == (uint32_t)(address >> 32) &&
           reg_read32(&mx->table, at + ENTRY_DATA) == data &&
           (reg_read32(&mx->table, at + ENTRY_CONTROL) & ENTRY_MASKED) == 0;
}

int msix_set(struct msix *mx, unsigned index, paddr_t address, uint32_t data)
{
    uint64_t at = entry_at(index);

    if (index >= mx->entries || address % 4 != 0)
        return -EINVAL;
    msix_mask(mx, index); /* an entry is changed while masked */
    reg_write32(&mx->table, at + ENTRY_ADDRESS, (uint32_t)address);
    reg_write32(&mx->table, at + ENTRY_ADDRESS_HIGH, (uint32_t)(address >> 32));
    reg_write32(&mx->table, at + ENTRY_DATA, data);
    reg_write32(&mx->table, at + ENTRY_CONTROL, 0);
    if (entry_is(mx, at, address, data))
        return 0;
    mx->errors.not_taken++;
    msix_mask(mx, index);
    return -EIO;
}

/* ---- opening ---- */

/* One of the two claims, read once: where `size_bytes` lie. */
struct claim {
    unsigned index;
    struct pci_bar bar;
    uint64_t offset, size_bytes;
};

static int read_claim(struct msix *mx, unsigned reg, uint64_t size_bytes, struct claim *c)
{
    uint32_t word = pci_cfg_read(&mx->pci, mx->cap + reg, 4);

    c->index = word & CLAIM_BAR;
    c->offset = word & ~CLAIM_BAR;
    c->size_bytes = size_bytes;
    if (c->index > 5) {
        mx->errors.bar_index++;
        return -EPROTO;
    }
    if (pci_bar_read(&mx->pci, c->index, &c->bar) != 0 || c->bar.is_io) {
        mx->errors.bar_kind++;
        return -EPROTO;
    }
    if (c->offset + size_bytes > c->bar.size_bytes) {
        mx->errors.out_of_bar++;
        return -EPROTO;
    }
    return 0;
}

static bool overlaps(const struct claim *a, const struct claim *b)
{
    return a->index == b->index && a->offset < b->offset + b->size_bytes &&
           b->offset < a->offset + a->size_bytes;
}

/* Where the table lies, if both claims can be true. */
static int check_claims(struct msix *mx, struct claim *table)
{
    unsigned total = (control(&mx->pci, mx->cap) & CONTROL_LAST) + 1;
    struct claim pending;
    int err = read_claim(mx, CAP_TABLE, entry_at(total), table);

    if (!err)
        err = read_claim(mx, CAP_PENDING, align_up(total, 64) / 8, &pending);
    if (err)
        return err;
    if (overlaps(table, &pending)) {
        mx->errors.overlap++;
        return -EPROTO;
    }
    mx->entries = (unsigned)min_u64(total, MSIX_ENTRIES);
    return 0;
}

int msix_open(struct msix *mx, const struct pci_dev *dev)
{
    struct claim table;
    int err;

    *mx = (struct msix){.pci = *dev, .cap = pci_cap_first(dev, CAP_ID)};
    if (mx->cap == 0)
        return -ENODEV;
    if (mx->cap + CAP_SIZE > PCI_CFG_SIZE) {
        mx->errors.cap_short++;
        return -EPROTO;
    }
    err = check_claims(mx, &table);
    if (!err)
        err =
            pci_bar_map(dev, &table.bar, table.offset, entry_at(mx->entries), &mx->table);
    if (err) {
        mx->cap = 0;
        mx->entries = 0;
        return err;
    }
    pci_enable(dev, PCI_CMD_MEMORY);
    for (unsigned i = 0; i < mx->entries; i++)
        msix_mask(mx, i);
    return 0;
}

void msix_close(struct msix *mx)
{
    if (mx->cap == 0)
        return;
    for (unsigned i = 0; i < mx->entries; i++)
        msix_mask(mx, i);
    msix_disable(&mx->pci);
    pci_bar_unmap(&mx->pci, &mx->table);
    mx->cap = 0;
    mx->entries = 0;
}
