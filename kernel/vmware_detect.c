// SPDX-License-Identifier: BSD-2-Clause
/* Detection, in the order that VMware gives: R-W-01. */
#include "kernel/vmware_detect.h"

#include "kernel/smbios.h"
#include "kernel/string.h"
#include "kernel/x86/backdoor.h"
#include "kernel/x86/hypervisor.h"

#include "base/bits.h"

#define SERIAL_MAX 64

static bool serial_says; /* written at boot */

void vmware_detect_early(const struct boot_info *info)
{
    char serial[SERIAL_MAX], signature[HYPERVISOR_SIGNATURE_BYTES];

    if (hypervisor_signature(signature) ||
        !smbios_system_serial(info, serial, sizeof(serial)))
        return;
    serial_says = strncmp(serial, "VMW", 3) == 0;
    for (const char *at = serial; *at; at++)
        serial_says = serial_says || strncmp(at, "VMware", 6) == 0;
}

void vmware_detect(bool may_touch, struct vmware_found *out)
{
    char signature[HYPERVISOR_SIGNATURE_BYTES];
    bool has_name = hypervisor_signature(signature);

    *out = (struct vmware_found){.way = VMWARE_NOT};
    if (has_name ? strcmp(signature, "VMwareVMware") != 0 : !serial_says)
        return;
    out->has_version = may_touch && vmware_get_version(&machine_backdoor, &out->version);
    if (has_name)
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
