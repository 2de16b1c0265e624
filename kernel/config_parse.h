// SPDX-License-Identifier: BSD-2-Clause
/*
 * From the text of a channel to checked values. Pure: no machine, no globals; also built for the
 * host. All text is untrusted: lengths are bounds, NULs and control characters may be anywhere.
 *
 *     config_defaults(&set);
 *     config_parse_text(&set, CONFIG_FILE, text, len, &report);
 *     config_parse_text(&set, CONFIG_CMDLINE, cmdline, len, &report);
 */
#pragma once

#include "kernel/config.h"
#include "kernel/config_keys.h"

#include <stddef.h>

#define CONFIG_VALUE_MAX 256 /* with the NUL */

struct config_value {
    enum config_source source;
    uint64_t number; /* bool 0/1, or the number; CONFIG_AUTO for the word "auto" */
    char text[CONFIG_VALUE_MAX];
};

struct config_set {
    struct config_value values[CONFIG_KEY_COUNT]; /* in the order of config_keys[] */
};

/* Who hears of errors: key and value are printable, shortened, NUL-terminated, and gone afterwards. */
struct config_report {
    void *ctx;
    void (*error)(void *ctx, enum config_source source, const char *key,
                  const char *value, const char *reason);
};

/* The built-in values. They are well-formed: anything else is our bug, and asserted. */
void config_defaults(struct config_set *set);

/* Index of the key of `len` bytes in config_keys[], or -EINVAL. */
int config_find(const char *key, size_t len);

/* Set one value. An unknown key or a bad value is reported and changes nothing; so does a value of
 * a weaker source than the present one, silently. */
void config_put(struct config_set *set, enum config_source source, const char *key,
                size_t key_len, const char *value, size_t value_len,
                const struct config_report *report);

/* Every `key=value` of a text; `#` comments only with CONFIG_FILE. On the command line, words that
 * boot loaders and VMMs add for others are skipped. */
void config_parse_text(struct config_set *set, enum config_source source,
                       const char *text, size_t len, const struct config_report *report);

/* "4M" to bytes, "100ms" to ns. 0 or -EINVAL (form, overflow). */
int config_parse_size(const char *text, size_t len, uint64_t *out);
int config_parse_time(const char *text, size_t len, uint64_t *out);

/* "command line" for CONFIG_CMDLINE, and so on. */
const char *config_source_name(enum config_source source);
