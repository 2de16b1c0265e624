// SPDX-License-Identifier: BSD-2-Clause
/* kernel/symbols.c: looking up in a good table, and in tables cut or filled with nonsense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/symbols.h"

/* Three functions at 0x10, 0x40 and 0x100. */
static const uint32_t words[] = {3, 0x10, 0, 0x40, 6, 0x100, 11};
static const char names[] = "first\0next\0last";
#define TABLE_BYTES (sizeof(words) + sizeof(names))

static uint8_t *make_table(void)
{
    uint8_t *blob = malloc(TABLE_BYTES);

    assert_non_null(blob);
    memcpy(blob, words, sizeof(words));
    memcpy(blob + sizeof(words), names, sizeof(names));
    return blob;
}

static void expect(const struct symbol_table *table, uint32_t offset, const char *name,
                   uint32_t delta)
{
    uint32_t got;

    assert_string_equal(symbol_find(table, offset, &got), name);
    assert_int_equal(got, delta);
}

static void finds_the_function_that_holds_it(void **state)
{
    uint8_t *blob = make_table();
    const struct symbol_table table = {blob, TABLE_BYTES};
    uint32_t delta;

    (void)state;
    expect(&table, 0x10, "first", 0);
    expect(&table, 0x3F, "first", 0x2F);
    expect(&table, 0x40, "next", 0);
    expect(&table, 0x100, "last", 0);
    expect(&table, UINT32_MAX, "last", UINT32_MAX - 0x100);
    assert_null(symbol_find(&table, 0xF, &delta));
    free(blob);
}

static void an_empty_table_has_nothing(void **state)
{
    static const uint8_t zero[4];
    const struct symbol_table none = {zero, 0}, empty = {zero, sizeof(zero)};
    uint32_t delta;

    (void)state;
    assert_null(symbol_find(&none, 0x10, &delta));
    assert_null(symbol_find(&empty, 0x10, &delta));
}

/* The sanitizer sees every read past the end. */
static void cut_tables_are_not_read_past_their_end(void **state)
{
    uint8_t *blob = make_table();

    (void)state;
    for (size_t len = 0; len <= sizeof(words); len++) {
        uint8_t *cut = malloc(len ? len : 1);
        const struct symbol_table table = {cut, len};
        uint32_t delta;

        assert_non_null(cut);
        memcpy(cut, blob, len);
        assert_null(symbol_find(&table, 0x200, &delta));
        free(cut);
    }
    free(blob);
}

static void a_count_that_cannot_be_is_refused(void **state)
{
    uint8_t *blob = make_table();
    const struct symbol_table table = {blob, TABLE_BYTES};
    const uint32_t huge = UINT32_MAX;
    uint32_t delta;

    (void)state;
    memcpy(blob, &huge, sizeof(huge));
    assert_null(symbol_find(&table, 0x40, &delta));
    free(blob);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_function_that_holds_it),
        cmocka_unit_test(an_empty_table_has_nothing),
        cmocka_unit_test(cut_tables_are_not_read_past_their_end),
        cmocka_unit_test(a_count_that_cannot_be_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
