// SPDX-License-Identifier: BSD-2-Clause
/* Confidential guests by CPUID: AMD's leaf 0x8000001F with the status register it announces, Intel's 0x21. */
#include "kernel/x86/confidential.h"

#include "kernel/string.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/msr.h"

#define SEV_LEAF       0x8000001Fu
#define SEV_BIT        (1u << 1) /* of EAX; then there is the register below */
#define MSR_SEV_STATUS 0xC0010131u
#define SEV_ACTIVE     1u
#define TDX_LEAF       0x21u

static bool is_sev(void)
{
    return cpuid(0x80000000, 0).eax >= SEV_LEAF && (cpuid(SEV_LEAF, 0).eax & SEV_BIT) &&
           (msr_read(MSR_SEV_STATUS) & SEV_ACTIVE);
}

static bool is_tdx(void)
{
    if (cpuid(0, 0).eax < TDX_LEAF)
        return false;
    struct cpuid leaf = cpuid(TDX_LEAF, 0);
    const uint32_t name[] = {leaf.ebx, leaf.edx, leaf.ecx};

    return memcmp(name, "IntelTDX    ", sizeof(name)) == 0;
}

bool cpu_is_confidential(void)
{
    return is_sev() || is_tdx();
}
