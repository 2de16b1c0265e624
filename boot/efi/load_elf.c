// SPDX-License-Identifier: BSD-2-Clause
/* Reads ELF64 executables of our own making; strict, since anything else is a broken build. Pure. */
#include "boot/efi/load_elf.h"

#include "base/err.h"
#include "base/units.h"
#include "boot/boot_info.h"

#include <stdbool.h>

#define ELF_EXECUTABLE 2
#define ELF_X86_64     62
#define SEGMENT_LOAD   1
#define SEGMENT_EXEC   1
#define SEGMENTS_MAX   16
#define IMAGE_MAX      (64 * MIB) /* the kernel's is under one */

/* System V ABI, ELF-64 object file format. */
struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, segments_at, sections_at;
    uint32_t flags;
    uint16_t header_bytes, segment_bytes, segment_count;
    uint16_t section_bytes, section_count, section_names;
};
_Static_assert(sizeof(struct elf_header) == 64, "ELF-64 header");

struct elf_segment {
    uint32_t type, flags;
    uint64_t file_at, virt, phys, file_bytes, mem_bytes, align;
};
_Static_assert(sizeof(struct elf_segment) == 56, "ELF-64 program header");

static int wrong(const char **why, const char *text)
{
    *why = text;
    return -EINVAL;
}

static int check_header(const struct elf_header *header, size_t len, const char **why)
{
    static const uint8_t ident[6] = {0x7F,           'E', 'L', 'F',
                                     2 /* 64 bit */, 1 /* little endian */};

    if (__builtin_memcmp(header->ident, ident, sizeof(ident)) != 0)
        return wrong(why, "not a 64-bit ELF file");
    if (header->type != ELF_EXECUTABLE || header->machine != ELF_X86_64)
        return wrong(why, "not an executable for x86-64");
    if (header->segment_bytes != sizeof(struct elf_segment) ||
        header->segment_count == 0 || header->segment_count > SEGMENTS_MAX ||
        header->segments_at > len ||
        header->segment_count * sizeof(struct elf_segment) > len - header->segments_at)
        return wrong(why, "program headers outside the file");
    return 0;
}

/* `base` is the lowest physical address of all. */
static int check_segment(const struct elf_segment *segment, uint64_t base, size_t len,
                         const char **why)
{
    if (segment->file_at > len || segment->file_bytes > len - segment->file_at)
        return wrong(why, "a segment reaches beyond the file");
    if (segment->phys - base > IMAGE_MAX || segment->mem_bytes > IMAGE_MAX ||
        segment->file_bytes > segment->mem_bytes)
        return wrong(why, "a segment outside the kernel's memory");
    /* The page tables map the image as one range, code first; that is where code must be. */
    if ((segment->flags & SEGMENT_EXEC) &&
        segment->virt - KERNEL_VIRT != segment->phys - base)
        return wrong(why, "code outside the kernel's address range");
    return 0;
}

static struct elf_segment segment_at(const uint8_t *file, const struct elf_header *header,
                                     unsigned i)
{
    struct elf_segment segment;

    __builtin_memcpy(&segment, file + header->segments_at + i * sizeof(segment),
                     sizeof(segment));
    return segment;
}

static bool holds_entry(const struct elf_segment *segment, uint64_t entry)
{
    return (segment->flags & SEGMENT_EXEC) && entry >= segment->virt &&
           entry - segment->virt < segment->file_bytes;
}

static uint64_t lowest_phys(const uint8_t *file, const struct elf_header *header)
{
    uint64_t base = UINT64_MAX;

    for (unsigned i = 0; i < header->segment_count; i++) {
        struct elf_segment segment = segment_at(file, header, i);

        if (segment.type == SEGMENT_LOAD && segment.phys < base)
            base = segment.phys;
    }
    return base;
}

static int check_segments(const uint8_t *file, size_t len,
                          const struct elf_header *header, struct elf_image *out,
                          const char **why)
{
    uint64_t base = lowest_phys(file, header);
    bool has_entry = false;

    *out = (struct elf_image){.entry = header->entry};
    for (unsigned i = 0; i < header->segment_count; i++) {
        struct elf_segment segment = segment_at(file, header, i);

        if (segment.type != SEGMENT_LOAD)
            continue;
        if (check_segment(&segment, base, len, why))
            return -EINVAL;
        if (segment.phys - base + segment.mem_bytes > out->size_bytes)
            out->size_bytes = segment.phys - base + segment.mem_bytes;
        has_entry |= holds_entry(&segment, header->entry);
    }
    return has_entry ? 0 : wrong(why, "the entry is not in its code");
}

int elf_check(const uint8_t *file, size_t len, struct elf_image *out, const char **why)
{
    struct elf_header header;
    struct elf_image image;

    if (len < sizeof(header))
        return wrong(why, "shorter than an ELF header");
    __builtin_memcpy(&header, file, sizeof(header));
    if (check_header(&header, len, why) ||
        check_segments(file, len, &header, &image, why))
        return -EINVAL;
    *out = image;
    return 0;
}

void elf_copy(const uint8_t *file, uint8_t *to)
{
    struct elf_header header;
    uint64_t base;

    __builtin_memcpy(&header, file, sizeof(header));
    base = lowest_phys(file, &header);
    for (unsigned i = 0; i < header.segment_count; i++) {
        struct elf_segment segment = segment_at(file, &header, i);

        if (segment.type == SEGMENT_LOAD)
            __builtin_memcpy(to + (segment.phys - base), file + segment.file_at,
                             segment.file_bytes);
    }
}
