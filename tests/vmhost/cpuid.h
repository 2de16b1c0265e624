// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "tests/vmhost/x86.h"

/* What CPUID tells the guest: the machine's answer, with VMware's signature and without SVM. */
struct cpuid cpuid_for_guest(uint32_t leaf, uint32_t subleaf);
