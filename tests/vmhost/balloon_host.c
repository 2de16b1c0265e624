// SPDX-License-Identifier: BSD-2-Clause
#include "tests/vmhost/balloon_host.h"

#include "base/bits.h"
#include "tests/vmhost/audit.h"
#include "tests/vmhost/batch.h"
#include "tests/vmhost/control.h"
#include "tests/vmhost/end.h"
#include "tests/vmhost/faults.h"
#include "tests/vmhost/frames.h"
#include "tests/vmhost/guest.h"
#include "tests/vmhost/log.h"
#include "tests/vmhost/schedule.h"
#include "tests/vmhost/vmci.h"

#define VERSION_BITS \
    UINT32_C(3) /* the old protocol numbers look like these capabilities */

enum phase {
    PHASE_CLOSED,
    PHASE_OPEN,
    PHASE_LOST, /* the next command is told RESET */
};

static struct {
    enum phase phase;
    bool knows_reset; /* the guest was told: only START may follow */
    uint32_t offered, granted;
    uint64_t limit, guest_type;
    struct balloon_account account;
    bool is_quiet, has_trace; /* no noise; trace */
    uint64_t noise;
} host = {.offered = CAPABILITY_BASIC, .noise = UINT64_C(0x9e3779b97f4a7c15)};

void balloon_set_capabilities(uint32_t capabilities)
{
    host.offered = capabilities;
}

void balloon_set_target(uint64_t frames)
{
    balloon_set_target_since(frames, log_now_ns());
}

void balloon_set_target_since(uint64_t frames, uint64_t since_ns)
{
    if (host.account.target == frames)
        return;
    host.account.target = frames;
    host.account.since_ns = since_ns;
    log_say("target frames=%lu locked=%lu polls=%lu since=%lu", frames, frames_held(),
            host.account.by_command[COMMAND_GET_TARGET], since_ns);
    vmci_ring();
}

void balloon_set_noise(bool on)
{
    host.is_quiet = !on;
}

void balloon_set_trace(bool on)
{
    host.has_trace = on;
}

const struct balloon_account *balloon_account(void)
{
    return &host.account;
}

static void forget(void)
{
    host.account.forgotten += frames_held();
    frames_forget();
    vmci_set_doorbell(UINT32_MAX, UINT32_MAX);
}

void balloon_reset(void)
{
    if (host.phase == PHASE_CLOSED)
        return;
    log_say("reset locked=%lu", frames_held());
    forget();
    host.phase = PHASE_LOST;
    host.knows_reset = false;
}

void balloon_power_off(const char *why)
{
    if (audit_violations())
        end_run(why, END_VIOLATION);
    audit_write(why);
    if (audit_violations())
        end_run(why, END_VIOLATION);
}

static void start(struct balloon_exchange *x)
{
    uint32_t common = (uint32_t)x->argument & host.offered;

    forget();
    host.knows_reset = false;
    x->has_ecx = true;
    if (x->argument == 0) {
        host.phase = PHASE_CLOSED;
        host.granted = 0;
        x->status = STATUS_CAPABILITIES;
    } else if (!(common & ~VERSION_BITS)) {
        host.phase = PHASE_OPEN;
        host.granted = CAPABILITY_BASIC;
        x->status = STATUS_SUCCESS;
    } else {
        host.phase = PHASE_OPEN;
        host.granted = common & ~BIT32(0);
        x->status = STATUS_CAPABILITIES;
    }
    x->ecx = host.granted;
    if (x->has_claim) {
        x->status = STATUS_CAPABILITIES;
        x->ecx = x->claims;
    }
    log_say("start asked=%lx granted=%x status=%x", x->argument, host.granted, x->status);
}

/* What the command needs to have been granted. */
static uint32_t needed(enum balloon_command command)
{
    switch (command) {
    case COMMAND_LOCK:
    case COMMAND_UNLOCK:
        return CAPABILITY_BASIC;
    case COMMAND_BATCH_LOCK:
    case COMMAND_BATCH_UNLOCK:
        return CAPABILITY_BATCH;
    case COMMAND_BLOCK_LOCK:
    case COMMAND_BLOCK_UNLOCK:
        return CAPABILITY_BLOCK;
    case COMMAND_DOORBELL:
        return CAPABILITY_DOORBELL;
    default:
        return 0;
    }
}

enum balloon_status balloon_page(uint64_t pfn, bool is_lock, bool is_block)
{
    uint64_t frames = is_block ? BLOCK_FRAMES : 1;
    enum balloon_status status =
        is_lock ? frames_lock(pfn, is_block) : frames_unlock(pfn, is_block);

    if (status == STATUS_SUCCESS && is_lock)
        host.account.locks += frames;
    else if (status == STATUS_SUCCESS)
        host.account.unlocks += frames;
    else if (status == STATUS_PPN_LOCKED)
        audit_violation("double-lock", pfn << FRAME_SHIFT);
    else if (status == STATUS_PPN_UNLOCKED)
        audit_violation("unlock-free", pfn << FRAME_SHIFT);
    else
        audit_violation("invalid-frame", pfn << FRAME_SHIFT);
    return status;
}

static void in_session(struct balloon_exchange *x)
{
    switch (x->command) {
    case COMMAND_GET_TARGET:
        host.limit = host.granted & CAPABILITY_WIDE ? x->argument : (uint32_t)x->argument;
        x->status = STATUS_SUCCESS;
        break;
    case COMMAND_LOCK:
    case COMMAND_UNLOCK:
        x->status = balloon_page(x->argument, x->command == COMMAND_LOCK, false);
        break;
    case COMMAND_GUEST_ID:
        host.guest_type = x->argument;
        log_say("guest-id type=%lu", x->argument);
        x->status = STATUS_SUCCESS;
        return; /* without data */
    case COMMAND_DOORBELL:
        vmci_set_doorbell((uint32_t)x->argument, (uint32_t)x->second);
        x->status = STATUS_SUCCESS;
        return;
    default:
        batch_run(x);
    }
    x->has_data = x->status == STATUS_SUCCESS;
}

static bool clears_doorbell(const struct balloon_exchange *x)
{
    return x->command == COMMAND_DOORBELL && (uint32_t)x->argument == UINT32_MAX;
}

static void answer(struct balloon_exchange *x)
{
    if (x->command == COMMAND_START) {
        start(x);
        return;
    }
    if (host.phase != PHASE_OPEN) {
        if (host.knows_reset &&
            !clears_doorbell(x)) /* Linux does that before its first START */
            audit_violation("order", x->command);
        host.knows_reset = true;
        x->status = STATUS_RESET;
        return;
    }
    bool is_known = x->command != COMMAND_UNUSED && x->command < COMMAND_COUNT;
    if (!is_known || needed(x->command) & ~host.granted) {
        audit_violation("not-granted", x->command);
        x->status = STATUS_INVALID;
        return;
    }
    in_session(x);
}

static uint64_t noise(void)
{
    host.noise ^= host.noise << 13;
    host.noise ^= host.noise >> 7;
    host.noise ^= host.noise << 17;
    return host.noise;
}

static void write_back(const struct balloon_exchange *x)
{
    guest_vmcb.rax = x->status;
    if (x->is_silent)
        return;
    if (!host.is_quiet) {
        guest_regs.rbx = noise();
        guest_regs.rcx = noise();
        guest_regs.rdx = noise();
        guest_regs.rsi = noise();
        guest_regs.rdi = noise();
    }
    if (x->has_ecx)
        guest_regs.rcx = x->ecx;
    if (x->has_data)
        guest_regs.rbx = host.granted & CAPABILITY_WIDE ? host.account.target
                                                        : (uint32_t)host.account.target;
}

void balloon_call(void)
{
    struct balloon_exchange x = {
        .command = (enum balloon_command)(guest_regs.rcx & 0xffff),
        .argument = guest_regs.rbx,
        .second = guest_regs.rsi,
        .status = STATUS_NOBODY,
    };

    if ((uint32_t)guest_vmcb.rax != BALLOON_MAGIC) {
        guest_vmcb.rax = STATUS_NOBODY;
        return;
    }
    host.account.calls++;
    if (x.command < COMMAND_COUNT)
        host.account.by_command[x.command]++;
    if (x.command == COMMAND_GET_TARGET)
        control_poll();
    if (faults_apply(&x))
        host.account.faults++;
    if (!x.is_answered)
        answer(&x);
    if (x.status == STATUS_RESET)
        host.knows_reset = true;
    if (x.status != STATUS_SUCCESS && x.status != STATUS_CAPABILITIES)
        host.account.refused++;
    if (host.has_trace)
        log_say("call command=%u argument=%lx second=%lx status=%x", x.command,
                x.argument, x.second, x.status);
    write_back(&x);
    schedule_watch();
}
