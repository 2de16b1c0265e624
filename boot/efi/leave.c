// SPDX-License-Identifier: BSD-2-Clause
/*
 * ExitBootServices(). It wants the key of the newest memory map; anything the firmware does in between
 * (a timer event is enough) makes the key stale, so both calls are repeated a few times. Once it was
 * called only GetMemoryMap() is allowed (UEFI 2.10, 7.4.6): the buffer has room to spare from the start.
 */
#include "boot/efi/leave.h"

#include "boot/efi/memory_map.h"

#define ATTEMPTS 8
/* growth of the map: by our own buffer, and between attempts */
#define SPARE_BYTES (16 * KIB)

struct memory_map {
    EFI_MEMORY_DESCRIPTOR *entries;
    UINTN capacity, bytes, key, stride;
};

static EFI_STATUS get_map(const struct loader *loader, struct memory_map *map)
{
    UINT32 version;

    map->bytes = map->capacity;
    return loader->boot->GetMemoryMap(&map->bytes, map->entries, &map->key, &map->stride,
                                      &version);
}

static void take_buffer(const struct loader *loader, struct memory_map *map)
{
    EFI_STATUS status = get_map(loader, map);
    UINTN pages = pages_for(map->bytes + SPARE_BYTES);

    if (status != EFI_BUFFER_TOO_SMALL)
        refuse(loader, "the firmware does not tell the size of its memory map", status);
    map->entries = take_pages(loader, pages);
    map->capacity = pages * FRAME_SIZE;
}

void leave_boot_services(const struct loader *loader, struct boot_info *info,
                         uint64_t kernel_bytes)
{
    struct memory_map map = {0};
    EFI_STATUS status = EFI_INVALID_PARAMETER;

    take_buffer(loader, &map);
    for (unsigned i = 0; i < ATTEMPTS && status == EFI_INVALID_PARAMETER; i++) {
        status = get_map(loader, &map);
        if (status != EFI_SUCCESS)
            refuse(loader, "the firmware does not give its memory map", status);
        status = loader->boot->ExitBootServices(loader->image, map.key);
    }
    if (status != EFI_SUCCESS)
        refuse(loader, "the firmware does not let go", status);
    memory_map_convert((const uint8_t *)map.entries, map.bytes, map.stride, kernel_bytes,
                       info);
}
