// SPDX-License-Identifier: BSD-2-Clause
/* boot/pvh/start_info.c: what QEMU gives, and what no VMM should: bad magic, addresses outside memory,
 * counts that overflow, endless command lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "boot/pvh/start_info.h"

#define MEM_BYTES   0x4000
#define INFO_AT     0x1000
#define MAP_AT      0x2000
#define TEXT_AT     0x3000
#define IMAGE_START (2 * MIB)
#define IMAGE_END   (2 * MIB + 0x40000)

/* As the ABI lays them out, by hand: not the code's own structs. */
struct wire_info {
    uint32_t magic, version, flags, nr_modules;
    uint64_t modlist, cmdline, rsdp, map;
    uint32_t map_entries, reserved;
};

struct wire_mem {
    uint64_t addr, size;
    uint32_t type, reserved;
};

struct rig {
    uint8_t *mem;
    char text[16];
    struct boot_info info;
};

static void put_info(struct rig *rig, struct wire_info info)
{
    memcpy(rig->mem + INFO_AT, &info, sizeof(info));
}

static const struct wire_info good = {
    .magic = 0x336EC578,
    .version = 1,
    .rsdp = 0xF5B20,
    .map = MAP_AT,
    .map_entries = 2,
};

static void put_map(struct rig *rig)
{
    const struct wire_mem map[] = {
        {0, 0x9FC00, 1, 0},
        {0x100000, 64 * MIB, 1, 0},
    };

    memcpy(rig->mem + MAP_AT, map, sizeof(map));
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    rig->mem = calloc(1, MEM_BYTES);
    put_info(rig, good);
    put_map(rig);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;

    free(rig->mem);
    free(rig);
    return 0;
}

static uint64_t read_at(struct rig *rig, paddr_t start_info)
{
    const struct phys_window window = {rig->mem, MEM_BYTES};
    const struct pvh_image image = {
        .start = IMAGE_START,
        .end = IMAGE_END,
        .cmdline = rig->text,
        .cmdline_addr = 0xABC000,
        .cmdline_capacity = sizeof(rig->text),
    };

    start_info_read(&window, start_info, &image, &rig->info);
    return rig->info.error;
}

static void expect_mem(const struct rig *rig, size_t i, paddr_t start, uint64_t end,
                       uint32_t type)
{
    assert_true(i < rig->info.mem_count);
    assert_int_equal(rig->info.mem[i].start, start);
    assert_int_equal(rig->info.mem[i].start + rig->info.mem[i].size_bytes, end);
    assert_int_equal(rig->info.mem[i].type, type);
}

static void a_good_one_is_read(void **state)
{
    struct rig *rig = *state;
    struct wire_info info = good;

    info.cmdline = TEXT_AT;
    put_info(rig, info);
    strcpy((char *)rig->mem + TEXT_AT, "irq=poll");
    assert_int_equal(read_at(rig, INFO_AT), BOOT_ERROR_NONE);
    assert_int_equal(rig->info.magic, BOOT_INFO_MAGIC);
    assert_int_equal(rig->info.front, BOOT_FRONT_PVH);
    assert_int_equal(rig->info.kernel_phys, IMAGE_START);
    assert_int_equal(rig->info.rsdp, 0xF5B20);
    assert_int_equal(rig->info.cmdline, 0xABC000);
    assert_int_equal(rig->info.cmdline_bytes, 8);
    assert_string_equal(rig->text, "irq=poll");
}

static void the_image_is_cut_out_of_ram(void **state)
{
    struct rig *rig = *state;

    read_at(rig, INFO_AT);
    assert_int_equal(rig->info.mem_count, 4);
    expect_mem(rig, 0, 0, 0x9FC00, BOOT_MEM_USABLE);
    expect_mem(rig, 1, 0x100000, IMAGE_START, BOOT_MEM_USABLE);
    expect_mem(rig, 2, IMAGE_START, IMAGE_END, BOOT_MEM_KERNEL);
    expect_mem(rig, 3, IMAGE_END, 0x100000 + 64 * MIB, BOOT_MEM_USABLE);
}

static void types_are_translated(void **state)
{
    static const uint32_t wire[] = {2, 3, 4, 5, 6, 7, 99, 0};
    static const uint32_t ours[] = {
        BOOT_MEM_RESERVED, BOOT_MEM_ACPI_RECLAIM, BOOT_MEM_ACPI_NVS, BOOT_MEM_BAD,
        BOOT_MEM_RESERVED, BOOT_MEM_RESERVED,     BOOT_MEM_RESERVED, BOOT_MEM_RESERVED};
    struct rig *rig = *state;
    struct wire_info info = good;

    info.map_entries = 8;
    put_info(rig, info);
    for (size_t i = 0; i < 8; i++) {
        const struct wire_mem entry = {i * MIB, 4096, wire[i], 0};

        memcpy(rig->mem + MAP_AT + i * sizeof(entry), &entry, sizeof(entry));
    }
    assert_int_equal(read_at(rig, INFO_AT), BOOT_ERROR_NONE);
    for (size_t i = 0; i < 8; i++)
        expect_mem(rig, i, i * MIB, i * MIB + 4096, ours[i]);
}

static void empty_entries_are_skipped(void **state)
{
    struct rig *rig = *state;
    const struct wire_mem last = {0, 0, 0, 0}; /* as microvm ends its map */

    memcpy(rig->mem + MAP_AT + sizeof(last), &last, sizeof(last));
    assert_int_equal(read_at(rig, INFO_AT), BOOT_ERROR_NONE);
    assert_int_equal(rig->info.mem_count, 1);
}

static void a_range_that_wraps_is_passed_on_for_the_check(void **state)
{
    struct rig *rig = *state;
    const struct wire_mem wrap = {0x100000, UINT64_MAX, 1, 0};

    memcpy(rig->mem + MAP_AT, &wrap, sizeof(wrap));
    assert_int_equal(read_at(rig, INFO_AT), BOOT_ERROR_NONE);
    assert_int_equal(rig->info.mem[0].size_bytes, UINT64_MAX);
}

static void bad_places_of_the_start_info(void **state)
{
    struct rig *rig = *state;
    static const paddr_t places[] = {0, MEM_BYTES - 55, MEM_BYTES, UINT64_MAX, TEXT_AT};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        assert_int_equal(read_at(rig, places[i]), BOOT_ERROR_START_INFO);
}

static void bad_maps(void **state)
{
    struct rig *rig = *state;
    struct wire_info info = good;

    info.version = 0; /* had no map */
    put_info(rig, info);
    assert_int_equal(read_at(rig, INFO_AT), BOOT_ERROR_MAP_MISSING);

    info = good;
    info.map_entries = 0;
    put_info(rig, info);
    assert_int_equal(read_at(rig, INFO_AT), BOOT_ERROR_MAP_MISSING);

    info.map_entries = UINT32_MAX;
    put_info(rig, info);
    assert_int_equal(read_at(rig, INFO_AT), BOOT_ERROR_MAP_MISSING);

    info.map_entries = 2;
    info.map = MEM_BYTES - 47;
    put_info(rig, info);
    assert_int_equal(read_at(rig, INFO_AT), BOOT_ERROR_MAP_MISSING);

    info.map = UINT64_MAX - 8;
    put_info(rig, info);
    assert_int_equal(read_at(rig, INFO_AT), BOOT_ERROR_MAP_MISSING);
}

static void a_map_with_too_many_ranges(void **state)
{
    struct rig *rig = *state;
    struct wire_info info = good;

    free(rig->mem);
    rig->mem = calloc(1, MEM_BYTES);
    info.map_entries = BOOT_MEM_MAX + 1;
    put_info(rig, info);
    for (size_t i = 0; i <= BOOT_MEM_MAX; i++) {
        const struct wire_mem entry = {i * MIB, 4096, 2, 0};

        memcpy(rig->mem + MAP_AT + i * sizeof(entry), &entry, sizeof(entry));
    }
    assert_int_equal(read_at(rig, INFO_AT), BOOT_ERROR_MAP_LONG);
    assert_int_equal(rig->info.mem_count, BOOT_MEM_MAX);
}

static void command_lines_that_do_not_end(void **state)
{
    struct rig *rig = *state;
    struct wire_info info = good;

    info.cmdline = TEXT_AT;
    put_info(rig, info);
    memset(rig->mem + TEXT_AT, 'x', MEM_BYTES - TEXT_AT);
    assert_int_equal(read_at(rig, INFO_AT), BOOT_ERROR_CMDLINE);

    rig->mem[TEXT_AT + sizeof(rig->text) - 1] = 0; /* the longest that fits */
    assert_int_equal(read_at(rig, INFO_AT), BOOT_ERROR_NONE);
    assert_int_equal(rig->info.cmdline_bytes, sizeof(rig->text) - 1);

    info.cmdline = MEM_BYTES - 4; /* runs out of memory before it ends */
    put_info(rig, info);
    assert_int_equal(read_at(rig, INFO_AT), BOOT_ERROR_CMDLINE);

    info.cmdline = UINT64_MAX;
    put_info(rig, info);
    assert_int_equal(read_at(rig, INFO_AT), BOOT_ERROR_CMDLINE);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_good_one_is_read),
        CASE(the_image_is_cut_out_of_ram),
        CASE(types_are_translated),
        CASE(empty_entries_are_skipped),
        CASE(a_range_that_wraps_is_passed_on_for_the_check),
        CASE(bad_places_of_the_start_info),
        CASE(bad_maps),
        CASE(a_map_with_too_many_ranges),
        CASE(command_lines_that_do_not_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
