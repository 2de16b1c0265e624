// SPDX-License-Identifier: BSD-2-Clause
/* kernel/acpi_parse.c and kernel/madt.c: good tables, bad sums, lengths that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "kernel/acpi_parse.h"
#include "kernel/madt.h"

static void seal(uint8_t *bytes, size_t len, size_t at)
{
    uint8_t sum = 0;

    bytes[at] = 0;
    for (size_t i = 0; i < len; i++)
        sum = (uint8_t)(sum + bytes[i]);
    bytes[at] = (uint8_t)-sum;
}

/* A root pointer of revision 2 with both lists. */
static void make_rsdp(uint8_t rsdp[ACPI_RSDP_BYTES])
{
    memset(rsdp, 0, ACPI_RSDP_BYTES);
    memcpy(rsdp, "RSD PTR ", 8);
    rsdp[15] = 2;
    memcpy(rsdp + 16, &(uint32_t){0x7FE0000}, 4);
    memcpy(rsdp + 20, &(uint32_t){ACPI_RSDP_BYTES}, 4);
    memcpy(rsdp + 24, &(uint64_t){UINT64_C(0x123456789000)}, 8);
    seal(rsdp, 20, 8);
    seal(rsdp, ACPI_RSDP_BYTES, 32);
}

static void root_pointer_prefers_the_xsdt(void **state)
{
    uint8_t rsdp[ACPI_RSDP_BYTES];
    struct acpi_root root;

    (void)state;
    make_rsdp(rsdp);
    assert_int_equal(acpi_parse_rsdp(rsdp, &root), 0);
    assert_true(root.is_xsdt);
    assert_int_equal(root.list, UINT64_C(0x123456789000));
}

static void old_or_broken_extension_leaves_the_rsdt(void **state)
{
    uint8_t rsdp[ACPI_RSDP_BYTES];
    struct acpi_root root;

    (void)state;
    make_rsdp(rsdp);
    rsdp[30] ^= 1; /* only the sum of the extension covers it */
    assert_int_equal(acpi_parse_rsdp(rsdp, &root), 0);
    assert_false(root.is_xsdt);
    assert_int_equal(root.list, 0x7FE0000);

    make_rsdp(rsdp);
    rsdp[15] = 0;
    seal(rsdp, 20, 8);
    assert_int_equal(acpi_parse_rsdp(rsdp, &root), 0);
    assert_false(root.is_xsdt);
}

static void bad_root_pointers_are_refused(void **state)
{
    uint8_t rsdp[ACPI_RSDP_BYTES];
    struct acpi_root root;

    (void)state;
    make_rsdp(rsdp);
    rsdp[0] = 'X';
    seal(rsdp, 20, 8);
    assert_int_equal(acpi_parse_rsdp(rsdp, &root), -EINVAL);
    make_rsdp(rsdp);
    rsdp[17] ^= 4;
    assert_int_equal(acpi_parse_rsdp(rsdp, &root), -EINVAL);
    make_rsdp(rsdp);
    memset(rsdp + 16, 0, 4);
    rsdp[15] = 0;
    seal(rsdp, 20, 8);
    assert_int_equal(acpi_parse_rsdp(rsdp, &root), -EINVAL);
}

static void lengths_of_tables_are_bounded(void **state)
{
    static const struct {
        uint32_t claimed, got;
    } cases[] = {{0, 0},
                 {35, 0},
                 {36, 36},
                 {1000, 1000},
                 {ACPI_TABLE_MAX, ACPI_TABLE_MAX},
                 {ACPI_TABLE_MAX + 1, 0},
                 {UINT32_MAX, 0}};
    uint8_t header[ACPI_HEADER_BYTES] = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memcpy(header + 4, &cases[i].claimed, 4);
        assert_int_equal(acpi_table_length(header), cases[i].got);
    }
}

static void lists_have_entries_of_4_or_8_bytes(void **state)
{
    uint8_t list[ACPI_HEADER_BYTES + 16] = {0};
    const struct acpi_root rsdt = {.is_xsdt = false}, xsdt = {.is_xsdt = true};

    (void)state;
    for (size_t i = 0; i < 16; i++)
        list[ACPI_HEADER_BYTES + i] = (uint8_t)(i + 1);
    assert_int_equal(acpi_list_count(&rsdt, sizeof(list)), 4);
    assert_int_equal(acpi_list_count(&xsdt, sizeof(list)), 2);
    assert_int_equal(acpi_list_count(&xsdt, sizeof(list) - 1), 1);
    assert_int_equal(acpi_list_count(&rsdt, 10), 0);
    assert_int_equal(acpi_list_entry(&rsdt, list, 1), 0x08070605);
    assert_int_equal(acpi_list_entry(&xsdt, list, 1), UINT64_C(0x100F0E0D0C0B0A09));
}

/* A MADT grown entry by entry. */
struct table {
    uint8_t bytes[512];
    size_t len;
};

static struct table madt_of(uint32_t lapic)
{
    struct table t = {.len = 44};

    memcpy(t.bytes + 36, &lapic, 4);
    return t;
}

static void put(struct table *t, const uint8_t *entry, size_t len)
{
    memcpy(t->bytes + t->len, entry, len);
    t->len += len;
}

#define PUT(t, ...) \
    put(t, (const uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}))

static int parse(const struct table *t, struct madt *out)
{
    uint8_t *exact = malloc(t->len); /* the sanitizer watches its end */

    memcpy(exact, t->bytes, t->len);
    madt_defaults(0x1234000, out);
    int err = madt_parse(exact, t->len, out);
    free(exact);
    return err;
}

static void defaults_are_the_fixed_places(void **state)
{
    struct madt madt;

    (void)state;
    madt_defaults(LAPIC_DEFAULT_ADDR, &madt);
    assert_int_equal(madt.lapic, 0xFEE00000);
    assert_int_equal(madt.ioapic_count, 1);
    assert_int_equal(madt.ioapics[0].addr, 0xFEC00000);
    assert_int_equal(madt.isa[4].gsi, 4);
    assert_int_equal(madt.isa[0].gsi, 2); /* the PIT, even where no table says so */
    assert_false(madt.isa[4].is_listed || madt.isa[4].level || madt.isa[4].active_low);
}

static void every_ioapic_is_taken(void **state)
{
    struct table t = madt_of(0xFEE00000);
    struct madt madt;

    (void)state;
    PUT(&t, 0, 8, 0, 0, 1, 0, 0, 0); /* a CPU */
    PUT(&t, 1, 12, 0, 0, 0, 0, 0xC0, 0xFE, 0, 0, 0, 0);
    PUT(&t, 1, 12, 1, 0, 0, 0, 0xC1, 0xFE, 24, 0, 0, 0);
    assert_int_equal(parse(&t, &madt), 0);
    assert_int_equal(madt.lapic, 0xFEE00000);
    assert_int_equal(madt.ioapic_count, 2);
    assert_int_equal(madt.ioapics[1].addr, 0xFEC10000);
    assert_int_equal(madt.ioapics[1].gsi_base, 24);
}

static void overrides_change_isa_lines(void **state)
{
    struct table t = madt_of(0xFEE00000);
    struct madt madt;

    (void)state;
    PUT(&t, 1, 12, 0, 0, 0, 0, 0xC0, 0xFE, 0, 0, 0, 0);
    PUT(&t, 2, 10, 0, 0, 2, 0, 0, 0, 0, 0);      /* PIT on pin 2, as the bus has it */
    PUT(&t, 2, 10, 0, 9, 20, 0, 0, 0, 0x0F, 0);  /* level, low */
    PUT(&t, 2, 10, 0, 10, 10, 0, 0, 0, 0x0D, 0); /* level, high */
    PUT(&t, 2, 10, 1, 5, 99, 0, 0, 0, 0, 0);     /* another bus */
    PUT(&t, 2, 10, 0, 200, 99, 0, 0, 0, 0, 0);   /* no such line */
    assert_int_equal(parse(&t, &madt), 0);
    assert_int_equal(madt.isa[0].gsi, 2);
    assert_true(madt.isa[0].is_listed);
    assert_false(madt.isa[0].level);
    assert_int_equal(madt.isa[9].gsi, 20);
    assert_true(madt.isa[9].level && madt.isa[9].active_low);
    assert_true(madt.isa[10].level && !madt.isa[10].active_low);
    assert_false(madt.isa[5].is_listed);
}

static void lapic_address_of_64_bits(void **state)
{
    struct table t = madt_of(0xFEE00000);
    struct madt madt;

    (void)state;
    PUT(&t, 1, 12, 0, 0, 0, 0, 0xC0, 0xFE, 0, 0, 0, 0);
    PUT(&t, 5, 12, 0, 0, 0, 0x10, 0, 0, 0x20, 0, 0, 0);
    assert_int_equal(parse(&t, &madt), 0);
    assert_int_equal(madt.lapic, UINT64_C(0x2000001000));
}

static void too_many_ioapics_are_cut(void **state)
{
    struct table t = madt_of(0xFEE00000);
    struct madt madt;

    (void)state;
    for (uint8_t i = 0; i < MADT_IOAPIC_MAX + 3; i++)
        PUT(&t, 1, 12, i, 0, 0, 0, i, 0xFE, 0, 0, 0, 0);
    assert_int_equal(parse(&t, &madt), 0);
    assert_int_equal(madt.ioapic_count, MADT_IOAPIC_MAX);
}

static void broken_tables_leave_the_defaults(void **state)
{
    struct madt madt;
    struct table t = madt_of(0xFEE00000);

    (void)state;
    assert_int_equal(parse(&t, &madt), -EINVAL); /* no IOAPIC */
    PUT(&t, 1, 12, 0, 0, 0, 0, 0xC0, 0xFE, 0, 0, 0, 0);
    for (size_t cut = 1; cut < 12; cut++) {
        struct table part = t;

        part.len -= cut;
        assert_int_equal(parse(&part, &madt), -EINVAL);
        assert_int_equal(madt.lapic, 0x1234000);
        assert_int_equal(madt.ioapics[0].addr, IOAPIC_DEFAULT_ADDR);
    }
    PUT(&t, 2, 0); /* an entry of no bytes: no endless loop */
    assert_int_equal(parse(&t, &madt), -EINVAL);
    t.len = 43;
    assert_int_equal(parse(&t, &madt), -EINVAL);
}

static void entries_too_short_for_their_kind_are_passed_over(void **state)
{
    struct table t = madt_of(0xFEE00000);
    struct madt madt;

    (void)state;
    PUT(&t, 1, 12, 0, 0, 0, 0, 0xC0, 0xFE, 0, 0, 0, 0);
    PUT(&t, 2, 4, 0, 9);
    PUT(&t, 1, 2);
    PUT(&t, 5, 3, 0);
    assert_int_equal(parse(&t, &madt), 0);
    assert_int_equal(madt.ioapic_count, 1);
    assert_false(madt.isa[9].is_listed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_pointer_prefers_the_xsdt),
        cmocka_unit_test(old_or_broken_extension_leaves_the_rsdt),
        cmocka_unit_test(bad_root_pointers_are_refused),
        cmocka_unit_test(lengths_of_tables_are_bounded),
        cmocka_unit_test(lists_have_entries_of_4_or_8_bytes),
        cmocka_unit_test(defaults_are_the_fixed_places),
        cmocka_unit_test(every_ioapic_is_taken),
        cmocka_unit_test(overrides_change_isa_lines),
        cmocka_unit_test(lapic_address_of_64_bits),
        cmocka_unit_test(too_many_ioapics_are_cut),
        cmocka_unit_test(broken_tables_leave_the_defaults),
        cmocka_unit_test(entries_too_short_for_their_kind_are_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
