// SPDX-License-Identifier: BSD-2-Clause
/* Owns the VMCB, the permission maps and the state the guest starts and wakes in. exits.c has the loop's
 * other half. APM volume 2, chapter 15. */
#include "tests/vmhost/guest.h"

#include "base/bits.h"
#include "base/units.h"
#include "tests/vmhost/end.h"
#include "tests/vmhost/exits.h"
#include "tests/vmhost/npt.h"
#include "tests/vmhost/x86.h"

#define MSR_EFER       UINT32_C(0xc0000080)
#define MSR_VM_HSAVE   UINT32_C(0xc0010117)
#define EFER_LMA       BIT64(10)
#define EFER_SVME      BIT64(12)
#define CR0_PG         BIT64(31)
#define CPUID_SVM      BIT32(2) /* 0x80000001 ECX */
#define CPUID_NPT      BIT32(0) /* 0x8000000A EDX */
#define MSRPM_EFER     0x820 /* byte whose two low bits are EFER's: 0x800 + 0x80 * 2 / 8 */
#define TLB_FLUSH_ALL  1
#define SEGMENT_CODE32 0xc9b
#define SEGMENT_DATA32 0xc93
#define SEGMENT_CODE16 0x09b
#define SEGMENT_DATA16 0x093
#define SEGMENT_TSS    0x08b
#define SEGMENT_LDT    0x082
#define INJECT_UD      UINT64_C(0x80000306)

struct vmcb guest_vmcb __attribute__((aligned(4096)));
struct guest_regs guest_regs;

static uint8_t io_map[3 * FRAME_SIZE] __attribute__((aligned(4096)));
static uint8_t msr_map[2 * FRAME_SIZE] __attribute__((aligned(4096)));
static uint8_t host_save[FRAME_SIZE] __attribute__((aligned(4096)));

void world_switch(struct guest_regs *regs, struct vmcb *vmcb);
void world_load(struct vmcb *vmcb);

void guest_init(void)
{
    if (!(cpuid_read(0x80000001, 0).ecx & CPUID_SVM) ||
        !(cpuid_read(0x8000000a, 0).edx & CPUID_NPT))
        end_unable("the CPU has no SVM with nested paging (-cpu max)");
    msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_SVME);
    msr_write(MSR_VM_HSAVE, (uint64_t)host_save);
    __asm__ volatile("clgi");

    msr_map[MSRPM_EFER] = 3;
    guest_vmcb.intercept_misc = BIT32(INTERCEPT_NMI) | BIT32(INTERCEPT_CPUID) |
                                BIT32(INTERCEPT_INVLPGA) | BIT32(INTERCEPT_IO) |
                                BIT32(INTERCEPT_MSR) | BIT32(INTERCEPT_SHUTDOWN);
    guest_vmcb.intercept_svm = 0x7f;
    guest_vmcb.iopm = (uint64_t)io_map;
    guest_vmcb.msrpm = (uint64_t)msr_map;
    guest_vmcb.asid = 1; /* 0 is the host's */
    guest_vmcb.nested = 1;
    guest_vmcb.nested_cr3 = npt_root();
    guest_vmcb.pat = UINT64_C(0x0007040600070406);
    guest_flush();
}

static struct vmcb_segment segment(uint16_t selector, uint16_t attributes, uint32_t limit)
{
    return (struct vmcb_segment){
        .selector = selector,
        .attributes = attributes,
        .limit = limit,
        .base = (uint64_t)selector << 4,
    };
}

static void enter(struct vmcb_segment code, struct vmcb_segment data)
{
    struct vmcb *v = &guest_vmcb;

    v->cs = code;
    v->es = v->ss = v->ds = v->fs = v->gs = data;
    v->gdtr = v->idtr = (struct vmcb_segment){.limit = 0xffff};
    v->ldtr = segment(0, SEGMENT_LDT, 0xffff);
    v->tr = segment(0, SEGMENT_TSS, 0x67);
    v->efer = EFER_SVME;
    v->cr3 = v->cr4 = v->cr2 = 0;
    v->dr7 = 0x400;
    v->dr6 = 0xffff0ff0;
    v->rflags = 2;
    v->rsp = v->rax = 0;
    v->inject = v->shadow = 0;
    v->cpl = 0;
    guest_regs = (struct guest_regs){0};
    guest_flush();
    world_load(v);
}

void guest_enter_pvh(uint32_t entry, uint32_t start_info)
{
    enter(segment(0, SEGMENT_CODE32, UINT32_MAX), segment(0, SEGMENT_DATA32, UINT32_MAX));
    guest_vmcb.cr0 = 0x11;
    guest_vmcb.rip = entry;
    guest_regs.rbx = start_info;
}

void guest_enter_real(uint32_t vector)
{
    enter(segment((uint16_t)(vector >> 4), SEGMENT_CODE16, 0xffff),
          segment(0, SEGMENT_DATA16, 0xffff));
    guest_vmcb.idtr.limit = 0x3ff;
    guest_vmcb.cr0 = 0x10;
    guest_vmcb.rip = vector & 15;
}

void guest_flush(void)
{
    guest_vmcb.tlb_control = TLB_FLUSH_ALL;
}

void guest_intercept_ports(uint16_t first, unsigned count)
{
    for (unsigned port = first; port < first + count; port++)
        io_map[port / 8] |= (uint8_t)(1 << port % 8);
}

void guest_inject_ud(void)
{
    guest_vmcb.inject = INJECT_UD;
}

bool guest_translate(uint64_t linear, uint64_t *out)
{
    if (!(guest_vmcb.cr0 & CR0_PG)) {
        *out = linear & UINT32_MAX;
        return true;
    }
    if (!(guest_vmcb.efer & EFER_LMA))
        return false;
    uint64_t table = guest_vmcb.cr3;
    for (unsigned shift = 39;; shift -= 9) {
        table &= UINT64_C(0x000ffffffffff000);
        if (table >> 32 || npt_is_absent(table))
            return false;
        uint64_t entry = ((uint64_t *)table)[linear >> shift & 511];
        bool is_leaf = shift == 12 || (shift < 39 && entry & BIT64(7));
        if (!(entry & 1))
            return false;
        if (is_leaf) {
            uint64_t inside = BIT64(shift) - 1;
            *out = (entry & UINT64_C(0x000ffffffffff000) & ~inside) | (linear & inside);
            return *out >> 32 == 0 && !npt_is_absent(*out);
        }
        table = entry;
    }
}

_Noreturn void guest_run(void)
{
    for (;;) {
        guest_vmcb.efer |= EFER_SVME; /* without it VMRUN fails */
        world_switch(&guest_regs, &guest_vmcb);
        guest_vmcb.tlb_control = 0;
        guest_vmcb.inject = 0;
        exits_handle();
    }
}
