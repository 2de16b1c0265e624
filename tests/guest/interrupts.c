// SPDX-License-Identifier: BSD-2-Clause
/* Deadlines by the LAPIC, a device interrupt through the IOAPIC (the PIT), NMI. */
#include "kernel/clock.h"
#include "kernel/clock_sources.h"
#include "kernel/irq.h"
#include "kernel/task.h"
#include "kernel/timer.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/io.h"
#include "kernel/x86/lapic.h"
#include "kernel/x86/trap.h"
#include "tests/guest/suite.h"

#include "base/units.h"

#define PIT_ISA_IRQ   0
#define PIT_COMMAND   0x43
#define PIT_CHANNEL_0 0x40
/* channel 0, low then high byte, mode 0: the line rises at the end */
#define PIT_ONE_SHOT 0x30
#define PIT_10_MS    11932
#define PATIENCE_NS  (2 * NS_PER_S)

typedef unsigned long long ull;

static void never_run(void *ctx)
{
    (void)ctx;
}

/* Sleep as the task loop does until `done` or patience ends. */
static bool sleep_until(const volatile bool *done)
{
    uint64_t end = clock_ns() + PATIENCE_NS;

    while (!*done && clock_ns() < end) {
        timer_wake_due();
        cpu_irq_disable();
        if (!*done && timer_arm_next())
            cpu_idle();
        cpu_irq_enable();
    }
    return *done;
}

static enum suite_result deadlines_are_kept(void)
{
    static const uint64_t waits_ms[] = {1, 5, 20, 50};
    struct irq_stats before, after;
    static struct task task = {.run = never_run, .name = "test"};
    static struct timer timer;

    task_add(&task);
    timer_init(&timer, &task);
    irq_stats(&before);
    for (size_t i = 0; i < ARRAY_LEN(waits_ms); i++) {
        uint64_t start = clock_ns(), wait = waits_ms[i] * NS_PER_MS;

        timer_set(&timer, start + wait);
        CHECK(sleep_until(&task.pending), "%llu ms never came", (ull)waits_ms[i]);
        uint64_t took = clock_ns() - start;

        CHECK(took >= wait, "%llu ns instead of %llu", (ull)took, (ull)wait);
        log_info("test: a deadline of %llu ms took %llu us", (ull)waits_ms[i],
                 (ull)(took / NS_PER_US));
        task.pending = false;
        list_remove(&task.link);
    }
    /* A busy host may make one deadline pass before we sleep, hardly all of them. */
    irq_stats(&after);
    CHECK(after.timer > before.timer, "no timer interrupt");
    return SUITE_PASS;
}

static volatile bool pit_fired;

static bool on_pit(void *ctx)
{
    (void)ctx;
    pit_fired = true;
    return true;
}

static enum suite_result pit_reaches_us_through_the_ioapic(void)
{
    struct clock_source pit;
    uint32_t gsi;

    if (!clock_source_open(CLOCK_PIT, &pit))
        return SUITE_SKIP;
    int err = irq_attach_isa(PIT_ISA_IRQ, on_pit, NULL, &gsi);
    CHECK(err == 0, "cannot attach: %d", err);

    uint64_t start = clock_ns();
    pit_fired = false;
    io_out8(PIT_COMMAND, PIT_ONE_SHOT);
    io_out8(PIT_CHANNEL_0, PIT_10_MS & 0xFF);
    io_out8(PIT_CHANNEL_0, PIT_10_MS >> 8);
    while (!pit_fired && clock_ns() - start < PATIENCE_NS)
        cpu_pause();
    uint64_t took = clock_ns() - start;

    irq_detach(gsi, on_pit, NULL);
    CHECK(pit_fired, "GSI %u never fired", gsi);
    CHECK(took > 9 * NS_PER_MS, "fired after %llu ns", (ull)took);
    log_info("test: the PIT fired on GSI %u after %llu us", gsi, (ull)(took / NS_PER_US));
    return SUITE_PASS;
}

static bool on_stuck(void *ctx)
{
    (void)ctx;
    return true; /* it is ours, and it does not fall */
}

/* The PIT's output stays high: as a level it comes again as soon as it was claimed, and tasks go on as they can. */
static enum suite_result a_line_that_never_falls_is_masked(void)
{
    const struct irq_wiring level_high = {0};
    struct irq_stats before, now;
    struct clock_source pit;
    uint32_t gsi;

    if (irq_is_polled() || !clock_source_open(CLOCK_PIT, &pit))
        return SUITE_PASS;
    CHECK(irq_attach_isa(PIT_ISA_IRQ, on_stuck, NULL, &gsi) == 0, "no line");
    irq_detach(gsi, on_stuck, NULL);
    irq_stats(&before);
    CHECK(irq_attach_wired(gsi, level_high, on_stuck, NULL) == 0, "no level");

    uint64_t start = clock_ns();
    io_out8(PIT_COMMAND, PIT_ONE_SHOT);
    io_out8(PIT_CHANNEL_0, PIT_10_MS & 0xFF);
    io_out8(PIT_CHANNEL_0, PIT_10_MS >> 8);
    do {
        task_pass();
        irq_stats(&now);
    } while (now.lines_masked == before.lines_masked && clock_ns() - start < PATIENCE_NS);
    irq_detach(gsi, on_stuck, NULL);
    CHECK(now.lines_masked == before.lines_masked + 1, "not masked after %llu interrupts",
          (ull)(now.device - before.device));
    CHECK(now.unclaimed == before.unclaimed, "it was claimed each time");
    log_info("test: a line that never fell was masked after %llu interrupts, %llu us",
             (ull)(now.device - before.device), (ull)((clock_ns() - start) / NS_PER_US));
    return SUITE_PASS;
}

static enum suite_result nmi_is_survived(void)
{
    uint32_t before = trap_nmi_count();
    uint64_t start = clock_ns();

    lapic_self_nmi();
    while (trap_nmi_count() == before && clock_ns() - start < PATIENCE_NS)
        cpu_pause();
    CHECK(trap_nmi_count() == before + 1, "%u NMIs", trap_nmi_count() - before);
    return SUITE_PASS;
}

static void raise_high_vector(void *unused)
{
    (void)unused;
    __asm__ volatile("int $0xF0");
}

/* What firmware left pending in the LAPIC, or a host injects, may have any vector. */
static enum suite_result foreign_vectors_are_survived(void)
{
    struct irq_stats before, after;
    struct trap_frame seen;

    irq_stats(&before);
    int vector = trap_try(raise_high_vector, NULL, &seen);
    irq_stats(&after);
    CHECK(vector == -1, "vector %d", vector);
    CHECK(after.spurious == before.spurious + 1, "not counted");
    return SUITE_PASS;
}

struct message_test {
    struct irq_message message;
    volatile unsigned count;
};

static bool on_message(void *ctx)
{
    struct message_test *test = ctx;

    test->count++;
    return true;
}

static void send(const struct message_test *test)
{
    uint64_t before = clock_ns();

    lapic_self_interrupt((uint8_t)test->message.data);
    while (clock_ns() - before < NS_PER_MS)
        cpu_pause();
}

/* As a device would send it: edge, fixed, the vector alone. Each vector has its own handler. */
static enum suite_result messages_reach_their_handler(void)
{
    struct message_test a = {0}, b = {0};
    struct irq_stats before, after;

    if (irq_is_polled())
        return SUITE_PASS;
    CHECK(irq_message_open(on_message, &a, &a.message) == 0, "no first message");
    CHECK(irq_message_open(on_message, &b, &b.message) == 0, "no second message");
    CHECK(a.message.addr == (0xFEE00000 | lapic_id() << 12) &&
              a.message.data != b.message.data,
          "address 0x%llx, data %u and %u", (ull)a.message.addr, a.message.data,
          b.message.data);
    send(&a);
    send(&b);
    send(&b);
    irq_message_close(&a.message);
    irq_stats(&before);
    send(&a); /* late: counted, no more */
    irq_stats(&after);
    irq_message_close(&b.message);
    CHECK(a.count == 1 && b.count == 2, "%u and %u came", a.count, b.count);
    CHECK(after.unclaimed == before.unclaimed + 1, "the late one is not counted");
    return SUITE_PASS;
}

static enum suite_result bad_lines_are_refused(void)
{
    int err = irq_attach(UINT32_MAX, on_pit, NULL);

    CHECK(err < 0, "attached to no pin");
    return SUITE_PASS;
}

static enum suite_result run(void)
{
    static enum suite_result (*const parts[])(void) = {
        deadlines_are_kept,
        pit_reaches_us_through_the_ioapic,
        a_line_that_never_falls_is_masked,
        nmi_is_survived,
        foreign_vectors_are_survived,
        bad_lines_are_refused,
        messages_reach_their_handler,
    };

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (parts[i]() == SUITE_FAIL)
            return SUITE_FAIL;
    }
    return SUITE_PASS;
}

GUEST_SUITE(interrupts, run);
