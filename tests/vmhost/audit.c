// SPDX-License-Identifier: BSD-2-Clause
#include "tests/vmhost/audit.h"

#include "tests/vmhost/balloon_host.h"
#include "tests/vmhost/frames.h"
#include "tests/vmhost/guest.h"
#include "tests/vmhost/log.h"

#define LINES_MAX 100 /* violations named one by one */

static unsigned violations;

void audit_violation(const char *kind, uint64_t about)
{
    if (++violations <= LINES_MAX)
        log_say("violation kind=%s about=%lx rip=%lx cr3=%lx", kind, about,
                guest_vmcb.rip, guest_vmcb.cr3);
}

unsigned audit_violations(void)
{
    return violations;
}

void audit_write(const char *why)
{
    const struct balloon_account *account = balloon_account();
    const uint64_t *n = account->by_command;

    frames_audit();
    log_say(
        "calls start=%lu get_target=%lu lock=%lu unlock=%lu guest_id=%lu batch_lock=%lu "
        "batch_unlock=%lu block_lock=%lu block_unlock=%lu doorbell=%lu",
        n[COMMAND_START], n[COMMAND_GET_TARGET], n[COMMAND_LOCK], n[COMMAND_UNLOCK],
        n[COMMAND_GUEST_ID], n[COMMAND_BATCH_LOCK], n[COMMAND_BATCH_UNLOCK],
        n[COMMAND_BLOCK_LOCK], n[COMMAND_BLOCK_UNLOCK], n[COMMAND_DOORBELL]);
    log_say(
        "audit why=%s locked=%lu in_blocks=%lu target=%lu locks=%lu unlocks=%lu forgotten=%lu "
        "calls=%lu refused=%lu faults=%lu violations=%u",
        why, frames_held(), frames_in_blocks(), account->target, account->locks,
        account->unlocks, account->forgotten, account->calls, account->refused,
        account->faults, violations);
}
