// SPDX-License-Identifier: BSD-2-Clause
/* Detection, in the order that VMware gives: R-W-01. */
#include "kernel/vmware_detect.h"

#include "kernel/smbios.h"
#include "kernel/string.h"
#include "kernel/x86/backdoor.h"
#include "kernel/x86/cpu.h"

#include "base/bits.h"

#define LEAF_FEATURES   1
#define ECX_HYPERVISOR  BIT32(31)
#define LEAF_HYPERVISOR 0x40000000
#define SERIAL_MAX      64

static bool serial_says; /* written at boot */

static bool has_hypervisor_bit(void)
{
    return cpuid(LEAF_FEATURES, 0).ecx & ECX_HYPERVISOR;
}

/* Only meaningful with the bit set: others fill the leaf without it. */
static bool cpuid_says(void)
{
    struct cpuid r = cpuid(LEAF_HYPERVISOR, 0);
    const uint32_t name[] = {r.ebx, r.ecx, r.edx};

    return memcmp(name, "VMwareVMware", sizeof(name)) == 0;
}

void vmware_detect_early(const struct boot_info *info)
{
    char serial[SERIAL_MAX];

    if (has_hypervisor_bit() || !smbios_system_serial(info, serial, sizeof(serial)))
        return;
    serial_says = strncmp(serial, "VMW", 3) == 0;
    for (const char *at = serial; *at; at++)
        serial_says = serial_says || strncmp(at, "VMware", 6) == 0;
}

void vmware_detect(bool may_touch, struct vmware_found *out)
{
    *out = (struct vmware_found){.way = VMWARE_NOT};
    if (has_hypervisor_bit() ? !cpuid_says() : !serial_says)
        return;
    out->has_version = may_touch && vmware_get_version(&machine_backdoor, &out->version);
    if (has_hypervisor_bit())
        out->way = VMWARE_BY_CPUID;
    else if (out->has_version)
        out->way = VMWARE_BY_SMBIOS;
}

const char *vmware_way_name(enum vmware_way way)
{
    static const char *const names[] = {[VMWARE_NOT] = "none",
                                        [VMWARE_BY_CPUID] = "cpuid",
                                        [VMWARE_BY_SMBIOS] = "smbios"};

    return names[way];
}

const char *vmware_product_name(const struct vmware_found *found)
{
    static const char *const names[] = {
        [VMWARE_PRODUCT_EXPRESS] = "express",
        [VMWARE_PRODUCT_ESX] = "esx",
        [VMWARE_PRODUCT_SERVER] = "server",
        [VMWARE_PRODUCT_WORKSTATION] = "workstation",
        [VMWARE_PRODUCT_ACE] = "ace",
    };
    uint32_t product = found->has_version ? found->version.product : 0;

    return product < ARRAY_LEN(names) && names[product] ? names[product] : "unknown";
}
