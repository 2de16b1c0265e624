// SPDX-License-Identifier: BSD-2-Clause
/*
 * The run queue and the idle loop. A wake is a flag and a link at the queue's end; a pass runs one
 * task after the other, and the loop sleeps only when, with interrupts off, nothing is pending.
 */
#include "kernel/task.h"
#include "kernel/timer.h"
#include "kernel/x86/cpu.h"

#include "base/assert.h"

#include <stddef.h>

static struct list queue = {&queue, &queue}; /* changed with interrupts off */

static void (*chores)(void);
static volatile uint64_t passes; /* read by ISRs */

void task_on_pass(void (*fn)(void))
{
    chores = fn;
}

void task_add(struct task *task)
{
    assert(task->run && task->name);
    task->pending = false;
    list_init(&task->link);
}

void task_wake(struct task *task)
{
    uint64_t flags = cpu_irq_save();

    if (!task->pending) {
        task->pending = true;
        list_push_back(&queue, &task->link);
    }
    cpu_irq_restore(flags);
}

/* The oldest pending task; its flag falls before it runs, so that a wake while it runs counts. */
static struct task *next_task(void)
{
    uint64_t flags = cpu_irq_save();
    struct task *task = LIST_ENTRY(queue.next, struct task, link);

    list_remove(&task->link);
    task->pending = false;
    cpu_irq_restore(flags);
    return task;
}

bool task_is_pending(void)
{
    return !list_is_empty(&queue);
}

void task_sleep(void)
{
    cpu_irq_disable();
    if (list_is_empty(&queue) && timer_arm_next())
        cpu_idle();
    cpu_irq_enable();
}

/* What is woken meanwhile waits for the next pass: a pass ends. */
static unsigned count_pending(void)
{
    uint64_t flags = cpu_irq_save();
    unsigned count = 0;

    list_for_each (it, &queue)
        count++;
    cpu_irq_restore(flags);
    return count;
}

uint64_t task_passes(void)
{
    return passes;
}

bool task_pass(void)
{
    passes++;
    if (chores)
        chores();
    timer_wake_due();

    unsigned count = count_pending();
    for (unsigned i = 0; i < count; i++) {
        struct task *task = next_task();

        task->run(task->ctx);
    }
    return count > 0;
}

void task_loop(bool (*foreground)(void))
{
    for (;;) {
        bool has_worked = task_pass();

        if (!foreground() && !has_worked)
            task_sleep();
    }
}
