// SPDX-License-Identifier: BSD-2-Clause
/* Walks the MADT's entries. */
#include "kernel/madt.h"
#include "kernel/acpi_parse.h"

#include "base/err.h"

#define MADT_FIXED_BYTES 44 /* header, LAPIC address, flags */

enum madt_entry {
    MADT_IOAPIC = 1,
    MADT_ISA_OVERRIDE = 2,
    MADT_LAPIC_ADDR = 5,
};

enum madt_entry_bytes {
    MADT_IOAPIC_BYTES = 12,
    MADT_ISA_OVERRIDE_BYTES = 10,
    MADT_LAPIC_ADDR_BYTES = 12,
};

/* The PIT has been on pin 2 since there are IOAPICs (line 0 is the 8259's); microvm's MADT leaves it at
 * that and lists no override. */
#define PIT_GSI 2

/* MPS INTI flags, ACPI 6.4, table 5.26; 0 means "as the bus has it". */
#define POLARITY_MASK 0x3
#define POLARITY_LOW  0x3
#define TRIGGER_MASK  0xC
#define TRIGGER_LEVEL 0xC

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t get32(const uint8_t *at)
{
    return get16(at) | (uint32_t)get16(at + 2) << 16;
}

void madt_defaults(paddr_t lapic, struct madt *out)
{
    *out = (struct madt){
        .lapic = lapic,
        .ioapic_count = 1,
        .ioapics = {{.addr = IOAPIC_DEFAULT_ADDR, .gsi_base = 0}},
    };
    for (uint32_t i = 0; i < MADT_ISA_IRQS; i++)
        out->isa[i].gsi = i;
    out->isa[0].gsi = PIT_GSI;
}

static void add_ioapic(const uint8_t *entry, struct madt *out)
{
    if (out->ioapic_count == MADT_IOAPIC_MAX)
        return;
    out->ioapics[out->ioapic_count++] = (struct madt_ioapic){
        .addr = get32(entry + 4),
        .gsi_base = get32(entry + 8),
    };
}

static void set_isa(const uint8_t *entry, struct madt *out)
{
    uint16_t flags = get16(entry + 8);

    if (entry[2] != 0 || entry[3] >= MADT_ISA_IRQS)
        return;
    out->isa[entry[3]] = (struct madt_isa){
        .gsi = get32(entry + 4),
        .is_listed = true,
        .level = (flags & TRIGGER_MASK) == TRIGGER_LEVEL,
        .active_low = (flags & POLARITY_MASK) == POLARITY_LOW,
    };
}

static void read_entry(const uint8_t *entry, uint8_t len, struct madt *out)
{
    if (entry[0] == MADT_IOAPIC && len >= MADT_IOAPIC_BYTES)
        add_ioapic(entry, out);
    else if (entry[0] == MADT_ISA_OVERRIDE && len >= MADT_ISA_OVERRIDE_BYTES)
        set_isa(entry, out);
    else if (entry[0] == MADT_LAPIC_ADDR && len >= MADT_LAPIC_ADDR_BYTES)
        out->lapic = get32(entry + 4) | (uint64_t)get32(entry + 8) << 32;
}

int madt_parse(const uint8_t *table, size_t len, struct madt *out)
{
    struct madt found = *out;
    size_t at = MADT_FIXED_BYTES;

    if (len < MADT_FIXED_BYTES)
        return -EINVAL;
    found.lapic = get32(table + ACPI_HEADER_BYTES);
    found.ioapic_count = 0;
    while (at < len) {
        uint8_t size = len - at >= 2 ? table[at + 1] : 0;

        if (size < 2 || size > len - at)
            return -EINVAL;
        read_entry(table + at, size, &found);
        at += size;
    }
    if (found.ioapic_count == 0)
        return -EINVAL;
    *out = found;
    return 0;
}
