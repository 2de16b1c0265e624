// SPDX-License-Identifier: BSD-2-Clause
/* The balloon's life: attach, cycles cut into steps, sleep, detach. */
#include "drivers/vmware/balloon_internal.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/err.h"
#include "drivers/balloon/frames.h"

uint32_t vmware_send(struct vmware_balloon *vb, enum vmware_command cmd, uint64_t arg1,
                     uint64_t arg2, uint64_t *data)
{
    uint32_t status = vmware_balloon_call(vb->door, cmd, arg1, arg2, data);
    bool is_start = cmd == VMWARE_CMD_START;
    bool has_failed =
        status != VMWARE_SUCCESS && (!is_start || vmware_is_classic(vb) ||
                                     status != VMWARE_SUCCESS_WITH_CAPABILITIES);

    vb->count.command[cmd].total++;
    vb->count.command[cmd].failed += has_failed;
    if (status == VMWARE_RESET && !is_start)
        vmware_note_reset(vb); /* R-W-30 */
    return status;
}

void vmware_note_reset(struct vmware_balloon *vb)
{
    vb->is_reset_due = vb->is_forgotten = vb->cycle.is_over = true;
    vb->is_emptying = false;
    vb->unwanted_caps = 0; /* it may be another host by now */
}

void vmware_adopt(struct vmware_balloon *vb, uint64_t frames)
{
    if (!(vb->caps & VMWARE_CAP_64_BIT))
        frames = (uint32_t)frames; /* above stands nothing that counts */
    vb->wish = frames;
    vb->target = min_u64(frames, frames_limit(vb->hal));
}

static uint64_t now(const struct vmware_balloon *vb)
{
    return vb->hal->now(vb->hal->ctx);
}

static uint64_t period(const struct vmware_balloon *vb)
{
    /* A START that fails is tried again each second, R-L-01. */
    if (vmware_has_rates(vb) || vb->state == VMWARE_BALLOON_RESETTING)
        return VMWARE_PERIOD_NS;
    return vb->opts.period_ns;
}

void vmware_end_cycle(struct vmware_balloon *vb)
{
    if (vb->phase == PHASE_IDLE)
        return;
    vmware_free_refused(vb);
    vmware_mend_batch(vb);
    vmware_trim(vb);
    vb->phase = PHASE_IDLE;
    /* From the end of one cycle to the start of the next. */
    vb->next_ns = vb->is_rung ? 0 : now(vb) + period(vb);
}

static void begin_cycle(struct vmware_balloon *vb)
{
    vb->cycle = (struct vmware_cycle){0};
    vb->is_rung = false;
    vb->count.timer++;
    if (vb->is_reset_due)
        vb->state = VMWARE_BALLOON_RESETTING;
    if (vb->is_forgotten)
        vb->phase = PHASE_POP;
    else
        vb->phase = vb->is_reset_due ? PHASE_START : PHASE_TARGET;
}

/* R-W-10: pop, then START. A reset that is our own wish goes the other way round: until START is accepted
 * the host holds the frames. */
static void step_reset(struct vmware_balloon *vb)
{
    if (vb->phase == PHASE_START) {
        vb->phase = vmware_open(vb) ? PHASE_POP : PHASE_END;
    } else if (vmware_pop(vb)) {
        vb->is_forgotten = false;
        vb->phase = vb->is_reset_due ? PHASE_START : PHASE_TARGET;
    }
}

/* Small pages go first, R-L-11; each is offered once in a cycle. */
static void begin_deflate(struct vmware_balloon *vb)
{
    vb->phase = PHASE_DEFLATE;
    vb->cycle.size = SMALL;
    vb->cycle.left = vb->sets[SMALL].frames;
}

/* Not soon after a shortage, R-L-17; either policy. */
static bool may_inflate(const struct vmware_balloon *vb)
{
    return vmware_can_lock(vb) && now(vb) >= vb->shrunk_ns;
}

/* R-W-08: the slow counter, the target, and what there is to do for it. */
static void step_target(struct vmware_balloon *vb)
{
    if (vb->slow_cycles)
        vb->slow_cycles--;
    if (vb->is_bell_lost)
        vmware_set_doorbell(vb);
    vb->phase = PHASE_END;
    if (vb->is_reset_due || !vmware_get_target(vb))
        return;
    int64_t change =
        vmware_is_classic(vb) ? vmware_classic_change(vb) : vmware_modern_change(vb);
    vmware_rates_begin(vb, change > 0);
    if (change > 0 && may_inflate(vb))
        vb->phase = PHASE_INFLATE;
    else if (change < 0 && vmware_can_unlock(vb))
        begin_deflate(vb);
}

static void step_inflate(struct vmware_balloon *vb)
{
    if (vmware_is_classic(vb))
        vmware_classic_inflate(vb);
    else
        vmware_modern_inflate(vb);
}

static void step_deflate(struct vmware_balloon *vb)
{
    if (vmware_is_classic(vb))
        vmware_classic_deflate(vb);
    else
        vmware_modern_deflate(vb);
}

static void step_cycle(struct vmware_balloon *vb)
{
    if (vb->phase == PHASE_IDLE)
        begin_cycle(vb);
    switch (vb->phase) {
    case PHASE_POP:
    case PHASE_START:
        step_reset(vb);
        break;
    case PHASE_TARGET:
        step_target(vb);
        break;
    case PHASE_INFLATE:
        step_inflate(vb);
        break;
    case PHASE_DEFLATE:
        step_deflate(vb);
        break;
    case PHASE_IDLE:
    case PHASE_END:
        break;
    }
    if (vb->phase == PHASE_END || vb->cycle.is_over)
        vmware_end_cycle(vb);
}

static void step_detach(struct vmware_balloon *vb)
{
    if (!vmware_pop(vb))
        return;
    if (vb->batch.ptr)
        vb->hal->dma_free(vb->hal->ctx, &vb->batch);
    vb->batch.ptr = NULL;
    vb->state = VMWARE_BALLOON_OFF;
}

void vmware_balloon_step(struct vmware_balloon *vb)
{
    const struct balloon_hal *hal = vb->hal;
    bool is_running =
        vb->state == VMWARE_BALLOON_LIVE || vb->state == VMWARE_BALLOON_RESETTING;

    if (vb->state == VMWARE_BALLOON_DETACHING)
        step_detach(vb);
    else if (is_running && (vb->phase != PHASE_IDLE || now(vb) >= vb->next_ns))
        step_cycle(vb);
    else if (is_running && vb->is_emptying)
        vmware_step_move(vb);
    else if (!is_running)
        return;
    if (vb->state == VMWARE_BALLOON_OFF)
        hal->wake_at(hal->ctx, UINT64_MAX);
    else if (vb->state == VMWARE_BALLOON_DETACHING || vb->phase != PHASE_IDLE ||
             vb->is_emptying)
        hal->wake(hal->ctx);
    else
        hal->wake_at(hal->ctx, vb->next_ns);
}

/* R-W-03 to R-W-05, R-L-01. */
static int start(struct vmware_balloon *vb)
{
    const struct vmware_tally *guest_id = &vb->count.command[VMWARE_CMD_GUEST_ID];

    vmware_open(vb);
    if (vb->last_start == VMWARE_FAILURE)
        return -ENODEV;
    bool is_open = vb->state == VMWARE_BALLOON_LIVE;
    if (!vmware_is_classic(vb) || (is_open && guest_id->failed == 0))
        return 0;
    if (is_open) {
        log_to(&vb->hal->log, LOG_ERROR, "vmware-balloon: GUEST_ID fails");
        vmware_close(vb); /* no session stays open, D-W-03 */
    }
    return -EIO;
}

static void take_options(struct vmware_balloon *vb,
                         const struct vmware_balloon_opts *opts)
{
    vb->opts = *opts;
    vb->wished_caps = VMWARE_CAP_BASIC; /* the number of protocol 2, too */
    if (opts->policy == VMWARE_POLICY_MODERN)
        vb->wished_caps = opts->caps & VMWARE_CAPS_ALL;
    if (!opts->doorbell || opts->rates)
        vb->wished_caps &= ~VMWARE_CAP_SIGNALLED;
    if (!opts->period_ns)
        vb->opts.period_ns = VMWARE_PERIOD_MODERN_NS;
}

/* It has no batch page: an attach that failed got none, and a detach gave it back. */
static void free_balloon(struct vmware_balloon *vb)
{
    const struct balloon_hal *hal = vb->hal;

    for (unsigned size = 0; size < VMWARE_SIZES; size++)
        page_set_fini(&vb->sets[size]);
    hal->mem_free(hal->ctx, vb, sizeof(*vb));
}

int vmware_balloon_attach(const struct vmware_backdoor *door,
                          const struct balloon_hal *hal,
                          const struct vmware_balloon_opts *opts,
                          struct vmware_balloon **out)
{
    struct vmware_balloon *vb = hal->mem_alloc(hal->ctx, sizeof(*vb));

    if (!vb)
        return -ENOMEM;
    vb->door = door;
    vb->hal = hal;
    take_options(vb, opts);
    for (unsigned size = 0; size < VMWARE_SIZES; size++)
        page_set_init(&vb->sets[size], hal);
    vb->sets[SMALL].keeps_pieces = true;
    vb->rate_alloc = VMWARE_RATE_ALLOC_MAX;
    vb->rate_free = VMWARE_RATE_FREE_MAX;
    vb->state = VMWARE_BALLOON_RESETTING;
    vb->is_reset_due = true;

    int err = start(vb);
    if (err) {
        free_balloon(vb);
        return err;
    }
    /* After a START that failed only in a second. */
    vb->next_ns = vb->state == VMWARE_BALLOON_LIVE ? 0 : now(vb) + period(vb);
    hal->wake(hal->ctx);
    *out = vb;
    return 0;
}

void vmware_balloon_ring(struct vmware_balloon *vb)
{
    vb->count.doorbells++;
    if (vb->state != VMWARE_BALLOON_LIVE)
        return;
    vb->is_rung = true;
    if (vb->phase == PHASE_IDLE)
        vb->next_ns = 0;
    vb->hal->wake(vb->hal->ctx);
}

/* START goes before the frames, so that touching them does not look like a guest that lost its mind. */
void vmware_balloon_detach(struct vmware_balloon *vb)
{
    if (vb->state == VMWARE_BALLOON_DETACHING || vb->state == VMWARE_BALLOON_OFF)
        return;
    vb->is_rung = vb->is_emptying = false;
    vmware_end_cycle(vb);
    vmware_close(vb);
    vb->state = VMWARE_BALLOON_DETACHING;
    vb->hal->wake(vb->hal->ctx);
}

void vmware_balloon_suspend(struct vmware_balloon *vb)
{
    if (vb->state != VMWARE_BALLOON_LIVE && vb->state != VMWARE_BALLOON_RESETTING)
        return;
    vb->is_emptying = false;
    vmware_end_cycle(vb);
    vb->state = VMWARE_BALLOON_ASLEEP;
    vb->hal->wake_at(vb->hal->ctx, UINT64_MAX);
}

void vmware_balloon_resume(struct vmware_balloon *vb)
{
    if (vb->state != VMWARE_BALLOON_ASLEEP)
        return;
    vb->state = vb->is_reset_due ? VMWARE_BALLOON_RESETTING : VMWARE_BALLOON_LIVE;
    vb->is_bell_lost = vb->caps & VMWARE_CAP_SIGNALLED;
    vb->next_ns = 0;
    vb->hal->wake(vb->hal->ctx);
}

void vmware_balloon_destroy(struct vmware_balloon *vb)
{
    assert(vb->state == VMWARE_BALLOON_OFF && vmware_size(vb) == 0);
    free_balloon(vb);
}
