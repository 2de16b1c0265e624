// SPDX-License-Identifier: BSD-2-Clause
/* Registers are opened once, by pm1_init(), so that switching off works from a panic. */
#include "kernel/pm1.h"

#include "kernel/log.h"
#include "kernel/x86/io.h"
#include "kernel/x86/mmio.h"

#include "base/bits.h"
#include "base/err.h"

/* ACPI 6.4, tables 4.11 and 4.13. */
#define SCI_ENABLE  BIT32(0)
#define SLEEP_TYPE  10 /* shift, three bits */
#define SLEEP_MASK  (7u << SLEEP_TYPE)
#define SLEEP_START BIT32(13)
#define WAKE_STATUS BIT32(15)
#define STATUS_ALL  0xC731u /* every defined bit; writing 1 clears */

#define EVENT_BYTES_LEAST 4
#define MODE_READS        200000 /* some 200 ms on hardware */

/* Written by pm1_init(); size_bytes 0: there is none. */
static struct {
    struct reg_io control[2], event[2];
    uint16_t
        event_half; /* bytes of the status registers, which the enable registers follow */
    uint16_t smi_command;
    uint8_t acpi_enable;
} pm1;

void power_reg_open(struct power_reg reg, uint16_t width, struct reg_io *out)
{
    const struct reg_space *space = &machine_reg_space;
    int err;

    if (reg.addr == 0)
        return;
    if (reg.is_port)
        err = space->port(space->ctx, (uint16_t)reg.addr, width, out);
    else
        err = space->map(space->ctx, reg.addr, width, out);
    if (err) {
        out->size_bytes = 0;
        log_warn("power: register at 0x%llx cannot be reached: %s",
                 (unsigned long long)reg.addr, err_name(err));
    }
}

void pm1_init(const struct power_tables *tables)
{
    power_reg_open(tables->pm1a_control, 2, &pm1.control[0]);
    power_reg_open(tables->pm1b_control, 2, &pm1.control[1]);
    pm1.smi_command = tables->smi_command;
    pm1.acpi_enable = tables->acpi_enable;
    if (tables->pm1_event_bytes < EVENT_BYTES_LEAST)
        return;
    pm1.event_half = tables->pm1_event_bytes / 2;
    power_reg_open(tables->pm1a_event, tables->pm1_event_bytes, &pm1.event[0]);
    power_reg_open(tables->pm1b_event, tables->pm1_event_bytes, &pm1.event[1]);
}

bool pm1_is_there(void)
{
    return pm1.control[0].size_bytes != 0;
}

static bool is_acpi_mode(void)
{
    return reg_read16(&pm1.control[0], 0) & SCI_ENABLE;
}

/* Sleep requests are defined in ACPI mode only; firmware that is in legacy mode is asked to leave it. */
static void enter_acpi_mode(void)
{
    if (pm1.smi_command == 0 || pm1.acpi_enable == 0 || is_acpi_mode())
        return;
    io_out8(pm1.smi_command, pm1.acpi_enable);
    for (unsigned i = 0; i < MODE_READS; i++) {
        if (is_acpi_mode())
            return;
    }
}

static void sleep_by(const struct reg_io *reg, uint8_t type)
{
    uint32_t value = reg_read16(reg, 0) & ~(SLEEP_MASK | SLEEP_START);

    value |= (uint32_t)type << SLEEP_TYPE;
    reg_write16(reg, 0, value);
    reg_write16(reg, 0, value | SLEEP_START);
}

void pm1_sleep(const uint8_t type[2])
{
    enter_acpi_mode();
    sleep_by(&pm1.control[0], type[0]);
    if (pm1.control[1].size_bytes)
        sleep_by(&pm1.control[1], type[1]);
}

bool pm1_clear_status(void)
{
    uint32_t seen = 0;

    for (unsigned i = 0; i < ARRAY_LEN(pm1.event); i++) {
        if (pm1.event[i].size_bytes == 0)
            continue;
        seen |= reg_read16(&pm1.event[i], 0);
        reg_write16(&pm1.event[i], 0, STATUS_ALL);
    }
    return seen & WAKE_STATUS;
}

void pm1_save(struct pm1_state *out)
{
    out->is_acpi_mode = is_acpi_mode();
    for (unsigned i = 0; i < ARRAY_LEN(pm1.event); i++)
        out->enable[i] =
            pm1.event[i].size_bytes ? reg_read16(&pm1.event[i], pm1.event_half) : 0;
}

void pm1_restore(const struct pm1_state *state)
{
    if (state->is_acpi_mode)
        enter_acpi_mode();
    for (unsigned i = 0; i < ARRAY_LEN(pm1.event); i++) {
        if (pm1.event[i].size_bytes)
            reg_write16(&pm1.event[i], pm1.event_half, state->enable[i]);
    }
}
