// SPDX-License-Identifier: BSD-2-Clause
/* drivers/bus/aml: what nests in what, constants, and bytes that are no AML. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "drivers/bus/aml.h"
#include "tests/model/aml_text.h"

static char told[2048];

static void tell_path(const struct aml_path *path)
{
    size_t len = strlen(told);

    for (unsigned i = 0; i < path->depth; i++) {
        const struct aml_level *level = &path->level[i];

        len += (size_t)snprintf(told + len, sizeof(told) - len, "%.4s", level->name);
        if (level->has_adr)
            len += (size_t)snprintf(told + len, sizeof(told) - len, "@%llx",
                                    (unsigned long long)level->adr);
        len += (size_t)snprintf(told + len, sizeof(told) - len, "/");
    }
}

static void on_name(void *ctx, const struct aml_path *path, const char name[4],
                    const struct aml_value *value)
{
    (void)ctx;
    tell_path(path);
    size_t len = strlen(told);

    if (value->is_buffer)
        snprintf(told + len, sizeof(told) - len, "%.4s[%zu] ", name, value->length);
    else
        snprintf(told + len, sizeof(told) - len, "%.4s=%llx ", name,
                 (unsigned long long)value->number);
}

static void on_region(void *ctx, const struct aml_path *path,
                      const struct aml_region *region)
{
    (void)ctx;
    tell_path(path);
    size_t len = strlen(told);

    snprintf(told + len, sizeof(told) - len, "%.4s:%u:%llx+%llx ", region->name,
             region->space, (unsigned long long)region->offset,
             (unsigned long long)region->length);
}

static unsigned walk(const void *bytes, size_t len)
{
    const struct aml_visitor visitor = {.on_name = on_name, .on_region = on_region};

    told[0] = '\0';
    return aml_walk(bytes, len, &visitor);
}

static void names_are_told_with_their_place(void **state)
{
    struct aml_text t = {0};

    (void)state;
    size_t sb = aml_text_open(&t, false, "\\_SB_");
    size_t pci = aml_text_open(&t, true, "PCI0");
    aml_text_name(&t, "ONE_", 1);
    size_t bridge = aml_text_open(&t, true, "S08_");
    aml_text_name(&t, "_ADR", 0x10000);
    aml_text_name(&t, "BSEL", 7);
    aml_text_close(&t, bridge);
    aml_text_name(&t, "WORD", 0x1234);
    aml_text_close(&t, pci);
    aml_text_buffer(&t, "BUF_", "abc", 3);
    aml_text_close(&t, sb);
    aml_text_region(&t, "PORT", 1, 0xAE00, 8);
    aml_text_name(&t, "LAST", UINT64_C(0x123456789AB));
    assert_int_equal(walk(t.bytes, t.len), 0);
    assert_string_equal(told,
                        "_SB_/PCI0/ONE_=1 _SB_/PCI0/S08_@10000/_ADR=10000 "
                        "_SB_/PCI0/S08_@10000/BSEL=7 _SB_/PCI0/WORD=1234 _SB_/BUF_[3] "
                        "PORT:1:ae00+8 LAST=123456789ab ");
}

struct term {
    const char *bytes;
    size_t len;
};
#define TERM(text)             \
    {                          \
        text, sizeof(text) - 1 \
    }

static const struct term skipped[] = {
    TERM("\x14\x09METH\x00\xA4\x01\x00"), /* method */
    TERM("\xA0\x04\x01\xA3\xA3"),         /* if */
    TERM("\xA1\x02\xA3"),                 /* else */
    TERM("\xA2\x03\x01\xA3"),             /* while */
    TERM("\x5B\x01MUTX\x00"),             /* mutex */
    TERM("\x5B\x02"
         "EVNT"), /* event */
    TERM("\x5B\x81\x07"
         "FIELX\x08"), /* field */
    TERM("\x5B\x86\x0B"
         "INDXDATAX\x08"), /* index field */
    TERM("\x5B\x87\x0C"
         "REGNBANK\x01X\x08"), /* bank field */
    TERM("\x5B\x83\x0B"
         "CPU0\x00\x00\x00\x00\x00\x00"), /* processor */
    TERM("\x5B\x84\x08"
         "PWR0\x00\x00\x00"), /* power resource */
    TERM("\x5B\x85\x05"
         "TZ00"),            /* thermal zone */
    TERM("\x06\\AAAA^BBBB"), /* alias */
    TERM("\x15\x2E"
         "AAAABBBB\x08\x01"), /* external */
    TERM("\x15\x2F\x03"
         "AAAABBBBCCCC\x08\x01"),
    TERM("\x08STR_\x0Dtext\x00"),         /* a string */
    TERM("\x08PACK\x12\x04\x02\x00\x01"), /* a package */
};

/* Then a name to see that the walk is still in step; also inside a device, whose _ADR they are not. */
static void what_is_not_told_is_skipped(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(skipped) / sizeof(skipped[0]); i++) {
        struct aml_text t = {0};

        aml_text_bytes(&t, skipped[i].bytes, skipped[i].len);
        size_t dev = aml_text_open(&t, true, "DEV_");
        aml_text_bytes(&t, skipped[i].bytes, skipped[i].len);
        aml_text_name(&t, "MARK", 9);
        aml_text_close(&t, dev);
        assert_int_equal(walk(t.bytes, t.len), 0);
        if (strcmp(told, "DEV_/MARK=9 ") != 0)
            fail_msg("term %u: %s", i, told);
    }
}

/* Each term, ended by its package after each of its bytes: given up, and nothing of it is told. */
static void what_is_cut_short_is_refused(void **state)
{
    static const struct term terms[] = {
        TERM("\x08"
             "BYTE\x0A\x12"),
        TERM("\x08WORD\x0B\x34\x12"),
        TERM("\x08"
             "DWRD\x0C\x78\x56\x34\x12"),
        TERM("\x08QWRD\x0E\x01\x02\x03\x04\x05\x06\x07\x08"),
        TERM("\x08"
             "BUF_\x11\x05\x0A\x02xy"),
        TERM("\x08"
             "BUF_\x11\x45\x00\x0A\x01x"),
        TERM("\x5B\x80PORT\x01\x0B\x00\xAE\x0A\x08"), /* region */
    };
    const size_t told_terms = sizeof(terms) / sizeof(terms[0]);
    const size_t all = told_terms + sizeof(skipped) / sizeof(skipped[0]);

    (void)state;
    for (size_t i = 0; i < all; i++) {
        const struct term *term = i < told_terms ? &terms[i] : &skipped[i - told_terms];

        for (size_t len = 1; len < term->len; len++) {
            struct aml_text t = {0};
            size_t scope = aml_text_open(&t, false, "CUT_");

            aml_text_bytes(&t, term->bytes, len);
            aml_text_close(&t, scope);
            aml_text_name(&t, "MARK", 9);
            assert_int_equal(walk(t.bytes, t.len), 1);
            assert_string_equal(told, "MARK=9 ");
        }
    }
}

/* A buffer says how long it is twice: its initializer may be shorter, and the size smaller. */
static void a_buffer_is_told_as_far_as_it_is_given(void **state)
{
    static const char longer[] = "\x08"
                                 "BUF_\x11\x06\x0A\x09xyz";
    static const char shorter[] = "\x08"
                                  "BUF_\x11\x06\x0A\x02xyz";

    (void)state;
    assert_int_equal(walk(longer, sizeof(longer) - 1), 0);
    assert_string_equal(told, "BUF_[3] ");
    assert_int_equal(walk(shorter, sizeof(shorter) - 1), 0);
    assert_string_equal(told, "BUF_[2] ");
    assert_int_equal(walk("\x08"
                          "BUF_\x11\x03(x",
                          9),
                     1); /* a size that is no number */
    assert_string_equal(told, "");
}

static void what_is_not_understood_ends_its_package_only(void **state)
{
    struct aml_text t = {0};

    (void)state;
    size_t outer = aml_text_open(&t, false, "OUT_");
    size_t inner = aml_text_open(&t, true, "IN__");
    aml_text_name(&t, "AAAA", 1);
    aml_text_bytes(&t, "\x70\x00\x01", 3); /* a store: not at this level */
    aml_text_name(&t, "BBBB", 2);
    aml_text_close(&t, inner);
    aml_text_name(&t, "CCCC", 3);
    aml_text_bytes(&t,
                   "\x08"
                   "DDDD\x5B",
                   6); /* a name without a constant */
    aml_text_close(&t, outer);
    aml_text_name(&t, "EEEE", 5);
    assert_int_equal(walk(t.bytes, t.len), 2);
    assert_string_equal(told, "OUT_/IN__/AAAA=1 OUT_/CCCC=3 EEEE=5 ");
}

static void lengths_that_lie_are_refused(void **state)
{
    struct aml_text t = {0};

    (void)state;
    size_t outer = aml_text_open(&t, false, "OUT_");
    size_t inner = aml_text_open(&t, true, "IN__");
    aml_text_name(&t, "AAAA", 1);
    aml_text_close(&t, inner);
    aml_text_close(&t, outer);
    size_t good = t.len;
    aml_text_name(&t, "EEEE", 5);
    t.bytes[inner] = 0x4F; /* reaches beyond the scope it is in */
    t.bytes[inner + 1] = 1;
    assert_int_equal(walk(t.bytes, t.len), 1);
    assert_string_equal(told, "EEEE=5 ");
    t.bytes[inner] = 0x01; /* shorter than its own length */
    assert_int_equal(walk(t.bytes, t.len), 1);
    t.bytes[inner] = 0x40; /* two bytes that say none */
    t.bytes[inner + 1] = 0;
    assert_int_equal(walk(t.bytes, t.len), 1);
    assert_string_equal(told, "EEEE=5 ");
    t.bytes[outer] = 0xFF; /* beyond the end of all */
    assert_int_equal(walk(t.bytes, good), 1);
    assert_string_equal(told, "");
}

static void too_deep_is_refused(void **state)
{
    struct aml_text t = {0};
    size_t marks[AML_DEPTH_MAX + 1];

    (void)state;
    for (unsigned i = 0; i <= AML_DEPTH_MAX; i++)
        marks[i] = aml_text_open(&t, false, "DEEP");
    aml_text_name(&t, "AAAA", 1);
    for (unsigned i = AML_DEPTH_MAX + 1; i-- > 0;)
        aml_text_close(&t, marks[i]);
    aml_text_name(&t, "EEEE", 5);
    assert_int_equal(walk(t.bytes, t.len), 1);
    assert_string_equal(told, "EEEE=5 ");
}

/* A path of no segments, and a scope with a term that is none. */
static void names_that_are_none_are_refused(void **state)
{
    static const char none[] = "\x08/\x00\x01";
    struct aml_text t = {0};

    (void)state;
    assert_int_equal(walk(none, sizeof(none) - 1), 1);
    aml_text_bytes(&t, "\x10\x06PCI0\x00", 7);
    aml_text_name(&t, "MARK", 9);
    assert_int_equal(walk(t.bytes, t.len), 1);
    assert_string_equal(told, "MARK=9 ");
}

/* Cut anywhere, and with any single byte changed: no read outside (the sanitizers watch), an end. */
static void damaged_bytes_do_no_harm(void **state)
{
    struct aml_text t = {0};
    const char *given = getenv("TEST_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);

    (void)state;
    print_message("TEST_SEED=%u\n", seed);
    size_t sb = aml_text_open(&t, false, "\\_SB_");
    aml_text_buffer(&t, "BUF_", "abcdef", 6);
    size_t dev = aml_text_open(&t, true, "S08_");
    aml_text_name(&t, "_ADR", 0x10000);
    aml_text_region(&t, "PORT", 1, 0xAE00, 8);
    aml_text_close(&t, dev);
    aml_text_close(&t, sb);
    for (size_t len = 0; len <= t.len; len++) {
        uint8_t *copy = malloc(len + 1);

        assert_non_null(copy);
        memcpy(copy, t.bytes, len);
        walk(copy, len);
        for (unsigned i = 0; i < 200 && len > 0; i++) {
            seed = seed * 1103515245 + 12345;
            copy[seed / 7 % len] = (uint8_t)(seed >> 16);
            walk(copy, len);
        }
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_told_with_their_place),
        cmocka_unit_test(what_is_not_told_is_skipped),
        cmocka_unit_test(what_is_cut_short_is_refused),
        cmocka_unit_test(a_buffer_is_told_as_far_as_it_is_given),
        cmocka_unit_test(names_that_are_none_are_refused),
        cmocka_unit_test(what_is_not_understood_ends_its_package_only),
        cmocka_unit_test(lengths_that_lie_are_refused),
        cmocka_unit_test(too_deep_is_refused),
        cmocka_unit_test(damaged_bytes_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
