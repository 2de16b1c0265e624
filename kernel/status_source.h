// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a balloon tells the status page, beside the figures of kernel/drivers.h, which are the sum over all
 * balloons. Each driver's port into this kernel has one; status.c has the list. Task level, not from inside a driver.
 */
#pragma once

#include "kernel/status_sheet.h"

#include <stdbool.h>

struct status_source {
    /* One line: what it is, and what it and its host agreed upon. False: there is none now. */
    bool (*describe)(char *text, size_t size);

    /* A group for the page of details: queues, counters. Nothing when there is none. */
    void (*detail)(struct status_sheet *sheet);
};
