// SPDX-License-Identifier: BSD-2-Clause
/*
 * The short set of errors. Functions return 0 or a count, else the negative of one of these.
 * Hosted builds take the numbers from libc; code and tests compare names, never numbers.
 */
#pragma once

#if __STDC_HOSTED__
#include <errno.h>
#else
#define EIO       5
#define EAGAIN    11
#define ENOMEM    12
#define EBUSY     16
#define ENODEV    19
#define EINVAL    22
#define ENOSPC    28
#define EPROTO    71
#define ENOTSUP   95
#define ETIMEDOUT 110
#endif

/* "ENOMEM" for -ENOMEM; "?" for a number that is not of the set. Any context. */
static inline const char *err_name(int err)
{
    switch (err < 0 ? -err : err) {
    case 0:
        return "OK";
    case EIO:
        return "EIO";
    case EAGAIN:
        return "EAGAIN";
    case ENOMEM:
        return "ENOMEM";
    case EBUSY:
        return "EBUSY";
    case ENODEV:
        return "ENODEV";
    case EINVAL:
        return "EINVAL";
    case ENOSPC:
        return "ENOSPC";
    case EPROTO:
        return "EPROTO";
    case ENOTSUP:
        return "ENOTSUP";
    case ETIMEDOUT:
        return "ETIMEDOUT";
    default:
        return "?";
    }
}
