// SPDX-License-Identifier: BSD-2-Clause
#include "tests/vmhost/end.h"

#include "tests/vmhost/audit.h"
#include "tests/vmhost/log.h"
#include "tests/vmhost/x86.h"

_Noreturn void host_fault(uint64_t vector, uint64_t error, uint64_t rip, uint64_t cr2);

/* Without a debug-exit device the machine stands still, and the harness finds that out by its deadline. */
static _Noreturn void leave(uint32_t value)
{
    port_out(DEBUG_EXIT_PORT, 4, value);
    for (;;)
        __asm__ volatile("cli; hlt");
}

_Noreturn void end_run(const char *why, uint32_t value)
{
    audit_write(why);
    leave(audit_violations() ? END_VIOLATION : value);
}

_Noreturn void end_unable(const char *reason)
{
    log_say("unable reason=\"%s\"", reason);
    leave(END_UNABLE);
}

/* An exception of the monitor's own; switch.asm calls it. */
_Noreturn void host_fault(uint64_t vector, uint64_t error, uint64_t rip, uint64_t cr2)
{
    log_say("fault vector=%lu error=%lx at=%lx cr2=%lx", vector, error, rip, cr2);
    end_unable("an exception in the monitor");
}
