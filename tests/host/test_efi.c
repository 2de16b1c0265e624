// SPDX-License-Identifier: BSD-2-Clause
/* The pure parts of boot/efi/: the kernel's ELF, load options, memory map, page tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "boot/boot_info.h"
#include "boot/efi/load_elf.h"
#include "boot/efi/load_options.h"
#include "boot/efi/memory_map.h"
#include "boot/efi/paging.h"

/* ---- ELF: a header, three program headers, 16 bytes of code. */

struct test_elf {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, segments_at, sections_at;
    uint32_t flags;
    uint16_t header_bytes, segment_bytes, segment_count, rest[3];
    struct {
        uint32_t type, flags;
        uint64_t file_at, virt, phys, file_bytes, mem_bytes, align;
    } segments[3];
    uint8_t code[16];
};
_Static_assert(sizeof(struct test_elf) == 64 + 3 * 56 + 16, "as in the file");

#define PHYS 0x200000

static struct test_elf sound_elf(void)
{
    struct test_elf elf = {
        .ident = {0x7F, 'E', 'L', 'F', 2, 1, 1},
        .type = 2,
        .machine = 62,
        .entry = KERNEL_VIRT + 4,
        .segments_at = 64,
        .segment_bytes = 56,
        .segment_count = 3,
        .segments =
            {
                {1, 5, offsetof(struct test_elf, code), KERNEL_VIRT, PHYS, 16, 16, 4096},
                {1, 6, 0, KERNEL_VIRT + 0x2000, PHYS + 0x2000, 8, 0x800, 4096},
                /* Linked to run elsewhere, between the two in memory. */
                {1, 4, 4, KERNEL_VIRT + 0x40000000, PHYS + 0x1000, 4, 4, 4096},
            },
    };

    memset(elf.code, 0x90, sizeof(elf.code));
    return elf;
}

static const char *why_not(const struct test_elf *elf, size_t len)
{
    struct elf_image image;
    const char *why = "accepted";
    uint8_t *copy = malloc(len ? len : 1);

    memcpy(copy, elf, len);
    elf_check(copy, len, &image, &why);
    free(copy);
    return why;
}

static void a_sound_elf_is_copied(void **state)
{
    struct test_elf elf = sound_elf();
    struct elf_image image;
    const char *why;
    uint8_t memory[0x2800] = {0};

    (void)state;
    assert_int_equal(elf_check((const uint8_t *)&elf, sizeof(elf), &image, &why), 0);
    assert_int_equal(image.size_bytes, 0x2800);
    assert_int_equal(image.entry, KERNEL_VIRT + 4);
    elf_copy((const uint8_t *)&elf, memory);
    assert_int_equal(memory[0], 0x90);
    assert_int_equal(memory[16], 0);
    assert_memory_equal(memory + 0x2000, &elf, 8);
    assert_int_equal(memory[0x2008], 0);
    assert_memory_equal(memory + 0x1000, &elf.ident[4], 4);
    assert_int_equal(memory[0x1004], 0);
}

static void only_distances_in_memory_count(void **state)
{
    struct test_elf elf = sound_elf();
    struct elf_image image;
    const char *why;
    uint8_t memory[0x2800] = {0};

    (void)state;
    for (int i = 0; i < 3; i++)
        elf.segments[i].phys += UINT64_MAX - 0x300000;
    elf.segments[2].virt = 8;
    assert_int_equal(elf_check((const uint8_t *)&elf, sizeof(elf), &image, &why), 0);
    assert_int_equal(image.size_bytes, 0x2800);
    elf_copy((const uint8_t *)&elf, memory);
    assert_int_equal(memory[15], 0x90);
    assert_memory_equal(memory + 0x1000, &elf.ident[4], 4);
    assert_memory_equal(memory + 0x2000, &elf, 8);

    /* The lowest one need not come first, nor be code; what is no segment to load does not count. */
    elf = sound_elf();
    elf.segments[0].phys += 0x3000;
    elf.segments[0].virt += 0x2000;
    elf.entry += 0x2000;
    assert_int_equal(elf_check((const uint8_t *)&elf, sizeof(elf), &image, &why), 0);
    assert_int_equal(image.size_bytes, 0x2010);
    elf.segments[2].type = 4; /* a note */
    elf.segments[0].virt -= 0x1000;
    elf.entry -= 0x1000;
    assert_int_equal(elf_check((const uint8_t *)&elf, sizeof(elf), &image, &why), 0);
    assert_int_equal(image.size_bytes, 0x1010);
}

static void segments_in_no_place_for_them(void **state)
{
    struct test_elf elf = sound_elf();

    (void)state;
    elf.segments[1].phys =
        PHYS - 0x1000; /* now the lowest: code would not be where it is mapped */
    assert_string_equal(why_not(&elf, sizeof(elf)),
                        "code outside the kernel's address range");
    elf = sound_elf();
    elf.segments[0].virt = elf.entry = 0x200000;
    assert_string_equal(why_not(&elf, sizeof(elf)),
                        "code outside the kernel's address range");
    elf = sound_elf();
    elf.segments[1].phys = PHYS + 65 * MIB;
    assert_string_equal(why_not(&elf, sizeof(elf)),
                        "a segment outside the kernel's memory");
    elf = sound_elf();
    elf.segments[2].phys = UINT64_MAX;
    assert_string_equal(why_not(&elf, sizeof(elf)),
                        "a segment outside the kernel's memory");
    elf = sound_elf();
    elf.segments[2].phys = 0; /* far below the others */
    elf.segments[0].phys = elf.segments[1].phys = 65 * MIB;
    assert_string_equal(why_not(&elf, sizeof(elf)),
                        "a segment outside the kernel's memory");
    elf = sound_elf();
    for (int i = 0; i < 3; i++)
        elf.segments[i].type = 4;
    assert_string_equal(why_not(&elf, sizeof(elf)), "the entry is not in its code");
}

static void broken_elfs_are_refused(void **state)
{
    struct test_elf elf = sound_elf();

    (void)state;
    for (size_t len = 0; len < sizeof(elf); len++)
        assert_string_not_equal(why_not(&elf, len), "accepted");
    elf.ident[0] = 0;
    assert_string_equal(why_not(&elf, sizeof(elf)), "not a 64-bit ELF file");
    elf = sound_elf();
    elf.machine = 3;
    assert_string_equal(why_not(&elf, sizeof(elf)), "not an executable for x86-64");
    elf = sound_elf();
    elf.segments_at = UINT64_MAX - 8;
    assert_string_equal(why_not(&elf, sizeof(elf)), "program headers outside the file");
    elf = sound_elf();
    elf.segment_count = 17;
    assert_string_equal(why_not(&elf, sizeof(elf)), "program headers outside the file");
    elf = sound_elf();
    elf.segments[0].file_at = UINT64_MAX - 7;
    assert_string_equal(why_not(&elf, sizeof(elf)), "a segment reaches beyond the file");
    elf = sound_elf();
    elf.segments[1].mem_bytes = UINT64_MAX;
    assert_string_equal(why_not(&elf, sizeof(elf)),
                        "a segment outside the kernel's memory");
    elf = sound_elf();
    elf.segments[0].file_bytes = 32;
    elf.segments[0].file_at = 0;
    assert_string_equal(why_not(&elf, sizeof(elf)),
                        "a segment outside the kernel's memory");
    elf = sound_elf();
    elf.segment_count = 0;
    assert_string_equal(why_not(&elf, sizeof(elf)), "program headers outside the file");
    elf = sound_elf();
    elf.segment_bytes = 64;
    assert_string_equal(why_not(&elf, sizeof(elf)), "program headers outside the file");
    elf = sound_elf();
    elf.entry = KERNEL_VIRT;
    assert_string_equal(why_not(&elf, sizeof(elf)), "accepted");
    elf.entry = KERNEL_VIRT + 16; /* just behind the code */
    assert_string_equal(why_not(&elf, sizeof(elf)), "the entry is not in its code");
    elf = sound_elf();
    elf.entry = KERNEL_VIRT + 0x2000; /* data */
    assert_string_equal(why_not(&elf, sizeof(elf)), "the entry is not in its code");
}

/* ---- Load options */

static size_t options(const void *bytes, size_t len, char *out, size_t capacity)
{
    uint8_t *copy = malloc(len ? len : 1);
    size_t got;

    memcpy(copy, bytes, len);
    got = load_options_text(copy, len, out, capacity);
    free(copy);
    return got;
}

static void load_options(void **state)
{
    static const uint8_t guid[16] = {0x4E, 0xAC, 0x08, 0x81, 0x11, 0x9F, 0x59, 0x4D,
                                     0x85, 0x0E, 0xE2, 0x1A, 0x52, 0x2C, 0x59, 0xB2};
    char out[8] = "old";

    (void)state;
    assert_int_equal(options(u"a=b c", 10, out, sizeof(out)), 5); /* no NUL at the end */
    assert_string_equal(out, "a=b c");
    assert_int_equal(options(u"a=b\0xx", 12, out, sizeof(out)), 3);
    assert_string_equal(out, "a=b");
    assert_int_equal(options(guid, sizeof(guid), out, sizeof(out)), 0);
    assert_string_equal(out, "");
    assert_int_equal(options(u"a\u00e4", 4, out, sizeof(out)), 0);
    assert_int_equal(options(u"a=b", 7, out, sizeof(out)), 0); /* odd */
    assert_int_equal(options("", 0, out, sizeof(out)), 0);
    assert_int_equal(options(u"123456~", 14, out, sizeof(out)), 7);
    assert_int_equal(options(u"12345678", 16, out, sizeof(out)),
                     0); /* too long: none, not half */
    assert_string_equal(out, "");
}

/* ---- Memory map */

struct descriptor {
    uint32_t type, padding;
    uint64_t start, virt, pages, attributes, more;
};

static struct boot_info info;

static void convert(const struct descriptor *map, size_t count, uint64_t kernel_bytes)
{
    info.error = BOOT_ERROR_NONE;
    memory_map_convert((const uint8_t *)map, count * sizeof(*map), sizeof(*map),
                       kernel_bytes, &info);
}

static void expect_mem(size_t i, uint32_t type, uint64_t start, uint64_t size_bytes)
{
    assert_int_equal(info.mem[i].type, type);
    assert_int_equal(info.mem[i].start, start);
    assert_int_equal(info.mem[i].size_bytes, size_bytes);
}

static void types_merge_and_the_kernel_is_cut_out(void **state)
{
    static const struct descriptor map[] = {
        {.type = 7, .start = 0x1000, .pages = 0x9F},    /* conventional */
        {.type = 3, .start = 0xA0000, .pages = 0x60},   /* boot services */
        {.type = 2, .start = 0x100000, .pages = 0x400}, /* loader, with the kernel */
        {.type = 1, .start = 0x500000, .pages = 1},     /* loader code */
        {.type = 5, .start = 0x600000, .pages = 1},     /* runtime code */
        {.type = 6, .start = 0x601000, .pages = 1},     /* runtime data */
        {.type = 11, .start = 0xFEC00000, .pages = 1},  /* MMIO */
        {.type = 0x80000001, .start = 0x700000, .pages = 1},
    };

    (void)state;
    info.kernel_phys = 0x200000;
    convert(map, 8, 0x12345);
    assert_int_equal(info.error, BOOT_ERROR_NONE);
    assert_int_equal(info.mem_count, 8);
    expect_mem(0, BOOT_MEM_USABLE, 0x1000, 0xFF000);
    expect_mem(1, BOOT_MEM_LOADER, 0x100000, 0x100000);
    expect_mem(2, BOOT_MEM_KERNEL, 0x200000, 0x13000);
    expect_mem(3, BOOT_MEM_LOADER, 0x213000, 0x2EE000);
    expect_mem(4, BOOT_MEM_EFI_RUNTIME, 0x600000, 0x1000);
    assert_int_equal(info.mem[4].efi_executable, 1);
    expect_mem(5, BOOT_MEM_EFI_RUNTIME, 0x601000, 0x1000);
    assert_int_equal(info.mem[5].efi_executable, 0);
    expect_mem(6, BOOT_MEM_RESERVED, 0xFEC00000, 0x1000);
    expect_mem(7, BOOT_MEM_RESERVED, 0x700000, 0x1000);
}

static void exact_fits(void **state)
{
    static const struct descriptor map[] = {
        {.type = 7, .start = 0x100000, .pages = 0},    /* nothing */
        {.type = 2, .start = 0x200000, .pages = 0x13}, /* the kernel's own range */
    };
    uint8_t short_map[40];

    (void)state;
    info.kernel_phys = 0x200000;
    convert(map, 2, 0x13000);
    assert_int_equal(info.mem_count, 1);
    expect_mem(0, BOOT_MEM_KERNEL, 0x200000, 0x13000);

    memcpy(short_map, &map[1], sizeof(short_map)); /* the shortest descriptor there is */
    memory_map_convert(short_map, sizeof(short_map), sizeof(short_map), 0x12000, &info);
    assert_int_equal(info.error, BOOT_ERROR_NONE);
    assert_int_equal(info.mem_count, 2);
    expect_mem(0, BOOT_MEM_KERNEL, 0x200000, 0x12000);
    expect_mem(1, BOOT_MEM_LOADER, 0x212000, 0x1000);
}

static void broken_maps(void **state)
{
    static struct descriptor map[BOOT_MEM_MAX + 1];
    static const struct descriptor huge[] = {
        {.type = 7, .start = 0x1000, .pages = UINT64_MAX / 4096}};

    (void)state;
    convert(map, 0, 1);
    assert_int_equal(info.error, BOOT_ERROR_MAP_MISSING);
    memory_map_convert((const uint8_t *)map, sizeof(map), 32, 1,
                       &info); /* stride too short */
    assert_int_equal(info.error, BOOT_ERROR_MAP_MISSING);
    convert(huge, 1, 1);
    expect_mem(0, BOOT_MEM_USABLE, 0x1000, UINT64_MAX); /* for the kernel to refuse */

    info.kernel_phys = 0;
    for (size_t i = 0; i <= BOOT_MEM_MAX; i++)
        map[i] = (struct descriptor){.type = 7, .start = i * 0x2000, .pages = 1};
    convert(map, BOOT_MEM_MAX, 1);
    assert_int_equal(info.error, BOOT_ERROR_NONE);
    assert_int_equal(info.mem_count, BOOT_MEM_MAX);
    convert(map, BOOT_MEM_MAX + 1, 1);
    assert_int_equal(info.error, BOOT_ERROR_MAP_LONG);
    for (size_t i = 0; i <= BOOT_MEM_MAX; i++)
        map[i].start = i * 0x1000; /* neighbours: one range */
    convert(map, BOOT_MEM_MAX + 1, 1);
    assert_int_equal(info.mem_count, 1);
}

/* ---- Page tables */

/* The physical address behind `virt`, or -1. */
static int64_t walk(uint64_t (*tables)[512], uint64_t phys, uint64_t virt)
{
    uint64_t entry = tables[0][virt >> 39 & 511];

    for (int shift = 30; shift >= 21; shift -= 9) {
        if (!(entry & 1))
            return -1;
        assert_in_range(entry & ~UINT64_C(0xFFF), phys,
                        phys + (PAGING_TABLES - 1) * 4096);
        entry = tables[((entry & ~UINT64_C(0xFFF)) - phys) / 4096][virt >> shift & 511];
    }
    if (!(entry & 1))
        return -1;
    assert_int_equal(entry & 0x80, 0x80);
    return (int64_t)((entry & ~UINT64_C(0x1FFFFF)) + (virt & 0x1FFFFF));
}

static void the_promised_page_tables(void **state)
{
    static uint64_t tables[PAGING_TABLES][512];
    uint64_t phys = 0x7654000;

    (void)state;
    handover_paging_build(tables, phys, 0x5E00000, 0x212345);
    assert_int_equal(walk(tables, phys, 0), 0);
    assert_int_equal(walk(tables, phys, 0xFFFFFFFF), 0xFFFFFFFF);
    assert_int_equal(walk(tables, phys, 0x100000000), -1);
    assert_int_equal(walk(tables, phys, DIRECT_MAP_BASE + 0xB8000), 0xB8000);
    assert_int_equal(walk(tables, phys, KERNEL_VIRT), 0x5E00000);
    assert_int_equal(walk(tables, phys, KERNEL_VIRT + 0x212344), 0x5E00000 + 0x212344);
    assert_int_equal(walk(tables, phys, KERNEL_VIRT + 0x400000), -1);
    memset(tables, 0, sizeof(tables));
    handover_paging_build(tables, phys, 0x5E00000, 0x200000); /* exactly one page */
    assert_int_equal(walk(tables, phys, KERNEL_VIRT + 0x1FFFFF), 0x5FFFFFF);
    assert_int_equal(walk(tables, phys, KERNEL_VIRT + 0x200000), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_elf_is_copied),
        cmocka_unit_test(only_distances_in_memory_count),
        cmocka_unit_test(segments_in_no_place_for_them),
        cmocka_unit_test(broken_elfs_are_refused),
        cmocka_unit_test(load_options),
        cmocka_unit_test(types_merge_and_the_kernel_is_cut_out),
        cmocka_unit_test(exact_fits),
        cmocka_unit_test(broken_maps),
        cmocka_unit_test(the_promised_page_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
