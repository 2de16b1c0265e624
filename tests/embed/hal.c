// SPDX-License-Identifier: BSD-2-Clause
/* The OS seam for firmware with one piece of RAM, a loop and no interrupts. */
#include "tests/embed/hal.h"

#include "base/bits.h"
#include "base/err.h"

#include <stdio.h>
#include <string.h>

static bool is_free(const struct firmware *fw, uint64_t at, uint64_t frames)
{
    for (uint64_t i = at; i < at + frames; i++)
        if (fw->taken[i])
            return false;
    return true;
}

/* First fit, aligned to its size. `keep` frames stay free. */
static int take(struct firmware *fw, uint64_t frames, uint64_t align, uint64_t keep,
                uint64_t *at)
{
    if (fw->free_frames < frames + keep)
        return -ENOMEM;
    for (*at = 0; *at + frames <= RAM_FRAMES; *at += align) {
        if (!is_free(fw, *at, frames))
            continue;
        memset(&fw->taken[*at], 1, frames);
        fw->free_frames -= frames;
        return 0;
    }
    return -ENOMEM;
}

static void give(struct firmware *fw, uint64_t at, uint64_t frames)
{
    memset(&fw->taken[at], 0, frames);
    fw->free_frames += frames;
}

/* Frames for the balloon: never the reserve, never beyond what the host can name. Firmware that does
 * not know which memory was touched calls all of it touched; one that never calls virtio_balloon_empty()
 * is never asked for memory in pieces. */
static int run_take(void *ctx, unsigned order, struct run_want want, pfn_t *out,
                    enum run_state *state)
{
    struct firmware *fw = ctx;
    uint64_t frames = UINT64_C(1) << order, at;
    int err = take(fw, frames, frames, fw->reserve_frames, &at);

    if (err)
        return err;
    *out = pfn_add(fw->ram_first, at);
    *state = RUN_TOUCHED;
    if (out->n + frames <= want.pfn_limit)
        return 0;
    give(fw, at, frames);
    return -ENOMEM;
}

static void run_give(void *ctx, pfn_t first, unsigned order, enum run_state state)
{
    struct firmware *fw = ctx;

    (void)state;
    give(fw, first.n - fw->ram_first.n, UINT64_C(1) << order);
}

/* Many blocks at once: whoever has more memory than this finds a quicker way. */
static void blocks_give(void *ctx, pfn_t first, uint64_t mask, enum run_state state)
{
    for (; mask != 0; mask &= mask - 1) {
        uint64_t block = (uint64_t)__builtin_ctzll(mask);

        run_give(ctx, pfn_add(first, block * BLOCK_FRAMES), BLOCK_ORDER, state);
    }
}

/* Nobody here remembers whether a free block was in use meanwhile, so none can be had back. */
static uint64_t blocks_take_back(void *ctx, pfn_t first, uint64_t mask)
{
    (void)ctx;
    (void)first;
    (void)mask;
    return 0;
}

/* Nobody here remembers what the host has backing for, so nothing lies idle. */
static void idle_blocks(void *ctx, struct idle_blocks *out)
{
    (void)ctx;
    *out = (struct idle_blocks){0};
}

/* Nothing here sizes itself by the memory there is. */
static void account(void *ctx, int64_t delta_frames)
{
    (void)ctx;
    (void)delta_frames;
}

/* The reserve is there for this: rings and the library's own state. */
static int dma_alloc(void *ctx, size_t size_bytes, struct dma_mem *out)
{
    struct firmware *fw = ctx;
    uint64_t frames = align_up(size_bytes, FRAME_SIZE) >> FRAME_SHIFT, at;
    int err = take(fw, frames, 1, 0, &at);

    if (err)
        return err;
    *out = (struct dma_mem){.ptr = fw->ram + (at << FRAME_SHIFT),
                            .addr = pfn_to_paddr(pfn_add(fw->ram_first, at)),
                            .size_bytes = size_bytes};
    memset(out->ptr, 0, frames << FRAME_SHIFT);
    return 0;
}

static void dma_free(void *ctx, struct dma_mem *mem)
{
    struct firmware *fw = ctx;

    give(fw, (mem->addr >> FRAME_SHIFT) - fw->ram_first.n,
         align_up(mem->size_bytes, FRAME_SIZE) >> FRAME_SHIFT);
}

static void *mem_alloc(void *ctx, size_t size_bytes)
{
    struct dma_mem mem;

    return dma_alloc(ctx, size_bytes, &mem) ? NULL : mem.ptr;
}

static void mem_free(void *ctx, void *ptr, size_t size_bytes)
{
    struct firmware *fw = ctx;

    give(fw, (uint64_t)((uint8_t *)ptr - fw->ram) >> FRAME_SHIFT,
         align_up(size_bytes, FRAME_SIZE) >> FRAME_SHIFT);
}

static uint64_t now(void *ctx)
{
    struct firmware *fw = ctx;

    return fw->now_ns;
}

static void wake(void *ctx)
{
    struct firmware *fw = ctx;

    fw->is_awake = true;
}

static void wake_at(void *ctx, uint64_t when_ns)
{
    struct firmware *fw = ctx;

    fw->wake_at_ns = when_ns;
}

static void mem_stats(void *ctx, struct mem_stats *out)
{
    const struct firmware *fw = ctx;

    *out = (struct mem_stats){
        .total_bytes = (uint64_t)RAM_FRAMES << FRAME_SHIFT,
        .free_bytes = fw->free_frames << FRAME_SHIFT,
        .available_bytes = (fw->free_frames - fw->reserve_frames) << FRAME_SHIFT,
        .reserve_bytes = fw->reserve_frames << FRAME_SHIFT,
    };
}

/* On a machine: the pause instruction. */
static void relax(void *ctx)
{
    struct firmware *fw = ctx;

    fw->now_ns += NS_PER_US;
}

__attribute__((format(printf, 3, 0))) static void vwrite(void *ctx, enum log_level level,
                                                         const char *fmt, va_list args)
{
    (void)ctx;
    printf("[%d] ", (int)level);
    vprintf(fmt, args);
    putchar('\n');
}

void firmware_init(struct firmware *fw, uint8_t *ram, pfn_t ram_first)
{
    *fw = (struct firmware){.ram = ram,
                            .ram_first = ram_first,
                            .free_frames = RAM_FRAMES,
                            .reserve_frames = 256,
                            .wake_at_ns = UINT64_MAX};
    fw->hal = (struct balloon_hal){
        .ctx = fw,
        .run_take = run_take,
        .run_give = run_give,
        .blocks_give = blocks_give,
        .blocks_take_back = blocks_take_back,
        .idle_blocks = idle_blocks,
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
        .log = {.ctx = fw, .vwrite = vwrite},
    };
}
