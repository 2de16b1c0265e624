// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a guest suite needs: the entry in the table, and checks that name what they saw. A suite runs
 * inside the machine after the boot order; it returns at its first failed check.
 */
#pragma once

#include "kernel/log.h"
#include "kernel/suites.h"

#define GUEST_SUITE(suite_name, fn)                                           \
    __attribute__((section(".suites"), used))                                 \
    const struct guest_suite guest_suite_##suite_name = {.name = #suite_name, \
                                                         .run = (fn)}

/* Leave the function with SUITE_FAIL, saying where and what. */
#define CHECK(cond, ...)                                             \
    do {                                                             \
        if (!(cond)) {                                               \
            log_error("test: %s:%d: %s", __FILE__, __LINE__, #cond); \
            log_error("test: " __VA_ARGS__);                         \
            return SUITE_FAIL;                                       \
        }                                                            \
    } while (0)
