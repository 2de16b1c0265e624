// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the files of the EFI loader share: the handles of this run, and the few services built on the
 * firmware's. All of it works until ExitBootServices() only. Errors are EFI_STATUS; refuse() is the
 * one way to give up.
 */
#pragma once

#include <efi.h>

#include "base/units.h"
#include "boot/boot_info.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loader {
    EFI_HANDLE image;
    EFI_SYSTEM_TABLE *system;
    EFI_BOOT_SERVICES *boot;
    EFI_LOADED_IMAGE *loaded; /* how we came here: device, path, options */
};

/* console.c: one line on the firmware's console, serial and debugcon, then back to the firmware with
 * an error. `status` is shown unless it is EFI_SUCCESS. */
_Noreturn void refuse(const struct loader *loader, const char *reason, EFI_STATUS status);

/* console.c: one line on the firmware's console. */
void say(const struct loader *loader, const char *text);

/* `pages` of zeroed loader memory below 4 GiB; refuses when there is none. */
void *take_pages(const struct loader *loader, UINTN pages);

/* files.c: aerostat.conf from the folder the loader came from, into info->conf. None is fine. */
void read_conf(const struct loader *loader, struct boot_info *info);

/* tables.c: ACPI, SMBIOS, framebuffer and system table into *info. */
void find_tables(const struct loader *loader, struct boot_info *info);

static inline UINTN pages_for(uint64_t size_bytes)
{
    return (UINTN)((size_bytes + FRAME_SIZE - 1) / FRAME_SIZE);
}
