// SPDX-License-Identifier: BSD-2-Clause
/* balloon_hal on this kernel. Everything runs at task level, so nothing here needs a lock. */
#include "kernel/hal.h"

#include "kernel/app_memory.h"
#include "kernel/clock.h"
#include "kernel/log.h"
#include "kernel/string.h"

#include "base/bits.h"
#include "base/err.h"
#include "mm/mmu.h"
#include "mm/reclaim.h"

static struct {
    struct pmm *pmm;
    struct heap *heap;
    uint64_t oom_events, past_faults;
    uint64_t cold_frames; /* of the allocator's, those that went to the balloon */
    int64_t accounted_frames;
} state;

static bool has_block(struct run_want want)
{
    struct pmm_stats pmm;

    pmm_stats(state.pmm, &pmm);
    uint64_t touched = pmm.free_blocks_touched;

    if (want.free_only)
        touched -= pmm.lent_frames / BLOCK_FRAMES;
    return touched > 0 || (!want.touched_only && pmm.free_blocks_untouched > 0);
}

static bool has_room(struct run_want want, uint64_t frames)
{
    if (want.free_only)
        return reclaim_spare_for_balloon(app_memory()) >= frames;
    return reclaim_for_balloon(app_memory(), frames);
}

static int run_take(void *ctx, unsigned order, struct run_want want, pfn_t *out,
                    enum run_state *run_state)
{
    struct pmm_want pmm_want = {.order = order,
                                .class = PMM_MOVABLE,
                                .pfn_limit = want.pfn_limit,
                                .touched_only = want.touched_only,
                                .no_recall = want.free_only,
                                .pieces_only = want.pieces_only,
                                .keep_reserve = true};
    struct pmm_run run;

    (void)ctx;
    /* Dropping caches for a block that there is not would be in vain. */
    if (order == BLOCK_ORDER && !has_block(want))
        return -ENOMEM;
    if (!has_room(want, UINT64_C(1) << order))
        return -ENOMEM;
    int err = pmm_take(state.pmm, pmm_want, &run);
    if (err)
        return err;
    *out = run.pfn;
    *run_state = run.state;
    if (run.state == RUN_UNTOUCHED)
        state.cold_frames += UINT64_C(1) << order;
    return 0;
}

static void run_give(void *ctx, pfn_t first, unsigned order, enum run_state run_state)
{
    const struct hal_client *client = ctx;

    /* A balloon does not write to what it holds. */
    if (client->gives_anything)
        pmm_give(state.pmm, first, order, RUN_TOUCHED);
    else
        pmm_give_unwritten(state.pmm, first, order, run_state);
}

static void blocks_give(void *ctx, pfn_t first, uint64_t mask, enum run_state run_state)
{
    const struct hal_client *client = ctx;

    if (!client->gives_anything) {
        pmm_give_blocks(state.pmm, first, mask, run_state);
        return;
    }
    for (; mask != 0; mask &= mask - 1)
        run_give(ctx, pfn_add(first, (uint64_t)__builtin_ctzll(mask) * BLOCK_FRAMES),
                 BLOCK_ORDER, run_state);
}

static uint64_t blocks_take_back(void *ctx, pfn_t first, uint64_t mask)
{
    (void)ctx;
    return pmm_take_back(state.pmm, first, mask,
                         reclaim_spare_for_balloon(app_memory()) >> BLOCK_ORDER);
}

static void idle_blocks(void *ctx, struct idle_blocks *out)
{
    struct pmm_stats pmm;

    (void)ctx;
    pmm_idle_blocks(state.pmm, out);
    pmm_stats(state.pmm, &pmm);
    out->cold_frames = pmm.cold_frames - state.cold_frames;
}

static int piece_take(void *ctx, unsigned order, uint64_t max, pfn_t *first,
                      uint64_t *frames)
{
    struct pmm_piece piece;

    (void)ctx;
    max = min_u64(max, reclaim_spare_for_balloon(app_memory()));
    int err = pmm_take_piece(state.pmm, order, max, &piece);
    if (err)
        return err;
    *first = piece.first;
    *frames = piece.frames;
    return 0;
}

static void piece_give(void *ctx, pfn_t first, uint64_t frames, enum run_state run_state)
{
    (void)ctx;
    pmm_give_piece(state.pmm, (struct pmm_piece){first, frames}, run_state);
}

static void account(void *ctx, int64_t delta_frames)
{
    (void)ctx;
    state.accounted_frames += delta_frames;
}

/* Rings live in whole frames of their own; the allocator's reserve is there for this. */
static int dma_alloc(void *ctx, size_t size_bytes, struct dma_mem *out)
{
    uint64_t frames = align_up(size_bytes, FRAME_SIZE) >> FRAME_SHIFT;
    pfn_t first;
    int err = pmm_take_run(state.pmm, frames, 1, 0, &first);

    (void)ctx;
    if (err)
        return err;
    *out = (struct dma_mem){.ptr = mmu_phys_to_virt(pfn_to_paddr(first)),
                            .addr = pfn_to_paddr(first),
                            .size_bytes = size_bytes};
    memset(out->ptr, 0, frames << FRAME_SHIFT);
    return 0;
}

static void dma_free(void *ctx, struct dma_mem *mem)
{
    (void)ctx;
    pmm_give_run(state.pmm, pfn_from_paddr(mem->addr),
                 align_up(mem->size_bytes, FRAME_SIZE) >> FRAME_SHIFT);
    *mem = (struct dma_mem){0};
}

static void *mem_alloc(void *ctx, size_t size_bytes)
{
    (void)ctx;
    return heap_alloc(state.heap, size_bytes);
}

static void mem_free(void *ctx, void *ptr, size_t size_bytes)
{
    (void)ctx;
    (void)size_bytes;
    heap_free(state.heap, ptr);
}

static uint64_t now(void *ctx)
{
    (void)ctx;
    return clock_ns();
}

static void wake(void *ctx)
{
    struct hal_client *client = ctx;

    task_wake(&client->task);
}

static void wake_at(void *ctx, uint64_t when_ns)
{
    struct hal_client *client = ctx;

    timer_set(&client->timer, when_ns);
}

void hal_mem_stats(struct mem_stats *out)
{
    const struct appmem_stats *app = &app_memory()->stats;
    const struct pressure *pressure = app_memory_pressure();
    struct pmm_stats pmm;

    pmm_stats(state.pmm, &pmm);
    /* Nothing is ever read back from a disk: there are no major faults. */
    *out = (struct mem_stats){
        .total_bytes = pmm.total_frames << FRAME_SHIFT,
        .free_bytes = pmm.free_frames << FRAME_SHIFT,
        .cache_bytes = app->volatile_frames << FRAME_SHIFT,
        .minor_faults = state.past_faults + app->minor_faults,
        .alloc_stalls = pressure->stalls,
        .async_scan = pressure->async.scanned << FRAME_SHIFT,
        .async_reclaim = pressure->async.reclaimed << FRAME_SHIFT,
        .direct_scan = pressure->direct.scanned << FRAME_SHIFT,
        .direct_reclaim = pressure->direct.reclaimed << FRAME_SHIFT,
        .block_allocs = pmm.block_allocs,
        .block_failures = pmm.block_failures,
        .oom_events = state.oom_events,
        .reserve_bytes = pmm.reserve_frames << FRAME_SHIFT,
    };
    uint64_t has = out->free_bytes + out->cache_bytes;
    uint64_t kept = out->reserve_bytes + (appmem_promised(app_memory()) << FRAME_SHIFT);
    out->available_bytes = has > kept ? has - kept : 0;
}

/* What is lent the balloon counts itself. */
static void mem_stats(void *ctx, struct mem_stats *out)
{
    uint64_t lent;
    struct pmm_stats pmm;

    (void)ctx;
    hal_mem_stats(out);
    pmm_stats(state.pmm, &pmm);
    lent = pmm.lent_frames << FRAME_SHIFT;
    out->free_bytes -= lent;
    out->available_bytes -= min_u64(lent, out->available_bytes);
}

static void relax(void *ctx)
{
    (void)ctx;
    __builtin_ia32_pause();
}

void hal_init(struct pmm *pmm, struct heap *heap)
{
    state.pmm = pmm;
    state.heap = heap;
}

void hal_client_init(struct hal_client *client, const char *name, void (*run)(void *ctx),
                     void *ctx)
{
    client->hal = (struct balloon_hal){
        .ctx = client,
        .run_take = run_take,
        .run_give = run_give,
        .blocks_give = blocks_give,
        .blocks_take_back = blocks_take_back,
        .idle_blocks = idle_blocks,
        .piece_take = piece_take,
        .piece_give = piece_give,
        .account = account,
        .dma_alloc = dma_alloc,
        .dma_free = dma_free,
        .mem_alloc = mem_alloc,
        .mem_free = mem_free,
        .now = now,
        .wake = wake,
        .wake_at = wake_at,
        .mem_stats = mem_stats,
        .relax = relax,
        .log = kernel_log,
    };
    client->task = (struct task){.run = run, .ctx = ctx, .name = name};
    task_add(&client->task);
    timer_init(&client->timer, &client->task);
}

void hal_note_oom(void)
{
    state.oom_events++;
}

void hal_note_faults(uint64_t faults)
{
    state.past_faults += faults;
}

uint64_t hal_accounted_frames(void)
{
    return (uint64_t)state.accounted_frames;
}
