// SPDX-License-Identifier: BSD-2-Clause
/*
 * mm/mmu.h by the host's own paging: RAM is a file, and an address of the app is mapped to its place in it when it
 * is touched, by the page tables of the machine. Until it is flushed the mapping stays, as a translation stays
 * in a TLB: a flush that is forgotten shows as old contents. Takes the place of tests/model/mmu.c.
 */
#pragma once

#include "tests/host/appmem_rig.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#define TLB_WINDOW (512 * MIB)
#define TLB_PAGES  (TLB_WINDOW / FRAME_SIZE)

static struct {
    struct rig *rig;
    int file;
    char *ram; /* all of the file */
    uint64_t ram_bytes;
    uint64_t size[TLB_PAGES]; /* of the mapping that begins here; 0: none */
    uint64_t fills, faults, flushes;
} tlb;

static inline char *tlb_window(void)
{
    return (char *)RIG_WINDOW; // NOLINT
}

static inline void tlb_hide(uint64_t virt, uint64_t size)
{
    void *at = tlb_window() + (virt - RIG_WINDOW);

    assert_ptr_equal(mmap(at, size, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0),
                     at);
}

/* ---- what tests/model/mmu.h and mm/mmu.h say ---- */

void model_ram_add(paddr_t start, uint64_t size_bytes)
{
    assert_int_equal(start, RIG_RAM);
    tlb.file = memfd_create("ram", 0);
    assert_true(tlb.file >= 0 && ftruncate(tlb.file, (off_t)size_bytes) == 0);
    tlb.ram = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, tlb.file, 0);
    assert_ptr_not_equal(tlb.ram, MAP_FAILED);
    tlb.ram_bytes = size_bytes;
}

void model_ram_reset(void)
{
    if (!tlb.ram)
        return;
    munmap(tlb.ram, tlb.ram_bytes);
    close(tlb.file);
    tlb.ram = NULL;
}

void *mmu_phys_to_virt(paddr_t addr)
{
    assert_true(addr - RIG_RAM < tlb.ram_bytes);
    return tlb.ram + (addr - RIG_RAM);
}

void mmu_flush_page(uint64_t virt)
{
    const uint64_t places[] = {virt, align_down(virt, BLOCK_SIZE)};

    if (virt - RIG_WINDOW >= TLB_WINDOW)
        return;
    for (unsigned i = 0; i < ARRAY_LEN(places); i++) {
        uint64_t *size = &tlb.size[(places[i] - RIG_WINDOW) / FRAME_SIZE];

        if (*size <= virt - places[i])
            continue;
        tlb_hide(places[i], *size);
        *size = 0;
        tlb.flushes++;
    }
}

void mmu_flush_all(void)
{
    memset(tlb.size, 0, sizeof(tlb.size));
    tlb_hide(RIG_WINDOW, TLB_WINDOW);
    tlb.flushes++;
}

/* ---- the CPU ---- */

static inline void tlb_fill(const struct vmm_leaf *leaf)
{
    char *at = tlb_window() + (leaf->virt - RIG_WINDOW);

    if (mmap(at, leaf->size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
             tlb.file, (off_t)(leaf->phys - RIG_RAM)) != at)
        abort();
    tlb.size[(leaf->virt - RIG_WINDOW) / FRAME_SIZE] = leaf->size_bytes;
    tlb.fills++;
}

/* A page fault of the app. What it touches has been promised: a refusal ends the test. */
static inline void tlb_fault(int signal_number, siginfo_t *info, void *context)
{
    uint64_t addr = (uint64_t)info->si_addr;
    struct vmm_leaf leaf;

    (void)signal_number;
    (void)context;
    if (addr - RIG_WINDOW >= TLB_WINDOW)
        abort();
    if (!vmm_lookup(&tlb.rig->vmm, addr, &leaf)) {
        tlb.faults++;
        if (appmem_fault(&tlb.rig->mem, addr) != 0 ||
            !vmm_lookup(&tlb.rig->vmm, addr, &leaf))
            abort();
    }
    tlb_fill(&leaf);
}

/* From here on the app's addresses are those of this machine. */
static inline void tlb_use(struct rig *rig)
{
    const struct sigaction on_fault = {.sa_sigaction = tlb_fault,
                                       .sa_flags = SA_SIGINFO | SA_NODEFER};

    tlb.rig = rig;
    mmu_flush_all();
    assert_int_equal(sigaction(SIGSEGV, &on_fault, NULL), 0);
}
