// SPDX-License-Identifier: BSD-2-Clause
/* The command crash: break a rule and be seen to panic. */
#include "kernel/command.h"
#include "kernel/log.h"
#include "kernel/string.h"
#include "kernel/x86/fault.h"

void command_crash(int argc, char **argv)
{
    for (size_t i = 0; i < fault_count; i++) {
        if (argc < 2) {
            log_answer("crash: %s", faults[i].name);
        } else if (strcmp(faults[i].name, argv[1]) == 0) {
            faults[i].raise(NULL);
            if (faults[i].vector != FAULT_SURVIVED)
                command_error("crash", "%s had no effect", argv[1]);
            return;
        }
    }
    if (argc >= 2)
        command_error("crash", "no such kind: %s", argv[1]);
}
