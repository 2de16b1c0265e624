// SPDX-License-Identifier: BSD-2-Clause
/* Instructions of the CPU that C does not have: control registers, CPUID, TSC, interrupts. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define RFLAGS_IF (UINT64_C(1) << 9)

#define CR0_WP   (UINT64_C(1) << 16)
#define CR4_PGE  (UINT64_C(1) << 7)
#define CR4_UMIP (UINT64_C(1) << 11)
#define CR4_SMEP (UINT64_C(1) << 20)
#define CR4_SMAP (UINT64_C(1) << 21)

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid r;

    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

#define CPU_CR_ACCESS(name)                                                 \
    static inline uint64_t cpu_read_##name(void)                            \
    {                                                                       \
        uint64_t value;                                                     \
                                                                            \
        __asm__ volatile("mov %%" #name ", %0" : "=r"(value) : : "memory"); \
        return value;                                                       \
    }                                                                       \
    static inline void cpu_write_##name(uint64_t value)                     \
    {                                                                       \
        __asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory");     \
    }

CPU_CR_ACCESS(cr0)
CPU_CR_ACCESS(cr2)
CPU_CR_ACCESS(cr3)
CPU_CR_ACCESS(cr4)

/* Past the last physical address the CPU can form: beyond it a page table entry is a fault. */
static inline uint64_t cpu_phys_end(void)
{
    uint32_t bits = 36;

    if (cpuid(0x80000000, 0).eax >= 0x80000008)
        bits = cpuid(0x80000008, 0).eax & 0xFF;
    return UINT64_C(1) << (bits < 52 ? bits : 52);
}

static inline uint64_t cpu_rdtsc(void)
{
    uint32_t low, high;

    /* The fence keeps the read from moving before earlier loads. */
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void cpu_pause(void)
{
    __asm__ volatile("pause" : : : "memory");
}

static inline void cpu_irq_enable(void)
{
    __asm__ volatile("sti" : : : "memory");
}

static inline void cpu_irq_disable(void)
{
    __asm__ volatile("cli" : : : "memory");
}

/* Disable interrupts and return the flags that cpu_irq_restore() takes. */
static inline uint64_t cpu_irq_save(void)
{
    uint64_t flags;

    __asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
    return flags;
}

static inline void cpu_irq_restore(uint64_t flags)
{
    if (flags & RFLAGS_IF)
        cpu_irq_enable();
}

/* Sleep until the next interrupt. The one instruction after sti is not interruptible, so that no wake
 * is lost between them. Call with interrupts off; returns with them on. */
static inline void cpu_idle(void)
{
    __asm__ volatile("sti; hlt" : : : "memory");
}

static inline _Noreturn void cpu_halt(void)
{
    for (;;)
        __asm__ volatile("cli; hlt" : : : "memory");
}
