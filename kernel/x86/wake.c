// SPDX-License-Identifier: BSD-2-Clause
/*
 * Fills the low page for wake.asm, and keeps what the CPU loses. The copy of the image's data is the last
 * thing that happens before the sleep: what is written later would be undone at the wake.
 */
#include "kernel/x86/wake.h"

#include "kernel/drivers.h"
#include "kernel/memory.h"
#include "kernel/string.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/msr.h"
#include "kernel/x86/paging.h"
#include "kernel/x86/trap.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/err.h"
#include "boot/boot_info.h"
#include "mm/mmu.h"

#include <stddef.h>

#define VECTOR      0x10  /* wake.asm */
#define DATA_OFFSET 0x200 /* wake.asm, DATA */
#define COPY_MAX    432   /* frames: as many as fit the page; 1.7 MiB */
#define EFER_LMA    BIT64(10)

#define SELECTOR_CODE32 0x08
#define SELECTOR_CODE64 0x18

/* OVMF works here when it wakes (seen: 12 bytes at 0x808000 are cleared) and calls some of it
 * free all the same. */
#define FIRMWARE_WORK_START UINT64_C(0x800000)
#define FIRMWARE_WORK_END   UINT64_C(0x810000)

struct far_pointer {
    uint32_t offset;
    uint16_t selector, unused;
};

/* A frame to bring back: addresses. */
struct wake_copy {
    uint32_t to, from;
};

/* Read by wake.asm. */
struct wake_data {
    uint16_t unused;
    uint16_t gdt_limit;
    uint32_t gdt_base;
    struct far_pointer to_protected, to_long;
    uint64_t gdt[4];
    uint32_t page;
    uint32_t cr0, cr3, cr4, efer;
    uint32_t unused2;
    uint64_t resume[2]; /* RSP, RIP */
    uint32_t copy_count, unused3;
    struct wake_copy copies[COPY_MAX];
};
_Static_assert(offsetof(struct wake_data, to_protected) == 8, "wake.asm, TO_PROTECTED");
_Static_assert(offsetof(struct wake_data, to_long) == 16, "wake.asm, TO_LONG");
_Static_assert(offsetof(struct wake_data, page) == 56, "wake.asm, PAGE_ADDRESS");
_Static_assert(offsetof(struct wake_data, efer) == 72, "wake.asm, EFER_VALUE");
_Static_assert(offsetof(struct wake_data, resume) == 80, "wake.asm, RESUME_RSP");
_Static_assert(offsetof(struct wake_data, copy_count) == 96, "wake.asm, COPY_COUNT");
_Static_assert(offsetof(struct wake_data, copies) == 104, "wake.asm, COPIES");
_Static_assert(DATA_OFFSET + sizeof(struct wake_data) <= FRAME_SIZE, "one page");

/* wake.asm */
extern const uint8_t wake_stub[], wake_stub_protected[], wake_stub_long[];
extern const uint8_t wake_stub_end[];
bool wake_cpu_sleep(uint64_t resume[2], void (*enter)(void));

/* linker.ld */
extern const uint8_t data_start[], image_end[], scratch_end[];

static struct {
    void (*enter)(void);
    unsigned unfit; /* frames that cannot hold a copy: `from` of the last copies[] */
} wake;

static struct wake_data *data(void)
{
    return (struct wake_data *)((uint8_t *)mmu_phys_to_virt(memory_low_page()) +
                                DATA_OFFSET);
}

static paddr_t image_phys(const uint8_t *p)
{
    return paging_image_phys() + ((uint64_t)p - KERNEL_VIRT);
}

/* What may not survive: where a VMM loads the image, its data and the front end's memory behind it, which is
 * RAM like any other by now; and firmware's. */
static bool is_at_risk(paddr_t at)
{
    return (at >= image_phys(data_start) && at < image_phys(scratch_end)) ||
           (at >= FIRMWARE_WORK_START && at < FIRMWARE_WORK_END);
}

/* Where a frame at risk can be read; NULL when it is none of ours, constant, or in a balloon, which stays
 * inflated while the machine sleeps (VMware's): that is not to be touched. */
static const void *find_frame(paddr_t at)
{
    if (at >= image_phys(data_start) && at < image_phys(image_end))
        return data_start + (at - image_phys(data_start));
    if (!memory_is_ram(at, FRAME_SIZE) ||
        (at >= paging_image_phys() && at < image_phys(data_start)) ||
        drivers_is_ballooned(pfn_from_paddr(at), 1))
        return NULL;
    return mmu_phys_to_virt(at);
}

const char *wake_missing(void)
{
    return memory_low_page() ? NULL : "no free page below 1 MiB for the waking vector";
}

uint32_t wake_vector(void)
{
    return (uint32_t)memory_low_page() + VECTOR;
}

static void give_frame(uint32_t addr)
{
    pmm_give(memory_pmm(), pfn_from_paddr(addr), 0, RUN_TOUCHED);
}

static void give_frames(void)
{
    struct wake_data *to = data();

    for (; to->copy_count > 0; to->copy_count--)
        give_frame(to->copies[to->copy_count - 1].from);
    for (; wake.unfit > 0; wake.unfit--)
        give_frame(to->copies[COPY_MAX - wake.unfit].from);
}

/* A frame that is at risk itself cannot hold a copy: it is kept aside meanwhile. */
static int take_frame(uint32_t *out)
{
    const struct pmm_want want = {.class = PMM_FIXED,
                                  .pfn_limit = 4 * GIB >> FRAME_SHIFT};

    while (data()->copy_count + wake.unfit < COPY_MAX) {
        struct pmm_run run;
        int err = pmm_take(memory_pmm(), want, &run);

        if (err)
            return err;
        *out = (uint32_t)pfn_to_paddr(run.pfn);
        if (!is_at_risk(*out))
            return 0;
        wake.unfit++;
        data()->copies[COPY_MAX - wake.unfit].from = *out;
    }
    return -ENOMEM;
}

static int take_frames(paddr_t start, paddr_t end)
{
    struct wake_data *to = data();

    for (paddr_t at = start; at < end; at += FRAME_SIZE) {
        uint32_t from;

        if (!find_frame(at))
            continue;
        int err = take_frame(&from);
        if (err)
            return err;
        to->copies[to->copy_count++] = (struct wake_copy){(uint32_t)at, from};
    }
    return 0;
}

/* Where a label of the stub lies in the page. */
static uint32_t in_page(const uint8_t *label)
{
    return (uint32_t)(memory_low_page() + (uint64_t)(label - wake_stub));
}

static void fill_page(void)
{
    struct wake_data *to = data();

    assert(wake_stub_end - wake_stub <= DATA_OFFSET);
    memcpy(mmu_phys_to_virt(memory_low_page()), wake_stub,
           (size_t)(wake_stub_end - wake_stub));
    to->gdt[0] = 0;
    to->gdt[1] = UINT64_C(0x00CF9B000000FFFF); /* flat code */
    to->gdt[2] = UINT64_C(0x00CF93000000FFFF); /* flat data */
    to->gdt[3] = UINT64_C(0x00AF9B000000FFFF); /* 64-bit code */
    to->gdt_limit = sizeof(to->gdt) - 1;
    to->gdt_base =
        (uint32_t)(memory_low_page() + DATA_OFFSET + offsetof(struct wake_data, gdt));
    to->to_protected = (struct far_pointer){.offset = in_page(wake_stub_protected),
                                            .selector = SELECTOR_CODE32};
    to->to_long = (struct far_pointer){.offset = in_page(wake_stub_long),
                                       .selector = SELECTOR_CODE64};
    to->page = (uint32_t)memory_low_page();
}

int wake_prepare(void)
{
    data()->copy_count = 0;
    int err = take_frames(image_phys(data_start), image_phys(scratch_end));
    if (!err)
        err = take_frames(FIRMWARE_WORK_START, FIRMWARE_WORK_END);
    if (!err)
        err = vmm_map(paging_vmm(), memory_low_page(), memory_low_page(), FRAME_SIZE,
                      VMM_EXEC);
    if (err) {
        give_frames();
        return err;
    }
    fill_page();
    return 0;
}

void wake_forget(void)
{
    int err = vmm_unmap(paging_vmm(), memory_low_page(), FRAME_SIZE);

    assert(err == 0); /* a page mapped as one */
    give_frames();
}

static void copy_and_enter(void)
{
    const struct wake_data *to = data();

    for (uint32_t i = 0; i < to->copy_count; i++)
        memcpy(mmu_phys_to_virt(to->copies[i].from), find_frame(to->copies[i].to),
               FRAME_SIZE);
    wake.enter();
}

bool wake_sleep(void (*enter)(void))
{
    uint64_t apic_base = msr_read(MSR_APIC_BASE), pat = msr_read(MSR_PAT);
    struct wake_data *to = data();

    wake.enter = enter;
    to->cr0 = (uint32_t)cpu_read_cr0();
    to->cr3 = (uint32_t)cpu_read_cr3();
    to->cr4 = (uint32_t)cpu_read_cr4();
    to->efer = (uint32_t)(msr_read(MSR_EFER) & ~EFER_LMA);
    if (!wake_cpu_sleep(to->resume, copy_and_enter))
        return false;
    trap_reload();
    msr_write(MSR_PAT, pat);
    msr_write(MSR_APIC_BASE, apic_base);
    return true;
}
