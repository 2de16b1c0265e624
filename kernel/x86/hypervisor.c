// SPDX-License-Identifier: BSD-2-Clause
/* Leaf 0x40000000, where the bit for it is set: others fill the leaf without it. */
#include "kernel/x86/hypervisor.h"
#include "kernel/format.h"
#include "kernel/string.h"
#include "kernel/x86/cpu.h"

#include "base/bits.h"

#define LEAF_FEATURES  1
#define ECX_HYPERVISOR BIT32(31)

static const struct {
    const char *signature, *name;
} names[] = {
    {"TCGTCGTCGTCG", "QEMU TCG"},   {"KVMKVMKVM", "KVM"},
    {"VMwareVMware", "VMware"},     {"Microsoft Hv", "Hyper-V"},
    {"XenVMMXenVMM", "Xen"},        {"bhyve bhyve ", "bhyve"},
    {"VBoxVBoxVBox", "VirtualBox"}, {" lrpepyh  vr", "Parallels"},
};

uint32_t hypervisor_signature(char out[HYPERVISOR_SIGNATURE_BYTES])
{
    struct cpuid r = cpuid(HYPERVISOR_LEAF, 0);
    const uint32_t words[] = {r.ebx, r.ecx, r.edx};

    out[0] = '\0';
    if (!(cpuid(LEAF_FEATURES, 0).ecx & ECX_HYPERVISOR))
        return 0;
    memcpy(out, words, sizeof(words));
    out[sizeof(words)] = '\0';
    return (uint32_t)max_u64(r.eax, HYPERVISOR_LEAF); /* some say 0 for just this one */
}

void hypervisor_name(char *out, size_t size)
{
    char signature[HYPERVISOR_SIGNATURE_BYTES];

    if (!hypervisor_signature(signature)) {
        format_s(out, size, "none that CPUID tells of");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(signature, names[i].signature) == 0) {
            format_s(out, size, "%s", names[i].name);
            return;
        }
    }
    for (char *at = signature; *at; at++) {
        if (*at < ' ' || *at > '~')
            *at = '?';
    }
    format_s(out, size, "\"%s\"", signature);
}
