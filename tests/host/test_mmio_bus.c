// SPDX-License-Identifier: BSD-2-Clause
/* Where virtio-mmio devices are (R-T-23): the command line, ACPI bytes, the slots of a microvm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/err.h"
#include "drivers/bus/mmio.h"

/* ---- the command line ---- */

static void good_texts(void **state)
{
    static const struct {
        const char *text;
        uint64_t size, addr;
        uint32_t irq;
    } texts[] = {
        {"4K@0xc0001000:5", 4096, 0xC0001000, 5},
        {"512@0xfeb00e00:12", 512, 0xFEB00E00, 12}, /* QEMU's microvm */
        {"0x200@4273999360:12:7", 512, 4273999360, 12},
        {"1m@0XAB000000:0", 1 << 20, 0xAB000000, 0},
        {"2G@0:65535:0", BIT64(31), 0, 65535},
        {"4k@0xFFFFFFFFFF000:1", 4096, 0xFFFFFFFFFF000, 1},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
        const char *why = NULL;
        struct mmio_dev dev;

        assert_int_equal(mmio_parse(texts[i].text, &dev, &why), 0);
        assert_true(dev.size_bytes == texts[i].size && dev.addr == texts[i].addr);
        assert_int_equal(dev.irq, texts[i].irq);
        assert_false(dev.is_edge || dev.is_active_low);
        assert_null(why);
    }
}

static void bad_texts(void **state)
{
    static const struct {
        const char *text, *why;
    } texts[] = {
        {"", "size"},
        {"@0x1000:5", "size"},
        {"0@0x1000:5", "size"},
        {"K@0x1000:5", "size"},
        {"-4K@0x1000:5", "size"},
        {"0x@0x1000:5", "size"},
        {"99999999999999999999@0x1000:5", "size"},
        {"9999999999999G@0x1000:5", "size"},
        {"4K", "@"},
        {"4KB@0x1000:5", "@"},
        {"4T@0x1000:5", "@"},
        {"4K 0x1000:5", "@"},
        {"4K@:5", "address"},
        {"4K@x1000:5", "address"},
        {"4K@0x12345678901234567:5", "address"},
        {"4K@0xFFFFFFFFFFFF000:5", "beyond"},
        {"4K@0xFFFFFFFFFF001:5", "beyond"},
        {"8388608G@0:5", "beyond"},
        {"4K@0x1000", "interrupt"},
        {"4K@0x1000:", "interrupt"},
        {"4K@0x1000:x", "interrupt"},
        {"4K@0x1000:65536", "too large"},
        {"4K@0x1000:5:", "second colon"},
        {"4K@0x1000:5 ", "does not belong"},
        {"4K@0x1000:5:1:2", "does not belong"},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
        struct mmio_dev dev = {.irq = 77};
        const char *why = NULL;

        assert_int_equal(mmio_parse(texts[i].text, &dev, &why), -EINVAL);
        assert_int_equal(dev.irq, 77); /* untouched */
        assert_non_null(why);
        if (!strstr(why, texts[i].why))
            fail_msg("'%s' is refused because '%s'", texts[i].text, why);
    }
}

/* ---- ACPI ---- */

/* A block that is built byte by byte; packages are closed with their length afterwards. */
struct block {
    uint8_t bytes[4096];
    size_t size;
};

static void put(struct block *b, const void *bytes, size_t n)
{
    memcpy(b->bytes + b->size, bytes, n);
    b->size += n;
}

static void put8(struct block *b, unsigned byte)
{
    b->bytes[b->size++] = (uint8_t)byte;
}

/* Two length bytes, whatever the length: the encoding allows it. */
static size_t open_package(struct block *b)
{
    b->size += 2;
    return b->size - 2;
}

static void close_package(struct block *b, size_t at)
{
    size_t length = b->size - at;

    b->bytes[at] = (uint8_t)(0x40 | (length & 15));
    b->bytes[at + 1] = (uint8_t)(length >> 4);
}

static size_t open_device(struct block *b, const char *name)
{
    size_t at;

    put(b, "\x5B\x82", 2);
    at = open_package(b);
    put(b, name, 4);
    return at;
}

static void put_hid(struct block *b)
{
    put(b, "\x08_HID\x0DLNRO0005", 15); /* with its NUL */
}

static void put_crs(struct block *b, const void *items, size_t n)
{
    size_t at;

    put(b, "\x08_CRS\x11", 6);
    at = open_package(b);
    put8(b, 0x0A);
    put8(b, (unsigned)n);
    put(b, items, n);
    close_package(b, at);
}

/* As QEMU's microvm has it for slot 23. */
#define MEMORY "\x86\x09\x00\x01\x00\x2E\xB0\xFE\x00\x02\x00\x00"
#define IRQ    "\x89\x06\x00\x01\x01\x2F\x00\x00\x00"
#define END    "\x79\x00"
static const char resources[] = MEMORY IRQ END;
#define RESOURCES resources, sizeof(resources) - 1

static int first(struct block *b, struct mmio_dev *out, struct mmio_acpi_errors *errors)
{
    /* An exact copy: a read past the end is seen. */
    uint8_t *copy = malloc(b->size);
    size_t pos = 0;
    int err;

    assert_non_null(copy);
    memcpy(copy, b->bytes, b->size);
    *errors = (struct mmio_acpi_errors){0};
    err = mmio_acpi_next(copy, b->size, &pos, out, errors);
    free(copy);
    return err;
}

static void a_device_of_qemu_is_found(void **state)
{
    struct mmio_acpi_errors errors = {0};
    struct block b = {.size = 36}; /* a header */
    struct mmio_dev dev;
    size_t pos = 0, at = open_device(&b, "VR23");

    (void)state;
    put_hid(&b);
    put(&b, "\x08_UID\x0A\x17", 7);
    put(&b, "\x08_CCA\x01", 6);
    put_crs(&b, RESOURCES);
    close_package(&b, at);
    assert_int_equal(mmio_acpi_next(b.bytes, b.size, &pos, &dev, &errors), 0);
    assert_true(dev.addr == 0xFEB02E00 && dev.size_bytes == 0x200);
    assert_int_equal(dev.irq, 47);
    assert_false(dev.is_edge || dev.is_active_low);
    assert_int_equal(mmio_acpi_next(b.bytes, b.size, &pos, &dev, &errors), -ENODEV);
    assert_int_equal(mmio_acpi_next(b.bytes, b.size, &pos, &dev, &errors), -ENODEV);
}

/* Inside a bridge with resources of its own, the other order, with a child, edge and active low. */
static void the_device_around_the_id_counts(void **state)
{
    struct mmio_acpi_errors errors;
    struct block b = {0};
    struct mmio_dev dev;
    size_t bus = open_device(&b, "PCI0"), at, child;

    (void)state;
    put_crs(&b, "\x47\x01\xF8\x0C\xF8\x0C\x01\x08\x79\x00", 10);
    put(&b, "\x5B\x82\x05", 3); /* no device: it has no name */
    at = open_device(&b, "VIO0");
    child = open_device(&b, "CHLD");
    put_crs(&b, "\x79\x00", 2);
    close_package(&b, child);
    put_crs(&b, MEMORY "\x89\x06\x00\x07\x01\x05\x00\x00\x00" END, 12 + 9 + 2);
    put_hid(&b);
    close_package(&b, at);
    close_package(&b, bus);
    assert_int_equal(first(&b, &dev, &errors), 0);
    assert_true(dev.addr == 0xFEB02E00);
    assert_int_equal(dev.irq, 5);
    assert_true(dev.is_edge && dev.is_active_low);
}

static void all_devices_are_found(void **state)
{
    struct mmio_acpi_errors errors = {0};
    struct block b = {0};
    struct mmio_dev dev;
    size_t pos = 0;

    (void)state;
    for (unsigned i = 0; i < 24; i++) {
        char name[5] = {'V', 'R', (char)('0' + i / 10), (char)('0' + i % 10)};
        char items[sizeof(resources)];
        size_t at = open_device(&b, name);

        memcpy(items, resources, sizeof(items));
        items[17] = (char)(24 + i);
        if (i == 7)
            items[0] = '\x85'; /* this one is refused, the others are not */
        put_hid(&b);
        put_crs(&b, items, sizeof(items) - 1);
        close_package(&b, at);
    }
    for (unsigned i = 0; i < 24; i++) {
        int err = mmio_acpi_next(b.bytes, b.size, &pos, &dev, &errors);

        assert_int_equal(err, i == 7 ? -EPROTO : 0);
        if (!err)
            assert_int_equal(dev.irq, 24 + i);
    }
    assert_int_equal(errors.descriptor, 1);
    assert_int_equal(mmio_acpi_next(b.bytes, b.size, &pos, &dev, &errors), -ENODEV);
}

struct refusal {
    const char *items;
    size_t n;
    size_t counter;
};

#define REFUSAL(items, name)                                              \
    {                                                                     \
        items, sizeof(items) - 1, offsetof(struct mmio_acpi_errors, name) \
    }

static void strange_resources_are_refused(void **state)
{
    static const struct refusal refusals[] = {
        REFUSAL("", crs_length),
        REFUSAL(MEMORY IRQ, crs_length),            /* no end */
        REFUSAL(MEMORY IRQ END "\x00", crs_length), /* something behind it */
        REFUSAL(MEMORY IRQ "\x79", crs_length),
        REFUSAL("\x86\x09", crs_length),
        REFUSAL("\x86\xFF\x00\x01\x00\x00\x00\x00\x00", crs_length),
        REFUSAL(END, no_memory),
        REFUSAL(IRQ END, no_memory),
        REFUSAL(MEMORY MEMORY IRQ END, no_memory),
        REFUSAL("\x86\x09\x00\x01\x00\x2E\xB0\xFE\x00\x00\x00\x00" IRQ END, no_memory),
        REFUSAL(MEMORY END, no_irq),
        REFUSAL(MEMORY IRQ IRQ END, no_irq),
        REFUSAL(MEMORY "\x22\x20\x00" END, descriptor), /* an ISA interrupt */
        REFUSAL(MEMORY "\x8A\x06\x00\x01\x01\x2F\x00\x00\x00" END, descriptor),
        REFUSAL(MEMORY "\x89\x0A\x00\x01\x02\x2F\x00\x00\x00\x30\x00\x00\x00" END,
                descriptor), /* two numbers */
        REFUSAL(MEMORY "\x89\x06\x00\x01\x02\x2F\x00\x00\x00" END, descriptor),
        REFUSAL(MEMORY "\x89\x02\x00\x01\x00" END, descriptor),
        REFUSAL("\x86\x08\x00\x01\x00\x2E\xB0\xFE\x00\x02\x00" IRQ END, descriptor),
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(refusals); i++) {
        struct mmio_dev dev = {.irq = 77};
        struct mmio_acpi_errors errors;
        struct block b = {0};
        size_t at = open_device(&b, "VR00");

        put_hid(&b);
        put_crs(&b, refusals[i].items, refusals[i].n);
        close_package(&b, at);
        assert_int_equal(first(&b, &dev, &errors), -EPROTO);
        assert_int_equal(*(uint64_t *)((char *)&errors + refusals[i].counter), 1);
        assert_int_equal(dev.irq, 77);
    }
}

static void strange_devices_are_refused(void **state)
{
    struct mmio_acpi_errors errors;
    struct mmio_dev dev;
    struct block b;
    size_t at;

    (void)state;
    b = (struct block){0}; /* no device around it */
    put_hid(&b);
    put_crs(&b, RESOURCES);
    assert_int_equal(first(&b, &dev, &errors), -EPROTO);
    assert_int_equal(errors.no_device, 1);

    b = (struct block){0}; /* a device that ends before it, one that runs past the end */
    at = open_device(&b, "VR00");
    close_package(&b, at);
    put(&b, "\x5B\x82\xFF\xFF\xFF\xFFVR01", 10);
    put_hid(&b);
    assert_int_equal(first(&b, &dev, &errors), -EPROTO);
    assert_int_equal(errors.no_device, 1);

    b = (struct block){0};
    at = open_device(&b, "VR00");
    put_hid(&b);
    close_package(&b, at);
    assert_int_equal(first(&b, &dev, &errors), -EPROTO);
    assert_int_equal(errors.no_crs, 1);

    b = (struct block){
        0}; /* a method, MethodOp is 0x14: its name has no NameOp in front */
    at = open_device(&b, "VR00");
    put_hid(&b);
    put(&b, "\x14\x08_CRS\x00\xA4", 8);
    close_package(&b, at);
    assert_int_equal(first(&b, &dev, &errors), -EPROTO);
    assert_int_equal(errors.no_crs + errors.crs_kind, 1);

    b = (struct block){0}; /* a name for another name */
    at = open_device(&b, "VR00");
    put_hid(&b);
    put(&b, "\x08_CRSCRS0", 9);
    close_package(&b, at);
    assert_int_equal(first(&b, &dev, &errors), -EPROTO);
    assert_int_equal(errors.crs_kind, 1);
}

static void lengths_that_run_past_are_refused(void **state)
{
    struct mmio_acpi_errors errors;
    struct mmio_dev dev;
    struct block b = {0};
    size_t at = open_device(&b, "VR00"), crs;

    (void)state;
    put_hid(&b);
    crs = b.size;
    put_crs(&b, RESOURCES);
    close_package(&b, at);
    assert_int_equal(first(&b, &dev, &errors), 0);
    b.bytes[crs + 9]++; /* more bytes than the package has */
    assert_int_equal(first(&b, &dev, &errors), -EPROTO);
    assert_int_equal(errors.crs_length, 1);
    b.bytes[crs + 9]--;
    b.bytes[crs + 7]++; /* the buffer longer than its device */
    assert_int_equal(first(&b, &dev, &errors), -EPROTO);
    assert_int_equal(errors.crs_length, 1);
    b.bytes[crs + 7]--;
    uint8_t whole[2] = {b.bytes[crs + 6], b.bytes[crs + 7]};
    b.bytes[crs + 6] = 0x43; /* it ends where its size should stand */
    b.bytes[crs + 7] = 0;
    assert_int_equal(first(&b, &dev, &errors), -EPROTO);
    assert_int_equal(errors.crs_length, 1);
    b.bytes[crs + 6] = whole[0];
    b.bytes[crs + 7] = whole[1];
    assert_int_equal(first(&b, &dev, &errors), 0);
    b.bytes[crs + 8] = 0x0C; /* a size of 32 bits */
    assert_int_equal(first(&b, &dev, &errors), -EPROTO);
    assert_int_equal(errors.crs_kind, 1);
}

static void each_reason_has_words_of_its_own(void **state)
{
    enum { REASONS = sizeof(struct mmio_acpi_errors) / sizeof(uint64_t) };
    const char *words[REASONS];
    union {
        struct mmio_acpi_errors errors;
        uint64_t counters[REASONS];
    } u;

    (void)state;
    for (unsigned i = 0; i < REASONS; i++) {
        memset(&u, 0, sizeof(u));
        assert_null(mmio_acpi_why(&u.errors));
        u.counters[i] = 1;
        words[i] = mmio_acpi_why(&u.errors);
        assert_non_null(words[i]);
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(words[i], words[k]);
    }
}

/* However the block is cut, nothing is read outside of it and nothing is found in half. */
static void a_cut_block_gives_no_device(void **state)
{
    struct mmio_acpi_errors errors;
    struct mmio_dev dev;
    struct block b = {0};
    size_t at = open_device(&b, "VR00"), whole;

    (void)state;
    put_hid(&b);
    put_crs(&b, RESOURCES);
    close_package(&b, at);
    whole = b.size;
    for (b.size = 1; b.size < whole; b.size++)
        assert_int_not_equal(first(&b, &dev, &errors), 0);
    assert_int_equal(first(&b, &dev, &errors), 0);
}

/* ---- microvm ---- */

static void slots_are_where_qemu_has_them(void **state)
{
    struct mmio_dev plain = mmio_slot(7, false), acpi = mmio_slot(23, true);

    (void)state;
    assert_int_equal(mmio_slot_count(false), 8);
    assert_int_equal(mmio_slot_count(true), 24);
    assert_true(plain.addr == 0xFEB00E00 && plain.size_bytes == 0x200);
    assert_int_equal(plain.irq, 12);
    assert_true(acpi.addr == 0xFEB02E00 && acpi.size_bytes == 0x200);
    assert_int_equal(acpi.irq, 47);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_texts),
        cmocka_unit_test(bad_texts),
        cmocka_unit_test(a_device_of_qemu_is_found),
        cmocka_unit_test(the_device_around_the_id_counts),
        cmocka_unit_test(all_devices_are_found),
        cmocka_unit_test(strange_resources_are_refused),
        cmocka_unit_test(strange_devices_are_refused),
        cmocka_unit_test(lengths_that_run_past_are_refused),
        cmocka_unit_test(each_reason_has_words_of_its_own),
        cmocka_unit_test(a_cut_block_gives_no_device),
        cmocka_unit_test(slots_are_where_qemu_has_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
