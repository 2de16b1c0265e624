// SPDX-License-Identifier: BSD-2-Clause
/* The life of an app: ready, running, ended; its share of the CPU; its clock. */
#include "kernel/app.h"
#include "kernel/app_image.h"
#include "kernel/app_memory.h"
#include "kernel/clock.h"
#include "kernel/command.h"
#include "kernel/event.h"
#include "kernel/string.h"
#include "kernel/task.h"
#include "kernel/timer.h"
#include "kernel/x86/app_switch.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/trap.h"

#include "base/err.h"
#include "base/units.h"

/* While tasks go on having work the app gets this much between two passes: as much as a task's step. */
#define SLICE_NS (200 * NS_PER_US)

#define FAULT_PRESENT 1 /* error code of a page fault: something is mapped there */

static struct {
    const struct app_image *image; /* NULL: none */
    struct app_context context;
    bool is_ready; /* not entered yet */
    enum app_end end;
    int code;
    uint64_t start_ns;
    uint64_t entered_tsc, own_tsc; /* since it last went on; in its own code before */
    uint64_t dropped_before;
    struct task task; /* wakes app_wait() */
    struct timer timer;
} app;

static void wake(void *ctx)
{
    (void)ctx; /* being woken is all */
}

void app_init(void)
{
    app_switch_init();
    app_memory_init();
    app.task = (struct task){.run = wake, .name = "app"};
    task_add(&app.task);
    timer_init(&app.timer, &app.task);
}

bool app_is_running(void)
{
    return app.image != NULL;
}

const char *app_name(void)
{
    return app.image ? app.image->name : "";
}

static const struct app_image *find(const char *name)
{
    for (const struct app_image *image = apps_start; image < apps_end; image++) {
        if (strcmp(image->name, name) == 0)
            return image;
    }
    return NULL;
}

int app_start(int argc, char **argv)
{
    const struct app_image *image = find(argv[0]);

    if (!image)
        return -ENODEV;
    if (app.image)
        return -EBUSY;
    int err = app_memory_load(image, argc, argv, &app.context);
    if (err)
        return err;
    app.image = image;
    app.is_ready = true;
    app.end = APP_RUNS;
    app.code = 0;
    app.own_tsc = 0;
    app_calls_reset();
    app.dropped_before = event_dropped();
    app.start_ns = clock_ns();
    event_emit("event=app_start app=%s", image->name);
    return 0;
}

static void finish(void)
{
    const struct app_usage usage = {
        .wall_ns = clock_ns() - app.start_ns,
        .cpu_ns = clock_ns_of(app.own_tsc),
        .events_dropped = event_dropped() - app.dropped_before,
    };

    app_memory_unload(); /* in steps; who acts on the event below finds all of it done */
    app_report_end(app.end, app.code, &usage);
    app_input_reset();
    timer_set(&app.timer, TIMER_NEVER);
    app.image = NULL;
    command_job_done();
}

bool app_run(void)
{
    if (!app.is_ready)
        return false;
    app.is_ready = false;
    if (app.end == APP_RUNS) {
        cpu_irq_disable();
        timer_arm_slice(SLICE_NS);
        app.entered_tsc = cpu_rdtsc();
        app_switch_enter(&app.context);
    }
    finish();
    return true;
}

void app_end(enum app_end reason, int code)
{
    if (!app.image || app.end != APP_RUNS)
        return;
    app.end = reason;
    app.code = code;
    task_wake(&app.task);
}

bool app_is_ending(void)
{
    return app.end != APP_RUNS;
}

void app_wake_at(uint64_t when_ns)
{
    timer_set(&app.timer, when_ns);
}

void app_wake(void)
{
    task_wake(&app.task);
}

void app_wait(bool (*is_done)(void))
{
    while (!is_done() && !app_is_ending()) {
        if (!task_pass())
            task_sleep();
    }
}

void app_left(void)
{
    app.own_tsc += cpu_rdtsc() - app.entered_tsc;
}

/* With interrupts off at the end. What was woken since then gets its turn after a slice. */
static void go_on(void)
{
    if (app_is_ending())
        app_switch_leave();
    cpu_irq_disable();
    timer_arm_slice(task_is_pending() ? SLICE_NS : TIMER_NEVER);
    app.entered_tsc = cpu_rdtsc();
}

void app_goes_on(void)
{
    if (task_is_pending() && !app_is_ending())
        task_pass();
    go_on();
}

void app_interrupted(void (*handler)(unsigned vector), unsigned vector)
{
    app_left();
    handler(vector);
    cpu_irq_enable();
    task_pass();
    go_on();
}

void app_fault(struct trap_frame *frame, uint64_t address)
{
    bool is_touch = frame->vector == TRAP_PAGE_FAULT && !(frame->error & FAULT_PRESENT);
    int err = -EINVAL;

    app_left();
    cpu_irq_enable();
    if (is_touch)
        err = appmem_fault(app_memory(), address);
    if (err == -ENOMEM)
        app_refused(FRAME_SIZE);
    if (err) {
        app_report_fault(frame, address, err);
        app_end(err == -ENOMEM ? APP_NO_MEMORY : APP_FAULTED, 0);
    }
    app_goes_on();
}
