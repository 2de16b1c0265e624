// SPDX-License-Identifier: BSD-2-Clause
// expect: error
#include "base/le.h"

int f(le32 from_device);
int f(le32 from_device)
{
    return from_device == 3; /* needs le32_get() */
}
