// SPDX-License-Identifier: BSD-2-Clause
/*
 * A task that waits for the drivers, then sleeps and wakes in one step. The drivers end before it (R-V-48),
 * so that nothing of theirs is pending in a machine that nobody would wake for it (R-V-52).
 */
#include "kernel/suspend.h"

#include "kernel/clock.h"
#include "kernel/command.h"
#include "kernel/console.h"
#include "kernel/drivers.h"
#include "kernel/event.h"
#include "kernel/irq.h"
#include "kernel/keyboard.h"
#include "kernel/log.h"
#include "kernel/memory.h"
#include "kernel/sleep.h"
#include "kernel/status.h"
#include "kernel/timer.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/mmio.h"
#include "kernel/x86/wake.h"

#include "base/err.h"
#include "drivers/bus/pci_save.h"

#define PROGRESS_NS \
    (5 * NS_PER_S) /* drivers that gave nothing back for so long are not waited for */

/* The task's own. */
static struct {
    bool is_busy;
    bool
        is_refused; /* the drivers were too slow: when they have stopped they start again */
    bool has_stopped;   /* the drivers have */
    uint64_t ballooned; /* when it last became less, at progress_ns */
    uint64_t progress_ns;
    struct pci_host ports;
    struct pci_saved pci;
    bool has_ports;
    struct task task;
    struct timer timer;
} suspend;

/* What the sleep itself needs and tells. */
static struct {
    uint64_t tsc, slept_ns, woken_ns;
    size_t missing;
    bool has_status;
} sleep_facts;

bool suspend_is_busy(void)
{
    return suspend.is_busy;
}

static const char *find_missing(void)
{
    const char *missing = sleep_missing();

    if (!missing)
        missing = wake_missing();
    if (!missing && !suspend.has_ports)
        missing = "no PCI configuration ports";
    return missing;
}

static void on_stopped(void *ctx)
{
    (void)ctx;
    suspend.has_stopped = true;
    task_wake(&suspend.task);
}

void command_suspend(int argc, char **argv)
{
    const char *missing = find_missing();

    (void)argv;
    if (argc != 1) {
        command_error("suspend", "it takes no arguments");
        return;
    }
    if (missing) {
        command_error("suspend", "this machine cannot sleep: %s", missing);
        return;
    }
    suspend.is_busy = true;
    suspend.is_refused = suspend.has_stopped = false;
    suspend.ballooned = UINT64_MAX;
    drivers_suspend(on_stopped, NULL);
    task_wake(&suspend.task);
}

static void end(void)
{
    suspend.is_busy = false;
    timer_set(&suspend.timer, TIMER_NEVER);
    command_job_done();
}

static void go_on(void)
{
    drivers_resume();
    end();
}

static void refuse(const char *reason)
{
    command_error("suspend", "%s", reason);
    go_on();
}

static void forget(void)
{
    heap_free(memory_heap(), suspend.pci.fns);
    suspend.pci.fns = NULL;
    wake_forget();
}

/* Memory and the state of the PCI functions. 0, or an error and nothing is held. */
static int save(void)
{
    int err = wake_prepare();

    if (err)
        return err;
    suspend.pci.capacity = pci_count(&suspend.ports);
    suspend.pci.fns =
        heap_alloc(memory_heap(), suspend.pci.capacity * sizeof(*suspend.pci.fns));
    err = suspend.pci.fns ? pci_save(&suspend.ports, &suspend.pci) : -ENOMEM;
    if (err)
        forget();
    else
        sleep_save();
    return err;
}

static void enter(void)
{
    sleep_enter(wake_vector());
}

/* From the first line of C on until interrupts can be had. */
static void rebuild(void)
{
    clock_resume(sleep_facts.tsc);
    sleep_facts.woken_ns = clock_ns();
    console_resume();
    sleep_facts.missing = pci_restore(&suspend.pci);
    sleep_facts.has_status = sleep_over();
    irq_resume();
    timer_resume();
    console_resume_input();
    keyboard_resume();
}

/* True when the machine slept. */
static bool sleep_now(void)
{
    uint64_t flags = cpu_irq_save();

    sleep_facts.tsc = cpu_rdtsc();
    sleep_facts.slept_ns = clock_ns();
    bool has_slept = wake_sleep(enter);
    if (has_slept)
        rebuild();
    cpu_irq_restore(flags);
    return has_slept;
}

static void tell_resumed(void)
{
    if (sleep_facts.missing)
        log_warn("suspend: %llu PCI functions are gone",
                 (unsigned long long)sleep_facts.missing);
    if (!sleep_facts.has_status)
        log_warn("suspend: the machine does not say that it woke");
    event_emit("event=resumed slept_ns=%llu resume_ns=%llu",
               (unsigned long long)(sleep_facts.woken_ns - sleep_facts.slept_ns),
               (unsigned long long)(clock_ns() - sleep_facts.woken_ns));
}

static void refuse_save(int err)
{
    if (err == -ENOMEM)
        command_error("suspend", "no memory for what a sleep loses");
    else
        command_error("suspend", "what a sleep loses cannot be saved: %s", err_name(err));
    go_on();
}

static void sleep_and_wake(void)
{
    int err = save();

    if (err) {
        refuse_save(err);
        return;
    }
    event_emit("event=suspended");
    event_flush();
    bool has_slept = sleep_now();
    forget();
    if (!has_slept) {
        refuse("the machine does not fall asleep");
        return;
    }
    status_lose();
    drivers_resume();
    tell_resumed();
    end();
}

/* Balloons that shrink are waited for, however large they are. */
static void watch(void)
{
    uint64_t ballooned = drivers_ballooned_frames(), now = clock_ns();

    if (ballooned < suspend.ballooned) {
        suspend.ballooned = ballooned;
        suspend.progress_ns = now;
    } else if (now - suspend.progress_ns >= PROGRESS_NS) {
        suspend.is_refused = true;
        command_error("suspend", "the drivers do not stop");
        return;
    }
    timer_set(&suspend.timer, now + NS_PER_S);
}

static void run(void *ctx)
{
    (void)ctx;
    if (!suspend.is_busy)
        return;
    if (suspend.has_stopped && suspend.is_refused)
        go_on();
    else if (suspend.has_stopped)
        sleep_and_wake();
    else if (!suspend.is_refused)
        watch();
}

void suspend_init(void)
{
    const struct pci_host_config cfg = {
        .space = &machine_reg_space, .use_ports = true, .log = kernel_log};

    sleep_init();
    suspend.has_ports = pci_host_init(&suspend.ports, &cfg) == 0;
    suspend.task = (struct task){.run = run, .name = "suspend"};
    task_add(&suspend.task);
    timer_init(&suspend.timer, &suspend.task);
}
