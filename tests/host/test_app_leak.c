// SPDX-License-Identifier: BSD-2-Clause
/* apps/leak: the chain grows, is refused, is checked and freed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "apps/leak/leak.h"

const char *__asan_default_options(void);

/* A malloc that is refused returns NULL, as without the sanitizer. */
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void grows_and_is_freed(void **state)
{
    struct leak leak = {.piece_bytes = 1000, .seed = 1};
    uint64_t wrong = 0;

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_int_equal(leak_grow(&leak), 0);
    assert_int_equal(leak_bytes(&leak), 100000);
    assert_int_equal(leak_free(&leak, &wrong), 0);
    assert_int_equal(leak_bytes(&leak), 0);
    assert_null(leak.last);
}

static void the_smallest_step(void **state)
{
    struct leak leak = {.piece_bytes = LEAK_PIECE_MIN, .seed = 1};
    uint64_t wrong;

    (void)state;
    assert_int_equal(leak_grow(&leak), 0);
    assert_int_equal(leak_free(&leak, &wrong), 0);
}

static void refused(void **state)
{
    struct leak leak = {.piece_bytes = 64, .seed = 1};
    uint64_t wrong;

    (void)state;
    assert_int_equal(leak_grow(&leak), 0);
    leak.piece_bytes = (size_t)1 << 60;
    assert_int_equal(leak_grow(&leak), -1);
    assert_int_equal(leak.count, 1);
    leak.piece_bytes = 64;
    assert_int_equal(leak_free(&leak, &wrong), 0);
}

static void damage_is_found(void **state)
{
    struct leak leak = {.piece_bytes = 100, .seed = 1};
    uint64_t wrong = 0;

    (void)state;
    for (int i = 0; i < 3; i++) {
        leak_grow(&leak);
        if (i == 1)
            ((char *)leak.last)[99] ^= 1;
    }
    assert_int_equal(leak_free(&leak, &wrong), 1);
    assert_int_equal(wrong, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_is_freed),
        cmocka_unit_test(the_smallest_step),
        cmocka_unit_test(refused),
        cmocka_unit_test(damage_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
