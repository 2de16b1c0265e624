// SPDX-License-Identifier: BSD-2-Clause
/* Offsets and bits of the local APIC, SDM 3A, 10.4 and 10.5. */
#include "kernel/x86/lapic_regs.h"

#include "base/bits.h"

#define X2APIC_MSR_BASE 0x800

enum lapic_reg {
    LAPIC_ID = 0x20,
    LAPIC_TASK_PRIORITY = 0x80,
    LAPIC_EOI = 0xB0,
    LAPIC_SPURIOUS = 0xF0,
    LAPIC_IN_SERVICE = 0x100, /* 8 words, 16 bytes apart */
    LAPIC_COMMAND = 0x300,
    LAPIC_LVT_TIMER = 0x320,
    LAPIC_LVT_PERF = 0x340,
    LAPIC_LVT_LINT0 = 0x350,
    LAPIC_LVT_LINT1 = 0x360,
    LAPIC_LVT_ERROR = 0x370,
    LAPIC_TIMER_INITIAL = 0x380,
    LAPIC_TIMER_CURRENT = 0x390,
    LAPIC_TIMER_DIVIDE = 0x3E0,
};

#define SPURIOUS_ENABLE BIT32(8)
#define LVT_MASKED      BIT32(16)
#define LVT_NMI         (UINT32_C(4) << 8)
#define COMMAND_SELF    (UINT32_C(1) << 18 | UINT32_C(1) << 14) /* by shorthand, asserted */
#define COMMAND_NMI     (UINT32_C(4) << 8)
#define DIVIDE_BY_1     UINT32_C(0xB)

static uint32_t get(const struct lapic *lapic, enum lapic_reg reg)
{
    if (lapic->is_x2apic)
        return (uint32_t)lapic->msr_read(X2APIC_MSR_BASE + (uint32_t)reg / 16);
    return reg_read32(&lapic->mmio, reg);
}

static void set(const struct lapic *lapic, enum lapic_reg reg, uint32_t value)
{
    if (lapic->is_x2apic)
        lapic->msr_write(X2APIC_MSR_BASE + (uint32_t)reg / 16, value);
    else
        reg_write32(&lapic->mmio, reg, value);
}

void lapic_regs_setup(const struct lapic *lapic, struct lapic_vectors vectors)
{
    set(lapic, LAPIC_SPURIOUS, SPURIOUS_ENABLE | vectors.spurious);
    set(lapic, LAPIC_TASK_PRIORITY, 0);
    set(lapic, LAPIC_LVT_PERF, LVT_MASKED);
    set(lapic, LAPIC_LVT_LINT0, LVT_MASKED); /* the 8259s */
    set(lapic, LAPIC_LVT_LINT1, LVT_NMI);
    set(lapic, LAPIC_LVT_ERROR, LVT_MASKED);
    set(lapic, LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
    set(lapic, LAPIC_TIMER_INITIAL, 0);
    set(lapic, LAPIC_LVT_TIMER, vectors.timer);
}

uint32_t lapic_regs_id(const struct lapic *lapic)
{
    uint32_t id = get(lapic, LAPIC_ID);

    return lapic->is_x2apic ? id : id >> 24;
}

void lapic_regs_eoi(const struct lapic *lapic)
{
    set(lapic, LAPIC_EOI, 0);
}

unsigned lapic_regs_in_service(const struct lapic *lapic)
{
    for (unsigned word = 8; word-- > 0;) {
        uint32_t bits = get(lapic, (enum lapic_reg)(LAPIC_IN_SERVICE + word * 16));

        if (bits != 0)
            return word * 32 + 31 - (unsigned)__builtin_clz(bits);
    }
    return 0;
}

void lapic_regs_timer_start(const struct lapic *lapic, uint32_t ticks)
{
    set(lapic, LAPIC_TIMER_INITIAL, ticks);
}

uint32_t lapic_regs_timer_left(const struct lapic *lapic)
{
    return get(lapic, LAPIC_TIMER_CURRENT);
}

/* By shorthand no destination is needed, and one write does on both interfaces. */
void lapic_regs_self_nmi(const struct lapic *lapic)
{
    set(lapic, LAPIC_COMMAND, COMMAND_SELF | COMMAND_NMI);
}

void lapic_regs_self_interrupt(const struct lapic *lapic, uint8_t vector)
{
    set(lapic, LAPIC_COMMAND, COMMAND_SELF | vector);
}
