// SPDX-License-Identifier: BSD-2-Clause
/*
 * The control block of AMD's SVM (APM volume 2, appendix B), as far as the monitor uses it, and the
 * registers that the world switch carries beside it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct vmcb_segment {
    uint16_t selector, attributes;
    uint32_t limit;
    uint64_t base;
};

struct vmcb {
    uint32_t intercept_cr, intercept_dr;
    uint32_t intercept_exceptions;
    uint32_t intercept_misc; /* enum vmcb_intercept */
    uint32_t intercept_svm;  /* VMRUN and the other SVM instructions */
    uint8_t reserved_014[0x2c];
    uint64_t iopm, msrpm, tsc_offset;
    uint32_t asid;
    uint8_t tlb_control;
    uint8_t reserved_05d[3];
    uint64_t vintr, shadow;
    uint64_t exit_code, info1, info2, int_info;
    uint64_t nested;
    uint8_t reserved_098[0x10];
    uint64_t inject, nested_cr3;
    uint8_t reserved_0b8[0x348];
    struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    uint8_t reserved_4a0[0x2b];
    uint8_t cpl;
    uint32_t reserved_4cc;
    uint64_t efer;
    uint8_t reserved_4d8[0x70];
    uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
    uint8_t reserved_580[0x58];
    uint64_t rsp;
    uint8_t reserved_5e0[0x18];
    uint64_t rax;
    uint8_t reserved_600[0x40];
    uint64_t cr2;
    uint8_t reserved_648[0x20];
    uint64_t pat;
    uint8_t reserved_670[0x990];
};
_Static_assert(offsetof(struct vmcb, iopm) == 0x40, "VMCB");
_Static_assert(offsetof(struct vmcb, exit_code) == 0x70, "VMCB");
_Static_assert(offsetof(struct vmcb, inject) == 0xa8, "VMCB");
_Static_assert(offsetof(struct vmcb, es) == 0x400, "VMCB");
_Static_assert(offsetof(struct vmcb, efer) == 0x4d0, "VMCB");
_Static_assert(offsetof(struct vmcb, cr4) == 0x548, "VMCB");
_Static_assert(offsetof(struct vmcb, rsp) == 0x5d8, "VMCB");
_Static_assert(offsetof(struct vmcb, cr2) == 0x640, "VMCB");
_Static_assert(offsetof(struct vmcb, pat) == 0x668, "VMCB");
_Static_assert(sizeof(struct vmcb) == 4096, "VMCB");

/* Bit numbers of intercept_misc. */
enum vmcb_intercept {
    INTERCEPT_NMI = 1,
    INTERCEPT_CPUID = 18,
    INTERCEPT_INVLPGA = 26,
    INTERCEPT_IO = 27,
    INTERCEPT_MSR = 28,
    INTERCEPT_SHUTDOWN = 31,
};

/* Low 32 bits of exit_code: EXIT_INVALID is stored zero-extended by some and sign-extended by others. */
enum vmcb_exit {
    EXIT_NMI = 0x61,
    EXIT_CPUID = 0x72,
    EXIT_INVLPGA = 0x7a,
    EXIT_IO = 0x7b,
    EXIT_MSR = 0x7c,
    EXIT_SHUTDOWN = 0x7f,
    EXIT_VMRUN = 0x80,
    EXIT_SKINIT = 0x86,
    EXIT_NESTED_FAULT = 0x400,
    EXIT_INVALID = 0xffffffff,
};

/* What RAX and RSP are not among: the VMCB has those. switch.asm knows the offsets. */
struct guest_regs {
    uint64_t unused, rbx, rcx, rdx, rsi, rdi, rbp;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
};
_Static_assert(offsetof(struct guest_regs, rbp) == 48, "switch.asm");
_Static_assert(offsetof(struct guest_regs, r15) == 112, "switch.asm");
