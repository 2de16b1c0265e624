// SPDX-License-Identifier: BSD-2-Clause
/* The ways in which an app ends, and what there is of processes and signals. */
#include "kernel/app_call.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OWN_PID 1

/* What the compiler compares behind every array on the stack. Not the kernel's. */
uintptr_t __stack_chk_guard = 0x3D1B5A90E27C4600;
_Noreturn void __stack_chk_fail(void);

_Noreturn static void end(enum app_call_number call, uint64_t how, const void *from)
{
    for (;;)
        app_call(call, how, (uint64_t)from, 0);
}

/* Whoever called the function this stands in: the report names it. */
#define CALLER __builtin_return_address(0)

_Noreturn void _exit(int code)
{
    end(APP_CALL_EXIT, (uint64_t)code, NULL);
}

/* Who called abort(), which goes through newlib's raise(). */
static const void *abort_caller;

_Noreturn void abort(void)
{
    abort_caller = CALLER;
    raise(SIGABRT);
    end(APP_CALL_ABORT, APP_ABORT_CALLED, CALLER);
}

_Noreturn void __stack_chk_fail(void)
{
    end(APP_CALL_ABORT, APP_ABORT_STACK, CALLER);
}

/* assert() */
_Noreturn void __assert_func(const char *file, int line, const char *function,
                             const char *text)
{
    char message[256]; /* in one piece, and without an allocation */
    int len = snprintf(message, sizeof(message), "assertion failed: %s, %s, %s:%d\n",
                       text, function ? function : "?", file, line);

    fflush(stdout);
    write(STDERR_FILENO, message,
          len < (int)sizeof(message) ? (size_t)len : sizeof(message) - 1);
    end(APP_CALL_ABORT, APP_ABORT_CALLED, CALLER);
}

/* There is nobody else to signal; newlib calls this for a signal without a handler. */
int kill(pid_t pid, int signal)
{
    if (pid != OWN_PID) {
        errno = ESRCH;
        return -1;
    }
    if (signal != 0)
        end(APP_CALL_ABORT, APP_ABORT_CALLED, abort_caller ? abort_caller : CALLER);
    return 0;
}

pid_t getpid(void)
{
    return OWN_PID;
}
