// SPDX-License-Identifier: BSD-2-Clause
/* What is told when an app ends: a crash with registers and the way there, and what it used. */
#include "kernel/app.h"
#include "kernel/app_memory.h"
#include "kernel/event.h"
#include "kernel/format.h"
#include "kernel/log.h"
#include "kernel/memory.h"
#include "kernel/x86/trap.h"

#include "base/err.h"

typedef unsigned long long ull;

/* A word, or the frame of an interrupt, did not fit any more. */
static bool is_stack_full(uint64_t rsp)
{
    return app_memory_is_stack_guard(rsp - 8) ||
           app_memory_is_stack_guard(rsp - sizeof(struct trap_frame));
}

/* What a page fault of the app means, in words. */
static const char *explain(const struct trap_frame *frame, uint64_t address, int err)
{
    if (frame->vector == TRAP_DOUBLE_FAULT)
        return is_stack_full(frame->rsp) ? "stack overflow"
                                         : "the stack pointer is no stack";
    if (frame->vector != TRAP_PAGE_FAULT)
        return "";
    if (app_memory_is_stack_guard(address))
        return "stack overflow";
    if (err == -ENOMEM)
        return "no memory for this page";
    if (err == -EBUSY)
        return "purged memory: mark it needed first";
    if (address < FRAME_SIZE)
        return "null pointer";
    if (address >= APP_FIRST && address < APP_LAST)
        return "not mapped, or unmapped before";
    return "not the app's memory";
}

static void tell_memory(void)
{
    const struct appmem *mem = app_memory();
    struct pmm_stats pmm;

    pmm_stats(memory_pmm(), &pmm);
    log_bare("  memory: %llu KiB free, %llu available, %llu of the app, %llu promised",
             (ull)(pmm.free_frames * FRAME_SIZE / KIB),
             (ull)(appmem_available(mem) * FRAME_SIZE / KIB),
             (ull)(mem->stats.resident * FRAME_SIZE / KIB),
             (ull)(mem->stats.promised * FRAME_SIZE / KIB));
}

void app_report_fault(const struct trap_frame *frame, uint64_t address, int err)
{
    const char *why = explain(frame, address, err);
    char who[48], at[64];

    format_s(who, sizeof(who), "app %s", app_name());
    trap_print(who, frame, address);
    if (*why)
        log_bare("  %s", why);
    if (err == -ENOMEM)
        tell_memory();
    trap_print_way(frame);
    trap_locate(frame->rip, at, sizeof(at));
    event_emit("event=app_crash app=%s reason=\"%s\" detail=\"%s\" address=0x%llx "
               "rip=0x%llx at=\"%s\"",
               app_name(), trap_name(frame), why,
               (ull)(frame->vector == TRAP_PAGE_FAULT ? address : 0), (ull)frame->rip,
               at);
}

void app_report_abort(const char *reason, uint64_t from, uint64_t rip, uint64_t rbp)
{
    char at[64];

    log_bare("app %s: %s", app_name(), reason);
    trap_print_backtrace(rip, rbp);
    trap_locate(from, at, sizeof(at));
    event_emit("event=app_crash app=%s reason=\"%s\" detail=\"\" address=0x0 rip=0x%llx "
               "at=\"%s\"",
               app_name(), reason, (ull)from, at);
}

void app_report_end(enum app_end reason, int code, const struct app_usage *usage)
{
    static const char *const words[] = {
        [APP_RUNS] = "runs",     [APP_EXITED] = "exit",   [APP_STOPPED] = "stop",
        [APP_ABORTED] = "abort", [APP_FAULTED] = "fault", [APP_NO_MEMORY] = "no-memory",
    };
    const struct appmem_stats *stats = &app_memory()->stats;

    log_info("app %s: ended by %s, code %d, %llu ms, peak %llu KiB", app_name(),
             words[reason], code, (ull)(usage->wall_ns / NS_PER_MS),
             (ull)(stats->peak * FRAME_SIZE / KIB));
    event_emit("event=app_exit app=%s by=%s code=%d wall_ns=%llu cpu_ns=%llu peak=%llu "
               "minor_faults=%llu block_faults=%llu splits=%llu joins=%llu moved=%llu "
               "purged=%llu refused=%llu events_dropped=%llu",
               app_name(), words[reason], code, (ull)usage->wall_ns, (ull)usage->cpu_ns,
               (ull)(stats->peak * FRAME_SIZE), (ull)stats->minor_faults,
               (ull)stats->block_faults, (ull)stats->splits, (ull)stats->joins,
               (ull)stats->moved, (ull)(stats->purged * FRAME_SIZE), (ull)app_refusals(),
               (ull)usage->events_dropped);
}
