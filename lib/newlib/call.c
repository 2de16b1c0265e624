// SPDX-License-Identifier: BSD-2-Clause
#include "lib/newlib/call.h"

#include <errno.h>

/* The kernel's numbers where newlib has others: base/err.h. */
#define KERNEL_ENOTSUP   95
#define KERNEL_ETIMEDOUT 110

int64_t call_result(int64_t result)
{
    if (result >= 0)
        return result;
    switch (-result) {
    case KERNEL_ENOTSUP:
        errno = ENOTSUP;
        break;
    case KERNEL_ETIMEDOUT:
        errno = ETIMEDOUT;
        break;
    default:
        errno = (int)-result;
    }
    return -1;
}
