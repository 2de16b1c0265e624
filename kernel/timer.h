// SPDX-License-Identifier: BSD-2-Clause
/* One-shot deadlines. A timer that is due wakes its task; the LAPIC is armed for the nearest one. */
#pragma once

#include "kernel/task.h"

#include <stdint.h>

#define TIMER_NEVER UINT64_MAX

struct timer {
    struct task *task;
    uint64_t when_ns; /* TIMER_NEVER: not armed */
    struct list link;
};

void timer_init(struct timer *timer, struct task *task);

/* Arm (or move) the deadline, in clock_ns() time; TIMER_NEVER disarms. Task context. */
void timer_set(struct timer *timer, uint64_t when_ns);
