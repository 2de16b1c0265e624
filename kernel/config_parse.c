// SPDX-License-Identifier: BSD-2-Clause
/*
 * The grammar of settings: words, quotes, comments, numbers with units, and the checks of each type.
 * Where the text came from and who reads the result is config.c's business. Pure.
 */
#include "kernel/config_parse.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/err.h"
#include "base/units.h"

#define SHOWN_MAX 64 /* bytes of a key or value repeated in an error */

/* A stretch of text; not terminated. */
struct span {
    const char *at;
    size_t len;
};

struct unit {
    const char *name;
    uint64_t factor;
};

static size_t text_len(const char *text)
{
    return __builtin_strlen(text);
}

static struct span span_of(const char *text)
{
    return (struct span){text, text_len(text)};
}

static bool span_is(struct span s, const char *text)
{
    return s.len == text_len(text) && __builtin_memcmp(s.at, text, s.len) == 0;
}

static bool span_starts(struct span s, const char *text)
{
    return s.len >= text_len(text) && __builtin_memcmp(s.at, text, text_len(text)) == 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0';
}

static bool is_printable(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] < 0x20 || s.at[i] > 0x7E)
            return false;
    }
    return true;
}

/* Take the part before `separator` off the front of `rest`. False when nothing is left. */
static bool take_part(struct span *rest, char separator, struct span *part)
{
    size_t n = 0;

    if (!rest->at)
        return false;
    while (n < rest->len && rest->at[n] != separator)
        n++;
    *part = (struct span){rest->at, n};
    if (n < rest->len)
        *rest = (struct span){rest->at + n + 1, rest->len - n - 1};
    else
        *rest = (struct span){NULL, 0};
    return true;
}

static bool is_allowed(const char *allowed, struct span word)
{
    struct span rest = span_of(allowed), part;

    while (take_part(&rest, '|', &part)) {
        if (part.len == word.len && __builtin_memcmp(part.at, word.at, word.len) == 0)
            return true;
    }
    return false;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

/* A number at the front of `s`, which then holds what follows it. */
static int take_number(struct span *s, uint64_t *out)
{
    uint64_t value = 0, base = 10;
    size_t i = 0, first;

    if (span_starts(*s, "0x")) {
        base = 16;
        i = 2;
    }
    first = i;
    for (; i < s->len && (uint64_t)digit_of(s->at[i]) < base; i++) {
        if (__builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit_of(s->at[i]), &value))
            return -EINVAL;
    }
    if (i == first)
        return -EINVAL;
    *s = (struct span){s->at + i, s->len - i};
    *out = value;
    return 0;
}

static int parse_scaled(struct span s, const struct unit *units, size_t count,
                        uint64_t *out)
{
    uint64_t value;

    if (take_number(&s, &value))
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (span_is(s, units[i].name))
            return __builtin_mul_overflow(value, units[i].factor, out) ? -EINVAL : 0;
    }
    return -EINVAL;
}

int config_parse_size(const char *text, size_t len, uint64_t *out)
{
    static const struct unit units[] = {
        {"", 1},    {"K", KIB},   {"KiB", KIB},      {"M", MIB},          {"MiB", MIB},
        {"G", GIB}, {"GiB", GIB}, {"T", 1024 * GIB}, {"TiB", 1024 * GIB},
    };

    return parse_scaled((struct span){text, len}, units, ARRAY_LEN(units), out);
}

int config_parse_time(const char *text, size_t len, uint64_t *out)
{
    static const struct unit units[] = {
        {"ns", 1},
        {"us", NS_PER_US},
        {"ms", NS_PER_MS},
        {"s", NS_PER_S},
    };

    return parse_scaled((struct span){text, len}, units, ARRAY_LEN(units), out);
}

/* The checks below return NULL, or what is wrong with the value. */

static const char *check_bool(struct span value, uint64_t *number)
{
    *number = is_allowed("on|yes|1", value);
    return *number || is_allowed("off|no|0", value) ? NULL : "expected on or off";
}

static const char *check_words(const char *allowed, struct span value)
{
    struct span rest = value, word;

    while (take_part(&rest, ',', &word)) {
        if (!is_allowed(allowed, word))
            return "not a list of the words allowed here";
    }
    return NULL;
}

static const char *check_number(const struct config_key *key, struct span value,
                                uint64_t *number)
{
    int err;

    if (key->allowed && is_allowed(key->allowed, value)) {
        *number = CONFIG_AUTO;
        return NULL;
    }
    if (key->type == CONFIG_TYPE_TIME)
        err = config_parse_time(value.at, value.len, number);
    else
        err = config_parse_size(value.at, value.len, number);
    if (err)
        return key->type == CONFIG_TYPE_TIME ? "expected a time such as 100ms"
                                             : "expected a number such as 512 or 4M";
    return *number < key->min || *number > key->max ? "out of range" : NULL;
}

static const char *check_value(const struct config_key *key, struct span value,
                               uint64_t *number)
{
    *number = 0;
    if (value.len >= CONFIG_VALUE_MAX)
        return "too long";
    if (!is_printable(value))
        return "not printable ASCII";
    switch (key->type) {
    case CONFIG_TYPE_BOOL:
        return check_bool(value, number);
    case CONFIG_TYPE_CHOICE:
        return is_allowed(key->allowed, value) ? NULL
                                               : "not one of the words allowed here";
    case CONFIG_TYPE_WORDS:
        return check_words(key->allowed, value);
    case CONFIG_TYPE_TEXT:
    case CONFIG_TYPE_LIST:
        return NULL;
    case CONFIG_TYPE_SIZE:
    case CONFIG_TYPE_TIME:
        break;
    }
    return check_number(key, value, number);
}

static void store(struct config_value *to, enum config_source source, struct span value,
                  uint64_t number)
{
    to->source = source;
    to->number = number;
    __builtin_memcpy(to->text, value.at, value.len);
    to->text[value.len] = '\0';
}

/* One value more behind those that the same channel has given already. */
static const char *append(struct config_value *to, struct span value)
{
    size_t len = text_len(to->text);

    if (len + 1 + value.len >= CONFIG_VALUE_MAX)
        return "too many of them";
    to->text[len] = ',';
    __builtin_memcpy(to->text + len + 1, value.at, value.len);
    to->text[len + 1 + value.len] = '\0';
    return NULL;
}

/* A printable, shortened copy for an error message. */
static void show(struct span s, char out[SHOWN_MAX + 4])
{
    size_t n = s.len < SHOWN_MAX ? s.len : SHOWN_MAX;

    for (size_t i = 0; i < n; i++)
        out[i] = s.at[i] < 0x20 || s.at[i] > 0x7E ? '?' : s.at[i];
    __builtin_memcpy(out + n, s.len > SHOWN_MAX ? "..." : "", s.len > SHOWN_MAX ? 4 : 1);
}

static void complain(const struct config_report *report, enum config_source source,
                     struct span key, struct span value, const char *reason)
{
    char shown_key[SHOWN_MAX + 4], shown_value[SHOWN_MAX + 4];

    show(key, shown_key);
    show(value, shown_value);
    report->error(report->ctx, source, shown_key, shown_value, reason);
}

void config_defaults(struct config_set *set)
{
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        struct span value = span_of(config_keys[i].built_in);
        uint64_t number;
        const char *wrong = check_value(&config_keys[i], value, &number);

        assert(!wrong);
        store(&set->values[i], CONFIG_DEFAULT, value, number);
    }
}

int config_find(const char *key, size_t len)
{
    for (int i = 0; i < CONFIG_KEY_COUNT; i++) {
        if (span_is((struct span){key, len}, config_keys[i].name))
            return i;
    }
    return -EINVAL;
}

static void put(struct config_set *set, enum config_source source, struct span key,
                struct span value, const struct config_report *report)
{
    int i = config_find(key.at, key.len);
    const char *wrong;
    uint64_t number;

    if (i < 0) {
        complain(report, source, key, value, "unknown key");
        return;
    }
    wrong = check_value(&config_keys[i], value, &number);
    if (!wrong && config_keys[i].type == CONFIG_TYPE_LIST &&
        source == set->values[i].source)
        wrong = append(&set->values[i], value);
    else if (!wrong && source >= set->values[i].source)
        store(&set->values[i], source, value, number);
    if (wrong)
        complain(report, source, key, value, wrong);
}

void config_put(struct config_set *set, enum config_source source, const char *key,
                size_t key_len, const char *value, size_t value_len,
                const struct config_report *report)
{
    put(set, source, (struct span){key, key_len}, (struct span){value, value_len},
        report);
}

/* Words others put on our command line: a boot loader's own, and the program name a UEFI shell passes
 * first. */
static bool is_foreign(struct span word)
{
    static const char *const prefixes[] = {"BOOT_IMAGE=", "initrd="};

    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (span_starts(word, prefixes[i]))
            return true;
    }
    if (word.len < 4)
        return false;
    struct span end = {word.at + word.len - 4, 4};
    return span_is(end, ".efi") || span_is(end, ".EFI");
}

/* Split one `key=value` off the front. The value may be in quotes, then it may hold spaces. */
static void take_pair(struct span *rest, struct span *key, struct span *value,
                      bool *is_open)
{
    const char *at = rest->at, *end = rest->at + rest->len;

    *is_open = false;
    while (at < end && !is_space(*at) && *at != '=')
        at++;
    *key = (struct span){rest->at, (size_t)(at - rest->at)};
    *value = (struct span){NULL, 0};
    if (at < end && *at == '=') {
        bool is_quoted = ++at < end && *at == '"';
        const char *start = is_quoted ? ++at : at;

        while (at < end && (is_quoted ? *at != '"' && *at != '\n' : !is_space(*at)))
            at++;
        *value = (struct span){start, (size_t)(at - start)};
        *is_open = is_quoted && (at == end || *at != '"');
        if (is_quoted && !*is_open)
            at++;
    }
    *rest = (struct span){at, (size_t)(end - at)};
}

static void skip_blank(struct span *rest, bool has_comments)
{
    bool in_comment = false;

    while (rest->len > 0) {
        if (has_comments && *rest->at == '#')
            in_comment = true;
        if (in_comment ? *rest->at == '\n' : !is_space(*rest->at)) {
            if (!in_comment)
                return;
            in_comment = false;
        }
        rest->at++;
        rest->len--;
    }
}

void config_parse_text(struct config_set *set, enum config_source source,
                       const char *text, size_t len, const struct config_report *report)
{
    struct span rest = {text, len}, key, value;
    bool is_open;

    for (skip_blank(&rest, source == CONFIG_FILE); rest.len > 0;
         skip_blank(&rest, source == CONFIG_FILE)) {
        const char *start = rest.at;

        take_pair(&rest, &key, &value, &is_open);
        struct span word = {start, (size_t)(rest.at - start)};
        if (source == CONFIG_CMDLINE && is_foreign(word))
            continue;
        if (is_open)
            complain(report, source, key, value, "closing quote is missing");
        else if (!value.at)
            complain(report, source, key, span_of(""), "not of the form key=value");
        else
            put(set, source, key, value, report);
    }
}

const char *config_source_name(enum config_source source)
{
    static const char *const names[] = {
        [CONFIG_DEFAULT] = "built-in",     [CONFIG_FILE] = "aerostat.conf",
        [CONFIG_SMBIOS] = "SMBIOS",        [CONFIG_FWCFG] = "fw_cfg",
        [CONFIG_CMDLINE] = "command line",
    };

    return names[source];
}
