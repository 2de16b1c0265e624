// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest of one page of code that does what no driver may: the monitor has to catch it. `probe=NAME` on
 * the command line chooses; it answers with `@` lines on COM1 and leaves by the debug exit with 0.
 * tests/e2e/test_vmhost.py says what the monitor must have written.
 */
#include "base/bits.h"
#include "base/units.h"
#include "tests/vmhost/status.h"
#include "tests/vmhost/text.h"
#include "tests/vmhost/x86.h"

#define COM1        0x3f8
#define DEBUG_EXIT  0x501
#define VICTIM      UINT64_C(0x2000000) /* frames to lock lie from here on */
#define VICTIM_PFN  (VICTIM >> FRAME_SHIFT)
#define BATCH       UINT64_C(0x1e00000)
#define WINDOW      UINT64_C(0x30000000) /* where `walk` puts its page table */
#define MONITOR     UINT64_C(0x6000000)
#define MSR_EFER    UINT32_C(0xc0000080)
#define FLOOR_CALLS 10000

extern uint64_t boot_pd[];
extern volatile uint32_t probe_ticks, probe_undefined;
void image_main(uint64_t start_info);
void probe_read_unpaged(uint32_t addr);
void probe_idt_init(void *idt);
void probe_idt_load(void *idt);
void probe_vmmcall(void);
void probe_triple_fault(void);

static void put(const char *text)
{
    for (; *text; text++)
        port_out(COM1, 1, (uint8_t)*text);
}

static void tell(const char *key, uint64_t value)
{
    char digits[20];
    char *at = digits + sizeof(digits) - 1;

    for (*at = '\0'; at == digits + sizeof(digits) - 1 || value; value /= 16)
        *--at = "0123456789abcdef"[value % 16];
    put("@ t=0 probe=");
    put(key);
    put(" value=0x");
    put(at);
    put("\n");
}

struct answer {
    uint32_t status;
    uint64_t rbx, rcx;
};

static struct answer call(uint32_t magic, uint16_t port, uint32_t command, uint64_t rbx,
                          uint64_t rsi)
{
    uint64_t rax = magic, rcx = command, rdx = port, rdi;

    __asm__ volatile("inl %%dx, %%eax"
                     : "+a"(rax), "+b"(rbx), "+c"(rcx), "+d"(rdx), "+S"(rsi), "=D"(rdi)
                     :
                     : "memory");
    return (struct answer){(uint32_t)rax, rbx, rcx};
}

static struct answer balloon(uint32_t command, uint64_t rbx, uint64_t rsi)
{
    return call(BALLOON_MAGIC, BALLOON_PORT, command, rbx, rsi);
}

static void start(uint32_t capabilities)
{
    struct answer answer = balloon(COMMAND_START, capabilities, 0);

    tell("start", answer.status);
    tell("granted", answer.rcx);
}

static void lock_victim(void)
{
    start(CAPABILITY_BASIC);
    tell("lock", balloon(COMMAND_LOCK, VICTIM_PFN, 0).status);
}

static void unlock_victim(void)
{
    tell("unlock", balloon(COMMAND_UNLOCK, VICTIM_PFN, 0).status);
}

static void run_ids(void)
{
    struct cpuid leaf = cpuid_read(0x40000000, 0);

    tell("leaf-max", leaf.eax);
    tell("leaf-ebx", leaf.ebx);
    tell("leaf-ecx", leaf.ecx);
    tell("leaf-edx", leaf.edx);
    tell("hypervisor", cpuid_read(1, 0).ecx >> 31);
    tell("khz", cpuid_read(0x40000010, 0).eax);
    tell("hypercalls", cpuid_read(0x40000010, 0).ecx);
    tell("svm", cpuid_read(0x80000001, 0).ecx >> 2 & 1);
    struct answer version = call(0x564d5868, 0x5658, 10, ~UINT32_C(0x564d5868), 0);
    tell("version", version.status);
    tell("version-magic", version.rbx);
    tell("unknown-command", call(0x564d5868, 0x5658, 99, 0, 0).status);
    tell("bad-magic", call(0x12345678, BALLOON_PORT, COMMAND_START, 2, 0).status);
    tell("narrow", port_in(BALLOON_PORT, 2));
    tell("debugcon", port_in(0xe9, 1));
    tell("com2", port_in(0x2fd, 1));
}

static void run_read(void)
{
    lock_victim();
    (void)*(volatile uint32_t *)(VICTIM + 4);
}

static void run_write(void)
{
    lock_victim();
    *(volatile uint32_t *)(VICTIM + 8) = 1;
}

static void run_fetch(void)
{
    lock_victim();
    ((void (*)(void))VICTIM)();
}

static void run_walk(void)
{
    uint64_t *table = (uint64_t *)VICTIM;

    table[0] = BATCH | 3;
    boot_pd[WINDOW >> BLOCK_SHIFT] = VICTIM | 3;
    lock_victim();
    (void)*(volatile uint32_t *)WINDOW;
}

static void run_unpaged(void)
{
    lock_victim();
    probe_read_unpaged((uint32_t)VICTIM);
}

static void run_delivery(void)
{
    probe_idt_init((void *)VICTIM);
    probe_idt_load((void *)VICTIM);
    lock_victim();
    probe_vmmcall(); /* #UD, whose gate is gone */
}

/* With heal=1 and scribble=0 the IDT comes back as it was, and the clock ticks on. */
static void run_interrupt(void)
{
    static const uint8_t set_up[][2] = {
        {0x20, 0x11}, {0x21, 32},   {0x21, 4},    {0x21, 1}, /* first 8259 to vector 32 */
        {0x21, 0xfe}, {0x43, 0x34}, {0x40, 0x9c}, {0x40, 0x2e}, /* PIT at 100 Hz */
    };

    probe_idt_init((void *)VICTIM);
    probe_idt_load((void *)VICTIM);
    for (unsigned i = 0; i < ARRAY_LEN(set_up); i++)
        port_out(set_up[i][0], 1, set_up[i][1]);
    lock_victim();
    while (probe_ticks < 10)
        __asm__ volatile("sti; hlt; cli");
    tell("ticks", probe_ticks >= 10);
}

static void run_clean(void)
{
    volatile uint64_t *memory = (uint64_t *)VICTIM;

    memory[5] = 7;
    lock_victim();
    unlock_victim();
    tell("kept", memory[5] == 7);
    memory[5] = 9;
    lock_victim();
    unlock_victim();
}

/* One frame and one block stay locked. */
static void run_holding(void)
{
    uint64_t *entries = (uint64_t *)BATCH;

    start(0x3e);
    entries[0] = (VICTIM_PFN + BLOCK_FRAMES) << FRAME_SHIFT;
    tell("block", balloon(COMMAND_BLOCK_LOCK, BATCH >> FRAME_SHIFT, 1).status);
    entries[1] = VICTIM;
    entries[0] = VICTIM;
    tell("batch", balloon(COMMAND_BATCH_LOCK, BATCH >> FRAME_SHIFT, 2).status);
    tell("entry0", entries[0]);
    tell("entry1", entries[1]);
    entries[0] = BLOCK_SIZE * 17;
    entries[1] = VICTIM + BLOCK_SIZE;
    tell("pieces", balloon(COMMAND_BATCH_UNLOCK, BATCH >> FRAME_SHIFT, 2).status);
    tell("entry0", entries[0] & 0x1f);
    tell("entry1", entries[1] & 0x1f);
}

static void run_double_lock(void)
{
    lock_victim();
    tell("lock", balloon(COMMAND_LOCK, VICTIM_PFN, 0).status);
}

static void run_double_unlock(void)
{
    lock_victim();
    unlock_victim();
    unlock_victim();
}

static void run_never_locked(void)
{
    start(CAPABILITY_BASIC);
    unlock_victim();
}

static void run_outside(void)
{
    start(CAPABILITY_BASIC);
    tell("lock", balloon(COMMAND_LOCK, 0x80000, 0).status);
    tell("lock", balloon(COMMAND_LOCK, MONITOR >> FRAME_SHIFT, 0).status);
}

static void run_monitor(void)
{
    (void)*(volatile uint32_t *)MONITOR;
}

static void run_not_granted(void)
{
    start(CAPABILITY_BASIC);
    tell("batch", balloon(COMMAND_BATCH_LOCK, BATCH >> FRAME_SHIFT, 1).status);
}

static void run_reserved_bits(void)
{
    start(CAPABILITY_BASIC | CAPABILITY_BATCH);
    *(uint64_t *)BATCH = VICTIM | 0x20;
    tell("batch", balloon(COMMAND_BATCH_LOCK, BATCH >> FRAME_SHIFT, 1).status);
    tell("batch", balloon(COMMAND_BATCH_LOCK, BATCH >> FRAME_SHIFT, 513).status);
}

/* Needs fault=get-target:reset. */
static void run_order(void)
{
    lock_victim();
    tell("target", balloon(COMMAND_GET_TARGET, 1000, 0).status);
    tell("target", balloon(COMMAND_GET_TARGET, 1000, 0).status);
}

/* A device writes to a locked frame: QEMU's fw_cfg by DMA. Its registers are big-endian. */
static void run_dma(void)
{
    struct {
        uint32_t control, length;
        uint64_t address;
    } request = {__builtin_bswap32(0x0a), __builtin_bswap32(4),
                 __builtin_bswap64(VICTIM + 16)};
    volatile uint32_t *control = &request.control;

    lock_victim();
    port_out(0x514, 4, 0);
    port_out(0x518, 4, __builtin_bswap32((uint32_t)(uint64_t)&request));
    while (*control & ~__builtin_bswap32(1))
        ;
    tell("dma", *control);
    unlock_victim();
}

static void run_efer(void)
{
    static uint8_t idt[33 * 16];

    probe_idt_init(idt);
    probe_idt_load(idt);
    msr_write(MSR_EFER, 0xd00); /* what a kernel writes that knows of no SVM */
    tell("efer", msr_read(MSR_EFER));
    lock_victim();
    probe_vmmcall();
    tell("undefined", probe_undefined);
    unlock_victim();
}

/* What a call costs: mostly the way out of the guest and back. In ticks of the TSC. */
static void run_floor(void)
{
    uint64_t before, ticks[3];

    start(CAPABILITY_BASIC);
    before = tsc_read();
    for (unsigned i = 0; i < FLOOR_CALLS; i++)
        (void)balloon(COMMAND_GET_TARGET, 1000, 0);
    ticks[0] = tsc_read() - before;
    for (unsigned unlocks = 0; unlocks < 2; unlocks++) {
        before = tsc_read();
        for (unsigned i = 0; i < FLOOR_CALLS; i++)
            (void)balloon(COMMAND_LOCK + unlocks, VICTIM_PFN + i, 0);
        ticks[1 + unlocks] = tsc_read() - before;
    }
    tell("khz", cpuid_read(0x40000010, 0).eax);
    tell("calls", FLOOR_CALLS);
    tell("get-target", ticks[0]);
    tell("lock", ticks[1]);
    tell("unlock", ticks[2]);
}

static void run_triple(void)
{
    probe_triple_fault();
}

static const struct {
    const char *name;
    void (*run)(void);
} probes[] = {
    {"ids", run_ids},
    {"read", run_read},
    {"write", run_write},
    {"fetch", run_fetch},
    {"walk", run_walk},
    {"unpaged", run_unpaged},
    {"delivery", run_delivery},
    {"interrupt", run_interrupt},
    {"clean", run_clean},
    {"holding", run_holding},
    {"double-lock", run_double_lock},
    {"double-unlock", run_double_unlock},
    {"never-locked", run_never_locked},
    {"outside", run_outside},
    {"monitor", run_monitor},
    {"not-granted", run_not_granted},
    {"reserved-bits", run_reserved_bits},
    {"order", run_order},
    {"dma", run_dma},
    {"efer", run_efer},
    {"floor", run_floor},
    {"triple", run_triple},
};

void image_main(uint64_t start_info)
{
    const char *cmdline = (const char *)*(uint64_t *)(start_info + 24);
    const char *name = text_after(cmdline, "probe=");

    for (unsigned i = 0; name && i < ARRAY_LEN(probes); i++) {
        if (!text_equal(name, probes[i].name))
            continue;
        probes[i].run();
        port_out(DEBUG_EXIT, 4, 0);
    }
    tell("unknown", 0);
    port_out(DEBUG_EXIT, 4, 1);
}
