// SPDX-License-Identifier: BSD-2-Clause
/*
 * The fixed ACPI hardware that puts the machine to sleep and says why it woke: PM1 status, enable and
 * control registers, one or two of each (ACPI 6.4, 4.8.3.1 and 4.8.3.2). Which sleep is the caller's.
 */
#pragma once

#include "kernel/power_parse.h"

#include "hal/reg_io.h"

/* What a sleep loses. */
struct pm1_state {
    bool is_acpi_mode;
    uint32_t enable[2];
};

/* Open a register the FADT names, `width` bytes wide; size_bytes stays 0 when there is none. */
void power_reg_open(struct power_reg reg, uint16_t width, struct reg_io *out);

/* Open what the FADT names. Boot context. The functions below may be called from anywhere. */
void pm1_init(const struct power_tables *tables);

/* The control register is there: the machine can be put to sleep. */
bool pm1_is_there(void);

/* Ask for the sleep that SLP_TYPa and SLP_TYPb name, in ACPI mode, which is entered where firmware has not.
 * Returns: at once when the machine takes no notice, else before it sleeps or never. */
void pm1_sleep(const uint8_t type[2]);

/* Clear every cause of waking that is noted. True when the machine has woken since the last time. */
bool pm1_clear_status(void);

void pm1_save(struct pm1_state *out);
void pm1_restore(const struct pm1_state *state);
