// SPDX-License-Identifier: BSD-2-Clause
/* mm/mmu.h on the host: see the header. */
#include "tests/model/mmu.h"

#include "tests/model/seams.h"

#include "base/assert.h"

#include <stdlib.h>
#include <sys/mman.h>

#define WINDOWS_MAX 64

static struct window {
    paddr_t start;
    uint64_t size_bytes;
    char *host;
} windows[WINDOWS_MAX];

static size_t window_count;
static uint64_t page_flushes, full_flushes;

void model_ram_add(paddr_t start, uint64_t size_bytes)
{
    int prot = PROT_READ | PROT_WRITE;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

    assert(window_count < WINDOWS_MAX);
    void *host = mmap(NULL, size_bytes, prot, flags, -1, 0);
    assert(host != MAP_FAILED);
    madvise(host, size_bytes,
            MADV_NOHUGEPAGE); /* so that touched memory is counted exactly */
    windows[window_count++] = (struct window){start, size_bytes, host};
}

void model_ram_reset(void)
{
    for (size_t i = 0; i < window_count; i++)
        munmap(windows[i].host, windows[i].size_bytes);
    window_count = 0;
    page_flushes = full_flushes = 0;
}

void *mmu_phys_to_virt(paddr_t addr)
{
    for (size_t i = 0; i < window_count; i++) {
        if (addr - windows[i].start < windows[i].size_bytes)
            return windows[i].host + (addr - windows[i].start);
    }
    assert_failed("address is RAM", __FILE__, __LINE__);
}

paddr_t model_virt_to_phys(const void *ptr)
{
    for (size_t i = 0; i < window_count; i++) {
        uint64_t offset = (uint64_t)ptr - (uint64_t)windows[i].host;

        if (offset < windows[i].size_bytes)
            return windows[i].start + offset;
    }
    assert_failed("pointer is RAM", __FILE__, __LINE__);
}

static uint64_t window_touched(const struct window *window)
{
    size_t pages = window->size_bytes / FRAME_SIZE;
    unsigned char *in_core = malloc(pages);
    uint64_t sum = 0;

    assert(in_core && mincore(window->host, window->size_bytes, in_core) == 0);
    for (size_t i = 0; i < pages; i++)
        sum += in_core[i] & 1u ? FRAME_SIZE : 0;
    free(in_core);
    return sum;
}

uint64_t model_ram_touched(void)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < window_count; i++)
        sum += window_touched(&windows[i]);
    return sum;
}

void mmu_flush_page(uint64_t virt)
{
    (void)virt;
    page_flushes++;
}

void mmu_flush_all(void)
{
    full_flushes++;
}

uint64_t model_page_flushes(void)
{
    return page_flushes;
}

uint64_t model_full_flushes(void)
{
    return full_flushes;
}
