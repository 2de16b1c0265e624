// SPDX-License-Identifier: BSD-2-Clause
/* The layout of fw_cfg's file directory, and which of its entries are ours. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One directory entry as it comes from the port: integers in big-endian byte order. */
struct fwcfg_entry {
    uint8_t size_bytes[4];
    uint8_t select[2];
    uint8_t reserved[2];
    char name[56]; /* should be NUL-terminated */
};
_Static_assert(sizeof(struct fwcfg_entry) == 64, "fw_cfg directory entry");

struct fwcfg_option {
    uint32_t size_bytes;
    uint16_t select;
    char key[56];
};

/* True when the entry is an option of ours, well-formed; then *out is written. */
bool fwcfg_parse_entry(const struct fwcfg_entry *entry, struct fwcfg_option *out);

/* The length of a value without the newlines and NULs at its end (`echo` and string properties). */
size_t fwcfg_trim(const char *value, size_t len);
