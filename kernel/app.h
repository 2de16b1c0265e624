// SPDX-License-Identifier: BSD-2-Clause
/*
 * The app level (docs/architecture.md): start, stop and end of the one app that runs. The app is entered
 * once, by the task loop; from then on every interrupt, fault and call of it comes back into the kernel's
 * stack at task level, and goes on in the app when that is done. It ends by never going on.
 *
 * Files: app.c (the life of an app), app_calls.c (what it may ask), app_input.c (its stdin), app_memory.c
 * (what it finds in memory), app_report.c (last words), x86/app_switch.asm (the border).
 *
 * Context: task level, unless said.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trap_frame;

/* Why an app ended. */
enum app_end {
    APP_RUNS,
    APP_EXITED,   /* exit(), or main() returned */
    APP_STOPPED,  /* the command `stop` */
    APP_ABORTED,  /* abort(), a failed assert, a smashed stack, a corrupt heap */
    APP_FAULTED,  /* an exception */
    APP_NO_MEMORY /* a touch found no memory */
};

/* Boot context. */
void app_init(void);

/* Make an app ready to run: argv[0] is its name. 0; -ENODEV: no such app; -EBUSY: one runs already;
 * -ENOMEM; -EINVAL: arguments too long. */
int app_start(int argc, char **argv);

/* One is ready or runs. */
bool app_is_running(void);
const char *app_name(void);

/* The task loop's foreground: run what is ready to its end. False: nothing was. */
bool app_run(void);

/* End the app as soon as it would go on. The first reason counts. No effect when none runs. */
void app_end(enum app_end reason, int code);
bool app_is_ending(void);

/* Run tasks, and sleep when there are none, until `is_done` or the app is ending. In a call of the app. */
void app_wait(bool (*is_done)(void));

/* A deadline for app_wait(); something else it may wait for. */
void app_wake_at(uint64_t when_ns);
void app_wake(void);

/* app_calls.c, for app_switch.asm: the other side of the gate. Comes back with interrupts off. */
int64_t app_call_dispatch(uint64_t number, uint64_t a, uint64_t b, uint64_t c);

/* app_calls.c: memory was refused to the app: counted, and told with numbers; what was counted since the
 * reset at its start. */
void app_calls_reset(void);
void app_refused(uint64_t wanted_bytes);
uint64_t app_refusals(void);

/* For trap.c, with interrupts off and the level raised: an interrupt, or an exception, hit the app. Return
 * with interrupts off when the app goes on. */
void app_interrupted(void (*handler)(unsigned vector), unsigned vector);
void app_fault(struct trap_frame *frame, uint64_t address);

/* app.c, around a call: the app's clock stops; the app goes on, after pending tasks. */
void app_left(void);
void app_goes_on(void);

/* app_input.c: a line for its stdin; its end. What an app does not read is gone with it. */
bool app_input_line(const char *line);
void app_input_reset(void);
int64_t app_input_read(uint64_t to, size_t len);

/* app_report.c. */
struct app_usage {
    uint64_t wall_ns, cpu_ns; /* cpu: in its own code */
    uint64_t events_dropped;
};
void app_report_fault(const struct trap_frame *frame, uint64_t address, int err);
void app_report_abort(const char *reason, uint64_t from, uint64_t rip, uint64_t rbp);
void app_report_end(enum app_end reason, int code, const struct app_usage *usage);
