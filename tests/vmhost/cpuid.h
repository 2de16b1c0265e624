// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "tests/vmhost/x86.h"

#include <stdbool.h>

/* What CPUID tells the guest: the machine's answer, with VMware's signature and without SVM. */
struct cpuid cpuid_for_guest(uint32_t leaf, uint32_t subleaf);

/* From now on as a VMware whose mask for guests takes the bit of a hypervisor away, and its leaves. */
void cpuid_hide_hypervisor(bool on);
