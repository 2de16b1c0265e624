// SPDX-License-Identifier: BSD-2-Clause
/* kernel/config_parse.c: grammar, types, order of sources, hostile text; docs/options.md against the
 * table of keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/units.h"
#include "kernel/config_parse.h"

struct heard {
    int count;
    enum config_source source;
    char key[128], value[128], reason[128];
};

static struct heard heard;

static void hear(void *ctx, enum config_source source, const char *key, const char *value,
                 const char *reason)
{
    struct heard *to = ctx;

    to->count++;
    to->source = source;
    snprintf(to->key, sizeof(to->key), "%s", key);
    snprintf(to->value, sizeof(to->value), "%s", value);
    snprintf(to->reason, sizeof(to->reason), "%s", reason);
}

static const struct config_report report = {.ctx = &heard, .error = hear};
static struct config_set set;

static int start(void **state)
{
    (void)state;
    memset(&heard, 0, sizeof(heard));
    config_defaults(&set);
    return 0;
}

static void parse(enum config_source source, const char *text)
{
    /* An exact copy on the heap: the sanitizer sees a read behind the end. */
    size_t len = strlen(text);
    char *copy = malloc(len ? len : 1);

    memcpy(copy, text, len);
    config_parse_text(&set, source, copy, len, &report);
    free(copy);
}

static const struct config_value *value_of(const char *key)
{
    int i = config_find(key, strlen(key));

    assert_true(i >= 0);
    return &set.values[i];
}

static void defaults_are_well_formed(void **state)
{
    (void)state;
    assert_int_equal(value_of("balloon.enable")->number, 1);
    assert_int_equal(value_of("balloon.reserve")->number, CONFIG_AUTO);
    assert_int_equal(value_of("poll_interval")->number, 100 * NS_PER_MS);
    assert_string_equal(value_of("irq")->text, "auto");
    assert_string_equal(value_of("test")->text, "");
    assert_int_equal(value_of("irq")->source, CONFIG_DEFAULT);
}

static void words_quotes_and_blanks(void **state)
{
    (void)state;
    parse(CONFIG_CMDLINE,
          "  irq=poll\trun=\"fill 80%; free\" balloon.enable=off loglevel=debug");
    assert_int_equal(heard.count, 0);
    assert_string_equal(value_of("irq")->text, "poll");
    assert_string_equal(value_of("run")->text, "fill 80%; free");
    assert_int_equal(value_of("balloon.enable")->number, 0);
    assert_string_equal(value_of("loglevel")->text, "debug");
    assert_int_equal(value_of("loglevel")->source, CONFIG_CMDLINE);
}

static void comments_are_the_files_alone(void **state)
{
    (void)state;
    parse(CONFIG_FILE,
          "# irq=poll\nloglevel=warn # panic=halt\r\n#\n\npoll_interval=2s\n# end");
    assert_int_equal(heard.count, 0);
    assert_string_equal(value_of("irq")->text, "auto");
    assert_string_equal(value_of("loglevel")->text, "warn");
    assert_string_equal(value_of("panic")->text, "poweroff");
    assert_int_equal(value_of("poll_interval")->number, 2 * NS_PER_S);
    parse(CONFIG_CMDLINE, "# irq=poll");
    assert_int_equal(heard.count, 1);
    assert_string_equal(heard.key, "#");
    assert_string_equal(value_of("irq")->text, "poll");
}

static void stronger_sources_win_whatever_the_order(void **state)
{
    (void)state;
    parse(CONFIG_CMDLINE, "irq=poll");
    parse(CONFIG_FILE, "irq=auto panic=halt");
    assert_string_equal(value_of("irq")->text, "poll");
    assert_int_equal(value_of("irq")->source, CONFIG_CMDLINE);
    config_put(&set, CONFIG_FWCFG, "panic", 5, "reboot", 6, &report);
    assert_string_equal(value_of("panic")->text, "reboot");
    parse(CONFIG_CMDLINE, "irq=auto irq=poll irq=auto"); /* the last one holds */
    assert_string_equal(value_of("irq")->text, "auto");
    assert_int_equal(heard.count, 0);
}

static void errors_name_key_value_and_source(void **state)
{
    static const struct {
        const char *text, *key, *value, *reason;
    } cases[] = {
        {"colour=red", "colour", "red", "unknown key"},
        {"irq=maybe", "irq", "maybe", "not one of the words allowed here"},
        {"irq=", "irq", "", "not one of the words allowed here"},
        {"irq=auto|poll", "irq", "auto|poll", "not one of the words allowed here"},
        {"balloon.enable=maybe", "balloon.enable", "maybe", "expected on or off"},
        {"balloon.reserve=4X", "balloon.reserve", "4X",
         "expected a number such as 512 or 4M"},
        {"balloon.reserve=", "balloon.reserve", "",
         "expected a number such as 512 or 4M"},
        {"balloon.reserve=-1", "balloon.reserve", "-1",
         "expected a number such as 512 or 4M"},
        {"balloon.reserve=99999999T", "balloon.reserve", "99999999T",
         "expected a number such as 512 or 4M"},
        {"balloon.reserve=5000T", "balloon.reserve", "5000T", "out of range"},
        {"poll_interval=100", "poll_interval", "100", "expected a time such as 100ms"},
        {"poll_interval=1us", "poll_interval", "1us", "out of range"},
        {"poll_interval=11s", "poll_interval", "11s", "out of range"},
        {"console=serial,,fb", "console", "serial,,fb",
         "not a list of the words allowed here"},
        {"console=vga", "console", "vga", "not a list of the words allowed here"},
        {"quiet", "quiet", "", "not of the form key=value"},
        {"=x", "", "x", "unknown key"},
        {"run=\"fill", "run", "fill", "closing quote is missing"},
        {"Irq=poll", "Irq", "poll", "unknown key"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config_set before;

        start(state);
        before = set;
        parse(CONFIG_SMBIOS, cases[i].text);
        assert_int_equal(heard.count, 1);
        assert_int_equal(heard.source, CONFIG_SMBIOS);
        assert_string_equal(heard.key, cases[i].key);
        assert_string_equal(heard.value, cases[i].value);
        assert_string_equal(heard.reason, cases[i].reason);
        assert_memory_equal(&before, &set, sizeof(set));
    }
}

static void an_open_quote_ends_with_its_line(void **state)
{
    (void)state;
    parse(CONFIG_FILE, "run=\"fill 80%\nirq=poll\n");
    assert_int_equal(heard.count, 1);
    assert_string_equal(value_of("irq")->text, "poll");
    assert_string_equal(value_of("run")->text, "");
}

static void words_of_others_are_left_alone(void **state)
{
    (void)state;
    parse(CONFIG_CMDLINE,
          "\\EFI\\BOOT\\BOOTX64.EFI irq=poll BOOT_IMAGE=/x initrd=initrd aerostat.efi");
    assert_int_equal(heard.count, 0);
    assert_string_equal(value_of("irq")->text, "poll");
    parse(CONFIG_FILE, "initrd=initrd"); /* nobody else writes our file */
    assert_int_equal(heard.count, 1);
}

static void a_list_keeps_what_one_channel_says(void **state)
{
    const struct config_value *value = value_of("virtio_mmio.device");

    (void)state;
    parse(CONFIG_FILE, "virtio_mmio.device=4K@0x1000:1");
    assert_string_equal(value->text, "4K@0x1000:1");
    parse(CONFIG_CMDLINE, "irq=poll virtio_mmio.device=512@0xfeb00e00:12 "
                          "virtio_mmio.device=512@0xfeb00c00:11:7");
    assert_string_equal(value->text, "512@0xfeb00e00:12,512@0xfeb00c00:11:7");
    parse(CONFIG_FILE, "virtio_mmio.device=4K@0x2000:2"); /* weaker */
    assert_string_equal(value->text, "512@0xfeb00e00:12,512@0xfeb00c00:11:7");
    assert_int_equal(heard.count, 0);

    while (heard.count == 0)
        parse(CONFIG_CMDLINE, "virtio_mmio.device=512@0xfeb00a00:10");
    assert_string_equal(heard.reason, "too many of them");
    assert_true(strlen(value->text) > CONFIG_VALUE_MAX - 25);
    assert_true(strlen(value->text) < CONFIG_VALUE_MAX);
}

static void long_values(void **state)
{
    char text[CONFIG_VALUE_MAX + 8] = "run=";

    (void)state;
    memset(text + 4, 'x', CONFIG_VALUE_MAX - 1);
    parse(CONFIG_CMDLINE, text);
    assert_int_equal(heard.count, 0);
    assert_int_equal(strlen(value_of("run")->text), CONFIG_VALUE_MAX - 1);
    text[4 + CONFIG_VALUE_MAX - 1] = 'x';
    parse(CONFIG_CMDLINE, text);
    assert_int_equal(heard.count, 1);
    assert_string_equal(heard.reason, "too long");
    assert_int_equal(strlen(heard.value), 64 + 3); /* shortened, with dots */
}

static void limits_belong_to_the_range(void **state)
{
    char text[80] = "";

    (void)state;
    parse(CONFIG_CMDLINE, "poll_interval=1ms run=~");
    assert_int_equal(value_of("poll_interval")->number, NS_PER_MS);
    assert_string_equal(value_of("run")->text, "~");
    parse(CONFIG_CMDLINE, "poll_interval=10s .efi initrd=");
    assert_int_equal(value_of("poll_interval")->number, 10 * NS_PER_S);
    assert_int_equal(heard.count, 0);
    memset(text, 'k', 64); /* the longest key that is shown in full */
    text[1] = '~';
    config_put(&set, CONFIG_FWCFG, text, 64, " ~", 2, &report);
    assert_string_equal(heard.key, text);
    assert_string_equal(heard.value, " ~");
}

static void control_characters_are_refused_and_not_repeated(void **state)
{
    (void)state;
    config_put(&set, CONFIG_FWCFG, "run", 3, "a\x1b[2Jb\0c", 8, &report);
    assert_int_equal(heard.count, 1);
    assert_string_equal(heard.value, "a?[2Jb?c");
    assert_string_equal(heard.reason, "not printable ASCII");
}

static void sizes_and_times(void **state)
{
    uint64_t n = 7;

    (void)state;
    assert_int_equal(config_parse_size("0x10KiB", 7, &n), 0);
    assert_int_equal(n, 16 * KIB);
    assert_int_equal(config_parse_size("0xafAF09", 8, &n), 0);
    assert_int_equal(n, 0xAFAF09);
    assert_int_equal(config_parse_size("3G", 2, &n), 0);
    assert_int_equal(n, 3 * GIB);
    assert_int_equal(config_parse_size("18446744073709551615", 20, &n), 0);
    assert_int_equal(n, UINT64_MAX);
    assert_int_equal(config_parse_size("18446744073709551616", 20, &n), -EINVAL);
    assert_int_equal(config_parse_size("0x", 2, &n), -EINVAL);
    assert_int_equal(config_parse_size("4:", 2, &n), -EINVAL);
    assert_int_equal(config_parse_size("4 M", 3, &n), -EINVAL);
    assert_int_equal(config_parse_size("", 0, &n), -EINVAL);
    assert_int_equal(config_parse_time("250us", 5, &n), 0);
    assert_int_equal(n, 250 * NS_PER_US);
    assert_int_equal(config_parse_time("99999999999s", 12, &n), -EINVAL);
}

/* Any bytes at all: no crash, no hang, and values that still pass their own checks. */
static void random_text(void **state)
{
    static const char alphabet[] = "irq=pol\"#\n \tbaon.esrv4MK,\\\0\xff\x01virtio_mmio.";
    unsigned seed = 20260101;

    (void)state;
    print_message("seed %u\n", seed);
    srand(seed);
    for (int round = 0; round < 20000; round++) {
        size_t len = (size_t)rand() % 64;
        char *text = malloc(len ? len : 1);

        for (size_t i = 0; i < len; i++)
            text[i] = alphabet[(size_t)rand() % sizeof(alphabet)];
        config_parse_text(&set, (enum config_source)(1 + rand() % 4), text, len, &report);
        free(text);
        assert_true(strcmp(value_of("irq")->text, "auto") == 0 ||
                    strcmp(value_of("irq")->text, "poll") == 0);
    }
}

/* The row's words and limits, "1ms to 10s, off", are those of the key. */
static void check_type(const struct config_key *key, const char *type)
{
    bool is_time = key->type == CONFIG_TYPE_TIME;
    char words[128] = "", least[32], most[32];
    uint64_t min, max;

    for (const char *at = key->allowed ? key->allowed : ""; *at; at++)
        snprintf(words + strlen(words), sizeof(words) - strlen(words),
                 *at == '|' ? ", " : "%c", *at);
    if (!strstr(type, words))
        fail_msg("docs/options.md: %s allows \"%s\"", key->name, words);
    if (!is_time && key->type != CONFIG_TYPE_SIZE)
        return;
    type += strcspn(type, "0123456789");
    assert_int_equal(sscanf(type, "%31s to %31[0-9a-zA-Z]", least, most), 2);
    assert_int_equal(
        (is_time ? config_parse_time : config_parse_size)(least, strlen(least), &min), 0);
    assert_int_equal(
        (is_time ? config_parse_time : config_parse_size)(most, strlen(most), &max), 0);
    if (min != key->min || max != key->max)
        fail_msg("docs/options.md: the limits of %s are others", key->name);
}

/* docs/options.md has one table row for each key: | `key` | type | `default` | meaning |. */
static void the_manual_lists_every_key(void **state)
{
    char line[512];
    int rows = 0;
    FILE *file = fopen("docs/options.md", "r");

    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) && strncmp(line, "## Channels", 11) != 0) {
        char key[64], type[128], built_in[64], expected[512];
        int i;

        if (sscanf(line, "| `%63[^`]` | %127[^|]| `%63[^`]` |", key, type, built_in) < 2)
            continue;
        i = config_find(key, strlen(key));
        if (i < 0)
            fail_msg("docs/options.md names %s, the table does not", key);
        check_type(&config_keys[i], type);
        if (config_keys[i].built_in[0] && strcmp(config_keys[i].built_in, built_in) != 0)
            fail_msg("docs/options.md: %s defaults to %s", key, config_keys[i].built_in);
        snprintf(expected, sizeof(expected), "| %s |", config_keys[i].meaning);
        if (!strstr(line, expected))
            fail_msg("docs/options.md: the meaning of %s is not \"%s\"", key,
                     config_keys[i].meaning);
        rows++;
    }
    fclose(file);
    assert_int_equal(rows, CONFIG_KEY_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(defaults_are_well_formed, start),
        cmocka_unit_test_setup(words_quotes_and_blanks, start),
        cmocka_unit_test_setup(comments_are_the_files_alone, start),
        cmocka_unit_test_setup(stronger_sources_win_whatever_the_order, start),
        cmocka_unit_test_setup(errors_name_key_value_and_source, start),
        cmocka_unit_test_setup(an_open_quote_ends_with_its_line, start),
        cmocka_unit_test_setup(words_of_others_are_left_alone, start),
        cmocka_unit_test_setup(a_list_keeps_what_one_channel_says, start),
        cmocka_unit_test_setup(long_values, start),
        cmocka_unit_test_setup(limits_belong_to_the_range, start),
        cmocka_unit_test_setup(control_characters_are_refused_and_not_repeated, start),
        cmocka_unit_test_setup(sizes_and_times, start),
        cmocka_unit_test_setup(random_text, start),
        cmocka_unit_test_setup(the_manual_lists_every_key, start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
