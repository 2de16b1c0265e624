// SPDX-License-Identifier: BSD-2-Clause
/*
 * The host's side of port 0x5670: sessions, capabilities, targets, locks. docs/vmware-driver.md names the
 * driver's side. What the guest may not do is a violation (audit.h); what the host does wrong on purpose is
 * in faults.h.
 */
#pragma once

#include "tests/vmhost/status.h"

#include <stdbool.h>

struct balloon_account {
    uint64_t target, since_ns;          /* when it changed */
    uint64_t locks, unlocks, forgotten; /* frames */
    uint64_t calls, refused,
        faults; /* calls answered at all, other than success, by a fault */
    uint64_t by_command[COMMAND_COUNT];
};

/* One call on its way; a fault may change it. */
struct balloon_exchange {
    enum balloon_command command;
    uint64_t argument, second;
    bool is_answered; /* status and data are final */
    bool has_data;    /* RBX is the target, else noise */
    bool is_silent;   /* nobody is there: all ones, no register changes */
    uint32_t status, ecx;
    bool has_ecx;
    bool has_claim; /* START: claim in ECX to have granted `claims`, whatever was */
    uint32_t claims;
    /* What happens to the entries of a batch. */
    bool spoils_entry, spoils_all, alters_entry;
    uint32_t entry, entry_status;
};

/* The guest executed `in eax, dx` on BALLOON_PORT. */
void balloon_call(void);

/* The host loses the session: all locks are forgotten, the next command learns RESET. */
void balloon_reset(void);

/* What START grants from now on. */
void balloon_set_capabilities(uint32_t capabilities);

/* A new target; rings the doorbell when there is one. */
void balloon_set_target(uint64_t frames);

/* The same, of a target that changed some time ago. */
void balloon_set_target_since(uint64_t frames, uint64_t since_ns);

/* Registers that carry nothing hold noise (default) or keep their values. */
void balloon_set_noise(bool on);

/* A line for each call. */
void balloon_set_trace(bool on);

const struct balloon_account *balloon_account(void);

/* The machine is about to end by the guest's wish: the account, and END_VIOLATION when there was one. */
void balloon_power_off(const char *why);
