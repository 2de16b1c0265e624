// SPDX-License-Identifier: BSD-2-Clause
/*
 * How a run ends. QEMU's exit status is (value << 1) | 1 with isa-debug-exit at 0x501: the guest's own
 * value when all went well, else one of these.
 */
#pragma once

#include <stdint.h>

#define DEBUG_EXIT_PORT 0x501

enum end_value {
    END_VIOLATION = 0x20, /* QEMU's exit status 65: the guest broke a rule */
    END_UNABLE = 0x21,    /* 67: the monitor cannot go on; its last line says why */
    END_SHUTDOWN = 0x22,  /* 69: the guest's triple fault */
};

/* The account, then the debug exit with `value`, or with END_VIOLATION where there was one. */
_Noreturn void end_run(const char *why, uint32_t value);

/* The monitor gives up. */
_Noreturn void end_unable(const char *reason);
