// SPDX-License-Identifier: BSD-2-Clause
/*
 * The door between a VMware host and its guest: the instruction `in eax, dx` on a port that no device has.
 * Two doors use it. The balloon's is port 0x5670, one command a call; the general one is port 0x5658, and
 * all that is asked there is who is on the other side.
 *
 *     uint64_t target;
 *     uint32_t status = vmware_balloon_call(door, VMWARE_CMD_GET_TARGET, limit, 0, &target);
 *
 * A host that has no such door answers all ones. Nothing here remembers anything: what may be called when
 * is the caller's business (balloon.h). Context: task level, one call at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What a call passes and what comes back: all six may differ afterwards. */
struct vmware_regs {
    uint64_t ax, bx, cx, dx, si, di;
};

/* The seam: executes `in eax, dx` with these registers. The host reads and writes memory of the guest
 * during it, so it is a full barrier for the compiler. A model stands here in tests. */
struct vmware_backdoor {
    void *ctx;
    void (*in)(void *ctx, struct vmware_regs *regs);
};

/* ---- the balloon's door ---- */

#define VMWARE_BALLOON_PORT  0x5670
#define VMWARE_BALLOON_MAGIC 0x456C6D6F

/* What each takes and returns. From LOCK on they return the target, but for GUEST_ID and DOORBELL_SET. */
enum vmware_command {
    VMWARE_CMD_START = 0,        /* capabilities; returns those granted */
    VMWARE_CMD_GET_TARGET = 1,   /* most frames we could give; returns the target */
    VMWARE_CMD_LOCK = 2,         /* frame number */
    VMWARE_CMD_UNLOCK = 3,       /* frame number */
    VMWARE_CMD_GUEST_ID = 4,     /* kind of guest; returns nothing */
    VMWARE_CMD_BATCHED_LOCK = 6, /* frame number of the batch page; entries */
    VMWARE_CMD_BATCHED_UNLOCK = 7,
    VMWARE_CMD_BATCHED_2M_LOCK = 8,
    VMWARE_CMD_BATCHED_2M_UNLOCK = 9,
    VMWARE_CMD_DOORBELL_SET = 10, /* VMCI context; resource; both all ones: none */
    VMWARE_COMMANDS = 11,
};

enum vmware_status {
    VMWARE_SUCCESS = 0,
    VMWARE_CMD_INVALID = 1,
    VMWARE_PPN_INVALID = 2,
    VMWARE_PPN_LOCKED = 3,
    VMWARE_PPN_UNLOCKED = 4,
    VMWARE_PPN_PINNED = 5,
    VMWARE_PPN_NOTNEEDED = 6,
    VMWARE_RESET = 7,
    VMWARE_BUSY = 8,
};

#define VMWARE_SUCCESS_WITH_CAPABILITIES 0x03000000u /* of START alone */
#define VMWARE_FAILURE                   UINT32_MAX  /* also: nobody listens */

/* Capabilities. Protocol 2, of hosts without them, is the number of BASIC. */
#define VMWARE_CAP_BASIC      0x02u
#define VMWARE_CAP_BATCHED    0x04u
#define VMWARE_CAP_BATCHED_2M 0x08u
#define VMWARE_CAP_SIGNALLED  0x10u
#define VMWARE_CAP_64_BIT     0x20u
#define VMWARE_CAPS_ALL       0x3Eu

enum vmware_guest {
    VMWARE_GUEST_UNKNOWN = 0,
    VMWARE_GUEST_LINUX = 1,
    VMWARE_GUEST_BSD = 2,
    VMWARE_GUEST_WINDOWS_NT4 = 3,
    VMWARE_GUEST_WINDOWS = 4,
    VMWARE_GUEST_SOLARIS = 5,
    VMWARE_GUEST_MACOS = 6,
};

/* One entry of the batch page: a frame number, and where the host puts the status. */
#define VMWARE_BATCH_ENTRIES     512u
#define VMWARE_ENTRY_PFN_SHIFT   12
#define VMWARE_ENTRY_STATUS_MASK 0x1Fu

/*
 * One command. Returns the status, in 32 bits: enum vmware_status, one of the two beside it, or anything
 * else, which is a failure. `data` (or NULL) is written when the status is a success: of START the
 * capabilities, of other commands the target.
 */
uint32_t vmware_balloon_call(const struct vmware_backdoor *door, enum vmware_command cmd,
                             uint64_t arg1, uint64_t arg2, uint64_t *data);

/* ---- the general door ---- */

#define VMWARE_PORT  0x5658
#define VMWARE_MAGIC 0x564D5868

enum vmware_product {
    VMWARE_PRODUCT_UNKNOWN = 0,
    VMWARE_PRODUCT_EXPRESS = 1,
    VMWARE_PRODUCT_ESX = 2,
    VMWARE_PRODUCT_SERVER = 3,
    VMWARE_PRODUCT_WORKSTATION = 4,
    VMWARE_PRODUCT_ACE = 5,
};

struct vmware_version {
    uint32_t version; /* of the protocol: 6 */
    uint32_t product; /* enum vmware_product; UNKNOWN when it does not tell */
};

/* GETVERSION. False: this is no VMware, *out is untouched. Not to be called on a machine that does not look
 * like one (its SMBIOS): others give meaningless answers. */
bool vmware_get_version(const struct vmware_backdoor *door, struct vmware_version *out);

/* GETHZ: the frequency of the time stamp counter in Hz. False: the host does not say. */
bool vmware_get_tsc_hz(const struct vmware_backdoor *door, uint64_t *hz);
