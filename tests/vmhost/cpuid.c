// SPDX-License-Identifier: BSD-2-Clause
#include "tests/vmhost/cpuid.h"

#include "base/bits.h"
#include "tests/vmhost/log.h"

#define HYPERVISOR     BIT32(31) /* leaf 1, ECX */
#define SVM            BIT32(2)  /* leaf 0x80000001, ECX */
#define LEAF_SIGNATURE 0x40000000
#define LEAF_FREQUENCY 0x40000010
#define LEAF_SVM       0x8000000a
#define LEAF_EXTENDED  0x80000001
#define BUS_KHZ        1000000    /* the local APIC's timer under TCG */
#define SIGNATURE_VMWA 0x61774d56 /* "VMwareVMware" */
#define SIGNATURE_REVM 0x4d566572
#define SIGNATURE_WARE 0x65726177

static bool is_hidden;

void cpuid_hide_hypervisor(bool on)
{
    is_hidden = on;
}

static struct cpuid hypervisor_leaf(uint32_t leaf)
{
    if (leaf == LEAF_SIGNATURE && !is_hidden)
        return (struct cpuid){LEAF_FREQUENCY, SIGNATURE_VMWA, SIGNATURE_REVM,
                              SIGNATURE_WARE};
    if (leaf == LEAF_FREQUENCY && !is_hidden) /* ECX and EDX 0: no hypercalls */
        return (struct cpuid){(uint32_t)log_tsc_khz(), BUS_KHZ, 0, 0};
    return (struct cpuid){0};
}

struct cpuid cpuid_for_guest(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid out = cpuid_read(leaf, subleaf);

    if (leaf >= LEAF_SIGNATURE && leaf <= LEAF_FREQUENCY)
        return hypervisor_leaf(leaf);
    if (leaf == LEAF_SVM)
        return (struct cpuid){0};
    if (leaf == 1)
        out.ecx = is_hidden ? out.ecx & ~HYPERVISOR : out.ecx | HYPERVISOR;
    if (leaf == LEAF_EXTENDED)
        out.ecx &= ~SVM;
    return out;
}
