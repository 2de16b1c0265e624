// SPDX-License-Identifier: BSD-2-Clause
/*
 * The command print: so many bytes of lines to the consoles, as fast as they take them, for measuring. It
 * waits for an output that is behind; serial ports are waited for in any case.
 */
#include "kernel/clock.h"
#include "kernel/command.h"
#include "kernel/config_parse.h"
#include "kernel/console.h"
#include "kernel/event.h"
#include "kernel/string.h"
#include "kernel/timer.h"

#include "base/bits.h"
#include "base/units.h"

#define LINE_BYTES 64u
#define STEP_NS    (200 * NS_PER_US)
#define WAIT_NS    NS_PER_MS

static struct {
    uint64_t wanted, printed, started_ns; /* wanted 0: no job */
    char line[LINE_BYTES];
    struct task task;
    struct timer timer;
} job;

static void finish(void)
{
    event_emit("event=print bytes=%llu ns=%llu", (unsigned long long)job.printed,
               (unsigned long long)(clock_ns() - job.started_ns));
    job.wanted = 0;
}

static void run(void *ctx)
{
    uint64_t end_ns = clock_ns() + STEP_NS;

    (void)ctx;
    if (job.wanted == 0)
        return;
    while (job.printed < job.wanted && clock_ns() < end_ns) {
        if (console_is_behind()) {
            timer_set(&job.timer, clock_ns() + WAIT_NS);
            return;
        }
        console_write(job.line, LINE_BYTES);
        job.printed += LINE_BYTES;
    }
    if (job.printed >= job.wanted)
        finish();
    else
        task_wake(&job.task);
}

static void prepare(void)
{
    if (job.task.run)
        return;
    for (unsigned i = 0; i < LINE_BYTES - 1; i++)
        job.line[i] = (char)('a' + i % 26);
    job.line[LINE_BYTES - 1] = '\n';
    job.task = (struct task){.run = run, .name = "print"};
    task_add(&job.task);
    timer_init(&job.timer, &job.task);
}

void command_print(int argc, char **argv)
{
    uint64_t wanted;

    if (argc != 2 || config_parse_size(argv[1], strlen(argv[1]), &wanted) ||
        wanted == 0 || wanted > UINT64_C(1024) * GIB) {
        command_error("print", "say how much, such as 1M");
        return;
    }
    if (job.wanted) {
        command_error("print", "it still prints");
        return;
    }
    prepare();
    job.wanted = align_up(wanted, LINE_BYTES);
    job.printed = 0;
    job.started_ns = clock_ns();
    task_wake(&job.task);
}
