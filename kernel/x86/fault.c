// SPDX-License-Identifier: BSD-2-Clause
/* One function for each broken rule. What a compiler would see through is hidden from it. */
#include "kernel/x86/fault.h"
#include "kernel/memory.h"
#include "kernel/panic.h"
#include "kernel/string.h"
#include "kernel/x86/lapic.h"
#include "kernel/x86/paging.h"
#include "kernel/x86/trap.h"

#include "base/assert.h"
#include "base/bits.h"
#include "boot/boot_info.h"
#include "mm/mmu.h"

#define VECTOR_DIVIDE  0
#define VECTOR_OPCODE  6
#define VECTOR_PROTECT 13
#define RET            0xC3 /* the instruction */

extern uint8_t text_start[], rodata_start[];

/* The same address, of which the compiler knows nothing. */
static void *hide(uint64_t address)
{
    __asm__ volatile("" : "+r"(address));
    return (void *)address;
}

static void write_byte(uint64_t address)
{
    *(volatile uint8_t *)hide(address) = 0;
}

static void read_byte(uint64_t address)
{
    (void)*(volatile uint8_t *)hide(address);
}

static void execute(void *code)
{
    void (*volatile fn)(void) = (void (*)(void))code;

    fn();
}

static void write_text(void *unused)
{
    (void)unused;
    write_byte((uint64_t)text_start);
}

static void write_rodata(void *unused)
{
    (void)unused;
    write_byte((uint64_t)rodata_start);
}

static void exec_data(void *unused)
{
    static volatile uint8_t code[16];

    (void)unused;
    code[0] = RET;
    execute(hide((uint64_t)code));
}

static void exec_stack(void *unused)
{
    volatile uint8_t code[16];

    (void)unused;
    code[0] = RET;
    execute(hide((uint64_t)code));
}

/* Memory from the allocator, through the direct map. */
static void exec_ram(void *unused)
{
    static uint8_t *code;

    (void)unused;
    if (!code)
        code = heap_alloc(memory_heap(), 16);
    assert(code);
    code[0] = RET;
    execute(hide((uint64_t)code));
}

static void null_read(void *unused)
{
    (void)unused;
    read_byte(0);
}

static void null_write(void *unused)
{
    (void)unused;
    write_byte(0);
}

static void null_exec(void *unused)
{
    (void)unused;
    execute(hide(0));
}

/* Where the front end's tables had an identity map of RAM. */
static void identity(void *unused)
{
    (void)unused;
    read_byte(2 * MIB);
}

/* The image is no part of the direct map: its text has no writable alias. */
static void text_alias(void *unused)
{
    (void)unused;
    write_byte(DIRECT_MAP_BASE + paging_image_phys());
}

static void guard_main(void *unused)
{
    (void)unused;
    write_byte(paging_stack_bottom(STACK_COUNT) - 1);
}

static void guard_trap(void *unused)
{
    (void)unused;
    write_byte(paging_stack_bottom(STACK_DOUBLE_FAULT) - 1);
}

static uint64_t recurse(volatile uint64_t depth)
{
    volatile uint64_t frame[32];

    frame[depth % 32] = depth;
    if (depth == UINT64_MAX) /* never */
        return 0;
    return recurse(depth + 1) + frame[depth % 32];
}

/* Runs into the guard page, where not even the page fault finds a stack. */
static void stack_overflow(void *unused)
{
    (void)unused;
    recurse(0);
}

/* A page fault with nowhere to push its frame. */
static void double_fault(void *unused)
{
    (void)unused;
    __asm__ volatile("movq %0, %%rsp\n\tpushq $0"
                     :
                     : "r"(paging_stack_bottom(STACK_COUNT))
                     : "memory");
}

static void divide(void *unused)
{
    (void)unused;
    __asm__ volatile("xorl %%edx, %%edx\n\tdivl %%edx" : : "a"(1) : "rdx");
}

static void opcode(void *unused)
{
    (void)unused;
    __asm__ volatile("ud2");
}

static void protection(void *unused)
{
    (void)unused;
    read_byte(UINT64_C(0x8000000000000000)); /* not canonical */
}

static void stack_smash(void *unused)
{
    volatile char small[8];

    (void)unused;
    memset(hide((uint64_t)small), 'x', 32);
}

static void raise_panic(void *unused)
{
    (void)unused;
    panic("crash panic: as asked for");
}

static void raise_assert(void *unused)
{
    uint64_t one = (uint64_t)hide(1);

    (void)unused;
    assert(one == 0);
}

static void nmi(void *unused)
{
    (void)unused;
    lapic_self_nmi();
}

const struct fault faults[] = {
    {"write-text", TRAP_PAGE_FAULT, write_text},
    {"write-rodata", TRAP_PAGE_FAULT, write_rodata},
    {"exec-data", TRAP_PAGE_FAULT, exec_data},
    {"exec-stack", TRAP_PAGE_FAULT, exec_stack},
    {"exec-ram", TRAP_PAGE_FAULT, exec_ram},
    {"null", TRAP_PAGE_FAULT, null_read},
    {"null-write", TRAP_PAGE_FAULT, null_write},
    {"null-exec", TRAP_PAGE_FAULT, null_exec},
    {"identity", TRAP_PAGE_FAULT, identity},
    {"text-alias", TRAP_PAGE_FAULT, text_alias},
    {"guard-main", TRAP_PAGE_FAULT, guard_main},
    {"guard-trap", TRAP_PAGE_FAULT, guard_trap},
    {"stack-overflow", TRAP_DOUBLE_FAULT, stack_overflow},
    {"double-fault", TRAP_DOUBLE_FAULT, double_fault},
    {"divide", VECTOR_DIVIDE, divide},
    {"opcode", VECTOR_OPCODE, opcode},
    {"protection", VECTOR_PROTECT, protection},
    {"stack-smash", FAULT_PANICS, stack_smash},
    {"panic", FAULT_PANICS, raise_panic},
    {"assert", FAULT_PANICS, raise_assert},
    {"nmi", FAULT_SURVIVED, nmi},
};
const size_t fault_count = ARRAY_LEN(faults);
