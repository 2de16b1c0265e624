// SPDX-License-Identifier: BSD-2-Clause
/*
 * Exceptions and interrupts: descriptor tables, the frame that the entry stubs leave, decoding, and
 * the recovery that lets a test provoke a fault and go on.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As stubs.asm pushes it. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

enum trap_vector {
    TRAP_NMI = 2,
    TRAP_DOUBLE_FAULT = 8,
    TRAP_PAGE_FAULT = 14,
    TRAP_MACHINE_CHECK = 18,
    TRAP_COUNT = 32,

    VECTOR_PIC = 0x20,    /* where the masked 8259s may still send a spurious one */
    VECTOR_DEVICE = 0x30, /* IOAPIC pins */
    VECTOR_TIMER = 0x50,
    VECTOR_SPURIOUS = 0x5F,
    /* This and all above it, which nobody of ours uses; the last stub. */
    VECTOR_FOREIGN = 0x60,
    VECTOR_COUNT = 0x100,
};

#define VECTOR_DEVICES (VECTOR_TIMER - VECTOR_DEVICE)

/* The exceptions with stacks of their own. */
enum trap_stack {
    STACK_DOUBLE_FAULT,
    STACK_NMI,
    STACK_MACHINE_CHECK,
    STACK_COUNT,
};

/* GDT, TSS, IDT. Until trap_use_stacks() every exception stays on the current stack. */
void trap_init(void);
/* Load the tables again, as they are: the CPU has forgotten them. */
void trap_reload(void);
void trap_use_stacks(const uint64_t tops[STACK_COUNT]);

/* Who takes the vectors from VECTOR_PIC on; isr level. Before interrupts are enabled. */
void trap_on_interrupt(void (*handler)(unsigned vector));

/* "page fault" */
const char *trap_name(const struct trap_frame *frame);

/* For panics and the reports of apps, by log_bare(): what the exception was (`address`: CR2 then), all
 * registers, the way that led to `rip`. */
void trap_print(const char *who, const struct trap_frame *frame, uint64_t address);
void trap_print_backtrace(uint64_t rip, uint64_t rbp);
void trap_print_way(const struct trap_frame *frame);

/* "function+0x12" */
void trap_locate(uint64_t rip, char *text, size_t size);

/* NMIs taken since boot; they are logged by a task. */
uint32_t trap_nmi_count(void);

/*
 * Call fn(arg); when it raises an exception, abandon it and return its vector (with the frame in
 * *seen), else -1. For tests of protection: what fn had half done stays half done. Task level, not
 * nested.
 */
int trap_try(void (*fn)(void *arg), void *arg, struct trap_frame *seen);

/* stubs.asm calls it. */
void trap_dispatch(struct trap_frame *frame);
