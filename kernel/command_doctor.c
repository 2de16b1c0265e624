// SPDX-License-Identifier: BSD-2-Clause
/* The commands doctor and stats: what the kernel knows about its own health. */
#include "kernel/clock.h"
#include "kernel/command.h"
#include "kernel/console.h"
#include "kernel/drivers.h"
#include "kernel/event.h"
#include "kernel/hotplug.h"
#include "kernel/irq.h"
#include "kernel/log.h"
#include "kernel/memory.h"
#include "kernel/virtio_console.h"
#include "kernel/x86/paging.h"
#include "kernel/x86/trap.h"

#include "base/err.h"
#include "base/units.h"

typedef unsigned long long ull;

static const char *verdict(bool is_well)
{
    return is_well ? "ok" : "NOT OK";
}

static void report_hotplug(const struct hotplug_status *hotplug)
{
    if (hotplug->slots + hotplug->buses == 0) {
        log_answer("doctor: no hot-plug");
        return;
    }
    log_answer("doctor: %s: hot-plug, %u native slots, %u buses by ACPI; %llu plugged, "
               "%llu unplugged, %llu torn out, %llu lies",
               verdict(hotplug->lies == 0), hotplug->slots, hotplug->buses,
               (ull)hotplug->plugged, (ull)hotplug->unplugged, (ull)hotplug->surprises,
               (ull)hotplug->lies);
}

void command_doctor(int argc, char **argv)
{
    struct irq_stats irq;
    struct hotplug_status hotplug;
    uint64_t wx = paging_count_wx();
    bool has_clock = clock_tsc_khz() != 0;

    (void)argc;
    (void)argv;
    irq_stats(&irq);
    pmm_check(memory_pmm()); /* panics when it is not well */
    log_answer("doctor: %s: clock, TSC at %llu kHz by %s", verdict(has_clock),
               (ull)clock_tsc_khz(), clock_source());
    log_answer("doctor: %s: interrupts, %s, %u IOAPICs, %u lines masked after a storm",
               verdict(irq.lines_masked == 0),
               irq_is_polled() ? "polled by setting" : "on", irq.ioapics,
               irq.lines_masked);
    log_answer("doctor: %s: protection, %llu leaves writable and executable, on: %s",
               verdict(wx == 0), (ull)wx, paging_features());
    log_answer("doctor: ok: memory, the books agree");
    log_answer("doctor: ok: console input by %s", console_input_mode());
    if (drivers_balloon_stats() == 0) /* event=stats, of the balloons */
        log_answer("doctor: ok: balloon, %llu KiB inside, %llu bytes of bookkeeping",
                   (ull)(drivers_ballooned_frames() * FRAME_SIZE / KIB),
                   (ull)drivers_metadata_bytes());
    else
        log_answer("doctor: no balloon");
    drivers_vmware_doctor();
    hotplug_get_status(&hotplug);
    report_hotplug(&hotplug);
    event_emit("event=doctor wx=%llu lines_masked=%u irq=%s input=%s clock=%s nmi=%u "
               "hotplug_slots=%u hotplug_buses=%u",
               (ull)wx, irq.lines_masked, irq_is_polled() ? "poll" : "auto",
               console_input_mode(), clock_source(), trap_nmi_count(), hotplug.slots,
               hotplug.buses);
}

void command_stats(int argc, char **argv)
{
    struct irq_stats irq;
    struct pmm_stats pmm;

    (void)argc;
    (void)argv;
    irq_stats(&irq);
    pmm_stats(memory_pmm(), &pmm);
    event_emit(
        "event=stats irq_device=%llu irq_timer=%llu irq_unclaimed=%llu irq_spurious=%llu "
        "nmi=%u frame_allocs=%llu frame_frees=%llu frame_failures=%llu block_allocs=%llu "
        "block_frees=%llu block_failures=%llu blocks_split=%llu blocks_rejoined=%llu",
        (ull)irq.device, (ull)irq.timer, (ull)irq.unclaimed, (ull)irq.spurious,
        trap_nmi_count(), (ull)pmm.frame_allocs, (ull)pmm.frame_frees,
        (ull)pmm.frame_failures, (ull)pmm.block_allocs, (ull)pmm.block_frees,
        (ull)pmm.block_failures, (ull)pmm.blocks_split, (ull)pmm.blocks_rejoined);
    virtio_console_device_stats();
    int err = drivers_balloon_stats();
    if (err && err != -ENODEV)
        command_error("stats", "balloon: %s", err_name(err));
}
