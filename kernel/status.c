// SPDX-License-Identifier: BSD-2-Clause
/* When the status page is drawn, and with what. */
#include "kernel/status.h"

#include "boot/boot_info.h"
#include "kernel/app_memory.h"
#include "kernel/balloon.h"
#include "kernel/clock.h"
#include "kernel/console.h"
#include "kernel/drivers.h"
#include "kernel/event.h"
#include "kernel/format.h"
#include "kernel/framebuffer.h"
#include "kernel/irq.h"
#include "kernel/keyboard.h"
#include "kernel/log.h"
#include "kernel/memory.h"
#include "kernel/status_source.h"
#include "kernel/timer.h"
#include "kernel/vmware.h"
#include "kernel/x86/cpu_brand.h"
#include "kernel/x86/hypervisor.h"
#include "kernel/x86/paging.h"

#include "base/bits.h"

#define DRAW_PERIOD_NS    (200 * NS_PER_MS)
#define REFRESH_PERIOD_NS NS_PER_S
#define STEP_NS           (200 * NS_PER_US)

static const struct status_source *const sources[] = {
    &balloon_status_source,
    &vmware_status_source,
};

/* Written at boot level and then by the task only, but for the page's lines, which the console feeds. */
static struct {
    bool is_used;
    bool is_deferred; /* the task draws */
    bool is_drawing;  /* what was laid out is not on the screen yet */
    bool is_efi;
    uint64_t drawn_ns;
    struct status_page page;
    struct task task;
    struct timer timer;
    struct console_typist typist; /* keys that are commands */
} status;

static void gather_figures(void)
{
    struct status_figures now = {.time_ns = clock_ns(), .total = memory_total_bytes()};
    struct balloon_figures balloon;
    struct pmm_stats pmm;

    pmm_stats(memory_pmm(), &pmm);
    drivers_balloon_figures(&balloon);
    now.free = pmm.free_frames * FRAME_SIZE;
    now.target = bytes_of_frames(balloon.target);
    now.balloon = balloon.frames * FRAME_SIZE;
    status_page_set(&status.page, &now);
}

static void gather_balloons(void)
{
    struct status_facts *facts = &status.page.facts;

    facts->balloons = 0;
    for (unsigned i = 0; i < ARRAY_LEN(sources) && facts->balloons < PAGE_BALLOONS_MAX;
         i++) {
        if (sources[i]->describe(facts->balloon[facts->balloons], PAGE_TEXT_MAX))
            facts->balloons++;
    }
}

static void gather_machine(void)
{
    struct status_facts *facts = &status.page.facts;
    char brand[CPU_BRAND_BYTES], total[SIZE_TEXT_MAX];

    cpu_brand(brand);
    sheet_format_size(total, sizeof(total), memory_total_bytes());
    format_s(facts->machine, sizeof(facts->machine), "%s, %s of RAM, started by %s",
             brand, total, status.is_efi ? "EFI" : "PVH");
    hypervisor_name(facts->hypervisor, sizeof(facts->hypervisor));
}

static void detail_memory(struct status_sheet *sheet)
{
    struct pmm_stats pmm;

    pmm_stats(memory_pmm(), &pmm);
    sheet_group(sheet, "memory");
    sheet_size(sheet, "all RAM", memory_total_bytes());
    sheet_size(sheet, "free", pmm.free_frames * FRAME_SIZE);
    sheet_size(sheet, "in balloons", drivers_ballooned_frames() * FRAME_SIZE);
    sheet_size(sheet, "hinted", drivers_hinted_frames() * FRAME_SIZE);
    sheet_size(sheet, "the app's", appmem_held(app_memory()) * FRAME_SIZE);
    sheet_size(sheet, "reserve", pmm.reserve_frames * FRAME_SIZE);
    sheet_size(sheet, "metadata", pmm.metadata_bytes);
    sheet_size(sheet, "page tables", paging_table_bytes());
    sheet_number(sheet, "blocks touched", pmm.free_blocks_touched);
    sheet_number(sheet, "blocks untouched", pmm.free_blocks_untouched);
    sheet_put(sheet, "blocks in pieces", "%llu fixed, %llu movable",
              (unsigned long long)pmm.partial_blocks[0],
              (unsigned long long)pmm.partial_blocks[1]);
}

static void detail_machine(struct status_sheet *sheet)
{
    struct irq_stats irq;

    irq_stats(&irq);
    sheet_group(sheet, "machine");
    sheet_put(sheet, "TSC", "%llu kHz by %s", (unsigned long long)clock_tsc_khz(),
              clock_source());
    sheet_put(sheet, "interrupts", "%s", irq_is_polled() ? "polled" : "on");
    sheet_number(sheet, "of devices", irq.device);
    sheet_number(sheet, "of the timer", irq.timer);
    sheet_number(sheet, "unclaimed", irq.unclaimed);
    sheet_put(sheet, "console input", "%s", console_input_mode());
    sheet_number(sheet, "events dropped", event_dropped());
}

static void gather_sheet(void)
{
    struct status_sheet *sheet = &status.page.sheet;

    sheet_clear(sheet);
    if (!status.page.shows_sheet)
        return;
    for (unsigned i = 0; i < ARRAY_LEN(sources); i++)
        sources[i]->detail(sheet);
    detail_memory(sheet);
    detail_machine(sheet);
}

static void draw_at_once(void)
{
    status_page_draw(&status.page);
    framebuffer_show(&status.page, TIMER_NEVER);
}

static void take_text(const char *text, size_t len)
{
    if (!status.is_used)
        return;
    status_page_feed(&status.page, text, len);
    if (status.is_deferred)
        task_wake(&status.task);
    else if (len > 0 && text[len - 1] == '\n')
        draw_at_once();
}

/* A page is laid out at most once a period, then drawn in as many steps as that takes. A wake in between arms
 * the timer, which wakes again; when nothing is printed, that is for the time and the free memory. */
static void step(void *ctx)
{
    uint64_t now = clock_ns();

    (void)ctx;
    if (!status.is_used)
        return;
    if (!status.is_drawing && now - status.drawn_ns < DRAW_PERIOD_NS) {
        timer_set(&status.timer, status.drawn_ns + DRAW_PERIOD_NS);
        return;
    }
    if (!status.is_drawing) {
        status.drawn_ns = now;
        timer_set(&status.timer, now + REFRESH_PERIOD_NS);
        gather_figures();
        gather_balloons();
        gather_sheet();
        status_page_draw(&status.page);
    }
    status.is_drawing = !framebuffer_show(&status.page, now + STEP_NS);
    if (status.is_drawing)
        task_wake(&status.task);
}

static void type(const char *line)
{
    log_info("keyboard: %s", line);
    for (; *line; line++)
        console_type(&status.typist, *line);
    console_type(&status.typist, '\n');
}

/* Task level. */
static void on_key(char key)
{
    if (key == 'p')
        type("poweroff");
    else if (key == 'r')
        type("reboot");
    else if (key == 'd')
        status.page.shows_sheet = !status.page.shows_sheet;
    status.drawn_ns = 0; /* seen at once */
    if (status.is_used)
        task_wake(&status.task);
}

static const struct console_output output = {.write = take_text};

void status_init(const struct boot_info *info)
{
    unsigned cols, rows;

    if (!framebuffer_init(info, &cols, &rows))
        return;
    status.is_used = true;
    status.is_efi = info->front == BOOT_FRONT_EFI;
    status_page_init(&status.page, cols, rows);
    console_add_output(&output, 0);
    draw_at_once();
}

void status_select(bool is_wanted)
{
    status.is_used = status.is_used && is_wanted;
}

void status_suspend(void)
{
    framebuffer_suspend();
}

void status_resume(void)
{
    if (status.is_used && framebuffer_resume())
        draw_at_once();
}

void status_start(void)
{
    if (!status.is_used)
        return;
    gather_machine();
    status.task = (struct task){.run = step, .name = "screen"};
    task_add(&status.task);
    timer_init(&status.timer, &status.task);
    status.is_deferred = true;
    status.page.has_keys = keyboard_start(on_key);
    task_wake(&status.task);
}

void status_draw_at_once(void)
{
    status.is_deferred = false;
    status.page.shows_sheet = false;
}

void status_lose(void)
{
    if (!status.is_used)
        return;
    status.is_used = false;
    framebuffer_suspend();
    timer_set(&status.timer, TIMER_NEVER);
    log_info("framebuffer: its mode was lost in the sleep, not used any more");
}
