// SPDX-License-Identifier: BSD-2-Clause
/* Finds the local APIC and binds lapic_regs to this CPU. */
#include "kernel/x86/lapic.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/lapic_regs.h"
#include "kernel/x86/mmio.h"
#include "kernel/x86/msr.h"
#include "kernel/x86/trap.h"

#include "base/bits.h"

#define LAPIC_BYTES       0x400
#define CPUID_1_EDX_APIC  9
#define APIC_BASE_ADDRESS UINT64_C(0x000FFFFFFFFFF000)

static struct lapic lapic;

bool lapic_find(paddr_t *addr)
{
    if (!(cpuid(1, 0).edx & BIT32(CPUID_1_EDX_APIC)))
        return false;

    uint64_t base = msr_read(MSR_APIC_BASE);
    if (!(base & APIC_BASE_ENABLE))
        return false;
    *addr = base & APIC_BASE_ADDRESS;
    return true;
}

static uint64_t read_msr(uint32_t index)
{
    return msr_read(index);
}

static void write_msr(uint32_t index, uint64_t value)
{
    msr_write(index, value);
}

void lapic_setup(void)
{
    lapic_regs_setup(&lapic, (struct lapic_vectors){VECTOR_TIMER, VECTOR_SPURIOUS});
}

int lapic_init(paddr_t addr)
{
    lapic.is_x2apic = msr_read(MSR_APIC_BASE) & APIC_BASE_X2APIC;
    lapic.msr_read = read_msr;
    lapic.msr_write = write_msr;
    if (!lapic.is_x2apic) {
        int err =
            machine_reg_space.map(machine_reg_space.ctx, addr, LAPIC_BYTES, &lapic.mmio);
        if (err)
            return err;
    }
    lapic_setup();
    return 0;
}

uint32_t lapic_id(void)
{
    return lapic_regs_id(&lapic);
}

bool lapic_is_x2apic(void)
{
    return lapic.is_x2apic;
}

void lapic_eoi(void)
{
    lapic_regs_eoi(&lapic);
}

unsigned lapic_in_service(void)
{
    return lapic_regs_in_service(&lapic);
}

void lapic_timer_start(uint32_t ticks)
{
    lapic_regs_timer_start(&lapic, ticks);
}

void lapic_self_nmi(void)
{
    lapic_regs_self_nmi(&lapic);
}

void lapic_self_interrupt(uint8_t vector)
{
    lapic_regs_self_interrupt(&lapic, vector);
}

uint32_t lapic_timer_left(void)
{
    return lapic_regs_timer_left(&lapic);
}
