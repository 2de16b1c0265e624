// SPDX-License-Identifier: BSD-2-Clause
/* Says what an exception was: name, address, cause, registers, the way we got there. */
#include "kernel/format.h"
#include "kernel/log.h"
#include "kernel/symbols.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/trap.h"

#include "base/bits.h"

#define BACKTRACE_MAX 24
#define LINK_MAX      (UINT64_C(64) * 1024) /* a caller's frame lies at most this far up */

typedef unsigned long long ull;

/* linker.ld. */
extern const uint8_t image_start[], text_start[], text_end[], symtab_start[],
    symtab_end[];

static const char *const names[TRAP_COUNT] = {
    [0] = "divide error",
    [1] = "debug",
    [3] = "breakpoint",
    [4] = "overflow",
    [5] = "bound range",
    [6] = "invalid opcode",
    [7] = "no FPU",
    [8] = "double fault",
    [10] = "invalid TSS",
    [11] = "segment not present",
    [12] = "stack segment",
    [13] = "general protection",
    [14] = "page fault",
    [16] = "x87 error",
    [17] = "alignment check",
    [18] = "machine check",
    [19] = "SIMD error",
    [20] = "virtualisation exception",
    [21] = "control protection",
};

/* SDM 3A, 4.7: the error code of a page fault. */
static void print_page_fault(const char *who, const struct trap_frame *frame,
                             uint64_t address)
{
    const char *access = frame->error & BIT64(4)   ? "execute"
                         : frame->error & BIT64(1) ? "write"
                                                   : "read";
    const char *why = frame->error & BIT64(3)   ? "reserved bit set"
                      : frame->error & BIT64(0) ? "not allowed"
                                                : "not mapped";

    log_bare("%s: page fault: %s of %016llx, %s", who, access, (ull)address, why);
}

const char *trap_name(const struct trap_frame *frame)
{
    const char *name = frame->vector < TRAP_COUNT ? names[frame->vector] : NULL;

    return name ? name : "reserved exception";
}

void trap_print(const char *who, const struct trap_frame *frame, uint64_t address)
{
    if (frame->vector == TRAP_PAGE_FAULT)
        print_page_fault(who, frame, address);
    else
        log_bare("%s: %s (vector %llu, error %llx)", who, trap_name(frame),
                 (ull)frame->vector, (ull)frame->error);

    log_bare("  rax %016llx rbx %016llx rcx %016llx", (ull)frame->rax, (ull)frame->rbx,
             (ull)frame->rcx);
    log_bare("  rdx %016llx rsi %016llx rdi %016llx", (ull)frame->rdx, (ull)frame->rsi,
             (ull)frame->rdi);
    log_bare("  rbp %016llx rsp %016llx r8  %016llx", (ull)frame->rbp, (ull)frame->rsp,
             (ull)frame->r8);
    log_bare("  r9  %016llx r10 %016llx r11 %016llx", (ull)frame->r9, (ull)frame->r10,
             (ull)frame->r11);
    log_bare("  r12 %016llx r13 %016llx r14 %016llx", (ull)frame->r12, (ull)frame->r13,
             (ull)frame->r14);
    log_bare("  r15 %016llx rip %016llx rfl %016llx", (ull)frame->r15, (ull)frame->rip,
             (ull)frame->rflags);
    log_bare("  cr0 %016llx cr2 %016llx cr3 %016llx", (ull)cpu_read_cr0(), (ull)address,
             (ull)cpu_read_cr3());
    log_bare("  cr4 %016llx cs %llx ss %llx", (ull)cpu_read_cr4(), (ull)frame->cs,
             (ull)frame->ss);
}

static bool is_text(uint64_t address)
{
    return address >= (uint64_t)text_start && address < (uint64_t)text_end;
}

void trap_locate(uint64_t rip, char *text, size_t size)
{
    const struct symbol_table table = {symtab_start, (size_t)(symtab_end - symtab_start)};
    uint32_t delta = 0;
    const char *name = NULL;

    if (is_text(rip))
        name = symbol_find(&table, (uint32_t)(rip - (uint64_t)image_start), &delta);
    format_s(text, size, "%s+0x%x", name ? name : "?", delta);
}

static void print_location(const char *label, uint64_t rip)
{
    char at[64];

    trap_locate(rip, at, sizeof(at));
    log_bare("  %s %016llx %s", label, (ull)rip, at);
}

/* The call before `ret`: behind the last call of a function another one may begin. */
static void print_caller(uint64_t ret)
{
    print_location("by", ret - 1);
}

/* What `push rbp; mov rbp, rsp` leaves at RBP. */
struct link {
    uint64_t at; /* in */
    uint64_t next, ret;
};

static void read_link(void *arg)
{
    struct link *link = arg;
    const uint64_t *words = (const uint64_t *)link->at;

    link->next = words[0];
    link->ret = words[1];
}

static void print_callers(uint64_t rbp)
{
    for (int i = 0; i < BACKTRACE_MAX; i++) {
        struct link link = {.at = rbp};
        struct trap_frame seen;

        /* The chain may be broken: that is when a backtrace is wanted most. */
        if (rbp == 0 || rbp % 8 != 0 || trap_try(read_link, &link, &seen) >= 0)
            return;
        if (!is_text(link.ret))
            return;
        print_caller(link.ret);
        if (link.next <= rbp || link.next - rbp > LINK_MAX)
            return;
        rbp = link.next;
    }
}

void trap_print_backtrace(uint64_t rip, uint64_t rbp)
{
    print_location("at", rip);
    print_callers(rbp);
}

static void read_word(void *arg)
{
    uint64_t *word = arg;

    *word = *(const uint64_t *)*word;
}

/* A jump to nowhere has pushed a return address, but no frame yet: who jumped stands at RSP. */
void trap_print_way(const struct trap_frame *frame)
{
    uint64_t word = frame->rsp;
    struct trap_frame seen;

    print_location("at", frame->rip);
    if (!is_text(frame->rip) && word % 8 == 0 && trap_try(read_word, &word, &seen) < 0 &&
        is_text(word))
        print_caller(word);
    print_callers(frame->rbp);
}
