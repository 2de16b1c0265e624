// SPDX-License-Identifier: BSD-2-Clause
/* PVH start info: Xen's x86/HVM direct boot ABI, version 1. The guest's lies in one page of the monitor,
 * which the guest may only read. */
#include "tests/vmhost/loader.h"

#include "base/bits.h"
#include "tests/vmhost/end.h"
#include "tests/vmhost/guest.h"
#include "tests/vmhost/npt.h"
#include "tests/vmhost/ram.h"
#include "tests/vmhost/text.h"

#define START_INFO_MAGIC UINT32_C(0x336ec578)
#define ELF_MAGIC        UINT32_C(0x464c457f)
#define PACKAGE_MAGIC    UINT64_C(0x4b5054534f484d56) /* "VMHOSTPK" */
#define NOTE_PVH         18
#define OPTIONS_MAX      2048

struct start_info {
    uint32_t magic, version, flags, module_count;
    uint64_t modules, cmdline, rsdp, memmap;
    uint32_t memmap_count, reserved;
};
_Static_assert(sizeof(struct start_info) == 56, "hvm_start_info, version 1");

struct module {
    uint64_t start, size_bytes, cmdline, reserved;
};

/* The first page of a package; the ELF follows, then from a page on the guest's initrd. */
struct package {
    uint64_t magic, elf_bytes, initrd_bytes;
};

struct elf {
    uint32_t magic;
    uint8_t class, ident[11];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, segments, sections;
    uint32_t flags;
    uint16_t header_bytes, segment_bytes, segment_count;
};

struct elf_segment {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, file_bytes, memory_bytes, align;
};
enum elf_segment_type {
    SEGMENT_LOAD = 1,
    SEGMENT_NOTE = 4,
};

struct elf_note {
    uint32_t name_bytes, desc_bytes, type;
};

/* What the guest reads, in its page: all of it found through `info`. */
static union {
    uint8_t page[FRAME_SIZE];
    struct {
        struct start_info info;
        struct module module;
        struct ram_range memmap[RAM_RANGES_MAX];
        char cmdline[OPTIONS_MAX];
    };
} guests __attribute__((aligned(4096)));
_Static_assert(sizeof(guests) == FRAME_SIZE, "the guest's start info is one page");

static struct {
    char options[OPTIONS_MAX];
    struct module module;
} given;

static void copy_text(char *to, const char *from)
{
    unsigned n = 0;

    for (; from[n]; n++) {
        if (n == OPTIONS_MAX - 1)
            end_unable("the command line is too long");
        to[n] = from[n];
    }
    to[n] = '\0';
}

/* "ours -- the guest's": cut in two. */
static void split_options(void)
{
    for (char *at = given.options; *at; at++) {
        const char *rest = text_after(at, "--");
        bool is_word = rest && (*rest == ' ' || *rest == '\0') &&
                       (at == given.options || at[-1] == ' ');

        if (!is_word)
            continue;
        copy_text(guests.cmdline, rest + (*rest == ' '));
        *at = '\0';
        return;
    }
}

void loader_read(uint64_t start_info, struct start *out)
{
    const struct start_info *info = (const struct start_info *)start_info;
    const struct ram_range *map = (const struct ram_range *)info->memmap;

    if (info->magic != START_INFO_MAGIC || info->version < 1)
        end_unable("no PVH start info");
    if (info->module_count != 1)
        end_unable("no guest: give one with -initrd");
    given.module = *(const struct module *)info->modules;
    for (uint32_t i = 0; i < info->memmap_count; i++)
        ram_add(&map[i]);
    if (info->cmdline)
        copy_text(given.options, (const char *)info->cmdline);
    split_options();
    guests.info.rsdp = info->rsdp;
    *out = (struct start){.options = given.options, .rsdp = info->rsdp};
}

/* The 32-bit entry that the PVH note in this segment names, or 0. */
static uint32_t entry_in(const uint8_t *at, uint64_t bytes)
{
    const uint8_t *end = at + bytes;

    while (at + sizeof(struct elf_note) <= end) {
        const struct elf_note *note = (const struct elf_note *)at;
        const uint8_t *name = at + sizeof(*note);
        const uint8_t *desc = name + align_up(note->name_bytes, 4);

        at = desc + align_up(note->desc_bytes, 4);
        if (note->type == NOTE_PVH && note->name_bytes == 4 && at <= end &&
            text_equal((const char *)name, "Xen"))
            return *(const uint32_t *)desc;
    }
    return 0;
}

static void load_segment(const uint8_t *image, const struct elf_segment *segment)
{
    paddr_t start = segment->paddr, end = start + segment->memory_bytes;
    bool hits_module =
        start < given.module.start + given.module.size_bytes && end > given.module.start;

    if (end < start || !ram_holds(start, end) || hits_module)
        end_unable("the guest does not fit: give it more memory (-m)");
    __builtin_memcpy((void *)start, image + segment->offset, segment->file_bytes);
    __builtin_memset((void *)(start + segment->file_bytes), 0,
                     segment->memory_bytes - segment->file_bytes);
}

static uint32_t load_elf(const uint8_t *image)
{
    const struct elf *elf = (const struct elf *)image;
    const struct elf_segment *segments =
        (const struct elf_segment *)(image + elf->segments);
    uint32_t entry = 0;

    if (elf->magic != ELF_MAGIC || elf->class != 2)
        end_unable("the guest is not a 64-bit ELF");
    for (unsigned i = 0; i < elf->segment_count; i++) {
        const struct elf_segment *segment = &segments[i];

        if (segment->type == SEGMENT_LOAD && segment->memory_bytes)
            load_segment(image, segment);
        if (segment->type == SEGMENT_NOTE && !entry)
            entry = entry_in(image + segment->offset, segment->file_bytes);
    }
    if (!entry)
        end_unable("the guest has no PVH entry");
    return entry;
}

static void write_start_info(void)
{
    unsigned count;
    const struct ram_range *ranges = ram_ranges(&count);

    for (unsigned i = 0; i < count; i++)
        guests.memmap[i] = ranges[i];
    guests.info.magic = START_INFO_MAGIC;
    guests.info.version = 1;
    guests.info.module_count = guests.module.size_bytes != 0;
    guests.info.modules = guests.info.module_count ? (uint64_t)&guests.module : 0;
    guests.info.cmdline = (uint64_t)guests.cmdline;
    guests.info.memmap = (uint64_t)guests.memmap;
    guests.info.memmap_count = count;
    npt_give_read_only(pfn_from_paddr((paddr_t)&guests));
}

uint32_t loader_load(uint32_t *start_info)
{
    const uint8_t *image = (const uint8_t *)given.module.start;
    const struct package *package = (const struct package *)image;

    if (package->magic == PACKAGE_MAGIC) {
        uint64_t initrd = align_up(FRAME_SIZE + package->elf_bytes, FRAME_SIZE);

        image += FRAME_SIZE;
        if (package->initrd_bytes)
            guests.module = (struct module){.start = given.module.start + initrd,
                                            .size_bytes = package->initrd_bytes};
    }
    uint32_t entry = load_elf(image);
    write_start_info();
    *start_info = (uint32_t)(uint64_t)&guests;
    return entry;
}
