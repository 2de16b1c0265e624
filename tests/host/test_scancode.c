// SPDX-License-Identifier: BSD-2-Clause
/* kernel/scancode.c: keys from the bytes of a keyboard. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/scancode.h"

/* The keys that `len` bytes are, as text. */
static const char *keys(const uint8_t *bytes, size_t len)
{
    static char text[16];
    struct scancode state = {0};
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        char key = scancode_take(&state, bytes[i]);

        if (key)
            text[n++] = key;
    }
    text[n] = '\0';
    return text;
}

#define KEYS(...) \
    keys((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void letters(void **state)
{
    (void)state;
    assert_string_equal(KEYS(0x19, 0x99, 0x13, 0x93, 0x20, 0xA0), "prd");
    assert_string_equal(KEYS(0x20, 0x19), "dp"); /* down together */
    assert_string_equal(KEYS(0x1E, 0x9E, 0x01, 0x3B, 0xFA, 0xAA, 0xEE), "");
}

static void a_key_that_is_held_counts_once(void **state)
{
    (void)state;
    assert_string_equal(KEYS(0x20, 0x20, 0x20, 0xA0, 0x20), "dd");
}

static void not_with_control_or_alt(void **state)
{
    (void)state;
    assert_string_equal(KEYS(0x1D, 0x19, 0x99, 0x9D, 0x13), "r");
    assert_string_equal(KEYS(0x38, 0x19, 0x99, 0xB8, 0x13), "r");
    assert_string_equal(KEYS(0xE0, 0x1D, 0x19, 0x99, 0xE0, 0x9D, 0x13), "r");
    assert_string_equal(KEYS(0xE0, 0x38, 0x19, 0x99, 0xE0, 0xB8, 0x13), "r");
    assert_string_equal(KEYS(0x2A, 0x19, 0x99, 0xAA), "p"); /* Shift may be */
}

static void other_keys_with_the_same_number(void **state)
{
    (void)state;
    assert_string_equal(KEYS(0xE0, 0x19, 0xE0, 0x99), "");        /* next track */
    assert_string_equal(KEYS(0xE0, 0x20, 0xE0, 0xA0, 0x20), "d"); /* mute, then d */
}

static void pause_leaves_no_control_behind(void **state)
{
    (void)state;
    assert_string_equal(KEYS(0xE1, 0x1D, 0x45, 0xE1, 0x9D, 0xC5, 0x19), "p");
    assert_string_equal(KEYS(0xE1, 0x1D, 0x45, 0x19), "p");
}

static void any_bytes(void **state)
{
    struct scancode code = {0};
    unsigned seed = 11;

    (void)state;
    print_message("seed %u\n", seed);
    srand(seed);
    for (int i = 0; i < 100000; i++) {
        char key = scancode_take(&code, (uint8_t)rand());

        assert_true(key == 0 || key == 'p' || key == 'r' || key == 'd');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters),
        cmocka_unit_test(a_key_that_is_held_counts_once),
        cmocka_unit_test(not_with_control_or_alt),
        cmocka_unit_test(other_keys_with_the_same_number),
        cmocka_unit_test(pause_leaves_no_control_behind),
        cmocka_unit_test(any_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
