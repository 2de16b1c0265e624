// SPDX-License-Identifier: BSD-2-Clause
/* kernel/boot_check.c: RAM of good maps, and the line with which each bad one is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "kernel/boot_check.h"

#define KERNEL    (2 * MIB)
#define IMAGE_END (2 * MIB + 0x30000)

struct rig {
    struct boot_info info;
    struct region items[BOOT_REGION_MAX];
    struct region_set set;
    struct boot_ram ram;
    paddr_t phys_end; /* the CPU's */
    char why[160];
};

static void add(struct rig *rig, paddr_t start, uint64_t size, uint32_t type)
{
    rig->info.mem[rig->info.mem_count++] = (struct boot_mem){start, size, type, 0};
}

static int check(struct rig *rig)
{
    rig->set = (struct region_set){rig->items, 0, BOOT_REGION_MAX};
    rig->ram =
        (struct boot_ram){.ram = &rig->set,
                          .phys_end = rig->phys_end,
                          .image_end = rig->info.kernel_phys + (IMAGE_END - KERNEL)};
    rig->why[0] = '\0';
    return boot_check(&rig->info, &rig->ram, rig->why, sizeof(rig->why));
}

static void refuses(struct rig *rig, const char *part)
{
    assert_true(check(rig) < 0);
    if (!strstr(rig->why, part))
        fail_msg("\"%s\" is not in \"%s\"", part, rig->why);
}

/* 64 MiB as QEMU's q35 has them, and the kernel with some scratch memory behind its image. */
static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    rig->info.magic = BOOT_INFO_MAGIC;
    rig->info.version = BOOT_INFO_VERSION;
    rig->info.kernel_phys = KERNEL;
    rig->phys_end = UINT64_C(1) << 40;
    add(rig, 0, 0x9FC00, BOOT_MEM_USABLE);
    add(rig, 0x9FC00, 0x400, BOOT_MEM_RESERVED);
    add(rig, 0xF0000, 0x10000, BOOT_MEM_RESERVED);
    add(rig, MIB, MIB, BOOT_MEM_USABLE);
    add(rig, KERNEL, 0x40000, BOOT_MEM_KERNEL);
    add(rig, KERNEL + 0x40000, 62 * MIB - 0x40000, BOOT_MEM_USABLE);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static void expect_region(const struct rig *rig, size_t i, paddr_t start, paddr_t end)
{
    assert_true(i < rig->set.count);
    assert_int_equal(rig->items[i].start, start);
    assert_int_equal(rig->items[i].end, end);
}

static void ram_is_all_but_image_and_page_0(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(check(rig), 0);
    assert_int_equal(rig->set.count, 3);
    expect_region(rig, 0, 0x1000, 0x9F000);
    expect_region(rig, 1, MIB, KERNEL);
    expect_region(rig, 2, IMAGE_END, 64 * MIB); /* the scratch memory came back */
    assert_int_equal(rig->ram.total_bytes, 0x9FC00 + 63 * MIB);
}

static void loader_memory_is_ram_firmware_memory_is_not(void **state)
{
    struct rig *rig = *state;

    add(rig, 64 * MIB, MIB, BOOT_MEM_LOADER);
    add(rig, 65 * MIB, MIB, BOOT_MEM_ACPI_RECLAIM);
    add(rig, 66 * MIB, MIB, BOOT_MEM_ACPI_NVS);
    add(rig, 67 * MIB, MIB, BOOT_MEM_EFI_RUNTIME);
    add(rig, 68 * MIB, MIB, BOOT_MEM_BAD);
    assert_int_equal(check(rig), 0);
    expect_region(rig, rig->set.count - 1, IMAGE_END, 65 * MIB);
}

static void empty_and_typeless_entries_are_skipped(void **state)
{
    struct rig *rig = *state;

    add(rig, 0, 0, 0);
    add(rig, UINT64_MAX, 0, BOOT_MEM_USABLE);
    add(rig, 32 * MIB, MIB, 0);
    assert_int_equal(check(rig), 0);
    assert_int_equal(rig->ram.total_bytes, 0x9FC00 + 63 * MIB);
}

static void order_does_not_matter(void **state)
{
    struct rig *rig = *state;
    struct boot_mem first = rig->info.mem[0];

    rig->info.mem[0] = rig->info.mem[5];
    rig->info.mem[5] = first;
    ram_is_all_but_image_and_page_0(state);
}

static void reserved_ranges_may_overlap_each_other(void **state)
{
    struct rig *rig = *state;

    add(rig, 0xF8000, 0x8000, BOOT_MEM_ACPI_NVS);
    assert_int_equal(check(rig), 0);
}

static void overlaps_of_ram_are_refused(void **state)
{
    struct rig *rig = *state;

    add(rig, 63 * MIB, 2 * MIB, BOOT_MEM_RESERVED);
    refuses(
        rig,
        "overlapping entries, 0x240000-0x4000000 usable and 0x3f00000-0x4100000 reserved");

    /* Two kinds of RAM: the one is free, in the other the front end's tables are still in use. */
    rig->info.mem[6] = (struct boot_mem){KERNEL + 0x30000, 0x20000, BOOT_MEM_USABLE, 0};
    refuses(rig, "0x200000-0x240000 kernel and 0x230000-0x250000 usable");
    rig->info.mem[6] = (struct boot_mem){62 * MIB, MIB, BOOT_MEM_LOADER, 0};
    refuses(rig, "usable and 0x3e00000-0x3f00000 loader");
}

static void ram_that_two_entries_call_usable(void **state)
{
    struct rig *rig = *state;

    add(rig, 63 * MIB, 2 * MIB, BOOT_MEM_USABLE);
    assert_int_equal(check(rig), 0);
    expect_region(rig, rig->set.count - 1, IMAGE_END, 65 * MIB);
    assert_int_equal(rig->ram.total_bytes, 0x9FC00 + 64 * MIB);
}

/* The CPU could address it, but its place in the direct map would be another window's, or wrap to 0. */
static void ram_beyond_the_direct_map(void **state)
{
    struct rig *rig = *state;

    add(rig, DIRECT_MAP_BYTES, MIB, BOOT_MEM_USABLE);
    rig->phys_end = UINT64_C(1) << 52;
    refuses(rig, "leaves the address space");
    rig->info.mem[6].start = UINT64_C(1) << 47;
    refuses(rig, "leaves the address space");
    rig->info.mem[6].start = DIRECT_MAP_BYTES - MIB;
    assert_int_equal(check(rig), 0);
}

static void ranges_that_leave_the_address_space(void **state)
{
    struct rig *rig = *state;

    add(rig, 128 * MIB, UINT64_MAX, BOOT_MEM_USABLE);
    refuses(rig, "broken memory map: range at 0x8000000");
    rig->info.mem[6] = (struct boot_mem){UINT64_C(1) << 40, 4096, BOOT_MEM_USABLE, 0};
    refuses(rig, "leaves the address space"); /* the CPU's */
    rig->info.mem[6].type = BOOT_MEM_RESERVED;
    assert_int_equal(check(rig), 0);
    rig->info.mem[6] = (struct boot_mem){UINT64_C(1) << 52, 4096, BOOT_MEM_RESERVED, 0};
    refuses(rig, "leaves the address space");
    rig->info.mem[6] =
        (struct boot_mem){(UINT64_C(1) << 52) - 4096, 8192, BOOT_MEM_RESERVED, 0};
    refuses(rig, "leaves the address space");
}

static void bad_headers(void **state)
{
    struct rig *rig = *state;

    rig->info.version = 7;
    refuses(rig, "not of version");
    rig->info.version = BOOT_INFO_VERSION;
    rig->info.magic++;
    refuses(rig, "not of version");
    rig->info.magic--;
    rig->info.mem_count = 0;
    refuses(rig, "0 ranges");
    rig->info.mem_count = UINT64_MAX;
    refuses(rig, "ranges");
    rig->info.mem_count = 6;
    rig->info.kernel_phys += 4096;
    refuses(rig, "not 2 MiB aligned");
}

static void errors_of_the_front_end_have_lines(void **state)
{
    struct rig *rig = *state;

    rig->info.error = BOOT_ERROR_START_INFO;
    refuses(rig, "start info");
    rig->info.error = BOOT_ERROR_MAP_MISSING;
    refuses(rig, "no memory map");
    rig->info.error = BOOT_ERROR_MAP_LONG;
    refuses(rig, "too many ranges");
    rig->info.error = BOOT_ERROR_CMDLINE;
    refuses(rig, "command line");
    rig->info.error = 99;
    refuses(rig, "unknown error");
}

static void too_little_ram(void **state)
{
    struct rig *rig = *state;

    rig->info.mem_count = 5;
    refuses(rig, "too little RAM: 1919 KiB");
}

static void a_kernel_outside_ram(void **state)
{
    struct rig *rig = *state;

    rig->info.kernel_phys = 128 * MIB;
    refuses(rig, "lies outside RAM");
}

/* The front end cuts its image out of one entry; a map that splits it there would have our first page
 * tables overwrite what it left us. */
static void a_kernel_in_memory_called_free(void **state)
{
    struct rig *rig = *state;

    rig->info.mem[4] = (struct boot_mem){KERNEL, 0x20000, BOOT_MEM_USABLE, 0};
    rig->info.mem[5] =
        (struct boot_mem){KERNEL + 0x20000, 62 * MIB - 0x20000, BOOT_MEM_USABLE, 0};
    refuses(rig, "the kernel at 0x200000 lies in memory that is called free");
}

static void the_longest_map_fits(void **state)
{
    struct rig *rig = *state;

    while (rig->info.mem_count < BOOT_MEM_MAX)
        add(rig, (100 + 2 * rig->info.mem_count) * MIB, MIB, BOOT_MEM_USABLE);
    assert_int_equal(check(rig), 0);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(ram_is_all_but_image_and_page_0),
        CASE(loader_memory_is_ram_firmware_memory_is_not),
        CASE(empty_and_typeless_entries_are_skipped),
        CASE(order_does_not_matter),
        CASE(reserved_ranges_may_overlap_each_other),
        CASE(overlaps_of_ram_are_refused),
        CASE(ram_that_two_entries_call_usable),
        CASE(ram_beyond_the_direct_map),
        CASE(ranges_that_leave_the_address_space),
        CASE(bad_headers),
        CASE(errors_of_the_front_end_have_lines),
        CASE(too_little_ram),
        CASE(a_kernel_outside_ram),
        CASE(a_kernel_in_memory_called_free),
        CASE(the_longest_map_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
