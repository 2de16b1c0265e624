// SPDX-License-Identifier: BSD-2-Clause
// expect: error
#include "base/units.h"

pfn_t f(uint64_t byte_address);
pfn_t f(uint64_t byte_address)
{
    return byte_address; /* needs a conversion by name */
}
