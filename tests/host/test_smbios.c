// SPDX-License-Identifier: BSD-2-Clause
/* kernel/smbios_parse.c and fwcfg_parse.c: options out of firmware tables, sound and broken ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "kernel/fwcfg_parse.h"
#include "kernel/smbios_parse.h"

static char found[256];

static void note(void *ctx, const char *text, size_t len)
{
    size_t at = strlen(found);

    (void)ctx;
    snprintf(found + at, sizeof(found) - at, "%.*s;", (int)len, text);
}

/* Parse an exact heap copy, so that the sanitizer sees a read behind the end. */
static int walk(const void *table, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    int err;

    memcpy(copy, table, len);
    found[0] = '\0';
    err = smbios_each_oem_option(copy, len, note, NULL);
    free(copy);
    return err;
}

#define WALK(text) walk(text, sizeof(text) - 1)

static void oem_strings_are_handed_out(void **state)
{
    (void)state;
    assert_int_equal(
        WALK("\x01\x06\x01\x00\x01\x02maker\0aerostat:no=1\0\0" /* not type 11 */
             "\x0b\x05\x02\x00\x03other\0aerostat:irq=poll\0aerostat:run=fill 8\0\0"
             "\x02\x04\x03\x00\0\0" /* no strings */
             "\x0b\x05\x04\x00\x01"
             "aerostat:panic=halt\0\0"
             "\x7f\x04\x05\x00\0\0 behind the end"),
        0);
    assert_string_equal(found, "irq=poll;run=fill 8;panic=halt;");
}

/* As walk(): an exact copy. */
static int serial(const void *table, size_t len, size_t size)
{
    uint8_t *copy = malloc(len ? len : 1);
    char *text = malloc(size);
    int err;

    memcpy(copy, table, len);
    found[0] = '\0';
    err = smbios_find_serial(copy, len, text, size);
    if (!err)
        snprintf(found, sizeof(found), "%s", text);
    free(text);
    free(copy);
    return err;
}

#define SERIAL(text, size) serial(text, sizeof(text) - 1, size)

static void the_serial_number_is_found(void **state)
{
    (void)state;
    assert_int_equal(
        SERIAL("\x00\x05\x01\x00\x01other\0\0"
               "\x01\x08\x02\x00\x01\x02\x00\x03maker\0model\0VMware-56 4d\0\0",
               64),
        0);
    assert_string_equal(found, "VMware-56 4d");
    assert_int_equal(SERIAL("\x01\x08\x02\x00\x00\x00\x00\x01VMware-56\0\0", 4), 0);
    assert_string_equal(found, "VMw"); /* cut */
    assert_int_equal(SERIAL("\x01\x08\x02\x00\x00\x00\x00\x01VMw", 64), 0);
    assert_string_equal(found, "VMw"); /* the table ends in it */
    assert_int_equal(SERIAL("\x01\x08\x02\x00\x00\x00\x00\x00x\0\0", 64), -ENODEV);
    assert_int_equal(SERIAL("\x01\x08\x02\x00\x00\x00\x00\x02x\0\0", 64), -ENODEV);
    assert_int_equal(SERIAL("\x01\x08\x02\x00\x00\x00\x00\x02x", 64), -ENODEV);
    assert_int_equal(SERIAL("\x01\x06\x02\x00\x00\x00\0\0", 64), -ENODEV); /* too old */
    assert_int_equal(SERIAL("\x00\x03\x01\x00", 64), -EINVAL);
    assert_int_equal(SERIAL("\x7f\x04\x01\x00\0\0", 64), -ENODEV);
    assert_int_equal(SERIAL("", 64), -ENODEV);
}

static void broken_structures_end_the_walk(void **state)
{
    (void)state;
    assert_int_equal(WALK("\x0b\x05\x02\x00\x01"
                          "aerostat:a=1\0\0"
                          "\x0b\x03\x02\x00\x01"),
                     -EINVAL); /* shorter than its header */
    assert_string_equal(found, "a=1;");
    assert_int_equal(WALK("\x0b\xff\x02\x00\x01"), -EINVAL); /* longer than the table */
    assert_int_equal(WALK("\x0b\x05\x02\x00\x01"), -EINVAL); /* strings are missing */
    assert_int_equal(WALK("\x0b\x05\x02\x00\x01"
                          "aerostat:x=1"),
                     -EINVAL); /* no NUL */
    assert_string_equal(found, "");
    assert_int_equal(WALK("\x0b\x05\x02\x00\x01"
                          "aerostat:x=1\0"),
                     -EINVAL); /* no end of the strings */
    assert_int_equal(WALK("\x0b\x05"), -EINVAL);
    assert_int_equal(WALK(""), 0);
    assert_int_equal(WALK("\x0b\x05\x02\x00\x01"
                          "aerostat:\0\0"),
                     0);
    assert_string_equal(found, ""); /* nothing behind the prefix */
}

static void odd_ends(void **state)
{
    (void)state;
    assert_int_equal(WALK("\x02\x04\x03\x00\0\0"), 0); /* without an end structure */
    assert_int_equal(WALK("\x7f\x04\x03\x00"), 0);     /* the end without its strings */
    /* One NUL where two belong: the next structure is found all the same. */
    assert_int_equal(WALK("\x02\x04\x03\x00\0\x0b\x05\x02\x00\x01"
                          "aerostat:a=1\0\0"),
                     0);
    assert_string_equal(found, "a=1;");
    assert_int_equal(WALK("\x0b\x00\x02\x00"
                          "aerostat:a=1\0\0"),
                     -EINVAL); /* a length of zero */
    assert_string_equal(found, "");
}

static void random_structures(void **state)
{
    unsigned seed = 42;

    (void)state;
    print_message("seed %u\n", seed);
    srand(seed);
    for (int round = 0; round < 20000; round++) {
        uint8_t table[64];
        size_t len = (size_t)rand() % sizeof(table);

        for (size_t i = 0; i < len; i++)
            table[i] = (uint8_t)(rand() % 3 ? rand() % 12 : rand());
        int err = walk(table, len);
        assert_true(err == 0 || err == -EINVAL);
    }
}

static void seal(uint8_t *bytes, size_t len, size_t at)
{
    uint8_t sum = 0;

    bytes[at] = 0;
    for (size_t i = 0; i < len; i++)
        sum = (uint8_t)(sum + bytes[i]);
    bytes[at] = (uint8_t)-sum;
}

static void entry_points(void **state)
{
    uint8_t v3[24] = "_SM3_", v2[31] = "_SM_";
    struct smbios_table table;

    (void)state;
    v3[6] = 24;
    memcpy(v3 + 12, "\x00\x10\x00\x00\x00\x30\x02\x00\x01\x00\x00\x00", 12);
    seal(v3, 24, 5);
    assert_int_equal(smbios_parse_entry(v3, 24, &table), 0);
    assert_int_equal(table.addr, 0x100023000);
    assert_int_equal(table.size_bytes, 0x1000);
    for (size_t len = 0; len < 24; len++)
        assert_int_equal(smbios_parse_entry(v3, len, &table), -EINVAL);
    v3[6] = 16; /* a sound checksum over too little */
    seal(v3, 16, 5);
    assert_int_equal(smbios_parse_entry(v3, 24, &table), -EINVAL);
    v3[6] = 25;
    assert_int_equal(smbios_parse_entry(v3, 24, &table), -EINVAL);
    v3[6] = 24;
    seal(v3, 24, 5);
    v3[20]++;
    assert_int_equal(smbios_parse_entry(v3, 24, &table), -EINVAL);

    v2[5] = 31;
    memcpy(v2 + 16, "_DMI_", 5);
    memcpy(v2 + 22, "\x34\x12\x00\x00\x0f\x00", 6);
    seal(v2, 31, 4);
    assert_int_equal(smbios_parse_entry(v2, 31, &table), 0);
    assert_int_equal(table.addr, 0xF0000);
    assert_int_equal(table.size_bytes, 0x1234);
    for (size_t len = 0; len < 31; len++)
        assert_int_equal(smbios_parse_entry(v2, len, &table), -EINVAL);
    v2[30]++;
    assert_int_equal(smbios_parse_entry(v2, 31, &table), -EINVAL);
    v2[5] = 30; /* as some 2.1 firmware has it */
    seal(v2, 30, 4);
    assert_int_equal(smbios_parse_entry(v2, 31, &table), 0);
    v2[0] = 'X';
    seal(v2, 30, 4);
    assert_int_equal(smbios_parse_entry(v2, 31, &table), -EINVAL);
    v2[0] = '_';
    v2[16] = 'X';
    seal(v2, 30, 4);
    assert_int_equal(smbios_parse_entry(v2, 31, &table), -EINVAL);
    v2[5] = 200; /* longer than what may be read */
    assert_int_equal(smbios_parse_entry(v2, 31, &table), -EINVAL);
}

static struct fwcfg_entry entry_of(const char *name, uint32_t size_bytes, uint16_t select)
{
    struct fwcfg_entry entry = {
        .size_bytes = {(uint8_t)(size_bytes >> 24), (uint8_t)(size_bytes >> 16),
                       (uint8_t)(size_bytes >> 8), (uint8_t)size_bytes},
        .select = {(uint8_t)(select >> 8), (uint8_t)select},
    };

    memcpy(entry.name, name, strnlen(name, sizeof(entry.name)));
    return entry;
}

static void fwcfg_entries(void **state)
{
    struct fwcfg_entry entry =
        entry_of("opt/org.aerostat/balloon.reserve", 0x01020304, 0xABCD);
    struct fwcfg_option option;

    (void)state;
    assert_true(fwcfg_parse_entry(&entry, &option));
    assert_string_equal(option.key, "balloon.reserve");
    assert_int_equal(option.size_bytes, 0x01020304);
    assert_int_equal(option.select, 0xABCD);

    entry = entry_of("etc/acpi/tables", 1, 1);
    assert_false(fwcfg_parse_entry(&entry, &option));
    entry = entry_of("opt/org.aerostat", 1, 1);
    assert_false(fwcfg_parse_entry(&entry, &option));
    entry = entry_of("opt/org.aerostat/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 1, 1);
    assert_false(fwcfg_parse_entry(&entry, &option)); /* 56 characters, no NUL */
}

static void fwcfg_values(void **state)
{
    (void)state;
    assert_int_equal(fwcfg_trim("poll\r\n\0\n", 8), 4);
    assert_int_equal(fwcfg_trim("\n\n", 2), 0);
    assert_int_equal(fwcfg_trim("a\nb", 3), 3);
    assert_int_equal(fwcfg_trim("", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oem_strings_are_handed_out),
        cmocka_unit_test(the_serial_number_is_found),
        cmocka_unit_test(broken_structures_end_the_walk),
        cmocka_unit_test(odd_ends),
        cmocka_unit_test(random_structures),
        cmocka_unit_test(entry_points),
        cmocka_unit_test(fwcfg_entries),
        cmocka_unit_test(fwcfg_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
