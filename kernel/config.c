// SPDX-License-Identifier: BSD-2-Clause
/*
 * The settings of this run: reads each channel in order of strength, reports what is wrong with them
 * and answers by key. The grammar is config_parse.c's.
 */
#include "kernel/config.h"

#include "base/assert.h"
#include "base/bits.h"
#include "boot/boot_info.h"
#include "kernel/config_parse.h"
#include "kernel/format.h"
#include "kernel/fwcfg.h"
#include "kernel/log.h"
#include "kernel/smbios.h"

#define PRINT_LINE 200 /* of built-in values */

#define TEXT_MAX (64 * KIB) /* of a file or command line; more is cut and reported */

static struct config_set settings; /* written by config_load() only */
static bool is_ready;

static void log_problem(void *ctx, enum config_source source, const char *key,
                        const char *value, const char *reason)
{
    (void)ctx;
    log_error("config: %s=\"%s\" (%s): %s", key, value, config_source_name(source),
              reason);
}

static const struct config_report problems = {.error = log_problem};

static void load_text(enum config_source source, paddr_t text, uint64_t size_bytes)
{
    if (text == 0)
        return;
    if (size_bytes > TEXT_MAX) {
        log_error("config: %s has %llu bytes, only the first %llu are read",
                  config_source_name(source), (unsigned long long)size_bytes,
                  (unsigned long long)TEXT_MAX);
        size_bytes = TEXT_MAX;
    }
    config_parse_text(&settings, source,
                      (const char *)(uintptr_t)(DIRECT_MAP_BASE + text), size_bytes,
                      &problems);
}

/* "key=value" of one SMBIOS OEM string; no quotes, the string has an end of its own. */
static void put_oem_string(void *ctx, const char *text, size_t len)
{
    const char *equals = __builtin_memchr(text, '=', len);
    size_t key_len = equals ? (size_t)(equals - text) : len;

    (void)ctx;
    config_put(&settings, CONFIG_SMBIOS, text, key_len, equals ? equals + 1 : "",
               equals ? len - key_len - 1 : 0, &problems);
}

static void put_fwcfg_item(void *ctx, const char *key, const char *value, size_t len)
{
    (void)ctx;
    config_put(&settings, CONFIG_FWCFG, key, __builtin_strlen(key), value, len,
               &problems);
}

void config_load(const struct boot_info *info)
{
    config_defaults(&settings);
    is_ready = true;
    load_text(CONFIG_FILE, info->conf, info->conf_bytes);
    smbios_each_option(info, put_oem_string, NULL);
    fwcfg_each_option(put_fwcfg_item, NULL);
    load_text(CONFIG_CMDLINE, info->cmdline, info->cmdline_bytes);
}

static const struct config_value *value_of(const char *key)
{
    int i = config_find(key, __builtin_strlen(key));

    assert(i >= 0);
    if (!is_ready) {
        config_defaults(&settings);
        is_ready = true;
    }
    return &settings.values[i];
}

uint64_t config_u64(const char *key)
{
    return value_of(key)->number;
}

bool config_bool(const char *key)
{
    return value_of(key)->number != 0;
}

const char *config_str(const char *key)
{
    return value_of(key)->text;
}

bool config_is(const char *key, const char *value)
{
    return __builtin_strcmp(config_str(key), value) == 0;
}

bool config_has_word(const char *key, const char *word)
{
    const char *at = config_str(key);
    size_t len = __builtin_strlen(word);

    while (at) {
        if (__builtin_strncmp(at, word, len) == 0 && (at[len] == ',' || at[len] == '\0'))
            return true;
        at = __builtin_strchr(at, ',');
        if (at)
            at++;
    }
    return false;
}

enum config_source config_source_of(const char *key)
{
    return value_of(key)->source;
}

/* Add one built-in value to the line, which is printed first when it is full. */
static size_t print_built_in(char line[PRINT_LINE], size_t len, const char *name,
                             const char *text)
{
    char word[PRINT_LINE];
    size_t word_len = (size_t)format_s(word, sizeof(word), " %s=%s", name, text);

    assert(word_len < sizeof(word)); /* the built-in values are ours and short */
    if (len + word_len >= PRINT_LINE) {
        log_info("config: built-in:%s", line);
        len = 0;
    }
    return len + (size_t)format_s(line + len, PRINT_LINE - len, "%s", word);
}

void config_print(void)
{
    char line[PRINT_LINE];
    size_t len = 0;

    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        const char *name = config_keys[i].name;
        const struct config_value *value = value_of(name);

        if (value->source != CONFIG_DEFAULT)
            log_info("config: %s=\"%s\" (%s)", name, value->text,
                     config_source_name(value->source));
        else if (value->text[0] != '\0')
            len = print_built_in(line, len, name, value->text);
    }
    if (len > 0)
        log_info("config: built-in:%s", line);
}
