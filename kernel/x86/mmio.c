// SPDX-License-Identifier: BSD-2-Clause
/*
 * Register windows. A window that is let go stays mapped and is found again by the next map() of the
 * same place, so that attaching and detaching a device for ever costs nothing; a full table reuses
 * the slot of one that nobody holds.
 */
#include "kernel/x86/mmio.h"
#include "kernel/memory.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/io.h"
#include "kernel/x86/paging.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/err.h"

#define SLOTS       48
#define WINDOWS_END STACK_BASE

struct slot {
    uint64_t virt; /* 0: free; whole frames */
    paddr_t phys;
    uint64_t size_bytes;
    unsigned users;
};

static struct slot slots[SLOTS];
static uint64_t next_virt = MMIO_BASE;

static uint32_t mmio_read(void *ctx, uint64_t offset, unsigned width)
{
    uintptr_t at = (uintptr_t)ctx + offset;

    if (width == 1)
        return *(const volatile uint8_t *)at;
    if (width == 2)
        return *(const volatile uint16_t *)at;
    assert(width == 4);
    return *(const volatile uint32_t *)at;
}

static void mmio_write(void *ctx, uint64_t offset, unsigned width, uint32_t value)
{
    uintptr_t at = (uintptr_t)ctx + offset;

    if (width == 1) {
        *(volatile uint8_t *)at = (uint8_t)value;
    } else if (width == 2) {
        *(volatile uint16_t *)at = (uint16_t)value;
    } else {
        assert(width == 4);
        *(volatile uint32_t *)at = value;
    }
}

static uint32_t port_read(void *ctx, uint64_t offset, unsigned width)
{
    uint16_t port = (uint16_t)((uintptr_t)ctx + offset);

    if (width == 1)
        return io_in8(port);
    if (width == 2)
        return io_in16(port);
    assert(width == 4);
    return io_in32(port);
}

static void port_write(void *ctx, uint64_t offset, unsigned width, uint32_t value)
{
    uint16_t port = (uint16_t)((uintptr_t)ctx + offset);

    if (width == 1) {
        io_out8(port, (uint8_t)value);
    } else if (width == 2) {
        io_out16(port, (uint16_t)value);
    } else {
        assert(width == 4);
        io_out32(port, value);
    }
}

/* Whole frames around [addr, addr + size); -EINVAL for what cannot be a device's or a table's. */
static int frame_span(paddr_t addr, uint64_t size_bytes, struct region *out)
{
    uint64_t limit = cpu_phys_end();

    if (size_bytes == 0 || addr >= limit || size_bytes > limit - addr ||
        memory_is_ram(addr, size_bytes))
        return -EINVAL;
    out->start = align_down(addr, FRAME_SIZE);
    out->end = align_up(addr + size_bytes,
                        FRAME_SIZE); /* stays below the limit, a power of two */
    return 0;
}

/* Map the span at a fresh place; a large one congruent to it modulo 2 MiB, so that large leaves fit. */
static int map_fresh(const struct region *span, unsigned flags, uint64_t *virt)
{
    uint64_t size_bytes = span->end - span->start;
    uint64_t at = next_virt;

    if (size_bytes >= BLOCK_SIZE)
        at = align_up(at, BLOCK_SIZE) + (span->start & (BLOCK_SIZE - 1));
    if (at > WINDOWS_END || size_bytes > WINDOWS_END - at)
        return -ENOMEM;
    int err = vmm_map(paging_vmm(), at, span->start, size_bytes, flags | VMM_GLOBAL);
    if (err)
        return err;
    next_virt = at + size_bytes;
    *virt = at;
    return 0;
}

static struct slot *find_slot(const struct region *span)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        struct slot *slot = &slots[i];

        if (slot->virt && slot->phys <= span->start &&
            slot->phys + slot->size_bytes >= span->end)
            return slot;
    }
    return NULL;
}

/* A slot never used, else one that nobody holds; its window goes. */
static struct slot *free_slot(void)
{
    struct slot *idle = NULL;

    for (unsigned i = 0; i < SLOTS; i++) {
        if (!slots[i].virt)
            return &slots[i];
        if (slots[i].users == 0)
            idle = &slots[i];
    }
    if (!idle || vmm_unmap(paging_vmm(), idle->virt, idle->size_bytes))
        return NULL;
    idle->virt = 0;
    return idle;
}

static int window_map(void *ctx, paddr_t addr, uint64_t size_bytes, struct reg_io *out)
{
    struct region span;
    int err = frame_span(addr, size_bytes, &span);

    (void)ctx;
    if (err)
        return err;
    struct slot *slot = find_slot(&span);
    if (!slot) {
        slot = free_slot();
        if (!slot)
            return -ENOMEM;
        err = map_fresh(&span, VMM_WRITE | VMM_UNCACHED, &slot->virt);
        if (err)
            return err;
        slot->phys = span.start;
        slot->size_bytes = span.end - span.start;
    }
    slot->users++;
    *out = (struct reg_io){
        .ctx = (void *)(slot->virt + (addr - slot->phys)),
        .size_bytes = size_bytes,
        .read = mmio_read,
        .write = mmio_write,
    };
    return 0;
}

static int window_port(void *ctx, uint16_t first, uint16_t count, struct reg_io *out)
{
    (void)ctx;
    if (count == 0 || first > UINT16_MAX - (count - 1))
        return -EINVAL;
    *out = (struct reg_io){
        .ctx = (void *)(uintptr_t)first,
        .size_bytes = count,
        .read = port_read,
        .write = port_write,
    };
    return 0;
}

static void window_unmap(void *ctx, struct reg_io *io)
{
    uint64_t at = (uint64_t)io->ctx;

    (void)ctx;
    for (unsigned i = 0; i < SLOTS; i++) {
        struct slot *slot = &slots[i];

        if (slot->users && at >= slot->virt && at - slot->virt < slot->size_bytes) {
            slot->users--;
            return;
        }
    }
}

const struct reg_space machine_reg_space = {
    .map = window_map,
    .port = window_port,
    .unmap = window_unmap,
};

const void *mmio_map_table(paddr_t addr, uint64_t size_bytes)
{
    struct region span;
    uint64_t virt;

    if (frame_span(addr, size_bytes, &span) || map_fresh(&span, 0, &virt))
        return NULL;
    return (const void *)(virt + (addr - span.start));
}

void *mmio_map_memory(paddr_t addr, uint64_t size_bytes)
{
    struct region span;
    uint64_t virt;

    if (frame_span(addr, size_bytes, &span) ||
        map_fresh(&span, VMM_WRITE | VMM_UNCACHED, &virt))
        return NULL;
    return (void *)(virt + (addr - span.start));
}
