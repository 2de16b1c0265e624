// SPDX-License-Identifier: BSD-2-Clause
/*
 * ACPI S3 as this machine has it: which sleep type, where the waking vector goes, how it is entered. The
 * order of things around it is suspend.c's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Look S3 up in the tables. Boot context, after power_init(). */
void sleep_init(void);

/* NULL when the machine has S3, else what it lacks. Static text. */
const char *sleep_missing(void);

/* Note what the sleep loses. Task level. */
void sleep_save(void);

/* Go to sleep; firmware will enter `vector` (below 1 MiB) in real mode, CS = vector >> 4. Writes no memory
 * but the vector. Returns when the machine takes no notice. Interrupts off. */
void sleep_enter(uint32_t vector);

/* After the wake, PCI registers being back: nobody may wake us there again, ACPI mode and the enable
 * registers as before. False when the machine does not say that it woke. */
bool sleep_over(void);
