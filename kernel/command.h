// SPDX-License-Identifier: BSD-2-Clause
/*
 * Commands: lines in, `@` lines out. A command is a row of a table; it answers at once or starts a job
 * (fill, free, suspend) and answers when that ends. Commands that change memory wait for a running job; the
 * others run at once. An app is no job: commands go on while it runs, but the setting `run` waits for the
 * end of what it ran. A line that begins with `<` is input for the app. Task level.
 */
#pragma once

#include <stdbool.h>

#define COMMAND_ARGS_MAX 32

struct command {
    const char *name;
    const char *usage;                  /* arguments and meaning, for `help` */
    bool waits;                         /* not while a job runs */
    void (*run)(int argc, char **argv); /* argv[0] is the name */
};

/* Accept lines from the console, after those of the setting `run`. Boot context. */
void command_start(void);

/* A job has ended: the next waiting command may run. */
void command_job_done(void);

/* event=error for a command. */
__attribute__((format(printf, 2, 3))) void command_error(const char *name,
                                                         const char *fmt, ...);

/* command_mem.c; a job is running. */
bool command_mem_is_busy(void);
void command_mem(int argc, char **argv);
void command_fill(int argc, char **argv);
void command_free(int argc, char **argv);

/* command_print.c */
void command_print(int argc, char **argv);

/* command_doctor.c */
void command_doctor(int argc, char **argv);
void command_stats(int argc, char **argv);

/* command_app.c */
void command_run(int argc, char **argv);
void command_stop(int argc, char **argv);

/* command_crash.c */
void command_crash(int argc, char **argv);
