// SPDX-License-Identifier: BSD-2-Clause
/* The wire of the balloon's port: commands, capabilities and answers. Numbers are interface facts. */
#pragma once

#include <stdint.h>

#define BALLOON_PORT      0x5670
#define BALLOON_MAGIC     UINT32_C(0x456c6d6f)
#define BALLOON_BATCH_MAX 512

enum balloon_command {
    COMMAND_START,
    COMMAND_GET_TARGET,
    COMMAND_LOCK,
    COMMAND_UNLOCK,
    COMMAND_GUEST_ID,
    COMMAND_UNUSED,
    COMMAND_BATCH_LOCK,
    COMMAND_BATCH_UNLOCK,
    COMMAND_BLOCK_LOCK,
    COMMAND_BLOCK_UNLOCK,
    COMMAND_DOORBELL,
    COMMAND_COUNT,
};

enum balloon_capability {
    CAPABILITY_BASIC = 1 << 1,
    CAPABILITY_BATCH = 1 << 2,
    CAPABILITY_BLOCK = 1 << 3,
    CAPABILITY_DOORBELL = 1 << 4,
    CAPABILITY_WIDE = 1 << 5, /* targets and limits of 64 bits */
};

enum balloon_status {
    STATUS_SUCCESS = 0,
    STATUS_INVALID = 1,
    STATUS_PPN_INVALID = 2,
    STATUS_PPN_LOCKED = 3,
    STATUS_PPN_UNLOCKED = 4,
    STATUS_PPN_PINNED = 5,
    STATUS_PPN_NOT_NEEDED = 6,
    STATUS_RESET = 7,
    STATUS_BUSY = 8,
    STATUS_CAPABILITIES = 0x03000000,
};
#define STATUS_NOBODY UINT32_MAX /* what a port without a device reads */
