// SPDX-License-Identifier: BSD-2-Clause
/* The allocators on the machine's own RAM: what is taken can be written and is nobody else's, all comes
 * back, the books agree; page tables are changed under our feet. */
#include "kernel/memory.h"
#include "kernel/string.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/mmio.h"
#include "kernel/x86/paging.h"
#include "kernel/x86/trap.h"
#include "mm/mmu.h"
#include "tests/guest/suite.h"

#include "base/bits.h"
#include "base/err.h"

#define TEST_VIRT UINT64_C(0xFFFFE00000000000) /* nothing of ours lies there */
#define HELD_MAX  512

typedef unsigned long long ull;

static enum suite_result frames_are_distinct_and_come_back(void)
{
    static pfn_t held[HELD_MAX];
    struct pmm *pmm = memory_pmm();
    struct pmm_stats before, after;

    pmm_stats(pmm, &before);
    for (size_t i = 0; i < HELD_MAX; i++) {
        struct pmm_run run;
        int err = pmm_take(pmm, (struct pmm_want){.class = PMM_MOVABLE}, &run);

        CHECK(err == 0, "frame %zu: %d", i, err);
        held[i] = run.pfn;
        memset(mmu_phys_to_virt(pfn_to_paddr(run.pfn)), (int)i, FRAME_SIZE);
    }
    pmm_check(pmm);
    for (size_t i = 0; i < HELD_MAX; i++) {
        const uint8_t *bytes = mmu_phys_to_virt(pfn_to_paddr(held[i]));

        CHECK(bytes[0] == (uint8_t)i && bytes[FRAME_SIZE - 1] == (uint8_t)i,
              "frame %zu was overwritten", i);
        pmm_give(pmm, held[i], 0, RUN_TOUCHED);
    }
    pmm_check(pmm);
    pmm_stats(pmm, &after);
    CHECK(after.free_frames == before.free_frames, "%llu frames free, were %llu",
          (ull)after.free_frames, (ull)before.free_frames);
    return SUITE_PASS;
}

static enum suite_result all_blocks_can_be_taken(void)
{
    struct pmm *pmm = memory_pmm();
    const struct pmm_want want = {.order = BLOCK_ORDER, .class = PMM_MOVABLE};
    struct pmm_stats before, after;
    struct pmm_run run;
    paddr_t chain = 0;
    uint64_t count = 0;

    pmm_stats(pmm, &before);
    while (pmm_take(pmm, want, &run) == 0) {
        *(paddr_t *)mmu_phys_to_virt(pfn_to_paddr(run.pfn)) = chain;
        chain = pfn_to_paddr(run.pfn);
        count++;
    }
    CHECK(count == before.free_blocks_touched + before.free_blocks_untouched,
          "%llu blocks taken", (ull)count);
    pmm_check(pmm);
    while (chain) {
        paddr_t next = *(const paddr_t *)mmu_phys_to_virt(chain);

        pmm_give(pmm, pfn_from_paddr(chain), BLOCK_ORDER, RUN_TOUCHED);
        chain = next;
    }
    pmm_stats(pmm, &after);
    CHECK(after.free_frames == before.free_frames, "%llu frames free, were %llu",
          (ull)after.free_frames, (ull)before.free_frames);
    return SUITE_PASS;
}

static enum suite_result heap_gives_zeroed_memory(void)
{
    struct heap *heap = memory_heap();
    static const size_t sizes[] = {1, 16, 100, 1000, 4096, 10000, 100000};

    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
            uint8_t *mem = heap_alloc(heap, sizes[i]);

            CHECK(mem && (uint64_t)mem % 16 == 0, "%zu bytes at %p", sizes[i],
                  (void *)mem);
            for (size_t at = 0; at < sizes[i]; at++)
                CHECK(mem[at] == 0, "byte %zu of %zu", at, sizes[i]);
            memset(mem, 0xA5, sizes[i]);
            heap_free(heap, mem);
        }
    }
    return SUITE_PASS;
}

static void write_there(void *unused)
{
    (void)unused;
    *(volatile uint64_t *)TEST_VIRT = 42;
}

static void read_there(void *unused)
{
    (void)unused;
    (void)*(volatile uint64_t *)TEST_VIRT;
}

static enum suite_result rights_change_at_once(void)
{
    struct vmm *vmm = paging_vmm();
    struct trap_frame seen;
    struct pmm_run run;

    CHECK(pmm_take(memory_pmm(), (struct pmm_want){.class = PMM_FIXED}, &run) == 0,
          "no frame");
    CHECK(trap_try(read_there, NULL, &seen) == TRAP_PAGE_FAULT, "mapped before");
    CHECK(vmm_map(vmm, TEST_VIRT, pfn_to_paddr(run.pfn), FRAME_SIZE, VMM_WRITE) == 0,
          "map");
    CHECK(trap_try(write_there, NULL, &seen) == -1, "not writable");
    CHECK(*(uint64_t *)mmu_phys_to_virt(pfn_to_paddr(run.pfn)) == 42,
          "not the same frame");
    CHECK(vmm_unmap(vmm, TEST_VIRT, FRAME_SIZE) == 0, "unmap");
    CHECK(vmm_map(vmm, TEST_VIRT, pfn_to_paddr(run.pfn), FRAME_SIZE, 0) == 0,
          "map again");
    CHECK(trap_try(write_there, NULL, &seen) == TRAP_PAGE_FAULT, "still writable");
    CHECK(trap_try(read_there, NULL, &seen) == -1, "not readable");
    CHECK(vmm_unmap(vmm, TEST_VIRT, FRAME_SIZE) == 0, "unmap");
    CHECK(trap_try(read_there, NULL, &seen) == TRAP_PAGE_FAULT, "still mapped");
    pmm_give(memory_pmm(), run.pfn, 0, RUN_TOUCHED);
    pmm_check(memory_pmm());
    return SUITE_PASS;
}

/* A BAR or a table that claims to lie where we are would be a second, writable way there. */
static enum suite_result our_own_memory_is_no_device(void)
{
    uint64_t root = cpu_read_cr3();
    struct reg_io io;

    CHECK(machine_reg_space.map(NULL, paging_image_phys(), FRAME_SIZE, &io) == -EINVAL,
          "the image");
    CHECK(machine_reg_space.map(NULL, root, FRAME_SIZE, &io) == -EINVAL, "page tables");
    CHECK(!mmio_map_table(root, FRAME_SIZE), "page tables as a table");
    return SUITE_PASS;
}

static enum suite_result run(void)
{
    static enum suite_result (*const parts[])(void) = {
        frames_are_distinct_and_come_back, all_blocks_can_be_taken,
        heap_gives_zeroed_memory,          rights_change_at_once,
        our_own_memory_is_no_device,
    };

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (parts[i]() != SUITE_PASS)
            return SUITE_FAIL;
    }
    return SUITE_PASS;
}

GUEST_SUITE(memory, run);
