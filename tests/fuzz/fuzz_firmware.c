// SPDX-License-Identifier: BSD-2-Clause
/*
 * What firmware and VMMs hand over, all of it the fuzzer's: a PVH start info in a small physical memory, a
 * boot_info, ACPI tables, the table of function names. What the kernel takes for RAM after boot_check()
 * must be sorted, disjoint, addressable, and never its own image.
 */
#include "boot/pvh/start_info.h"
#include "kernel/acpi_parse.h"
#include "kernel/boot_check.h"
#include "kernel/madt.h"
#include "kernel/mcfg.h"
#include "kernel/power_parse.h"
#include "kernel/symbols.h"
#include "tests/fuzz/stream.h"

#include <stdlib.h>
#include <string.h>

#define PHYS_END    (UINT64_C(1) << 40)
#define IMAGE_BYTES 0x30000
#define KERNEL      (2 * MIB)
#define MAGIC       UINT32_C(0x336EC578)

static void must(bool promise)
{
    if (!promise)
        abort();
}

static void check(const struct boot_info *info)
{
    static struct region items[BOOT_REGION_MAX];
    struct region_set set = {.items = items, .capacity = BOOT_REGION_MAX};
    struct boot_ram ram = {
        .ram = &set,
        .phys_end = PHYS_END,
        .image_end = info->kernel_phys + IMAGE_BYTES,
    };
    char why[160] = "";
    paddr_t past = FRAME_SIZE; /* page 0 is never RAM */

    if (boot_check(info, &ram, why, sizeof(why))) {
        must(why[0] != '\0');
        return;
    }
    for (size_t i = 0; i < set.count; i++) {
        must(items[i].start >= past && items[i].end > items[i].start);
        must(items[i].start % FRAME_SIZE == 0 && items[i].end % FRAME_SIZE == 0);
        must(items[i].end <= PHYS_END);
        must(items[i].end <= info->kernel_phys || items[i].start >= ram.image_end);
        past = items[i].end;
    }
}

/* The bytes are physical memory from 0 on; the magic is given, or hardly anything would be tried. */
static void fuzz_start_info(const uint8_t *data, size_t size)
{
    static struct boot_info info;
    char text[64];
    const struct pvh_image image = {
        .start = KERNEL,
        .end = KERNEL + IMAGE_BYTES,
        .cmdline = text,
        .cmdline_addr = KERNEL,
        .cmdline_capacity = sizeof(text),
    };
    uint8_t *mem = malloc(size + 1);
    const uint32_t magic = MAGIC;

    must(mem != NULL);
    memcpy(mem, data, size);
    if (size >= 8 + sizeof(magic))
        memcpy(mem + 8, &magic, sizeof(magic));
    const struct phys_window window = {mem, size};

    start_info_read(&window, 8, &image, &info);
    must(info.mem_count <= BOOT_MEM_MAX);
    must(info.cmdline_bytes < sizeof(text));
    check(&info);
    free(mem);
}

static void fuzz_boot_info(struct stream *in)
{
    static struct boot_info info;

    memset(&info, 0, sizeof(info));
    info.magic = BOOT_INFO_MAGIC;
    info.version = BOOT_INFO_VERSION;
    info.kernel_phys = (uint64_t)take8(in) * BLOCK_SIZE;
    info.mem_count = take16(in) & 0x1FF;
    for (size_t i = 0; i < info.mem_count && i < BOOT_MEM_MAX; i++) {
        uint8_t kind = take8(in);
        /* Few bits, widely spread, so that ranges meet. */
        info.mem[i].start = (uint64_t)take16(in) << (kind >> 4) * 3;
        info.mem[i].size_bytes = (uint64_t)take16(in) << (take8(in) & 63);
        info.mem[i].type = kind & 15;
    }
    check(&info);
}

/* Each parser gets an exact copy: a read past its end is seen. */
static void fuzz_tables(const uint8_t *data, size_t size)
{
    uint8_t rsdp[ACPI_RSDP_BYTES] = {0}, sleep_type[2];
    struct acpi_root root;
    struct madt madt;
    struct mcfg_window window;
    struct power_tables power;

    memcpy(rsdp, data, size < sizeof(rsdp) ? size : sizeof(rsdp));
    if (acpi_parse_rsdp(rsdp, &root) == 0 && size >= ACPI_HEADER_BYTES) {
        for (size_t i = 0; i < acpi_list_count(&root, size); i++)
            (void)acpi_list_entry(&root, data, i);
    }
    madt_defaults(LAPIC_DEFAULT_ADDR, &madt);
    (void)madt_parse(data, size, &madt);
    must(madt.ioapic_count >= 1 && madt.ioapic_count <= MADT_IOAPIC_MAX);
    (void)mcfg_parse(data, size, &window);
    power_parse_fadt(data, size, &power);
    (void)power_parse_sleep(data, size, "_S3_", sleep_type);
    (void)power_parse_sleep(data, size, "_S5_", sleep_type);
    if (size >= FACS_BYTES_LEAST)
        must(power_facs_length(data) <= FACS_BYTES);
}

static void fuzz_symbols(const uint8_t *data, size_t size)
{
    const struct symbol_table table = {data, size};
    uint32_t delta;

    for (uint32_t offset = 0; offset < 256; offset += 15) {
        const char *name = symbol_find(&table, offset << 4, &delta);

        must(!name || (name >= (const char *)data && name < (const char *)data + size));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stream in = {.data = data, .left = size};

    switch (take8(&in) & 3) {
    case 0:
        fuzz_start_info(in.data, in.left);
        break;
    case 1:
        fuzz_boot_info(&in);
        break;
    case 2:
        fuzz_tables(in.data, in.left);
        break;
    default:
        fuzz_symbols(in.data, in.left);
    }
    return 0;
}
