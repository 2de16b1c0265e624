// SPDX-License-Identifier: BSD-2-Clause
/* The ways out: ACPI S5, EFI runtime, keyboard controller, port 0xCF9, triple fault; each tried in turn. */
#pragma once

#include <stdbool.h>

struct boot_info;

/* Look up what ACPI and EFI offer. Boot context, once, after acpi_init() and paging; before it the
 * functions below work with what needs no tables. */
void power_init(const struct boot_info *info);

/* Any context. Where the machine cannot be switched off it is reset: a VMM started with -no-reboot
 * takes that for the end. */
_Noreturn void power_off(void);
_Noreturn void power_reboot(void);

/* The end after a refusal or a panic: off where the machine can be switched off, else halted. Never a
 * reset, which would only lead here again. Any context. */
_Noreturn void power_stop(void);

/* Report `status` to isa-debug-exit at 0x501 (QEMU exits with status<<1|1); returns when there is none. */
void power_test_status(unsigned status);

/* One way alone: "acpi", "efi", "keyboard", "port" or "fault", as power_has_way() knows them. When it does
 * not work the machine stays halted. For tests, and for machines on which an earlier way misbehaves. */
bool power_has_way(const char *name);
_Noreturn void power_off_by(const char *name);
_Noreturn void power_reboot_by(const char *name);

/* End a test run: isa-debug-exit at 0x501 with `status` (QEMU exits with status<<1|1), else power_stop(). */
_Noreturn void power_test_exit(unsigned status);
