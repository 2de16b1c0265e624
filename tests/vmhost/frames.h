// SPDX-License-Identifier: BSD-2-Clause
/*
 * Which frames the host holds. A locked frame vanishes from the guest's memory and is filled with a
 * pattern; at the unlock the pattern is checked, which shows what the nested tables cannot: a device that
 * wrote there. docs/vmware-driver.md has the protocol.
 */
#pragma once

#include "base/units.h"
#include "tests/vmhost/status.h"

#include <stdbool.h>

/* Fill and check frames, or leave their contents alone (for measuring). On by default. */
void frames_scribble(bool on);

/* One frame, or 512 from a multiple of 512 on. Whether the guest may do so is the caller's question;
 * here a frame locked twice or unlocked though it is free is told apart. */
enum balloon_status frames_lock(uint64_t pfn, bool is_block);
enum balloon_status frames_unlock(uint64_t pfn, bool is_block);

/* Give all of them back without a check, as after START. */
void frames_forget(void);

/* Give back the one at `addr`, which the guest touched. False when it is not held. */
bool frames_heal(paddr_t addr);

bool frames_is_locked(uint64_t pfn);

/* Frames held, and how many of them in blocks. */
uint64_t frames_held(void);
uint64_t frames_in_blocks(void);

/* Look at all of RAM. A frame whose nested entry or pattern is not as it must be is a violation, and so are
 * books that do not add up. */
void frames_audit(void);
