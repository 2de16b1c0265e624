// SPDX-License-Identifier: BSD-2-Clause
/* Builds the final page tables with mm/vmm and moves onto them. */
#include "kernel/x86/paging.h"
#include "kernel/app_image.h"
#include "kernel/format.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/msr.h"
#include "kernel/x86/trap.h"

#include "base/bits.h"
#include "boot/boot_info.h"

#define LEAF_FEATURES     7 /* structured extended */
#define LEAF_EXT_MAX      0x80000000
#define LEAF_EXT_FEATURES 0x80000001

enum cpu_feature_bit {
    EBX_SMEP = 7,
    EBX_SMAP = 20,
    ECX_UMIP = 2,
    EDX_NX = 20,
    EDX_1G = 26,
};

_Static_assert(MMIO_BASE >= DIRECT_MAP_BASE + DIRECT_MAP_BYTES, "windows do not overlap");

#define STACK_MAIN STACK_COUNT /* its slot; the trap stacks have the first ones */

/* linker.ld. */
extern const uint8_t image_start[], text_start[], text_end[], rodata_start[];
extern const uint8_t data_start[], image_end[];

/* entry.asm */
_Noreturn void paging_switch(paddr_t root, uint64_t stack_top, void (*next)(void));

static struct {
    struct vmm vmm;
    paddr_t image_phys;
    char features[40];
} paging;

struct vmm *paging_vmm(void)
{
    return &paging.vmm;
}

uint64_t paging_table_bytes(void)
{
    return paging.vmm.table_frames * FRAME_SIZE;
}

const char *paging_features(void)
{
    return paging.features;
}

static void note_feature(const char *name)
{
    size_t len = __builtin_strlen(paging.features);

    format_s(paging.features + len, sizeof(paging.features) - len, "%s%s", len ? " " : "",
             name);
}

/* Returns enum vmm_cpu. */
static unsigned enable_features(void)
{
    struct cpuid basic = cpuid(0, 0), features = {0}, ext = {0};
    uint64_t cr4 = cpu_read_cr4() | CR4_PGE;
    unsigned cpu = 0;

    if (basic.eax >= LEAF_FEATURES)
        features = cpuid(LEAF_FEATURES, 0);
    if (cpuid(LEAF_EXT_MAX, 0).eax >= LEAF_EXT_FEATURES)
        ext = cpuid(LEAF_EXT_FEATURES, 0);

    if (ext.edx & BIT32(EDX_NX)) {
        msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_NXE);
        cpu |= VMM_CPU_NX;
        note_feature("nx");
    }
    if (ext.edx & BIT32(EDX_1G))
        cpu |= VMM_CPU_1G;
    cpu_write_cr0(cpu_read_cr0() | CR0_WP);
    note_feature("wp");
    if (features.ebx & BIT32(EBX_SMEP)) {
        cr4 |= CR4_SMEP;
        note_feature("smep");
    }
    if (features.ebx & BIT32(EBX_SMAP)) {
        cr4 |= CR4_SMAP;
        note_feature("smap");
    }
    if (features.ecx & BIT32(ECX_UMIP)) {
        cr4 |= CR4_UMIP;
        note_feature("umip");
    }
    cpu_write_cr4(cr4);
    return cpu;
}

static int map_image_part(const uint8_t *start, const uint8_t *end, paddr_t kernel_phys,
                          unsigned flags)
{
    uint64_t offset = (uint64_t)(start - image_start);

    return vmm_map(&paging.vmm, (uint64_t)start, kernel_phys + offset,
                   (uint64_t)(end - start), flags | VMM_GLOBAL);
}

static int map_image(paddr_t kernel_phys)
{
    int err = map_image_part(text_start, text_end, kernel_phys, VMM_EXEC);

    if (!err)
        err = map_image_part(rodata_start, app_template_end, kernel_phys, 0);
    if (!err)
        err = map_image_part(data_start, image_end, kernel_phys, VMM_WRITE);
    return err;
}

static uint64_t stack_top(unsigned slot)
{
    return STACK_BASE + (slot + 1) * STACK_SLOT;
}

uint64_t paging_stack_bottom(unsigned slot)
{
    return stack_top(slot) - (slot == STACK_MAIN ? STACK_MAIN_BYTES : STACK_TRAP_BYTES);
}

paddr_t paging_image_phys(void)
{
    return paging.image_phys;
}

static int map_stack(unsigned slot)
{
    for (uint64_t at = paging_stack_bottom(slot); at < stack_top(slot);
         at += FRAME_SIZE) {
        paddr_t frame;
        int err = paging.vmm.source.take(paging.vmm.source.ctx, &frame);

        if (!err)
            err = vmm_map(&paging.vmm, at, frame, FRAME_SIZE, VMM_WRITE | VMM_GLOBAL);
        if (err)
            return err;
    }
    return 0;
}

static int map_stacks(void)
{
    int err = 0;

    for (unsigned slot = 0; !err && slot <= STACK_MAIN; slot++)
        err = map_stack(slot);
    return err;
}

int paging_build(const struct region_set *ram, paddr_t kernel_phys,
                 struct vmm_source early)
{
    int err = vmm_init(&paging.vmm, early, enable_features());

    paging.image_phys = kernel_phys;
    for (size_t i = 0; !err && i < ram->count; i++) {
        const struct region *it = &ram->items[i];

        err = vmm_map(&paging.vmm, DIRECT_MAP_BASE + it->start, it->start,
                      it->end - it->start, VMM_WRITE | VMM_GLOBAL);
    }
    if (!err)
        err = map_image(kernel_phys);
    if (!err)
        err = map_stacks();
    return err;
}

void paging_enter(void (*next)(void))
{
    uint64_t tops[STACK_COUNT];

    for (unsigned slot = 0; slot < STACK_COUNT; slot++)
        tops[slot] = stack_top(slot);
    trap_use_stacks(tops);
    paging_switch(paging.vmm.root, stack_top(STACK_MAIN), next);
}

void paging_use(struct vmm_source source)
{
    paging.vmm.source = source;
}

static void count_wx(void *ctx, const struct vmm_leaf *leaf)
{
    uint64_t *count = ctx;

    if ((leaf->flags & VMM_WRITE) && (leaf->flags & VMM_EXEC))
        (*count)++;
}

uint64_t paging_count_wx(void)
{
    uint64_t count = 0;

    vmm_walk(&paging.vmm, count_wx, &count);
    return count;
}
