// SPDX-License-Identifier: BSD-2-Clause
/* The VMware balloon between a guest's frames and the host's model: time, and what must hold. */
#include "tests/model/vmware_rig.h"

#include "base/bits.h"
#include "base/err.h"

#include <string.h>

static int link_bell(void *ctx, uint32_t *context, uint32_t *resource)
{
    struct vmware_rig *r = ctx;

    r->has_bell = !r->bell_fails; /* a bell of before is gone in any case */
    if (r->bell_fails)
        return -EIO;
    *context = VMWARE_RIG_BELL;
    *resource = 1024 + r->bells++;
    return 0;
}

static void unlink_bell(void *ctx)
{
    struct vmware_rig *r = ctx;

    r->has_bell = false;
}

static void ring(void *ctx)
{
    struct vmware_rig *r = ctx;

    if (r->vb)
        vmware_balloon_ring(r->vb);
}

void vmware_rig_init_at(struct vmware_rig *r, uint32_t offers, uint64_t base,
                        uint64_t frames)
{
    memset(r, 0, offsetof(struct vmware_rig, host));
    hal_model_init(&r->hal);
    guest_frames_init(&r->guest, &r->hal, base, frames, 0);
    vmware_host_init(&r->host, &r->hal, &r->guest, offers);
    r->host.ring = ring;
    r->host.ctx = r;
    r->port = vmware_host_port(&r->host);
    r->doorbell = (struct vmware_doorbell){r, link_bell, unlink_bell};
    r->opts = (struct vmware_balloon_opts){.policy = VMWARE_POLICY_MODERN,
                                           .guest = VMWARE_GUEST_LINUX,
                                           .caps = VMWARE_CAPS_ALL,
                                           .doorbell = &r->doorbell};
    r->vb = NULL;
    r->bell_fails = r->has_bell = false;
    r->bells = r->steps = 0;
    r->each_step = NULL;
}

void vmware_rig_init(struct vmware_rig *r, uint32_t offers, uint64_t frames)
{
    vmware_rig_init_at(r, offers, VMWARE_RIG_BASE, frames);
}

void vmware_rig_init_classic(struct vmware_rig *r, uint64_t frames)
{
    vmware_rig_init(r, VH_CAP_BASIC, frames);
    r->opts.policy = VMWARE_POLICY_CLASSIC;
}

int vmware_rig_attach(struct vmware_rig *r)
{
    r->host.is_ending = false;
    return vmware_balloon_attach(&r->port, &r->hal.hal, &r->opts, &r->vb);
}

/* One step, if one is due until `until_ns`. */
static bool run_one(struct vmware_rig *r, uint64_t until_ns)
{
    struct hal_model *hal = &r->hal;
    bool is_due = hal->wakes > 0;

    if (!is_due && hal->wake_at_ns <= until_ns) {
        hal->now_ns = max_u64(hal->now_ns, hal->wake_at_ns);
        hal->wake_at_ns = UINT64_MAX;
        is_due = true;
    }
    if (!is_due)
        return false;
    hal->wakes = 0;
    hal->now_ns += 20 * NS_PER_US;
    r->steps++;
    vmware_balloon_step(r->vb);
    if (r->each_step)
        r->each_step(r);
    return true;
}

void vmware_rig_run(struct vmware_rig *r, uint64_t for_ns)
{
    uint64_t until = r->hal.now_ns + for_ns;

    for (unsigned n = 0; r->hal.now_ns < until && run_one(r, until); n++)
        if (n > 1000000)
            model_fail("the driver never rests", __LINE__);
    r->hal.now_ns = max_u64(r->hal.now_ns, until);
}

void vmware_rig_cycle(struct vmware_rig *r)
{
    uint64_t before = vmware_rig_status(r).count.timer;

    for (unsigned n = 0; n < 1000000; n++) {
        if (!run_one(r, UINT64_MAX - 1))
            model_fail("the driver sleeps for ever", __LINE__);
        struct vmware_balloon_status s = vmware_rig_status(r);
        if (s.count.timer == before + 1 && !s.is_moving) {
            vmware_rig_check(r);
            return;
        }
        model_true(s.count.timer <= before + 1);
    }
    model_fail("the cycle does not end", __LINE__);
}

void vmware_rig_cycles(struct vmware_rig *r, unsigned count)
{
    while (count-- > 0)
        vmware_rig_cycle(r);
}

void vmware_rig_reach(struct vmware_rig *r, uint64_t target)
{
    uint64_t size;

    vmware_host_target(&r->host, target);
    for (unsigned n = 0; n < 100; n++) {
        size = vmware_rig_size(r);
        vmware_rig_cycle(r);
        if (vmware_rig_size(r) == size && r->host.phase == VH_OPEN)
            return;
    }
    model_fail("the size does not settle", __LINE__);
}

struct vmware_balloon_status vmware_rig_status(const struct vmware_rig *r)
{
    struct vmware_balloon_status status;

    vmware_balloon_get_status(r->vb, &status);
    return status;
}

uint64_t vmware_rig_size(const struct vmware_rig *r)
{
    return vmware_rig_status(r).size_frames;
}

/* What the driver walks is what the host has, frame by frame. */
static void check_sets(struct vmware_rig *r, uint64_t size)
{
    uint64_t frames, seen = 0;
    pfn_t first = pfn_of(0);

    while (vmware_balloon_next_range(r->vb, first, &first, &frames)) {
        for (uint64_t i = 0; i < frames; i++)
            model_true(r->host.locked[first.n - r->guest.base + i]);
        seen += frames;
        first = pfn_add(first, frames);
    }
    model_equal(seen, size);
    model_equal(r->host.locked_frames, size);
}

void vmware_rig_check(struct vmware_rig *r)
{
    struct vmware_balloon_status s = vmware_rig_status(r);

    vmware_host_check(&r->host);
    model_true(s.rate_alloc >= VMWARE_RATE_ALLOC_MIN &&
               s.rate_alloc <= VMWARE_RATE_ALLOC_MAX);
    model_true(s.rate_free >= VMWARE_RATE_FREE_MIN &&
               s.rate_free <= VMWARE_RATE_FREE_MAX);
    model_true(s.refused_frames <= VMWARE_REFUSED_MAX * (uint64_t)BLOCK_FRAMES);
    model_true(r->hal.dma_live <= 1); /* the batch page */
    if (s.is_moving)
        return;
    model_equal(s.refused_frames, 0);
    model_equal(r->guest.driver, s.size_frames);
    if (r->host.phase == VH_OPEN && !s.is_reset_due &&
        (s.state == VMWARE_BALLOON_LIVE || s.state == VMWARE_BALLOON_ASLEEP))
        check_sets(r, s.size_frames);
}

void vmware_rig_detach(struct vmware_rig *r)
{
    r->host.is_ending = true;
    vmware_balloon_detach(r->vb);
}

void vmware_rig_end(struct vmware_rig *r)
{
    if (r->vb) {
        vmware_rig_check(r);
        vmware_rig_detach(r);
        vmware_rig_run(r, NS_PER_S);
        model_equal(vmware_rig_status(r).state, VMWARE_BALLOON_OFF);
        model_equal(r->host.trace[(r->host.trace_count - 1) % VH_TRACE].cmd, VH_START);
        r->host.is_over = true;
        vmware_rig_run(r, 100 * NS_PER_S);
        vmware_rig_check(r);
        model_equal(vmware_rig_size(r), 0);
        vmware_balloon_destroy(r->vb);
        r->vb = NULL;
    }
    model_true(!r->has_bell);
    model_equal(r->guest.driver, 0);
    model_equal(r->guest.accounted, 0);
    model_equal(hal_model_end(&r->hal), 0);
}
