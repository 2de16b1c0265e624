// SPDX-License-Identifier: BSD-2-Clause
// expect: nothing
#include "base/le.h"
#include "base/units.h"

uint32_t f(le32 from_device);
uint32_t f(le32 from_device)
{
    return le32_get(from_device);
}
