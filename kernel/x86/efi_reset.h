// SPDX-License-Identifier: BSD-2-Clause
/*
 * The one EFI runtime service we use: ResetSystem. Firmware code runs on a page table of its own that
 * exists for that call only: our image, and the runtime ranges identity-mapped (writable and
 * executable, as firmware images need it). The kernel's own tables never map them.
 */
#pragma once

struct boot_info;

enum efi_reset_type { /* UEFI 2.10, 8.5.1 */
                      EFI_RESET_COLD = 0,
                      EFI_RESET_SHUTDOWN = 2,
};

/* Remember where the runtime services are. Boot context. */
void efi_reset_init(const struct boot_info *info);

/* Returns when there is no EFI, its tables are not sound, or the firmware did not obey. Interrupts
 * are off. The machine is in no state to do anything but reset afterwards. */
void efi_reset(enum efi_reset_type type);
