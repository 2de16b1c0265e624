// SPDX-License-Identifier: BSD-2-Clause
/* Where the firmware keeps what the kernel will ask for: ACPI, SMBIOS, the screen. */
#include "boot/efi/loader.h"

static EFI_GUID acpi_2_guid = ACPI_20_TABLE_GUID;
static EFI_GUID acpi_1_guid = ACPI_TABLE_GUID;
static EFI_GUID smbios_3_guid = SMBIOS3_TABLE_GUID;
static EFI_GUID smbios_2_guid = SMBIOS_TABLE_GUID;
static EFI_GUID gop_guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;

static paddr_t find_table(const struct loader *loader, const EFI_GUID *guid)
{
    const EFI_SYSTEM_TABLE *system = loader->system;

    for (UINTN i = 0; i < system->NumberOfTableEntries; i++) {
        if (__builtin_memcmp(&system->ConfigurationTable[i].VendorGuid, guid,
                             sizeof(*guid)) == 0)
            return (paddr_t)(uintptr_t)system->ConfigurationTable[i].VendorTable;
    }
    return 0;
}

/* 32 bits a pixel, eight a colour, red or blue lowest: every mode of every firmware we know. */
static bool is_rgb_mode(const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode,
                        uint32_t *is_rgb)
{
    const EFI_PIXEL_BITMASK *mask = &mode->PixelInformation;

    *is_rgb = mode->PixelFormat == PixelRedGreenBlueReserved8BitPerColor;
    if (*is_rgb || mode->PixelFormat == PixelBlueGreenRedReserved8BitPerColor)
        return true;
    if (mode->PixelFormat != PixelBitMask || mask->GreenMask != 0xFF00)
        return false;
    *is_rgb = mask->RedMask == 0xFF;
    return *is_rgb ? mask->BlueMask == 0xFF0000
                   : mask->RedMask == 0xFF0000 && mask->BlueMask == 0xFF;
}

static void find_framebuffer(const struct loader *loader, struct boot_framebuffer *out)
{
    EFI_GRAPHICS_OUTPUT_PROTOCOL *gop;
    const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode;

    if (loader->boot->LocateProtocol(&gop_guid, NULL, (void **)&gop) || !gop->Mode ||
        !gop->Mode->Info)
        return;
    mode = gop->Mode->Info;
    if (!is_rgb_mode(mode, &out->is_rgb) || gop->Mode->FrameBufferBase == 0)
        return;
    out->addr = gop->Mode->FrameBufferBase;
    out->size_bytes = gop->Mode->FrameBufferSize;
    out->width = mode->HorizontalResolution;
    out->height = mode->VerticalResolution;
    out->stride_pixels = mode->PixelsPerScanLine;
}

void find_tables(const struct loader *loader, struct boot_info *info)
{
    info->efi_system_table = (paddr_t)(uintptr_t)loader->system;
    info->rsdp = find_table(loader, &acpi_2_guid);
    if (info->rsdp == 0)
        info->rsdp = find_table(loader, &acpi_1_guid);
    info->smbios = find_table(loader, &smbios_3_guid);
    if (info->smbios == 0)
        info->smbios = find_table(loader, &smbios_2_guid);
    find_framebuffer(loader, &info->framebuffer);
}
