// SPDX-License-Identifier: BSD-2-Clause
/*
 * Decodes the parts of FADT and DSDT that power.c needs. Offsets are those of ACPI 6.4, table 5.9.
 * Every read is bounded by the table's length. Pure.
 */
#include "kernel/power_parse.h"

#include "base/bits.h"
#include "base/err.h"

#define FADT_FACS          36
#define FADT_DSDT          40
#define FADT_SMI_CMD       48
#define FADT_ACPI_ENABLE   52
#define FADT_PM1A_EVENT    56
#define FADT_PM1B_EVENT    60
#define FADT_PM1A_CNT      64
#define FADT_PM1B_CNT      68
#define FADT_PM1_EVT_LEN   88
#define FADT_GPE0          80
#define FADT_GPE0_BYTES    92
#define FADT_FLAGS         112
#define FADT_RESET_REG     116
#define FADT_RESET_VALUE   128
#define FADT_X_FACS        132
#define FADT_X_DSDT        140
#define FADT_X_PM1A_EVENT  148
#define FADT_X_PM1B_EVENT  160
#define FADT_X_PM1A_CNT    172
#define FADT_X_PM1B_CNT    184
#define FADT_X_GPE0        220
#define FADT_SLEEP_CONTROL 244

#define FLAG_RESET_REG_SUP BIT32(10)
#define FLAG_HW_REDUCED    BIT32(20)

#define GAS_BYTES 12
#define GAS_IO    1

#define AML_ZERO    0x00
#define AML_ONE     0x01
#define AML_NAME    0x08
#define AML_BYTE    0x0A
#define AML_PACKAGE 0x12
#define AML_ROOT    0x5C

#define SLEEP_TYPE_MAX 7 /* three bits */

/* 0 where the table is too short. */
static uint64_t field(const uint8_t *table, size_t len, size_t at, unsigned width)
{
    uint64_t value = 0;

    if (at + width > len)
        return 0;
    for (unsigned i = 0; i < width; i++)
        value |= (uint64_t)table[at + i] << (8 * i);
    return value;
}

/* 5.2.3.2: generic address structure. Other address spaces count as absent. */
static struct power_reg gas(const uint8_t *table, size_t len, size_t at)
{
    struct power_reg none = {0}, reg;

    if (at + GAS_BYTES > len || table[at] > GAS_IO)
        return none;
    reg.is_port = table[at] == GAS_IO;
    reg.addr = field(table, len, at + 4, 8);
    if (reg.is_port && reg.addr > UINT16_MAX)
        return none;
    return reg;
}

/* The extended field when it is set, else the 32-bit port of ACPI 1.0. */
static struct power_reg fixed_reg(const uint8_t *fadt, size_t len, size_t ext, size_t old)
{
    struct power_reg reg = gas(fadt, len, ext);

    if (reg.addr == 0) {
        reg.is_port = true;
        reg.addr = field(fadt, len, old, 4);
        if (reg.addr > UINT16_MAX)
            reg.addr = 0;
    }
    return reg;
}

void power_parse_fadt(const uint8_t *fadt, size_t len, struct power_tables *out)
{
    uint64_t flags = field(fadt, len, FADT_FLAGS, 4);
    uint64_t smi_command = field(fadt, len, FADT_SMI_CMD, 4);

    *out = (struct power_tables){0};
    out->dsdt = field(fadt, len, FADT_X_DSDT, 8);
    if (out->dsdt == 0)
        out->dsdt = field(fadt, len, FADT_DSDT, 4);
    if (flags & FLAG_RESET_REG_SUP) {
        out->reset = gas(fadt, len, FADT_RESET_REG);
        out->reset_value = (uint8_t)field(fadt, len, FADT_RESET_VALUE, 1);
    }
    if (flags & FLAG_HW_REDUCED) {
        out->sleep_control = gas(fadt, len, FADT_SLEEP_CONTROL);
        return;
    }
    out->pm1a_control = fixed_reg(fadt, len, FADT_X_PM1A_CNT, FADT_PM1A_CNT);
    out->pm1b_control = fixed_reg(fadt, len, FADT_X_PM1B_CNT, FADT_PM1B_CNT);
    out->pm1a_event = fixed_reg(fadt, len, FADT_X_PM1A_EVENT, FADT_PM1A_EVENT);
    out->pm1b_event = fixed_reg(fadt, len, FADT_X_PM1B_EVENT, FADT_PM1B_EVENT);
    out->pm1_event_bytes = (uint8_t)field(fadt, len, FADT_PM1_EVT_LEN, 1);
    out->facs = field(fadt, len, FADT_X_FACS, 8);
    if (out->facs == 0)
        out->facs = field(fadt, len, FADT_FACS, 4);
    if (field(fadt, len, FADT_GPE0_BYTES, 1) >= 2)
        out->gpe0 = fixed_reg(fadt, len, FADT_X_GPE0, FADT_GPE0);
    if (smi_command <= UINT16_MAX) {
        out->smi_command = (uint16_t)smi_command;
        out->acpi_enable = (uint8_t)field(fadt, len, FADT_ACPI_ENABLE, 1);
    }
}

/* An integer of a package: Zero, One, or a byte. Advances *at. */
static int take_integer(const uint8_t *aml, size_t len, size_t *at, uint8_t *out)
{
    if (*at >= len)
        return -EINVAL;
    switch (aml[*at]) {
    case AML_ZERO:
    case AML_ONE:
        *out = aml[*at];
        *at += 1;
        break;
    case AML_BYTE:
        if (*at + 1 >= len)
            return -EINVAL;
        *out = aml[*at + 1];
        *at += 2;
        break;
    default:
        return -EINVAL;
    }
    return *out <= SLEEP_TYPE_MAX ? 0 : -EINVAL;
}

/* `at` is behind the name: a package with at least two integers (20.2.5.4; the top two bits of the
 * first length byte count the further ones). */
static int parse_package(const uint8_t *aml, size_t len, size_t at, uint8_t sleep_type[2])
{
    uint8_t types[2];

    if (at + 2 > len || aml[at] != AML_PACKAGE)
        return -EINVAL;
    at += 2 + (aml[at + 1] >> 6);
    if (at >= len || aml[at] < 1)
        return -EINVAL;
    uint8_t count = aml[at++];
    if (take_integer(aml, len, &at, &types[0]))
        return -EINVAL;
    types[1] = types[0];
    if (count > 1 && take_integer(aml, len, &at, &types[1]))
        return -EINVAL;
    sleep_type[0] = types[0];
    sleep_type[1] = types[1];
    return 0;
}

int power_parse_sleep(const uint8_t *dsdt, size_t len, const char name[4],
                      uint8_t sleep_type[2])
{
    for (size_t at = 1; at + 4 <= len; at++) {
        if (__builtin_memcmp(dsdt + at, name, 4) != 0)
            continue;
        if (dsdt[at - 1] != AML_NAME && dsdt[at - 1] != AML_ROOT)
            continue;
        if (parse_package(dsdt, len, at + 4, sleep_type) == 0)
            return 0;
    }
    return -EINVAL;
}

size_t power_facs_length(const uint8_t *facs)
{
    uint64_t len = field(facs, FACS_BYTES_LEAST, 4, 4);

    if (__builtin_memcmp(facs, "FACS", 4) != 0 || len < FACS_BYTES_LEAST)
        return 0;
    return len < FACS_BYTES ? len : FACS_BYTES;
}
