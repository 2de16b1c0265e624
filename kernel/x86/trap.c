// SPDX-License-Identifier: BSD-2-Clause
/*
 * Descriptor tables and the first C code of every exception and interrupt. An app's exceptions go to app.c, the
 * kernel's own end in a panic that says what, where and how we got there; NMI is counted and survived;
 * interrupts go to irq.c. trap_print.c prints.
 */
#include "kernel/x86/trap.h"
#include "kernel/app.h"
#include "kernel/irq.h"
#include "kernel/panic.h"
#include "kernel/x86/app_switch.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/lapic.h"

#include "base/bits.h"

#define CODE_SELECTOR 0x08
#define DATA_SELECTOR 0x10
#define TSS_SELECTOR  0x18
#define GATE_INT      0x8E /* present, ring 0, interrupts off inside */
#define STUB_SIZE     16

#define IN_SERVICE_MAX 16 /* levels of priority of the LAPIC */

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "SDM 3A, 8.7");

struct gate {
    uint16_t offset_0;
    uint16_t selector;
    uint8_t ist; /* 0: stay on the current stack */
    uint8_t type;
    uint16_t offset_16;
    uint32_t offset_32;
    uint32_t reserved;
};
_Static_assert(sizeof(struct gate) == 16, "SDM 3A, 6.14.1");

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

extern const uint8_t trap_stubs[];
extern const uint8_t trap_resume[];
int trap_call(void (*fn)(void *), void *arg, uint64_t *resume_rsp);

static struct tss tss = {.io_map = sizeof(struct tss)};
static struct gate idt[VECTOR_COUNT];
static uint64_t gdt[5] = {
    0, UINT64_C(0x00AF9B000000FFFF), /* CODE_SELECTOR: 64-bit code, accessed */
    UINT64_C(0x00CF93000000FFFF),    /* DATA_SELECTOR */
};

static volatile uint32_t nmi_count;
static void (*irq_handler)(unsigned vector);

/* Set while trap_try() runs something that may fault. */
static struct {
    uint64_t resume_rsp; /* 0: nobody waits */
    struct trap_frame *seen;
} recovery;

static void load_gdt(void)
{
    uint64_t base = (uint64_t)&tss;
    const struct table_pointer pointer = {sizeof(gdt) - 1, (uint64_t)gdt};

    gdt[3] = (sizeof(tss) - 1) | (base & 0xFFFFFF) << 16 | UINT64_C(0x89) << 40 |
             (base >> 24 & 0xFF) << 56;
    gdt[4] = base >> 32;
    __asm__ volatile("lgdt %0\n\t"
                     "pushq %1\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\tmovl %2, %%eax\n\t"
                     "movl %%eax, %%ds\n\t"
                     "movl %%eax, %%es\n\t"
                     "movl %%eax, %%ss\n\t"
                     "movl %3, %%eax\n\t"
                     "ltr %%ax"
                     :
                     : "m"(pointer), "i"(CODE_SELECTOR), "i"(DATA_SELECTOR),
                       "i"(TSS_SELECTOR)
                     : "rax", "memory");
}

static void set_gate(unsigned vector)
{
    uint64_t index = vector < VECTOR_FOREIGN ? vector : VECTOR_FOREIGN;
    uint64_t stub = (uint64_t)trap_stubs + index * STUB_SIZE;

    idt[vector] = (struct gate){
        .offset_0 = (uint16_t)stub,
        .selector = CODE_SELECTOR,
        .type = GATE_INT,
        .offset_16 = (uint16_t)(stub >> 16),
        .offset_32 = (uint32_t)(stub >> 32),
    };
}

void trap_reload(void)
{
    const struct table_pointer pointer = {sizeof(idt) - 1, (uint64_t)idt};

    load_gdt();
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

void trap_init(void)
{
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++)
        set_gate(vector);
    trap_reload();
}

void trap_use_stacks(const uint64_t tops[STACK_COUNT])
{
    for (unsigned i = 0; i < STACK_COUNT; i++)
        tss.ist[i] = tops[i];
    idt[TRAP_DOUBLE_FAULT].ist = STACK_DOUBLE_FAULT + 1;
    idt[TRAP_NMI].ist = STACK_NMI + 1;
    idt[TRAP_MACHINE_CHECK].ist = STACK_MACHINE_CHECK + 1;
}

void trap_on_interrupt(void (*handler)(unsigned vector))
{
    irq_handler = handler;
}

uint32_t trap_nmi_count(void)
{
    return nmi_count;
}

int trap_try(void (*fn)(void *arg), void *arg, struct trap_frame *seen)
{
    recovery.seen = seen;
    int vector = trap_call(fn, arg, &recovery.resume_rsp);
    recovery.resume_rsp = 0;
    return vector;
}

/* Leave the exception into trap_resume, on the stack of trap_try(). */
static void resume(struct trap_frame *frame)
{
    *recovery.seen = *frame;
    frame->rax = frame->vector;
    frame->rip = (uint64_t)trap_resume;
    frame->rsp = recovery.resume_rsp;
    recovery.resume_rsp = 0;
}

static void dispatch(struct trap_frame *frame)
{
    if (frame->vector >= TRAP_COUNT)
        irq_handler((unsigned)frame->vector);
    else if (recovery.resume_rsp)
        resume(frame);
    else
        panic_in_trap(frame);
}

/* An interrupt of which the CPU could not push the frame, because the app's stack was at its end, is in
 * service all the same: without EOI it would block all that come after it. */
static void finish_interrupts(void)
{
    unsigned vector;

    for (unsigned i = 0; i < IN_SERVICE_MAX && (vector = lapic_in_service()) != 0; i++)
        irq_handler(vector);
}

/* The level follows the code that was hit: an app's exception is the app's, and before the app goes on
 * pending tasks run. */
void trap_dispatch(struct trap_frame *frame)
{
    if (frame->vector == TRAP_NMI) {
        nmi_count++;
    } else if (frame->vector == TRAP_MACHINE_CHECK || !app_level) {
        app_level = 0;
        dispatch(frame);
    } else {
        app_level = 0;
        if (frame->vector == TRAP_DOUBLE_FAULT)
            finish_interrupts();
        if (frame->vector >= TRAP_COUNT)
            app_interrupted(irq_handler, (unsigned)frame->vector);
        else
            app_fault(frame, cpu_read_cr2());
        app_level = 1;
    }
}
