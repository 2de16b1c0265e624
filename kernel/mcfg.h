// SPDX-License-Identifier: BSD-2-Clause
/* The MCFG table (PCI Firmware Specification 3.0, 4.1.2): where configuration space lies. Pure. */
#pragma once

#include "base/units.h"

#include <stddef.h>
#include <stdint.h>

struct mcfg_window {
    paddr_t base; /* of bus 0 of the segment, whatever first_bus is */
    uint8_t first_bus, last_bus;
};

/* The window of segment 0 in a verified table of `len` bytes. 0, or -ENODEV when there is none that
 * makes sense. */
int mcfg_parse(const uint8_t *table, size_t len, struct mcfg_window *out);
