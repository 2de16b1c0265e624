// SPDX-License-Identifier: BSD-2-Clause
/* Register windows on this machine: MMIO mapped uncached on request, anywhere in 52 bits, and ports. */
#pragma once

#include "hal/reg_io.h"

/* The machine's address spaces; see reg_io.h for the rules. */
extern const struct reg_space machine_reg_space;
