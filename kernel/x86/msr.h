// SPDX-License-Identifier: BSD-2-Clause
/* Model-specific registers. */
#pragma once

#include <stdint.h>

enum msr {
    MSR_APIC_BASE = 0x1B,
    MSR_PAT = 0x277,
    MSR_X2APIC_FIRST = 0x800,
    MSR_EFER = 0xC0000080,
};

#define EFER_NXE         (UINT64_C(1) << 11)
#define APIC_BASE_X2APIC (UINT64_C(1) << 10)
#define APIC_BASE_ENABLE (UINT64_C(1) << 11)

static inline uint64_t msr_read(uint32_t index)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index) : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void msr_write(uint32_t index, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}
