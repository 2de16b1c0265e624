// SPDX-License-Identifier: BSD-2-Clause
/* The hypervisor behind port 0x5670: sessions, commands, faults. The rules it watches: vmware_rules.c. */
#include "tests/model/vmware_host.h"

#include "tests/model/vmware_host_internal.h"

#include "base/bits.h"

#include <string.h>

#define BALLOON_PORT  0x5670u
#define BALLOON_MAGIC 0x456C6D6Fu
#define VERSION_PORT  0x5658u
#define VERSION_MAGIC 0x564D5868u

uint64_t vh_random(struct vmware_host *h)
{
    h->random ^= h->random << 13;
    h->random ^= h->random >> 7;
    h->random ^= h->random << 17;
    return h->random;
}

static bool is_batch(unsigned cmd)
{
    return cmd >= VH_BATCH_LOCK && cmd <= VH_BATCH_2M_UNLOCK;
}

static void forget_locks(struct vmware_host *h)
{
    memset(h->locked, 0, sizeof(h->locked));
    h->locked_frames = 0;
    h->has_doorbell = false;
}

/* From here on the guest may do with its frames as it likes. */
static void release_guest(struct vmware_host *h)
{
    memset(h->guest->host_has, 0, sizeof(h->guest->host_has));
    h->guest->told = h->guest->owed = 0;
}

static void tell_reset(struct vmware_host *h)
{
    forget_locks(h);
    release_guest(h);
    h->phase = VH_RESET_PENDING;
    h->was_told_reset = true;
}

/* ---- frames ---- */

/* A group is refused for what any of its frames is. */
static uint32_t lock_status(const struct vmware_host *h, uint64_t at, uint64_t frames)
{
    for (uint64_t i = at; i < at + frames; i++)
        if (h->locked[i])
            return VH_PPN_LOCKED;
    for (uint64_t i = at; i < at + frames; i++)
        if (h->pinned[i])
            return VH_PPN_PINNED;
    if (frames > 1 && h->pinned_group[at / BLOCK_FRAMES])
        return VH_PPN_PINNED;
    if (h->takes_no_surplus && h->locked_frames >= h->target)
        return VH_PPN_NOTNEEDED;
    return VH_SUCCESS;
}

static bool is_guests(const struct vmware_host *h, uint64_t pfn, uint64_t frames)
{
    const struct guest_frames *g = h->guest;

    return pfn % frames == 0 && pfn >= g->base && pfn - g->base + frames <= g->count;
}

static uint32_t lock(struct vmware_host *h, uint64_t pfn, uint64_t frames)
{
    struct guest_frames *g = h->guest;
    uint64_t at = pfn - g->base;

    if (!is_guests(h, pfn, frames)) {
        vh_rule(h, false, "I-6: LOCK of what is no RAM of the guest, or not aligned");
        return VH_PPN_INVALID;
    }
    uint32_t status = lock_status(h, at, frames);
    vh_rule(h, status != VH_PPN_LOCKED, "I-6: LOCK of a locked frame");
    if (status != VH_SUCCESS)
        return status;
    for (uint64_t i = at; i < at + frames; i++) {
        vh_rule(h, g->owner[i] == FRAME_DRIVER, "I-4: LOCK of a frame that is not ours");
        h->locked[i] = frames > 1 ? 2 : 1;
        g->told += !g->host_has[i];
        g->host_has[i] = true;
    }
    h->locked_frames += frames;
    h->most_locked = max_u64(h->most_locked, h->locked_frames);
    vh_rule_size(h, true, frames);
    return VH_SUCCESS;
}

static void unmark(struct vmware_host *h, uint64_t at, uint64_t frames)
{
    struct guest_frames *g = h->guest;

    for (uint64_t i = at; i < at + frames; i++) {
        h->locked_frames -= h->locked[i] != 0;
        h->locked[i] = 0;
        g->told -= g->host_has[i];
        g->host_has[i] = false;
    }
}

static uint32_t unlock(struct vmware_host *h, uint64_t pfn, uint64_t frames)
{
    uint64_t at = pfn - h->guest->base;

    if (!is_guests(h, pfn, frames)) {
        vh_rule(h, false, "I-6: UNLOCK of what is no RAM of the guest, or not aligned");
        return VH_PPN_INVALID;
    }
    for (uint64_t i = at; i < at + frames; i++) {
        if (h->locked[i] == (frames > 1 ? 2 : 1))
            continue;
        vh_rule(h, false,
                h->locked[i] ? "I-15: UNLOCK in another size than it was locked in"
                             : "I-6: UNLOCK of a frame that is not locked");
        return VH_PPN_UNLOCKED;
    }
    for (uint64_t i = at; i < at + frames; i++)
        if (h->keeps[i])
            return VH_BUSY;
    unmark(h, at, frames);
    vh_rule_size(h, false, frames);
    return VH_SUCCESS;
}

static uint32_t one_page(struct vmware_host *h, unsigned cmd, uint64_t pfn)
{
    uint64_t frames =
        cmd == VH_BATCH_2M_LOCK || cmd == VH_BATCH_2M_UNLOCK ? BLOCK_FRAMES : 1;

    if (cmd == VH_LOCK || cmd == VH_BATCH_LOCK || cmd == VH_BATCH_2M_LOCK)
        return lock(h, pfn, frames);
    return unlock(h, pfn, frames);
}

/* A frame of which the host says that it does not hold it is the guest's. */
static void lose_page(struct vmware_host *h, unsigned cmd, uint64_t pfn, uint32_t status)
{
    uint64_t frames = cmd == VH_BATCH_2M_UNLOCK ? BLOCK_FRAMES : 1;
    bool is_unlock = frames > 1 || cmd == VH_UNLOCK || cmd == VH_BATCH_UNLOCK;

    if (is_unlock && status == VH_PPN_UNLOCKED && is_guests(h, pfn, frames))
        unmark(h, pfn - h->guest->base, frames);
}

/* ---- commands ---- */

static uint64_t shown_target(struct vmware_host *h)
{
    if (h->caps & VH_CAP_64)
        return h->target;
    /* The upper half is not the host's business and holds anything. */
    return (h->target & UINT32_MAX) | vh_random(h) << 32;
}

static uint32_t entry(struct vmware_host *h, const struct vh_fault *fault, unsigned cmd,
                      uint64_t *slot)
{
    uint64_t pfn = *slot >> FRAME_SHIFT;

    vh_rule(h, (*slot & (FRAME_SIZE - 1)) == 0,
            "I-15: reserved bits of an entry are set");
    if (!fault) {
        *slot |= one_page(h, cmd, pfn);
        return *slot & 31;
    }
    uint32_t status = fault->status & 31;
    lose_page(h, cmd, pfn, status);
    *slot |= status ? status : one_page(h, cmd, pfn);
    if (fault->moves_pfn)
        *slot ^= vh_random(h) << FRAME_SHIFT;
    return *slot & 31;
}

static uint32_t batch(struct vmware_host *h, const struct vh_call *call,
                      const struct vh_fault *fault)
{
    uint64_t *slots = hal_model_dma(h->hal, call->arg1 << FRAME_SHIFT, FRAME_SIZE);
    bool has_reset = false;

    vh_rule(h, slots, "I-6: the batch page is no memory for it");
    vh_rule(h, call->arg2 >= 1 && call->arg2 <= 512, "I-15: count of a batch");
    if (!slots || call->arg2 < 1 || call->arg2 > 512)
        return VH_PPN_INVALID;
    for (uint32_t i = 0; i < call->arg2; i++) {
        bool is_hit = fault && (fault->entry == i || fault->entry == VH_EACH);

        h->entries[call->cmd]++;
        h->hits += is_hit;
        has_reset |= entry(h, is_hit ? fault : NULL, call->cmd, &slots[i]) == VH_RESET;
    }
    if (has_reset)
        tell_reset(h);
    return VH_SUCCESS;
}

static uint32_t doorbell_set(struct vmware_host *h, const struct vh_call *call)
{
    bool is_unset = call->arg1 == VH_ALL_ONES && call->arg2 == VH_ALL_ONES;

    vh_rule(h, !is_unset || h->has_doorbell,
            "D-L-04: a doorbell unset that was never set");
    h->has_doorbell = !is_unset;
    h->doorbell_context = call->arg1;
    h->doorbell_resource = call->arg2;
    return VH_SUCCESS;
}

static uint32_t needed_cap(unsigned cmd)
{
    switch (cmd) {
    case VH_LOCK:
    case VH_UNLOCK:
        return VH_CAP_BASIC;
    case VH_BATCH_LOCK:
    case VH_BATCH_UNLOCK:
        return VH_CAP_BATCH;
    case VH_BATCH_2M_LOCK:
    case VH_BATCH_2M_UNLOCK:
        return VH_CAP_BATCH_2M;
    case VH_DOORBELL_SET:
        return VH_CAP_DOORBELL;
    default:
        return 0;
    }
}

static uint32_t obey(struct vmware_host *h, const struct vh_call *call,
                     const struct vh_fault *fault)
{
    uint32_t needed = needed_cap(call->cmd);

    if (h->phase != VH_OPEN) {
        tell_reset(h);
        return VH_RESET;
    }
    vh_rule(h, (h->caps & needed) == needed && call->cmd != VH_NEVER,
            "a command that was not granted");
    if ((h->caps & needed) != needed || call->cmd == VH_NEVER || call->cmd >= VH_CMDS)
        return VH_CMD_INVALID;
    switch (call->cmd) {
    case VH_GET_TARGET:
        h->limit = call->arg1;
        return VH_SUCCESS;
    case VH_GUEST_ID:
        h->guest_type = call->arg1;
        return VH_SUCCESS;
    case VH_DOORBELL_SET:
        return doorbell_set(h, call);
    case VH_LOCK:
    case VH_UNLOCK:
        return one_page(h, call->cmd, call->arg1);
    default:
        return batch(h, call, fault);
    }
}

static void open_session(struct vmware_host *h, const struct vh_fault *fault,
                         struct vh_call *call)
{
    uint32_t asked = (uint32_t)call->arg1, common = asked & h->offers & ~1u;

    h->was_told_reset = false;
    h->limit = 0;
    call->status = fault && !fault->has_caps ? fault->status
                   : asked == 0 || (fault && fault->has_caps) || common & ~3u
                       ? VH_WITH_CAPS
                       : VH_SUCCESS;
    call->data = fault && fault->has_caps ? fault->caps : common;
    h->phase = VH_CLOSED;
    bool is_taken = call->status == VH_SUCCESS || call->status == VH_WITH_CAPS;
    if (is_taken)
        forget_locks(h);
    if (is_taken || h->is_ending) /* I-7 */
        release_guest(h);
    if (!is_taken || asked == 0)
        return;
    h->phase = VH_OPEN;
    h->is_plain = call->status == VH_SUCCESS;
    h->caps = h->is_plain ? VH_CAP_BASIC : (uint32_t)call->data & asked & ~1u;
    if (h->is_plain)
        call->data = 2; /* an old host's protocol version: to be ignored */
}

/* The one that is due for this command; entry faults of what is no batch do not count. */
static const struct vh_fault *due_fault(struct vmware_host *h, unsigned cmd)
{
    for (unsigned i = 0; i < VH_FAULTS; i++) {
        struct vh_fault *f = &h->faults[i];

        if (!f->times || (f->cmd != cmd && f->cmd != VH_ANY) ||
            (f->entry != VH_WHOLE && !is_batch(cmd)))
            continue;
        if (f->skip > 0) {
            f->skip--;
            continue;
        }
        f->times -= f->times != VH_EVERY;
        h->hits += f->entry == VH_WHOLE;
        return f;
    }
    return NULL;
}

static void answer(struct vmware_host *h, struct vh_call *call)
{
    const struct vh_fault *fault = due_fault(h, call->cmd);

    call->data = shown_target(h);
    if (h->is_deaf) {
        call->status = VH_ALL_ONES;
        if (call->cmd == VH_START && h->is_ending)
            release_guest(h);
    } else if (call->cmd == VH_START) {
        open_session(h, fault, call);
    } else if (fault && fault->entry == VH_WHOLE && fault->status != VH_SUCCESS) {
        call->status = fault->status;
        if (call->status == VH_RESET)
            tell_reset(h);
        if (call->cmd == VH_UNLOCK)
            lose_page(h, call->cmd, call->arg1, call->status);
    } else {
        call->status = obey(h, call, fault);
    }
}

/* Whether RBX has a meaning after this; everything else is noise. */
static bool has_target(const struct vmware_host *h, const struct vh_call *call)
{
    if (call->status != VH_SUCCESS || call->cmd == VH_START || call->cmd == VH_GUEST_ID ||
        call->cmd == VH_DOORBELL_SET)
        return false;
    return call->cmd == VH_GET_TARGET || !h->is_plain;
}

static void fill_registers(struct vmware_host *h, const struct vh_call *call,
                           struct vmware_regs *regs)
{
    uint64_t *all[] = {&regs->bx, &regs->cx, &regs->dx, &regs->si, &regs->di};

    for (unsigned i = 0; i < ARRAY_LEN(all); i++)
        *all[i] = vh_random(h);
    regs->ax = call->status | vh_random(h) << 32;
    if (has_target(h, call))
        regs->bx = call->data;
    if (call->cmd == VH_START && call->status == VH_WITH_CAPS)
        regs->cx = (uint32_t)call->data | vh_random(h) << 32;
}

static void balloon(struct vmware_host *h, struct vmware_regs *regs)
{
    struct vh_call call = {.cmd = (uint16_t)regs->cx, .arg1 = regs->bx, .arg2 = regs->si};

    if (h->before)
        h->before(h->ctx);
    vh_rules_before(h, &call, regs);
    answer(h, &call);
    fill_registers(h, &call, regs);
    if (has_target(h, &call))
        h->told = h->caps & VH_CAP_64 ? call.data : (uint32_t)call.data;
    vh_record(h, &call);
    if (h->is_deaf) /* as a real machine without the port: RAX only */
        *regs = (struct vmware_regs){.ax = VH_ALL_ONES,
                                     .bx = call.arg1,
                                     .cx = call.cmd,
                                     .dx = BALLOON_PORT,
                                     .si = call.arg2};
}

/* GETVERSION and GETHZ. */
static void general(const struct vmware_host *h, struct vmware_regs *regs)
{
    uint16_t cmd = (uint16_t)regs->cx;

    if (!h->version || (uint32_t)regs->ax != VERSION_MAGIC) {
        regs->ax = VH_ALL_ONES;
    } else if (cmd == 10) {
        regs->ax = h->version;
        regs->bx = VERSION_MAGIC;
        if (!h->hides_product)
            regs->cx = 2;
    } else if (cmd == 45) {
        regs->ax = h->tsc_hz ? (uint32_t)h->tsc_hz : VERSION_MAGIC;
        regs->bx = h->tsc_hz ? h->tsc_hz >> 32 : VH_ALL_ONES;
    } else {
        regs->ax = VH_ALL_ONES;
    }
}

static void in(void *ctx, struct vmware_regs *regs)
{
    struct vmware_host *h = ctx;

    vh_rule(h, !h->is_inside, "I-13: a command inside a command");
    h->is_inside = true;
    if ((uint16_t)regs->dx == VERSION_PORT)
        general(h, regs);
    else if ((uint16_t)regs->dx == BALLOON_PORT && (uint32_t)regs->ax == BALLOON_MAGIC)
        balloon(h, regs);
    else
        regs->ax = VH_ALL_ONES;
    h->is_inside = false;
}

/* ---- what a test does ---- */

void vmware_host_init(struct vmware_host *h, struct hal_model *hal,
                      struct guest_frames *guest, uint32_t offers)
{
    memset(h, 0, sizeof(*h));
    h->hal = hal;
    h->guest = guest;
    h->offers = offers;
    h->version = 6;
    h->random = UINT64_C(0x9E3779B97F4A7C15);
}

struct vmware_backdoor vmware_host_port(struct vmware_host *h)
{
    return (struct vmware_backdoor){.ctx = h, .in = in};
}

void vmware_host_target(struct vmware_host *h, uint64_t frames)
{
    bool is_new = h->target != frames;

    h->target = frames;
    if (is_new && h->has_doorbell && h->ring)
        h->ring(h->ctx);
}

void vmware_host_reset(struct vmware_host *h)
{
    forget_locks(h);
    if (h->phase == VH_OPEN)
        h->phase = VH_RESET_PENDING;
}

void vmware_host_fault(struct vmware_host *h, struct vh_fault fault)
{
    for (unsigned i = 0; i < VH_FAULTS; i++) {
        if (h->faults[i].times)
            continue;
        h->faults[i] = fault;
        return;
    }
    model_fail("too many faults at once", __LINE__);
}

void vmware_host_no_faults(struct vmware_host *h)
{
    memset(h->faults, 0, sizeof(h->faults));
}
