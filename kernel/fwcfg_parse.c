// SPDX-License-Identifier: BSD-2-Clause
/* Decodes fw_cfg directory entries; the ports are fwcfg.c's. Pure. */
#include "kernel/fwcfg_parse.h"

#define PREFIX     "opt/org.aerostat/"
#define PREFIX_LEN (sizeof(PREFIX) - 1)

bool fwcfg_parse_entry(const struct fwcfg_entry *entry, struct fwcfg_option *out)
{
    const char *end = __builtin_memchr(entry->name, '\0', sizeof(entry->name));

    if (!end || __builtin_strncmp(entry->name, PREFIX, PREFIX_LEN) != 0)
        return false;
    out->size_bytes = (uint32_t)entry->size_bytes[0] << 24 |
                      (uint32_t)entry->size_bytes[1] << 16 |
                      (uint32_t)entry->size_bytes[2] << 8 | entry->size_bytes[3];
    out->select = (uint16_t)(entry->select[0] << 8 | entry->select[1]);
    __builtin_memcpy(out->key, entry->name + PREFIX_LEN,
                     (size_t)(end - entry->name) - PREFIX_LEN + 1);
    return true;
}

size_t fwcfg_trim(const char *value, size_t len)
{
    while (len > 0 &&
           (value[len - 1] == '\n' || value[len - 1] == '\r' || value[len - 1] == '\0'))
        len--;
    return len;
}
