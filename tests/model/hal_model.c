// SPDX-License-Identifier: BSD-2-Clause
/* struct balloon_hal on malloc, for driver tests. */
#include "tests/model/hal_model.h"

#include "base/bits.h"
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ADDR UINT64_C(0x140000000) /* above 4 GiB: upper address halves matter */

static bool fails_now(struct hal_model *m)
{
    return ++m->allocs == m->fail_at;
}

static int dma_alloc(void *ctx, size_t size_bytes, struct dma_mem *out)
{
    struct hal_model *m = ctx;

    if (fails_now(m))
        return -ENOMEM;
    for (unsigned i = 0; i < HAL_MODEL_DMA; i++) {
        struct hal_model_dma *d = &m->dma[i];

        if (d->ptr)
            continue;
        d->size_bytes = align_up(size_bytes, FRAME_SIZE);
        d->ptr = aligned_alloc(FRAME_SIZE, d->size_bytes);
        if (!d->ptr)
            return -ENOMEM;
        memset(d->ptr, 0, d->size_bytes);
        d->addr = m->next_addr;
        m->next_addr += d->size_bytes + FRAME_SIZE; /* a hole between any two */
        m->dma_live++;
        *out = (struct dma_mem){.ptr = d->ptr, .addr = d->addr, .size_bytes = size_bytes};
        return 0;
    }
    return -ENOMEM;
}

static void dma_free(void *ctx, struct dma_mem *mem)
{
    struct hal_model *m = ctx;

    for (unsigned i = 0; i < HAL_MODEL_DMA; i++) {
        if (m->dma[i].ptr != mem->ptr)
            continue;
        free(m->dma[i].ptr);
        m->dma[i].ptr = NULL;
        m->dma_live--;
        *mem = (struct dma_mem){0};
        return;
    }
    abort(); /* freed what it does not own */
}

static void *mem_alloc(void *ctx, size_t size_bytes)
{
    struct hal_model *m = ctx;

    if (fails_now(m))
        return NULL;
    m->mem_live++;
    return calloc(1, size_bytes);
}

static void mem_free(void *ctx, void *ptr, size_t size_bytes)
{
    struct hal_model *m = ctx;

    (void)size_bytes;
    m->mem_live--;
    free(ptr);
}

static uint64_t now(void *ctx)
{
    struct hal_model *m = ctx;

    m->now_ns += m->look_ns;
    return m->now_ns;
}

static void relax(void *ctx)
{
    struct hal_model *m = ctx;

    m->now_ns += m->relax_ns;
}

static void wake(void *ctx)
{
    struct hal_model *m = ctx;

    m->wakes++;
}

static void wake_at(void *ctx, uint64_t when_ns)
{
    struct hal_model *m = ctx;

    m->wake_at_ns = when_ns;
}

__attribute__((format(printf, 3, 0))) static void vwrite(void *ctx, enum log_level level,
                                                         const char *fmt, va_list args)
{
    struct hal_model *m = ctx;

    m->log_lines[level]++;
    vsnprintf(m->last_line, sizeof(m->last_line), fmt, args);
}

void hal_model_init(struct hal_model *m)
{
    *m = (struct hal_model){.relax_ns = 10 * NS_PER_US, .wake_at_ns = UINT64_MAX};
    m->next_addr = FIRST_ADDR;
    m->hal = (struct balloon_hal){
        .ctx = m,
        .dma_alloc = dma_alloc,
        .dma_free = dma_free,
        .mem_alloc = mem_alloc,
        .mem_free = mem_free,
        .now = now,
        .relax = relax,
        .wake = wake,
        .wake_at = wake_at,
        .log = {.ctx = m, .vwrite = vwrite},
    };
}

unsigned hal_model_end(struct hal_model *m)
{
    unsigned held = m->dma_live + m->mem_live;

    for (unsigned i = 0; i < HAL_MODEL_DMA; i++)
        free(m->dma[i].ptr);
    memset(m->dma, 0, sizeof(m->dma));
    m->dma_live = 0;
    return held;
}

void *hal_model_dma(void *ctx, uint64_t addr, uint64_t len)
{
    struct hal_model *m = ctx;

    for (unsigned i = 0; i < HAL_MODEL_DMA; i++) {
        const struct hal_model_dma *d = &m->dma[i];

        if (d->ptr && addr >= d->addr && len <= d->size_bytes &&
            addr - d->addr <= d->size_bytes - len)
            return (char *)d->ptr + (addr - d->addr);
    }
    return NULL;
}
