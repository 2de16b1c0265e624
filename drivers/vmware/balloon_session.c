// SPDX-License-Identifier: BSD-2-Clause
/*
 * Sessions. START opens one, whatever was before; the host has forgotten all frames by then, and so have we
 * (R-W-10). It says in its answer what it can do; a host that can do nothing special speaks protocol 2.
 */
#include "drivers/vmware/balloon_internal.h"

#include "base/bits.h"
#include "base/err.h"

enum vmware_level vmware_level(const struct vmware_balloon *vb)
{
    if (vb->is_reset_due)
        return VMWARE_LEVEL_NONE;
    /* 2 MiB pages by themselves are no use: the rest comes in small ones. */
    if (vb->caps & VMWARE_CAP_BATCHED)
        return vb->caps & VMWARE_CAP_BATCHED_2M ? VMWARE_LEVEL_BATCHED_2M
                                                : VMWARE_LEVEL_BATCHED;
    return vb->caps & VMWARE_CAP_BASIC ? VMWARE_LEVEL_BASIC : VMWARE_LEVEL_NONE;
}

bool vmware_can_lock(const struct vmware_balloon *vb)
{
    return vmware_level(vb) != VMWARE_LEVEL_NONE && !vb->no_lock;
}

bool vmware_can_unlock(const struct vmware_balloon *vb)
{
    return vmware_level(vb) != VMWARE_LEVEL_NONE && !vb->no_unlock;
}

/* The batch page stays for the next sessions, D-L-01. */
static bool has_batch_page(struct vmware_balloon *vb)
{
    return vb->batch.ptr || vb->hal->dma_alloc(vb->hal->ctx, FRAME_SIZE, &vb->batch) == 0;
}

void vmware_mend_batch(struct vmware_balloon *vb)
{
    struct dma_mem other;

    if (!vb->is_batch_bad)
        return;
    vb->is_batch_bad = false;
    /* The old one goes last, or it would come back. */
    int err = vb->hal->dma_alloc(vb->hal->ctx, FRAME_SIZE, &other);
    vmware_warn(vb, WARN_BATCH_PAGE,
                "vmware-balloon: the host refuses the batch page: %s",
                err ? "kept, there is no memory for another" : "replaced");
    if (err)
        return;
    vb->hal->dma_free(vb->hal->ctx, &vb->batch);
    vb->batch = other;
}

/* What is asked for: less than the wish when a capability turned out not to work. A legacy host sees the
 * number of its protocol. */
static uint32_t caps_to_ask(const struct vmware_balloon *vb)
{
    return vb->wished_caps & ~vb->unwanted_caps;
}

static void tell_session(struct vmware_balloon *vb)
{
    vb->told_start_failure = false;
    if (vb->told_session)
        return;
    vb->told_session = true;
    log_to(&vb->hal->log, LOG_INFO,
           "vmware-balloon: session: level %s, capabilities 0x%x of 0x%x",
           vmware_level_name(vmware_level(vb)), vb->caps, vb->wished_caps);
}

/* Once, until a START succeeds: it is repeated for ever. */
static void tell_failure(struct vmware_balloon *vb, const char *what)
{
    if (!vb->told_start_failure)
        log_to(&vb->hal->log, LOG_ERROR, "vmware-balloon: %s: 0x%x", what,
               vb->last_start);
    vb->told_start_failure = true;
}

/* The first command of all gets no answer: no failure, and who attaches says it. */
static bool is_nobody_there(const struct vmware_balloon *vb)
{
    return vb->last_start == VMWARE_FAILURE &&
           vb->count.command[VMWARE_CMD_START].total == 1;
}

/* START itself. True: accepted. */
static bool send_start(struct vmware_balloon *vb)
{
    uint32_t asked = caps_to_ask(vb);
    uint64_t granted = 0;

    vb->last_start = vmware_send(vb, VMWARE_CMD_START, asked, 0, &granted);
    vb->caps = 0;
    vb->no_lock = vb->no_unlock = false;
    vb->locked_twice = vb->silent_locks = 0;
    vb->has_caps =
        vb->last_start == VMWARE_SUCCESS_WITH_CAPABILITIES && !vmware_is_classic(vb);
    if (vb->has_caps)
        vb->caps = (uint32_t)granted & asked;
    else if (vb->last_start == VMWARE_SUCCESS) /* what an old host returns is not ours */
        vb->caps = VMWARE_CAP_BASIC;
    else if (!is_nobody_there(vb))
        tell_failure(vb, "START fails");
    return vb->has_caps || vb->caps;
}

static void tell_refusal(struct vmware_balloon *vb, bool *told, const char *what,
                         uint32_t status)
{
    if (!*told)
        log_to(&vb->hal->log, LOG_WARN, "vmware-balloon: %s refused: 0x%x", what, status);
    *told = true;
}

static void unset_doorbell(struct vmware_balloon *vb)
{
    vmware_send(vb, VMWARE_CMD_DOORBELL_SET, UINT32_MAX, UINT32_MAX, NULL);
}

/* True: the host has it. */
static bool link_doorbell(struct vmware_balloon *vb)
{
    const struct vmware_doorbell *bell = vb->opts.doorbell;
    uint32_t context, resource, status;
    int err = bell->link(bell->ctx, &context, &resource);

    if (err) {
        if (!vb->told_doorbell)
            log_to(&vb->hal->log, LOG_WARN, "vmware-balloon: no doorbell: %s",
                   err_name(err));
        vb->told_doorbell = true;
        return false;
    }
    status = vmware_send(vb, VMWARE_CMD_DOORBELL_SET, context, resource, NULL);
    if (status == VMWARE_SUCCESS)
        return true;
    bell->unlink(bell->ctx);
    tell_refusal(vb, &vb->told_doorbell, "the doorbell is", status);
    return false;
}

void vmware_set_doorbell(struct vmware_balloon *vb)
{
    const struct vmware_doorbell *bell = vb->opts.doorbell;
    bool is_known = vb->is_bell_lost && vb->has_doorbell; /* to the host, from before */
    bool is_granted = vb->caps & VMWARE_CAP_SIGNALLED;

    if (vb->has_doorbell && !is_granted)
        bell->unlink(bell->ctx);
    vb->has_doorbell = vb->is_bell_lost = false;
    if (!is_granted)
        return;
    vb->has_doorbell = link_doorbell(vb);
    /* Else it would go on ringing one that is gone. */
    if (!vb->has_doorbell && is_known && !vb->is_reset_due)
        unset_doorbell(vb);
}

static void send_guest_id(struct vmware_balloon *vb)
{
    uint32_t status = vmware_send(vb, VMWARE_CMD_GUEST_ID, vb->opts.guest, 0, NULL);

    if (status != VMWARE_SUCCESS)
        tell_refusal(vb, &vb->told_guest, "the guest type is", status);
}

bool vmware_open(struct vmware_balloon *vb)
{
    if (!send_start(vb))
        return false;
    vb->is_forgotten = true; /* whatever comes of this session */
    vb->warned = 0;
    vb->is_bell_lost = false;
    if (vb->caps & VMWARE_CAP_BATCHED && !has_batch_page(vb)) {
        vmware_send(vb, VMWARE_CMD_START, 0, 0, NULL); /* we can do nothing now */
        tell_failure(vb, "no memory for the batch page, START was");
        return false;
    }
    vb->is_reset_due = false;
    vb->state = VMWARE_BALLOON_LIVE;
    vb->count.resets += vb->told_session; /* this is not the first */
    tell_session(vb);
    vmware_set_doorbell(vb);
    if (!vb->is_reset_due)
        send_guest_id(vb);
    return !vb->is_reset_due;
}

void vmware_close(struct vmware_balloon *vb)
{
    const struct vmware_doorbell *bell = vb->opts.doorbell;

    if (vb->has_doorbell && !vb->is_reset_due)
        unset_doorbell(vb);
    if (vb->has_doorbell)
        bell->unlink(bell->ctx);
    vb->has_doorbell = false;
    vmware_send(vb, VMWARE_CMD_START, vb->has_caps ? 0 : VMWARE_CAP_BASIC, 0, NULL);
}

bool vmware_get_target(struct vmware_balloon *vb)
{
    struct mem_stats mem;
    uint64_t target;

    vb->hal->mem_stats(vb->hal->ctx, &mem);
    vb->limit = mem.total_bytes >> FRAME_SHIFT;
    bool is_wide = vb->caps & VMWARE_CAP_64_BIT;
    if (vb->limit > UINT32_MAX && !is_wide) { /* R-W-13 */
        if (!vb->told_limit)
            log_to(
                &vb->hal->log, LOG_ERROR,
                "vmware-balloon: %llu frames of RAM do not fit this host's 32 bits, no "
                "target is asked for",
                (unsigned long long)vb->limit);
        vb->told_limit = true;
        return false;
    }
    if (vmware_send(vb, VMWARE_CMD_GET_TARGET, vb->limit, 0, &target) != VMWARE_SUCCESS)
        return false;
    vmware_adopt(vb, target);
    return true;
}
