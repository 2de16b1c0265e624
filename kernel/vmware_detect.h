// SPDX-License-Identifier: BSD-2-Clause
/*
 * Is the machine below us VMware's? CPUID says so; where it says nothing at all (very old ones, or the bit
 * is masked), the serial number in SMBIOS and the general backdoor together do. Another hypervisor's name
 * in CPUID is final.
 */
#pragma once

#include "drivers/vmware/backdoor.h"

struct boot_info;

enum vmware_way {
    VMWARE_NOT,
    VMWARE_BY_CPUID,
    VMWARE_BY_SMBIOS,
};

struct vmware_found {
    enum vmware_way way;
    bool has_version; /* the general backdoor answers */
    struct vmware_version version;
};

/* Read the SMBIOS, where it will be asked. Boot context, while the low 4 GiB are mapped. */
void vmware_detect_early(const struct boot_info *info);

/* Touches a port only where one of the two has said yes, and `may_touch`: CPUID alone decides without. Task
 * level. */
void vmware_detect(bool may_touch, struct vmware_found *out);

/* "cpuid", "smbios" or "none"; "esx". For events. */
const char *vmware_way_name(enum vmware_way way);
const char *vmware_product_name(const struct vmware_found *found);
