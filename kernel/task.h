// SPDX-License-Identifier: BSD-2-Clause
/*
 * Run-to-completion tasks: the middle of the three levels (docs/architecture.md). A task's function is
 * called once per wake or more rarely (wakes merge), never blocks, is never preempted by another task,
 * and does at most 200 us of own work before it returns; if there is more it wakes itself.
 */
#pragma once

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct task {
    void (*run)(void *ctx);
    void *ctx;
    const char *name;
    bool pending; /* written by ISRs and tasks */
    struct list link;
};

/* Make it known. Boot or task context; `task` stays alive for ever. */
void task_add(struct task *task);

/* Run it as soon as nothing more urgent is pending. Any context, ISRs included. */
void task_wake(struct task *task);

/* Called before each pass, and so before each sleep: chores that take next to no time. Boot context. */
void task_on_pass(void (*chores)(void));

/* Run every task that is pending now, and whose time has come, once. False: there was none. Task level, but
 * not from inside a task: by the loop, and before an app goes on. */
bool task_pass(void);

/* How many there were. Any context. */
uint64_t task_passes(void);

/* Whether task_pass() would find a task. Any context. */
bool task_is_pending(void);

/* Sleep until an interrupt or the next deadline, unless a task is pending. Task level. */
void task_sleep(void);

/* Run what is pending, then foreground(), which runs an app to its end, if there is one, and returns
 * whether it did; sleep when there is neither. Never returns. */
_Noreturn void task_loop(bool (*foreground)(void));
