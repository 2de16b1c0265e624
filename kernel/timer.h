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

/* Measure the LAPIC timer against the clock. Boot context, after clock_init(). */
void timer_start(void);

void timer_init(struct timer *timer, struct task *task);

/* Arm (or move) the deadline, in clock_ns() time; TIMER_NEVER disarms. Task context. */
void timer_set(struct timer *timer, uint64_t when_ns);

/* For the task loop: wake what is due; arm the LAPIC for the nearest deadline, false when one is due
 * already (interrupts off). */
void timer_wake_due(void);
bool timer_arm_next(void);

/* Before an app goes on (interrupts off): the LAPIC fires at the nearest deadline, and not later than in
 * `slice_ns`; TIMER_NEVER: no slice. */
void timer_arm_slice(uint64_t slice_ns);

/* The LAPIC has fired. Level isr. */
void timer_fired(void);

/* The LAPIC has lost what it was armed for: the next of the above arms it anew. Interrupts off. */
void timer_resume(void);
