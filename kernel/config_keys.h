// SPDX-License-Identifier: BSD-2-Clause
/*
 * The table of settings: key, type, built-in value, what is allowed, meaning. docs/options.md is
 * checked against it. Pure: also built for the host.
 */
#pragma once

#include <stdint.h>

enum config_type {
    CONFIG_TYPE_BOOL, /* on/off, yes/no, 1/0 */
    CONFIG_TYPE_SIZE, /* bytes, decimal or 0x; K, M, G, T or KiB ...; words of `allowed` too */
    CONFIG_TYPE_TIME,   /* ns; the unit ns, us, ms or s is required */
    CONFIG_TYPE_CHOICE, /* one word of `allowed` */
    CONFIG_TYPE_WORDS,  /* words of `allowed`, separated by commas */
    CONFIG_TYPE_TEXT,   /* anything printable */
    CONFIG_TYPE_LIST, /* the same, repeatable: the values of one channel, separated by commas */
};

struct config_key {
    const char *name;
    enum config_type type;
    const char *built_in;
    const char *allowed; /* "a|b|c"; NULL: no words */
    uint64_t min, max;   /* of sizes and times */
    const char *meaning;
};

#define CONFIG_KEY_COUNT 32

extern const struct config_key config_keys[CONFIG_KEY_COUNT];
