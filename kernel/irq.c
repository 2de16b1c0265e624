// SPDX-License-Identifier: BSD-2-Clause
/*
 * Routes lines and messages to handlers: one vector per GSI or message in use, a short table of
 * handlers. The chips are x86/lapic.c and x86/ioapic.c.
 */
#include "kernel/irq.h"
#include "kernel/acpi.h"
#include "kernel/config.h"
#include "kernel/log.h"
#include "kernel/madt.h"
#include "kernel/panic.h"
#include "kernel/task.h"
#include "kernel/timer.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/ioapic.h"
#include "kernel/x86/lapic.h"
#include "kernel/x86/pic.h"
#include "kernel/x86/trap.h"

#include "base/bits.h"
#include "base/err.h"

#define HANDLERS_MAX 16
/* In a row: a storm that would starve everything else. QEMU's I/O APIC makes a pause of 10 ms after 10,000, in which
 * the tasks have a turn: it must be told before. */
#define IN_VAIN_MAX 5000

/* SDM 3A, 11.11: fixed delivery to the CPU whose APIC id is in bits 12-19. */
#define MESSAGE_ADDR     UINT32_C(0xFEE00000)
#define MESSAGE_ID_SHIFT 12
#define MESSAGE_ID_MAX   0xFE

/* One vector: a GSI, or a message. */
struct line {
    bool is_used, is_masked, is_message;
    struct irq_wiring wiring; /* of a GSI */
    uint32_t gsi;
    uint32_t in_vain; /* in a row: nobody's, or again before any task had its turn */
    uint64_t pass;    /* of the tasks, at the last that was not */
};

struct handler {
    irq_fn *fn; /* NULL: free */
    void *ctx;
    unsigned line;
};

/* Tables are changed at task level with interrupts off, read by ISRs; counters are written by ISRs. */
static struct {
    struct madt madt;
    struct line lines[VECTOR_DEVICES];
    struct handler handlers[HANDLERS_MAX];
    struct irq_stats stats;
} irq;

bool irq_is_polled(void)
{
    return config_is("irq", "poll");
}

bool irq_has_messages(void)
{
    return config_is("irq", "auto");
}

void irq_stats(struct irq_stats *out)
{
    *out = irq.stats;
}

/* A level that its handler acknowledges falls, at the latest when a task has served the device. An edge comes once
 * for each cause. */
static bool is_fresh(struct line *line)
{
    bool is_level = !line->is_message && !line->wiring.is_edge;
    bool is_again = is_level && line->pass == task_passes();

    line->pass = task_passes();
    return !is_again;
}

static void device_interrupt(unsigned index)
{
    struct line *line = &irq.lines[index];
    bool claimed = false;

    irq.stats.device++;
    for (unsigned i = 0; i < HANDLERS_MAX; i++) {
        const struct handler *handler = &irq.handlers[i];

        if (handler->fn && handler->line == index)
            claimed |= handler->fn(handler->ctx);
    }
    irq.stats.unclaimed += !claimed;
    if (claimed && is_fresh(line)) {
        line->in_vain = 0;
        return;
    }
    if (++line->in_vain == IN_VAIN_MAX && !line->is_message) {
        ioapic_mask(line->gsi);
        line->is_masked = true;
        irq.stats.lines_masked++;
    }
}

static void on_interrupt(unsigned vector)
{
    if (vector == VECTOR_TIMER) {
        irq.stats.timer++;
        timer_fired();
    } else if (vector >= VECTOR_DEVICE && vector < VECTOR_DEVICE + VECTOR_DEVICES) {
        device_interrupt(vector - VECTOR_DEVICE);
    } else {
        irq.stats.spurious++;
        /* The 8259s and the LAPIC's own get no EOI. What firmware left pending does: it would block all
         * lines below it. */
        if (vector != VECTOR_FOREIGN)
            return;
    }
    lapic_eoi();
}

void irq_init(void)
{
    paddr_t lapic_addr;
    size_t len;
    const void *table = acpi_find("APIC", &len);

    pic_mask_all();
    if (!lapic_find(&lapic_addr))
        boot_refuse("this CPU has no local APIC");
    madt_defaults(lapic_addr, &irq.madt);
    if (table && madt_parse(table, len, &irq.madt))
        log_warn("irq: the MADT is broken, using the fixed places");
    /* The CPU knows; at a wrong place there would be no timer, and the first sleep the last. */
    if (irq.madt.lapic != lapic_addr)
        log_warn("irq: the MADT has the LAPIC at 0x%llx, the CPU at 0x%llx",
                 (unsigned long long)irq.madt.lapic, (unsigned long long)lapic_addr);
    if (lapic_init(lapic_addr))
        boot_refuse("the local APIC at 0x%llx cannot be mapped",
                    (unsigned long long)lapic_addr);
    trap_on_interrupt(on_interrupt);
    irq.stats.ioapics = ioapic_init(&irq.madt);
    log_info("irq: LAPIC %u%s, %u IOAPIC%s from %s%s", lapic_id(),
             lapic_is_x2apic() ? " (x2APIC)" : "", irq.stats.ioapics,
             irq.stats.ioapics == 1 ? "" : "s", table ? "the MADT" : "the fixed place",
             irq_is_polled() ? ", not used (irq=poll)" : "");
}

/* A line that is not used; VECTOR_DEVICES when all are. */
static unsigned free_line(void)
{
    unsigned i = 0;

    while (i < VECTOR_DEVICES && irq.lines[i].is_used)
        i++;
    return i;
}

/* The line of a GSI, or a free one; VECTOR_DEVICES when all are taken. */
static unsigned line_for(uint32_t gsi)
{
    for (unsigned i = 0; i < VECTOR_DEVICES; i++) {
        if (irq.lines[i].is_used && !irq.lines[i].is_message && irq.lines[i].gsi == gsi)
            return i;
    }
    return free_line();
}

static struct handler *free_handler(void)
{
    for (unsigned i = 0; i < HANDLERS_MAX; i++) {
        if (!irq.handlers[i].fn)
            return &irq.handlers[i];
    }
    return NULL;
}

static int route(unsigned index, const struct line *line)
{
    return ioapic_route(line->gsi, (struct ioapic_route){
                                       .vector = (uint8_t)(VECTOR_DEVICE + index),
                                       .level = !line->wiring.is_edge,
                                       .active_low = line->wiring.is_active_low,
                                       .lapic_id = lapic_id(),
                                   });
}

int irq_attach_wired(uint32_t gsi, struct irq_wiring wiring, irq_fn *fn, void *ctx)
{
    struct handler *handler = free_handler();
    unsigned index = line_for(gsi);

    if (irq_is_polled())
        return -ENOTSUP;
    if (!handler || index == VECTOR_DEVICES)
        return -ENOSPC;

    const struct line line = {.is_used = true, .gsi = gsi, .wiring = wiring};
    uint64_t flags = cpu_irq_save();
    *handler = (struct handler){.fn = fn, .ctx = ctx, .line = index};
    int err = route(index, &line);
    if (err)
        handler->fn = NULL;
    else
        irq.lines[index] = line;
    cpu_irq_restore(flags);
    return err;
}

static struct irq_wiring isa_wiring(const struct madt_isa *isa)
{
    return (struct irq_wiring){.is_edge = !isa->level, .is_active_low = isa->active_low};
}

int irq_attach(uint32_t gsi, irq_fn *fn, void *ctx)
{
    struct irq_wiring wiring = {.is_active_low = true};

    for (unsigned i = 0; i < MADT_ISA_IRQS; i++) {
        const struct madt_isa *isa = &irq.madt.isa[i];

        if (isa->is_listed && isa->gsi == gsi)
            wiring = isa_wiring(isa);
    }
    return irq_attach_wired(gsi, wiring, fn, ctx);
}

int irq_attach_isa(unsigned line, irq_fn *fn, void *ctx, uint32_t *gsi)
{
    const struct madt_isa *isa = &irq.madt.isa[line];

    *gsi = isa->gsi;
    return irq_attach_wired(isa->gsi, isa_wiring(isa), fn, ctx);
}

int irq_message_open(irq_fn *fn, void *ctx, struct irq_message *out)
{
    struct handler *handler = free_handler();
    unsigned line = free_line();

    if (!irq_has_messages() || lapic_id() > MESSAGE_ID_MAX)
        return -ENOTSUP;
    if (!handler || line == VECTOR_DEVICES)
        return -ENOSPC;

    uint64_t flags = cpu_irq_save();
    *handler = (struct handler){.fn = fn, .ctx = ctx, .line = line};
    irq.lines[line] = (struct line){.is_used = true, .is_message = true};
    cpu_irq_restore(flags);
    *out = (struct irq_message){.addr = MESSAGE_ADDR | lapic_id() << MESSAGE_ID_SHIFT,
                                .data = VECTOR_DEVICE + line};
    return 0;
}

void irq_message_close(const struct irq_message *message)
{
    unsigned line = message->data - VECTOR_DEVICE;
    uint64_t flags = cpu_irq_save();

    for (unsigned i = 0; i < HANDLERS_MAX; i++) {
        if (irq.handlers[i].fn && irq.handlers[i].line == line)
            irq.handlers[i].fn = NULL;
    }
    irq.lines[line].is_used = false;
    cpu_irq_restore(flags);
}

void irq_detach(uint32_t gsi, irq_fn *fn, void *ctx)
{
    uint64_t flags = cpu_irq_save();
    unsigned line = line_for(gsi), users = 0;

    for (unsigned i = 0; i < HANDLERS_MAX; i++) {
        struct handler *handler = &irq.handlers[i];

        if (!handler->fn || handler->line != line)
            continue;
        if (handler->fn == fn && handler->ctx == ctx)
            handler->fn = NULL;
        else
            users++;
    }
    if (users == 0 && line < VECTOR_DEVICES && irq.lines[line].is_used) {
        ioapic_mask(gsi);
        irq.lines[line].is_used = false;
    }
    cpu_irq_restore(flags);
}

void irq_resume(void)
{
    pic_mask_all();
    lapic_setup();
    ioapic_mask_all();
    for (unsigned i = 0; i < VECTOR_DEVICES; i++) {
        if (irq.lines[i].is_used && !irq.lines[i].is_masked && !irq.lines[i].is_message)
            route(i, &irq.lines[i]);
    }
}
