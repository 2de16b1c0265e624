// SPDX-License-Identifier: BSD-2-Clause
/*
 * RAM at boot: which ranges are ours, the frames that page tables and stacks get before there is an
 * allocator (down from the top of the largest usable range below 4 GiB), the one kept for waking from a
 * sleep, and the allocator itself.
 */
#include "kernel/memory.h"
#include "kernel/boot_check.h"
#include "kernel/config.h"
#include "kernel/log.h"
#include "kernel/panic.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/paging.h"

#include "base/bits.h"
#include "base/err.h"

#define EARLY_END       (4 * GIB) /* what the front end's tables map */
#define LOW_END         (1 * MIB) /* what real mode reaches */
#define CPU_START       0x10000   /* seen with SeaBIOS */
#define RESERVE_MAX     (4 * MIB)
#define RESERVE_DIVISOR 8
#define WHY_BYTES       160
#define TABLES_KEPT     4 /* both ends of a range may need two */

/* linker.ld. */
extern const uint8_t image_end[];

static struct region ram_items[BOOT_REGION_MAX];

static struct {
    struct region_set ram;
    uint64_t total_bytes;
    struct region image;
    struct region early; /* taken from the top of a range: [start, end) */
    paddr_t early_floor;
    struct region low; /* memory_low_page(); empty: none */
    struct pmm *pmm;
    struct heap heap;
    paddr_t tables[TABLES_KEPT]; /* frames for page tables */
    unsigned tables_kept;
} memory = {.ram = {.items = ram_items, .capacity = BOOT_REGION_MAX}};

struct pmm *memory_pmm(void)
{
    return memory.pmm;
}

struct heap *memory_heap(void)
{
    return &memory.heap;
}

uint64_t memory_total_bytes(void)
{
    return memory.total_bytes;
}

uint64_t memory_early_bytes(void)
{
    return memory.early.end - memory.early.start + memory.low.end - memory.low.start;
}

paddr_t memory_low_page(void)
{
    return memory.low.start;
}

static bool is_in(const struct region *it, paddr_t start, uint64_t size_bytes)
{
    return start < it->end && start + size_bytes > it->start;
}

bool memory_is_ram(paddr_t start, uint64_t size_bytes)
{
    for (size_t i = 0; i < memory.ram.count; i++) {
        if (is_in(&memory.ram.items[i], start, size_bytes))
            return true;
    }
    /* These were cut out of the set. */
    return is_in(&memory.image, start, size_bytes) ||
           is_in(&memory.early, start, size_bytes) ||
           is_in(&memory.low, start, size_bytes);
}

void memory_check(const struct boot_info *info)
{
    char why[WHY_BYTES];
    struct boot_ram ram = {
        .ram = &memory.ram,
        .phys_end = cpu_phys_end(),
        .image_end = info->kernel_phys + ((uint64_t)image_end - KERNEL_VIRT),
    };

    if (boot_check(info, &ram, why, sizeof(why)))
        boot_refuse("%s", why);
    memory.total_bytes = ram.total_bytes;
    memory.image = (struct region){info->kernel_phys, ram.image_end};
}

/* Only what the firmware called usable: the loader's memory is still in use. */
static void early_choose(const struct boot_info *info)
{
    uint64_t best = 0;

    for (uint64_t i = 0; i < info->mem_count; i++) {
        const struct boot_mem *mem = &info->mem[i];
        paddr_t start = align_up(mem->start, FRAME_SIZE);
        paddr_t end =
            align_down(min_u64(mem->start + mem->size_bytes, EARLY_END), FRAME_SIZE);

        if (mem->type != BOOT_MEM_USABLE || start == 0 || end <= start ||
            end - start <= best)
            continue;
        best = end - start;
        memory.early = (struct region){end, end};
        memory.early_floor = start;
    }
}

static int early_take(void *ctx, paddr_t *out)
{
    (void)ctx;
    if (memory.early.start <= memory.early_floor)
        return -ENOMEM;
    memory.early.start -= FRAME_SIZE;
    *out = memory.early.start;
    return 0;
}

static void early_give(void *ctx, paddr_t frame)
{
    (void)ctx;
    (void)frame; /* given back to nobody: building takes what it needs and no more */
}

void memory_enter(const struct boot_info *info, void (*next)(void))
{
    const struct vmm_source early = {.take = early_take, .give = early_give};

    early_choose(info);
    if (paging_build(&memory.ram, info->kernel_phys, early))
        boot_refuse("too little RAM below 4 GiB for page tables");
    paging_enter(next);
}

static int frame_take(paddr_t *out)
{
    struct pmm_run run;
    int err = pmm_take(memory.pmm, (struct pmm_want){.class = PMM_FIXED}, &run);

    if (!err)
        *out = pfn_to_paddr(run.pfn);
    return err;
}

/* What is kept back serves when nothing else does: a part of a block mapping can be given back then too. */
static int table_take(void *ctx, paddr_t *out)
{
    int err = frame_take(out);

    (void)ctx;
    if (!err || memory.tables_kept == 0)
        return err;
    *out = memory.tables[--memory.tables_kept];
    return 0;
}

void memory_refill(void)
{
    pmm_refill(memory.pmm); /* when it fails the next pass tries again */
    while (memory.tables_kept < TABLES_KEPT &&
           frame_take(&memory.tables[memory.tables_kept]) == 0)
        memory.tables_kept++;
}

/* Frames that early_take() handed out stay what they are; the allocator does not know them. */

static void table_give(void *ctx, paddr_t frame)
{
    (void)ctx;
    if (frame < memory.early.start || frame >= memory.early.end)
        pmm_give(memory.pmm, pfn_from_paddr(frame), 0, RUN_TOUCHED);
}

static uint64_t reserve_bytes(void)
{
    uint64_t set = config_u64("balloon.reserve");

    return set == CONFIG_AUTO ? min_u64(RESERVE_MAX, memory.total_bytes / RESERVE_DIVISOR)
                              : set;
}

/* The end of free memory there, as firmware works with its beginning. 0: there is none. */
static paddr_t low_end(void)
{
    for (size_t i = memory.ram.count; i-- > 0;) {
        if (memory.ram.items[i].start < LOW_END)
            return min_u64(memory.ram.items[i].end, LOW_END);
    }
    return 0;
}

/* Best is the frame in which firmware starts further CPUs: x86/wake.asm has code for those that come late. */
static void keep_low_page(void)
{
    paddr_t start = low_end();

    if (start == 0)
        return;
    start = memory_is_ram(CPU_START, FRAME_SIZE) ? CPU_START : start - FRAME_SIZE;
    memory.low = (struct region){start, start + FRAME_SIZE};
    if (region_remove(&memory.ram, memory.low.start, memory.low.end))
        boot_refuse("the memory map has too many ranges");
}

void memory_start(void)
{
    const struct vmm_source tables = {.take = table_take, .give = table_give};
    uint64_t reserve = reserve_bytes();

    if (region_remove(&memory.ram, memory.early.start, memory.early.end))
        boot_refuse("the memory map has too many ranges");
    keep_low_page();
    if (pmm_init(&memory.ram, reserve, &memory.pmm))
        boot_refuse("too little RAM: no range holds the allocator's %llu bytes",
                    (unsigned long long)pmm_metadata_bytes(&memory.ram));
    if (config_is("balloon.poison", "zero"))
        pmm_zero_freed(memory.pmm);
    if (config_u64("report.order") < BLOCK_ORDER)
        pmm_watch_pieces(memory.pmm);
    heap_init(&memory.heap, memory.pmm);
    paging_use(tables);
    log_info(
        "memory: %llu KiB of RAM, %llu KiB page tables, %llu KiB metadata, %llu KiB reserve",
        (unsigned long long)(memory.total_bytes / KIB),
        (unsigned long long)(paging_table_bytes() / KIB),
        (unsigned long long)(pmm_metadata_bytes(&memory.ram) / KIB),
        (unsigned long long)(reserve / KIB));
}
