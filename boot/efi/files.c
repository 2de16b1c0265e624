// SPDX-License-Identifier: BSD-2-Clause
/*
 * aerostat.conf, from the volume and folder our own file came from. A file that is not there is
 * normal; one that cannot be read is said and left.
 */
#include "boot/efi/loader.h"

#define CONF_NAME     L"aerostat.conf"
#define CONF_MAX      (64 * KIB)
#define PATH_MAX      256 /* UCS-2 units */
#define PATH_MEDIA    4
#define PATH_FILE     4
#define PATH_NODE_MIN 4

static EFI_GUID file_system_guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;

/* The text of the file path nodes, as the firmware gives them: one path, possibly in several nodes.
 * Returns its length, 0 when there is none or it is too long. */
static UINTN path_text(const EFI_DEVICE_PATH *node, CHAR16 path[PATH_MAX])
{
    UINTN len = 0;

    while (node && node->Type == PATH_MEDIA && node->SubType == PATH_FILE) {
        UINTN bytes = (UINTN)node->Length[0] | (UINTN)node->Length[1] << 8;
        const CHAR16 *text = (const CHAR16 *)(node + 1);

        if (bytes < PATH_NODE_MIN)
            return 0;
        if (len > 0 && path[len - 1] != '\\')
            path[len++] = '\\';
        for (UINTN i = 0; i < (bytes - PATH_NODE_MIN) / 2 && text[i]; i++) {
            if (len + 2 >= PATH_MAX)
                return 0;
            path[len++] = text[i];
        }
        node = (const EFI_DEVICE_PATH *)((const uint8_t *)node + bytes);
    }
    return len;
}

/* "\EFI\BOOT\BOOTX64.EFI" to "\EFI\BOOT\aerostat.conf". */
static bool conf_path(const struct loader *loader, CHAR16 path[PATH_MAX])
{
    static const CHAR16 name[] = CONF_NAME;
    UINTN len = path_text(loader->loaded->FilePath, path);

    while (len > 0 && path[len - 1] != '\\' && path[len - 1] != '/')
        len--;
    if (len + sizeof(name) / sizeof(name[0]) > PATH_MAX)
        return false;
    __builtin_memcpy(path + len, name, sizeof(name));
    return true;
}

static EFI_FILE_HANDLE open_conf(const struct loader *loader)
{
    EFI_FILE_IO_INTERFACE *fs;
    EFI_FILE_HANDLE root, file;
    CHAR16 path[PATH_MAX];

    if (!loader->loaded->DeviceHandle || !conf_path(loader, path))
        return NULL;
    if (loader->boot->HandleProtocol(loader->loaded->DeviceHandle, &file_system_guid,
                                     (void **)&fs))
        return NULL;
    if (fs->OpenVolume(fs, &root))
        return NULL;
    if (root->Open(root, &file, path, EFI_FILE_MODE_READ, 0))
        file = NULL;
    root->Close(root);
    return file;
}

void read_conf(const struct loader *loader, struct boot_info *info)
{
    EFI_FILE_HANDLE file = open_conf(loader);
    UINTN bytes = CONF_MAX;
    void *text;

    if (!file)
        return;
    text = take_pages(loader, pages_for(CONF_MAX));
    if (file->Read(file, &bytes, text)) {
        say(loader, "aerostat: aerostat.conf cannot be read, going on without it");
        bytes = 0;
    } else if (bytes == CONF_MAX) {
        say(loader, "aerostat: aerostat.conf has 64 KiB or more, the rest is not read");
    }
    file->Close(file);
    info->conf = (paddr_t)(uintptr_t)text;
    info->conf_bytes = bytes;
}
