// SPDX-License-Identifier: BSD-2-Clause
/* The boot order, as a commented list: the table of contents of the system. */
#include "kernel/acpi.h"
#include "kernel/app.h"
#include "kernel/app_memory.h"
#include "kernel/clock.h"
#include "kernel/command.h"
#include "kernel/config.h"
#include "kernel/console.h"
#include "kernel/drivers.h"
#include "kernel/event.h"
#include "kernel/hal.h"
#include "kernel/hotplug.h"
#include "kernel/irq.h"
#include "kernel/log.h"
#include "kernel/memory.h"
#include "kernel/power.h"
#include "kernel/sample.h"
#include "kernel/status.h"
#include "kernel/suites.h"
#include "kernel/suspend.h"
#include "kernel/task.h"
#include "kernel/timer.h"
#include "kernel/vmware_detect.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/cpu_brand.h"
#include "kernel/x86/paging.h"
#include "kernel/x86/trap.h"

#include "boot/boot_info.h"

_Noreturn void kernel_main(paddr_t info);

/* Copied from the front end, whose memory becomes free RAM. */
static struct boot_info boot;

#define NMI_LOG_GAP_NS (100 * NS_PER_MS) /* a flood is counted, not told one by one */

static const char *front_name(void)
{
    return boot.front == BOOT_FRONT_EFI ? "efi" : "pvh";
}

static void apply_log_settings(void)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    bool all = config_has_word("console", "auto");

    for (unsigned i = 0; i < ARRAY_LEN(levels); i++) {
        if (config_is("loglevel", levels[i]))
            log_set_level((enum log_level)i);
    }
    console_select(all || config_has_word("console", "serial"),
                   all || config_has_word("console", "debugcon"));
    status_select(all || config_has_word("console", "fb"));
}

static void report(void)
{
    struct pmm_stats stats;
    char brand[CPU_BRAND_BYTES];

    pmm_stats(memory_pmm(), &stats);
    cpu_brand(brand);
    log_info("paging: on: %s; %llu leaves are writable and executable", paging_features(),
             (unsigned long long)paging_count_wx());
    event_emit(
        "event=boot version=1 front=%s kernel_phys=0x%llx mem_total=%llu metadata=%llu "
        "page_tables=%llu tsc_khz=%llu clock=%s cpu=\"%s\"",
        front_name(), (unsigned long long)boot.kernel_phys,
        (unsigned long long)memory_total_bytes(),
        (unsigned long long)stats.metadata_bytes,
        (unsigned long long)paging_table_bytes(), (unsigned long long)clock_tsc_khz(),
        clock_source(), brand);
}

/* Between tasks. */
static void do_chores(void)
{
    static uint32_t nmi_logged;
    static uint64_t nmi_logged_ns;
    uint32_t nmi_count = trap_nmi_count();

    memory_refill();
    app_memory_watch();
    if (nmi_count == nmi_logged ||
        (nmi_logged > 0 && clock_ns() - nmi_logged_ns < NMI_LOG_GAP_NS))
        return;
    log_warn("trap: NMI, %u since boot", nmi_count);
    nmi_logged = nmi_count;
    nmi_logged_ns = clock_ns();
}

/* On the final tables and the main stack. */
static _Noreturn void run(void)
{
    memory_start();       /* every RAM range to the allocator */
    status_resume();      /* the screen again */
    acpi_init(boot.rsdp); /* tables, mapped on request */
    power_init(&boot);    /* the ways out */
    irq_init();           /* LAPIC, IOAPICs; all masked */
    clock_init();         /* TSC against the best reference there is */
    timer_start();        /* deadlines */
    status_start();       /* the screen by a task from now on; the keyboard */
    report();             /* event=boot */
    cpu_irq_enable();
    hal_init(memory_pmm(), memory_heap());
    app_init();      /* the app level, and its memory */
    drivers_start(); /* buses, balloon */
    suspend_init();  /* can this machine sleep? */
    hotplug_start(); /* what comes and goes later */
    suites_run();    /* the test image ends here */
    event_start();   /* events wait for their turn from now on */
    sample_start();  /* the setting `sample` */
    command_start(); /* the settings `app` and `run`, then lines from the console */
    event_emit("event=ready");
    task_on_pass(do_chores);
    task_loop(app_run);
}

/* Called by kernel_entry on the front end's tables and stack. */
void kernel_main(paddr_t info)
{
    console_init(); /* from here on a refusal can be read */
    trap_init();    /* from here on a fault can be read */
    boot = *(const struct boot_info *)(DIRECT_MAP_BASE + info);
    log_info("boot: Aerostat, by %s, kernel at 0x%llx, %llu memory ranges", front_name(),
             (unsigned long long)boot.kernel_phys, (unsigned long long)boot.mem_count);
    status_init(&boot);  /* the screen, if there is one */
    memory_check(&boot); /* a map that is fit to start from */
    config_load(&boot);  /* settings of every channel; reads low memory */
    apply_log_settings();
    config_print();
    vmware_detect_early(&boot); /* what only the low memory tells */
    status_suspend();
    memory_enter(&boot, run); /* final tables, own stack */
}
