// SPDX-License-Identifier: BSD-2-Clause
/*
 * Settings: one table of keys with type, default and meaning (docs/options.md is checked against it).
 * Channels, weakest first: built-in, aerostat.conf, SMBIOS OEM strings, fw_cfg, command line. A bad
 * value is reported with key, value and source, then the weaker value stays. Words are `key=value`,
 * separated by white space; a value may be "quoted"; `#` starts a comment in the file.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct boot_info;

enum config_source {
    CONFIG_DEFAULT,
    CONFIG_FILE,   /* aerostat.conf beside the EFI image */
    CONFIG_SMBIOS, /* OEM strings "aerostat:key=value" */
    CONFIG_FWCFG,  /* opt/org.aerostat/key */
    CONFIG_CMDLINE,
};

#define CONFIG_AUTO \
    UINT64_MAX /* config_u64() of a key whose value is a word, "auto" or "off" */

/* Read every channel. Boot context, once, while boot_info's texts and low memory are in the direct
 * map. Errors are logged as they are met. */
void config_load(const struct boot_info *info);

/* A key that is not in the table is our own bug. Sizes are in bytes: "4M", "512K", "1G", "123".
 * Times are in ns: "100ms", "2s", "50us". Any context after config_load(); before it, the built-in
 * values. */
uint64_t config_u64(const char *key); /* TYPE_SIZE, TYPE_TIME */
bool config_bool(const char *key);    /* on/off, yes/no, 1/0 */
const char *config_str(const char *key);
bool config_is(const char *key, const char *value); /* same text; for choices */
bool config_has_word(const char *key,
                     const char *word); /* one of the comma-separated words */
enum config_source config_source_of(const char *key);

/* Log every effective value with its source: a line for each that is set, one for the rest. */
void config_print(void);
