// SPDX-License-Identifier: BSD-2-Clause
/* IOAPIC registers behind their index and data window (82093AA data sheet). */
#include "kernel/x86/ioapic.h"
#include "kernel/log.h"
#include "kernel/x86/mmio.h"

#include "base/bits.h"
#include "base/err.h"

#define WINDOW_BYTES 0x20
#define REG_SELECT   0x00
#define REG_DATA     0x10

#define INDEX_VERSION 1
#define INDEX_PIN(n)  (0x10 + 2 * (n)) /* low half; high half follows */

#define PIN_ACTIVE_LOW BIT32(13)
#define PIN_LEVEL      BIT32(15)
#define PIN_MASKED     BIT32(16)
#define PIN_DEST_SHIFT 24
#define PIN_MAX        240

static struct ioapic {
    struct reg_io io;
    uint32_t gsi_base, pins;
} ioapics[MADT_IOAPIC_MAX];
static unsigned ioapic_count;

static uint32_t get(const struct ioapic *chip, uint32_t index)
{
    reg_write32(&chip->io, REG_SELECT, index);
    return reg_read32(&chip->io, REG_DATA);
}

static void set(const struct ioapic *chip, uint32_t index, uint32_t value)
{
    reg_write32(&chip->io, REG_SELECT, index);
    reg_write32(&chip->io, REG_DATA, value);
}

static void mask_pins(const struct ioapic *chip)
{
    for (uint32_t pin = 0; pin < chip->pins; pin++)
        set(chip, INDEX_PIN(pin), PIN_MASKED);
}

static void add(const struct madt_ioapic *entry)
{
    struct ioapic *chip = &ioapics[ioapic_count];

    if (machine_reg_space.map(machine_reg_space.ctx, entry->addr, WINDOW_BYTES,
                              &chip->io))
        return;
    uint32_t version = get(chip, INDEX_VERSION);
    if (version == UINT32_MAX || version == 0) {
        log_info("irq: no IOAPIC at 0x%llx", (unsigned long long)entry->addr);
        machine_reg_space.unmap(machine_reg_space.ctx, &chip->io);
        return;
    }
    chip->gsi_base = entry->gsi_base;
    chip->pins = (version >> 16 & 0xFF) + 1;
    if (chip->pins > PIN_MAX)
        chip->pins = PIN_MAX;
    mask_pins(chip);
    ioapic_count++;
}

unsigned ioapic_init(const struct madt *madt)
{
    for (unsigned i = 0; i < madt->ioapic_count; i++)
        add(&madt->ioapics[i]);
    return ioapic_count;
}

static const struct ioapic *find(uint32_t gsi, uint32_t *pin)
{
    for (unsigned i = 0; i < ioapic_count; i++) {
        const struct ioapic *chip = &ioapics[i];

        if (gsi >= chip->gsi_base && gsi - chip->gsi_base < chip->pins) {
            *pin = gsi - chip->gsi_base;
            return chip;
        }
    }
    return NULL;
}

int ioapic_route(uint32_t gsi, struct ioapic_route route)
{
    uint32_t pin, low = route.vector;
    const struct ioapic *chip = find(gsi, &pin);

    if (!chip)
        return -ENODEV;
    if (route.level)
        low |= PIN_LEVEL;
    if (route.active_low)
        low |= PIN_ACTIVE_LOW;
    set(chip, INDEX_PIN(pin), PIN_MASKED);
    set(chip, INDEX_PIN(pin) + 1, route.lapic_id << PIN_DEST_SHIFT);
    set(chip, INDEX_PIN(pin), low);
    return 0;
}

void ioapic_mask(uint32_t gsi)
{
    uint32_t pin;
    const struct ioapic *chip = find(gsi, &pin);

    if (chip)
        set(chip, INDEX_PIN(pin), PIN_MASKED);
}

void ioapic_mask_all(void)
{
    for (unsigned i = 0; i < ioapic_count; i++)
        mask_pins(&ioapics[i]);
}
