// SPDX-License-Identifier: BSD-2-Clause
/*
 * The virtio balloon driver and its host on the machine of appmem_rig.h: it takes frames as kernel/hal.c lets
 * it, its state lies in the kernel heap, and out of memory asks it. The host notes who breaks a rule, as in
 * tests/model/balloon_host.h. One device serves machine after machine: it is found once.
 */
#pragma once

#include "tests/host/appmem_rig.h"
#include "tests/model/balloon_host.h"

static struct balloon_rig device;
static struct rig *machine;

static inline uint8_t *device_owner(pfn_t first, uint64_t frames)
{
    assert_true(first.n >= device.guest.base &&
                first.n + frames <= device.guest.base + device.guest.count);
    return &device.guest.owner[first.n - device.guest.base];
}

static inline int device_run_take(void *ctx, unsigned order, struct run_want want,
                                  pfn_t *out, enum run_state *state)
{
    struct pmm_want pmm_want = {.order = order,
                                .class = PMM_MOVABLE,
                                .pfn_limit = want.pfn_limit,
                                .touched_only = want.touched_only,
                                .pieces_only = want.pieces_only,
                                .keep_reserve = true};
    uint64_t frames = UINT64_C(1) << order;
    struct pmm_run run;

    (void)ctx;
    if (!reclaim_for_balloon(&machine->mem, frames))
        return -ENOMEM;
    int err = pmm_take(machine->pmm, pmm_want, &run);
    if (err)
        return err;
    for (uint64_t i = 0; i < frames; i++)
        assert_int_equal(device_owner(run.pfn, frames)[i], FRAME_FREE);
    memset(device_owner(run.pfn, frames), FRAME_DRIVER, frames);
    device.guest.free -= frames;
    device.guest.driver += frames;
    machine->lent += frames;
    *out = run.pfn;
    *state = run.state;
    return 0;
}

static inline void device_idle_blocks(void *ctx, struct idle_blocks *out)
{
    (void)ctx;
    pmm_idle_blocks(machine->pmm, out);
}

static inline void device_run_give(void *ctx, pfn_t first, unsigned order,
                                   enum run_state state)
{
    uint64_t frames = UINT64_C(1) << order;
    uint8_t *owner = device_owner(first, frames);

    (void)ctx;
    guest_notice_reset(&device.guest);
    for (uint64_t i = 0; i < frames; i++) {
        assert_int_equal(owner[i], FRAME_DRIVER);
        assert_false(device.guest.host_has[first.n - device.guest.base + i]); /* R-V-31 */
    }
    memset(owner, FRAME_FREE, frames);
    device.guest.free += frames;
    device.guest.driver -= frames;
    machine->lent -= frames;
    pmm_give(machine->pmm, first, order, state);
}

static inline void device_blocks_give(void *ctx, pfn_t first, uint64_t mask,
                                      enum run_state state)
{
    (void)ctx;
    for (uint64_t i = 0; i < 64; i++) {
        if (!(mask & BIT64(i)))
            continue;
        uint8_t *owner = device_owner(pfn_add(first, i * BLOCK_FRAMES), BLOCK_FRAMES);

        assert_int_equal(owner[0], FRAME_DRIVER);
        memset(owner, FRAME_FREE, BLOCK_FRAMES);
        device.guest.free += BLOCK_FRAMES;
        device.guest.driver -= BLOCK_FRAMES;
        machine->lent -= BLOCK_FRAMES;
    }
    pmm_give_blocks(machine->pmm, first, mask, state);
}

static inline uint64_t device_blocks_take_back(void *ctx, pfn_t first, uint64_t mask)
{
    uint64_t spare = reclaim_spare_for_balloon(&machine->mem) >> BLOCK_ORDER;
    uint64_t taken = pmm_take_back(machine->pmm, first, mask, spare);

    (void)ctx;
    for (uint64_t i = 0; i < 64; i++) {
        if (!(taken & BIT64(i)))
            continue;
        memset(device_owner(pfn_add(first, i * BLOCK_FRAMES), BLOCK_FRAMES), FRAME_DRIVER,
               BLOCK_FRAMES);
        device.guest.free -= BLOCK_FRAMES;
        device.guest.driver += BLOCK_FRAMES;
        machine->lent += BLOCK_FRAMES;
    }
    return taken;
}

static inline void *device_mem_alloc(void *ctx, size_t size_bytes)
{
    (void)ctx;
    return heap_alloc(&machine->heap, size_bytes);
}

static inline void device_mem_free(void *ctx, void *ptr, size_t size_bytes)
{
    (void)ctx;
    (void)size_bytes;
    heap_free(&machine->heap, ptr);
}

/* As kernel/hal.c. */
static inline void device_mem_stats(void *ctx, struct mem_stats *out)
{
    struct pmm_stats pmm = rig_pmm(machine);
    uint64_t has = pmm.free_frames + machine->mem.stats.volatile_frames;
    uint64_t kept = pmm.reserve_frames + machine->mem.stats.promised;

    (void)ctx;
    *out = (struct mem_stats){
        .total_bytes = pmm.total_frames << FRAME_SHIFT,
        .free_bytes = pmm.free_frames << FRAME_SHIFT,
        .available_bytes = (has > kept ? has - kept : 0) << FRAME_SHIFT,
        .reserve_bytes = pmm.reserve_frames << FRAME_SHIFT,
    };
}

static inline uint64_t device_oom(void *ctx, uint64_t frames)
{
    (void)ctx;
    machine->oom_calls++;
    return virtio_balloon_oom(device.vb, frames);
}

static inline uint64_t device_ballooned(void *ctx)
{
    struct virtio_balloon_status now;

    (void)ctx;
    virtio_balloon_get_status(device.vb, &now);
    return now.held_frames + now.in_flight_frames;
}

static inline bool device_is_ballooned(void *ctx, pfn_t first, uint64_t frames)
{
    (void)ctx;
    return virtio_balloon_has_any(device.vb, first, frames);
}

static inline uint64_t device_now(void *ctx)
{
    (void)ctx;
    return device.v.hal.now_ns += RIG_TICK_NS;
}

/* Once: the bus, the device. */
static inline void device_find(void)
{
    balloon_rig_init(&device, BALLOON_FEATURES | BIT64(VIRTIO_BALLOON_F_DEFLATE_ON_OOM),
                     0);
    assert_int_equal(rig_open(&device.v), 0);
}

/* Put a balloon into a machine; with or without DEFLATE_ON_OOM. */
static inline void device_attach(struct rig *rig, bool may_deflate)
{
    struct hal_model *hal = &device.v.hal;
    struct appmem_config *config = &rig->mem.config;

    /* Nothing of an earlier machine: each has its own history. */
    hal->now_ns = 0;
    hal->wakes = 0;
    hal->wake_at_ns = UINT64_MAX;
    machine = rig;
    rig->may_deflate = may_deflate;
    guest_frames_init(&device.guest, hal, RIG_RAM >> FRAME_SHIFT, rig->frames, 0);
    device.guest.resets = &device.v.model.resets;
    device.guest.resets_seen = device.v.model.resets;
    hal->hal.run_take = device_run_take;
    hal->hal.run_give = device_run_give;
    hal->hal.blocks_give = device_blocks_give;
    hal->hal.blocks_take_back = device_blocks_take_back;
    hal->hal.idle_blocks = device_idle_blocks;
    hal->hal.mem_alloc = device_mem_alloc;
    hal->hal.mem_free = device_mem_free;
    hal->hal.mem_stats = device_mem_stats;
    config->oom = device_oom;
    config->ballooned = device_ballooned;
    config->is_ballooned = device_is_ballooned;
    config->now = device_now;
    pressure_init(&rig->pressure, rig->frames * FRAME_SIZE,
                  rig_pmm(rig).reserve_frames * FRAME_SIZE, hal->now_ns);
    device.opts.accept_oom = may_deflate;
    balloon_rig_target(&device, 0);
    assert_int_equal(balloon_rig_attach(&device), 0);
}

/* To what the host kept back, unless the driver has reset the device meanwhile. */
static inline void device_answer(void)
{
    balloon_rig_run(&device, 0);
    balloon_rig_check(&device);
    balloon_rig_answer(&device);
}

static inline void device_detach(void)
{
    virtio_balloon_detach(device.vb);
    balloon_rig_settle(&device);
    balloon_rig_check(&device);
    assert_int_equal(balloon_rig_status(&device).state, VIRTIO_BALLOON_OFF);
    virtio_balloon_destroy(device.vb);
    device.vb = NULL;
    assert_int_equal(device.guest.driver, 0);
    assert_int_equal(machine->lent, 0);
}

static inline void device_lose(void)
{
    assert_int_equal(rig_end(&device.v), 0);
}
