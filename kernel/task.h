// SPDX-License-Identifier: BSD-2-Clause
/*
 * Run-to-completion tasks: the middle of the three levels (docs/architecture.md). A task's function is
 * called once per wake or more rarely (wakes merge), never blocks, is never preempted by another task,
 * and does at most 200 us of own work before it returns; if there is more it wakes itself.
 */
#pragma once

#include "base/list.h"

#include <stdbool.h>

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

/* Called between tasks, and so before each sleep: chores that take next to no time. Boot context. */
void task_on_pass(void (*chores)(void));

/* Run what is pending; sleep when nothing is. Never returns. */
_Noreturn void task_loop(void);
