// SPDX-License-Identifier: BSD-2-Clause
/*
 * The commands mem, fill and free. `mem compact` does what an app's guest_compact() does. Filled memory is a chain: the first words of each block or frame
 * hold the next one, and every page holds a word of its own, so that no page is zero or like another
 * and a page that was lost is noticed when it is given back. Fill, free and compact are jobs of short steps.
 */
#include "kernel/app_memory.h"
#include "kernel/clock.h"
#include "kernel/command.h"
#include "kernel/drivers.h"
#include "kernel/event.h"
#include "kernel/hal.h"
#include "kernel/log.h"
#include "kernel/memory.h"
#include "kernel/string.h"
#include "kernel/task.h"
#include "kernel/x86/paging.h"

#include "base/bits.h"
#include "base/err.h"
#include "mm/compact.h"
#include "mm/evacuate.h"
#include "mm/mmu.h"
#include "mm/reclaim.h"

#define STEP_NS     (200 * NS_PER_US)
#define STEP_FRAMES 16
#define OOM_FRAMES  (4 * BLOCK_FRAMES) /* asked of the balloon at a time, at most */
#define PATTERN     UINT64_C(0x9E3779B97F4A7C15)

typedef unsigned long long ull;

/* At the start of what fill took. */
struct filled {
    uint64_t page_word; /* as in every page of it */
    paddr_t next;       /* 0: the last one */
    uint64_t order;
};

enum job {
    IDLE,
    FILLING,
    FREEING,
    COMPACTING,
};

static struct {
    enum job job;
    paddr_t first; /* 0: nothing filled */
    uint64_t filled_bytes;
    uint64_t wanted_bytes, done_bytes, lost_pages; /* of the job */
    uint64_t blocks_before; /* whole free ones, when the job began */
    bool use_frames;        /* no block was left: frames from now on */
    struct task task;
} state;

static void run(void *ctx);

bool command_mem_is_busy(void)
{
    return state.job != IDLE;
}

static void start_job(enum job job)
{
    if (!state.task.run) {
        state.task = (struct task){.run = run, .name = "fill"};
        task_add(&state.task);
    }
    state.job = job;
    state.done_bytes = 0;
    state.lost_pages = 0;
    state.use_frames = false;
    task_wake(&state.task);
}

static uint64_t page_word(paddr_t page)
{
    return (page >> FRAME_SHIFT) * PATTERN | 1;
}

static void write_run(paddr_t start, unsigned order)
{
    struct filled *head = mmu_phys_to_virt(start);

    for (uint64_t i = 0; i < UINT64_C(1) << order; i++) {
        paddr_t page = start + i * FRAME_SIZE;

        *(uint64_t *)mmu_phys_to_virt(page) = page_word(page);
    }
    head->next = state.first;
    head->order = order;
    state.first = start;
}

/* What was promised to an app is not to be had; what it can spare is. */
static bool is_low(uint64_t frames)
{
    struct appmem *mem = app_memory();
    uint64_t kept = app_memory_pressure()->min_bytes / FRAME_SIZE;

    return appmem_available(mem) < frames || reclaim_free(mem, frames + kept) != 0;
}

static int take(unsigned order)
{
    const struct pmm_want want = {.order = order, .class = PMM_FIXED};
    uint64_t bytes = FRAME_SIZE << order;
    struct pmm_run got;

    if (is_low(UINT64_C(1) << order))
        return -ENOMEM;
    int err = pmm_take(memory_pmm(), want, &got);
    if (err)
        return err;
    write_run(pfn_to_paddr(got.pfn), order);
    state.filled_bytes += bytes;
    state.done_bytes += bytes;
    return 0;
}

/* One block, or some frames when no block is left or less is wanted. */
static int fill_some(void)
{
    uint64_t left = state.wanted_bytes - state.done_bytes;

    if (left >= BLOCK_SIZE && !state.use_frames) {
        if (take(BLOCK_ORDER) == 0)
            return 0;
        state.use_frames = true;
    }
    for (uint64_t i = 0; i < STEP_FRAMES && state.done_bytes < state.wanted_bytes; i++) {
        int err = take(0);

        if (err)
            return err;
    }
    return 0;
}

static void end_fill(void)
{
    state.job = IDLE;
    event_emit("event=fill bytes=%llu wanted=%llu", (ull)state.done_bytes,
               (ull)state.wanted_bytes);
    command_job_done();
}

/* Out of memory: the balloon may bring some back. Else the answer says how much it was. */
static void fill_step(void)
{
    uint64_t end = clock_ns() + STEP_NS;

    while (state.done_bytes < state.wanted_bytes) {
        if (fill_some() != 0) {
            uint64_t left = (state.wanted_bytes - state.done_bytes) / FRAME_SIZE;
            uint64_t back = drivers_oom(min_u64(left, OOM_FRAMES));

            if (back == 0) {
                command_error("fill", "out of memory after %llu of %llu bytes",
                              (ull)state.done_bytes, (ull)state.wanted_bytes);
                end_fill();
                return;
            }
            state.use_frames = false;
        }
        if (clock_ns() >= end) {
            task_wake(&state.task);
            return;
        }
    }
    end_fill();
}

static void give_first(void)
{
    struct filled head = *(const struct filled *)mmu_phys_to_virt(state.first);
    paddr_t start = state.first;
    uint64_t bytes = FRAME_SIZE << head.order;

    for (uint64_t at = start; at < start + bytes; at += FRAME_SIZE) {
        if (*(const uint64_t *)mmu_phys_to_virt(at) != page_word(at))
            state.lost_pages++;
    }
    pmm_give(memory_pmm(), pfn_from_paddr(start), (unsigned)head.order, RUN_TOUCHED);
    state.first = head.next;
    state.filled_bytes -= bytes;
    state.done_bytes += bytes;
}

static void free_step(void)
{
    uint64_t end = clock_ns() + STEP_NS;

    while (state.first) {
        give_first();
        if (clock_ns() >= end) {
            task_wake(&state.task);
            return;
        }
    }
    state.job = IDLE;
    drivers_memory_freed();
    if (state.lost_pages)
        command_error("free", "%llu pages lost what was written to them",
                      (ull)state.lost_pages);
    event_emit("event=free bytes=%llu", (ull)state.done_bytes);
    command_job_done();
}

static uint64_t free_blocks(void)
{
    struct pmm_stats stats;

    pmm_stats(memory_pmm(), &stats);
    return stats.free_blocks_touched + stats.free_blocks_untouched;
}

/* What the balloon moves comes later, and is told by its own event. */
static void compact_more(void)
{
    if (compact_step(app_memory(), STEP_NS)) {
        task_wake(&state.task);
        return;
    }
    state.job = IDLE;
    evacuate_want(app_memory(), UINT64_MAX);
    event_emit("event=compact blocks_before=%llu blocks_after=%llu",
               (ull)state.blocks_before, (ull)free_blocks());
    command_job_done();
}

static void start_compacting(void)
{
    if (state.job != IDLE) {
        command_error("mem", "compact: wait until fill or free is done");
        return;
    }
    state.blocks_before = free_blocks();
    start_job(COMPACTING);
}

static void run(void *ctx)
{
    (void)ctx;
    if (state.job == FILLING)
        fill_step();
    else if (state.job == FREEING)
        free_step();
    else if (state.job == COMPACTING)
        compact_more();
}

/* "123", "64M", "1G", "80%": the last of all RAM. */
static int parse_size(const char *text, uint64_t total, uint64_t *out)
{
    static const char units[] = "KMGT";
    uint64_t value = 0;
    const char *at = text;

    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
            return -EINVAL;
    }
    if (at == text)
        return -EINVAL;
    if (at[0] == '%' && !at[1] && value <= 100) {
        *out = total / 100 * value;
        return 0;
    }
    const char *unit = *at ? strchr(units, *at) : NULL;
    if ((*at && !unit) || (unit && at[1]))
        return -EINVAL;
    for (unsigned i = 0; unit && i <= (unsigned)(unit - units); i++) {
        if (__builtin_mul_overflow(value, KIB, &value))
            return -EINVAL;
    }
    *out = value;
    return 0;
}

void command_fill(int argc, char **argv)
{
    struct pmm_stats stats;
    uint64_t bytes;

    pmm_stats(memory_pmm(), &stats);
    if (argc != 2 || parse_size(argv[1], stats.total_frames * FRAME_SIZE, &bytes) ||
        bytes > stats.total_frames * FRAME_SIZE) {
        command_error("fill", "say how much: 100M, 1G or 80%%, at most all RAM");
        return;
    }
    state.wanted_bytes = align_up(bytes, FRAME_SIZE);
    start_job(FILLING);
}

void command_free(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    start_job(FREEING);
}

void command_mem(int argc, char **argv)
{
    struct pmm_stats stats;

    pmm_stats(memory_pmm(), &stats);
    if (argc > 1 && strcmp(argv[1], "compact") == 0) {
        start_compacting();
        return;
    }
    if (argc > 1) {
        if (strcmp(argv[1], "check") != 0) {
            command_error("mem", "say mem, mem check or mem compact");
            return;
        }
        pmm_check(memory_pmm()); /* panics when they do not agree */
        log_answer("mem: the books agree");
    }
    uint64_t total = stats.total_frames * FRAME_SIZE + memory_early_bytes();
    uint64_t lent = stats.lent_frames * FRAME_SIZE;
    uint64_t free = stats.free_frames * FRAME_SIZE - lent;
    uint64_t hinted = drivers_hinted_frames() * FRAME_SIZE;
    uint64_t reserve = stats.reserve_frames * FRAME_SIZE;
    uint64_t ballooned = drivers_ballooned_frames() * FRAME_SIZE;
    uint64_t app = appmem_held(app_memory()) * FRAME_SIZE;

    event_emit(
        "event=mem total=%llu free=%llu available=%llu reserve=%llu ballooned=%llu "
        "hinted=%llu filled=%llu app=%llu kernel=%llu metadata=%llu page_tables=%llu "
        "free_blocks_touched=%llu free_blocks_untouched=%llu managed=%llu promised=%llu "
        "volatile=%llu",
        (ull)total, (ull)free, (ull)(free + lent > reserve ? free + lent - reserve : 0),
        (ull)reserve, (ull)ballooned, (ull)hinted, (ull)state.filled_bytes, (ull)app,
        (ull)(total - free - ballooned - hinted - state.filled_bytes - app),
        (ull)(stats.metadata_bytes + drivers_metadata_bytes()), (ull)paging_table_bytes(),
        (ull)(stats.free_blocks_touched - stats.lent_frames / BLOCK_FRAMES),
        (ull)stats.free_blocks_untouched,
        (ull)(total - hal_accounted_frames() * FRAME_SIZE),
        (ull)(app_memory()->stats.promised * FRAME_SIZE),
        (ull)(app_memory()->stats.volatile_frames * FRAME_SIZE));
}
