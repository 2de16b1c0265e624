// SPDX-License-Identifier: BSD-2-Clause
/* kernel/power_parse.c: FADT fields by machine kind and table length, the packages _S3_ and _S5_ in AML, the FACS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "kernel/power_parse.h"

static void put32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof(value));
}

static void put64(uint8_t *at, uint64_t value)
{
    memcpy(at, &value, sizeof(value));
}

static void a_pc_has_control_ports(void **state)
{
    uint8_t fadt[276] = "FACP";
    struct power_tables tables;

    (void)state;
    put32(fadt + 40, 0x7000);
    put32(fadt + 48, 0xB2);
    fadt[52] = 2;
    put32(fadt + 64, 0x604);
    put32(fadt + 112, 1u << 10);
    memcpy(fadt + 116, "\x01\x08\x00\x00\xf9\x0c", 6);
    fadt[128] = 0x0F;
    power_parse_fadt(fadt, 244, &tables);
    assert_int_equal(tables.dsdt, 0x7000);
    assert_true(tables.pm1a_control.is_port);
    assert_int_equal(tables.pm1a_control.addr, 0x604);
    assert_int_equal(tables.pm1b_control.addr, 0);
    assert_int_equal(tables.sleep_control.addr, 0);
    assert_int_equal(tables.smi_command, 0xB2);
    assert_int_equal(tables.acpi_enable, 2);
    assert_true(tables.reset.is_port);
    assert_int_equal(tables.reset.addr, 0xCF9);
    assert_int_equal(tables.reset_value, 0x0F);

    assert_int_equal(tables.gpe0.addr, 0); /* it says no length */
    put32(fadt + 80, 0xAFE0);
    fadt[92] = 4;
    power_parse_fadt(fadt, 244, &tables);
    assert_true(tables.gpe0.is_port);
    assert_int_equal(tables.gpe0.addr, 0xAFE0);

    put64(fadt + 140, 0x123456000); /* the extended fields win */
    memcpy(fadt + 172, "\x01\x10\x00\x02\x04\x40", 6);
    power_parse_fadt(fadt, sizeof(fadt), &tables);
    assert_int_equal(tables.dsdt, 0x123456000);
    assert_int_equal(tables.pm1a_control.addr, 0x4004);
}

static void fields_at_the_very_end(void **state)
{
    uint8_t fadt[276] = "FACP";
    struct power_tables tables;

    (void)state;
    put32(fadt + 48, 0xFFFF); /* the last port is one */
    put32(fadt + 64, 0xFFFF);
    power_parse_fadt(fadt, 68, &tables);
    assert_int_equal(tables.pm1a_control.addr, 0xFFFF);
    assert_int_equal(tables.smi_command, 0xFFFF);
    power_parse_fadt(fadt, 67, &tables);
    assert_int_equal(tables.pm1a_control.addr, 0);
    memcpy(fadt + 172, "\x01\x10\x00\x02\xff\xff", 6);
    put32(fadt + 64, 0x604);
    power_parse_fadt(fadt, 184, &tables);
    assert_int_equal(tables.pm1a_control.addr, 0xFFFF);
    power_parse_fadt(fadt, 183, &tables);
    assert_int_equal(tables.pm1a_control.addr, 0x604);
}

static void where_a_sleep_is_told(void **state)
{
    uint8_t fadt[276] = "FACP";
    struct power_tables tables;

    (void)state;
    put32(fadt + 36, 0x7FE0000);
    put32(fadt + 56, 0x600);
    put32(fadt + 60, 0x700);
    fadt[88] = 4;
    power_parse_fadt(fadt, 116, &tables);
    assert_int_equal(tables.facs, 0x7FE0000);
    assert_int_equal(tables.pm1a_event.addr, 0x600);
    assert_int_equal(tables.pm1b_event.addr, 0x700);
    assert_int_equal(tables.pm1_event_bytes, 4);
    put64(fadt + 132, 0x7FE1000); /* the extended fields win */
    memcpy(fadt + 148, "\x01\x20\x00\x02\x00\x40", 6);
    memcpy(fadt + 160, "\x01\x20\x00\x02\x00\x50", 6);
    power_parse_fadt(fadt, sizeof(fadt), &tables);
    assert_int_equal(tables.facs, 0x7FE1000);
    assert_int_equal(tables.pm1a_event.addr, 0x4000);
    assert_int_equal(tables.pm1b_event.addr, 0x5000);
    put32(fadt + 112, 1u << 20); /* no fixed hardware, no S3 */
    power_parse_fadt(fadt, sizeof(fadt), &tables);
    assert_int_equal(tables.facs, 0);
    assert_int_equal(tables.pm1a_event.addr, 0);
}

static size_t facs(const char *signature, uint32_t length)
{
    uint8_t bytes[FACS_BYTES_LEAST];

    memcpy(bytes, signature, 4);
    put32(bytes + 4, length);
    return power_facs_length(bytes);
}

static void a_facs_and_none(void **state)
{
    (void)state;
    assert_int_equal(facs("FACS", 64), 64);
    assert_int_equal(facs("FACS", 16), 16);
    assert_int_equal(facs("FACS", UINT32_MAX), FACS_BYTES); /* what we read of it */
    assert_int_equal(facs("FACS", 15), 0);
    assert_int_equal(facs("FACP", 64), 0);
}

static void a_microvm_has_a_sleep_register(void **state)
{
    uint8_t fadt[276] = "FACP";
    struct power_tables tables;

    (void)state;
    put32(fadt + 64, 0x604);
    put32(fadt + 112, 1u << 20);
    fadt[244] = 0;
    put64(fadt + 248, 0xFEA00200);
    power_parse_fadt(fadt, sizeof(fadt), &tables);
    assert_false(tables.sleep_control.is_port);
    assert_int_equal(tables.sleep_control.addr, 0xFEA00200);
    assert_int_equal(tables.pm1a_control.addr, 0); /* no fixed hardware to write to */
    assert_int_equal(tables.reset.addr, 0);        /* not flagged as supported */
}

static void nonsense_counts_as_absent(void **state)
{
    uint8_t fadt[276];
    struct power_tables tables;

    (void)state;
    memset(fadt, 0xFF, sizeof(fadt));
    for (size_t len = 0; len <= sizeof(fadt); len++) {
        uint8_t *copy = malloc(len ? len : 1);

        memcpy(copy, fadt, len);
        power_parse_fadt(copy, len, &tables);
        assert_int_equal(tables.pm1a_control.addr,
                         0); /* no port beyond 16 bits, no odd space */
        assert_int_equal(tables.sleep_control.addr, 0);
        assert_int_equal(tables.reset.addr, 0);
        assert_int_equal(tables.smi_command, 0);
        free(copy);
    }
}

/* Parse an exact heap copy; returns SLP_TYPa * 16 + SLP_TYPb, or the error. */
static int sleep_types(const char *name, const char *aml, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1), types[2] = {9, 9};
    int err;

    memcpy(copy, aml, len);
    err = power_parse_sleep(copy, len, name, types);
    free(copy);
    return err ? err : types[0] * 16 + types[1];
}

#define S5(aml) sleep_types("_S5_", aml, sizeof(aml) - 1)
#define S3(aml) sleep_types("_S3_", aml, sizeof(aml) - 1)

static void the_package_in_its_forms(void **state)
{
    (void)state;
    assert_int_equal(S5("..\x08_S5_\x12\x06\x04\x00\x00\x00\x00"), 0);
    assert_int_equal(S5("..\x08_S5_\x12\x08\x04\x0a\x05\x0a\x06\x00\x00"), 0x56);
    assert_int_equal(S5(".\x08\x5c_S5_\x12\x06\x02\x01\x0a\x07"), 0x17);
    assert_int_equal(S5("\x08_S5_\x12\x47\x00\x02\x0a\x05\x0a\x05"),
                     0x55);                                     /* two length bytes */
    assert_int_equal(S5("\x08_S5_\x12\x04\x01\x0a\x05"), 0x55); /* one element */
    /* A mention that is no package comes first. */
    assert_int_equal(S5("\x08_S5_\x70\x08_S5_\x12\x06\x02\x0a\x03\x0a\x04"), 0x34);
}

static void each_sleep_has_its_own(void **state)
{
    static const char both[] = "\x08_S3_\x12\x06\x04\x01\x01\x00\x00"
                               "\x08_S5_\x12\x06\x04\x00\x00\x00\x00";

    (void)state;
    assert_int_equal(S3(both), 0x11); /* as QEMU has it */
    assert_int_equal(S5(both), 0);
    assert_int_equal(S3("\x08_S5_\x12\x06\x04\x00\x00\x00\x00"), -EINVAL);
}

static void no_package(void **state)
{
    (void)state;
    assert_int_equal(S5(""), -EINVAL);
    assert_int_equal(S5("_S5_"), -EINVAL);
    assert_int_equal(S5("._S5_\x12\x06\x02\x00\x00"),
                     -EINVAL);                             /* not a name definition */
    assert_int_equal(S5("\x08_S5_\x12\x06\x00"), -EINVAL); /* empty */
    assert_int_equal(S5("\x08_S5_\x12\x06\x02\x0a\x08\x00"),
                     -EINVAL); /* above three bits */
    assert_int_equal(S5("\x08_S5_\x12\x06\x02\x0b\x05\x00"),
                     -EINVAL); /* a word, not a byte */
}

static void cut_anywhere(void **state)
{
    static const char aml[] = "\x08_S5_\x12\x08\x04\x0a\x05\x0a\x05\x00\x00";

    (void)state;
    for (size_t len = 0; len <= 12; len++)
        assert_int_equal(sleep_types("_S5_", aml, len), len < 12 ? -EINVAL : 0x55);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pc_has_control_ports),
        cmocka_unit_test(fields_at_the_very_end),
        cmocka_unit_test(where_a_sleep_is_told),
        cmocka_unit_test(a_facs_and_none),
        cmocka_unit_test(a_microvm_has_a_sleep_register),
        cmocka_unit_test(nonsense_counts_as_absent),
        cmocka_unit_test(the_package_in_its_forms),
        cmocka_unit_test(each_sleep_has_its_own),
        cmocka_unit_test(no_package),
        cmocka_unit_test(cut_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
