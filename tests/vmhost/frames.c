// SPDX-License-Identifier: BSD-2-Clause
#include "tests/vmhost/frames.h"

#include "tests/vmhost/audit.h"
#include "tests/vmhost/guest.h"
#include "tests/vmhost/npt.h"
#include "tests/vmhost/ram.h"

#include <stddef.h>

#define FRAMES_MAX (NPT_RAM_MAX / FRAME_SIZE)
#define WORDS      (FRAME_SIZE / sizeof(uint64_t))
#define LOCKED \
    UINT64_C(0xb0bacafe00000000) /* with the frame's number: what a locked frame holds */
#define UNLOCKED UINT64_C(0xdeadd1e700000000) /* what the guest gets back */

enum frame_state {
    FRAME_FREE,
    FRAME_LOCKED,
    FRAME_IN_BLOCK,
};

static uint8_t states[FRAMES_MAX]; /* enum frame_state */
static struct {
    uint64_t locked, in_blocks;
    bool is_silent; /* no scribbling */
} held;

void frames_scribble(bool on)
{
    held.is_silent = !on;
}

static uint64_t *memory_of(uint64_t pfn)
{
    return (uint64_t *)pfn_to_paddr(pfn_of(pfn));
}

static void fill(uint64_t pfn, uint64_t pattern)
{
    uint64_t *at = memory_of(pfn);

    for (size_t i = 0; i < WORDS && !held.is_silent; i++)
        at[i] = pattern | pfn;
}

static bool is_intact(uint64_t pfn)
{
    const uint64_t *at = memory_of(pfn);

    for (size_t i = 0; i < WORDS && !held.is_silent; i++)
        if (at[i] != (LOCKED | pfn))
            return false;
    return true;
}

static void set_state(uint64_t pfn, enum frame_state state)
{
    enum frame_state old = states[pfn];

    held.locked += (state != FRAME_FREE) - (uint64_t)(old != FRAME_FREE);
    held.in_blocks += (state == FRAME_IN_BLOCK) - (uint64_t)(old == FRAME_IN_BLOCK);
    states[pfn] = (uint8_t)state;
    if (state == FRAME_FREE)
        npt_give(pfn_of(pfn));
    else
        npt_take(pfn_of(pfn));
}

static enum balloon_status check(uint64_t pfn, uint64_t count)
{
    if (pfn % count)
        return STATUS_PPN_INVALID;
    for (uint64_t i = 0; i < count; i++)
        if (!ram_is_guests(pfn + i))
            return STATUS_PPN_INVALID;
    return STATUS_SUCCESS;
}

enum balloon_status frames_lock(uint64_t pfn, bool is_block)
{
    uint64_t count = is_block ? BLOCK_FRAMES : 1;
    enum balloon_status status = check(pfn, count);

    if (status)
        return status;
    for (uint64_t i = 0; i < count; i++)
        if (states[pfn + i] != FRAME_FREE)
            return STATUS_PPN_LOCKED;
    for (uint64_t i = 0; i < count; i++) {
        fill(pfn + i, LOCKED);
        set_state(pfn + i, is_block ? FRAME_IN_BLOCK : FRAME_LOCKED);
    }
    guest_flush();
    return STATUS_SUCCESS;
}

enum balloon_status frames_unlock(uint64_t pfn, bool is_block)
{
    uint64_t count = is_block ? BLOCK_FRAMES : 1;
    enum balloon_status status = check(pfn, count);

    if (status)
        return status;
    for (uint64_t i = 0; i < count; i++)
        if (states[pfn + i] != (is_block ? FRAME_IN_BLOCK : FRAME_LOCKED))
            return STATUS_PPN_UNLOCKED;
    for (uint64_t i = 0; i < count; i++) {
        if (!is_intact(pfn + i))
            audit_violation("pattern", pfn_to_paddr(pfn_of(pfn + i)));
        fill(pfn + i, UNLOCKED);
        set_state(pfn + i, FRAME_FREE);
    }
    guest_flush();
    return STATUS_SUCCESS;
}

void frames_forget(void)
{
    for (uint64_t pfn = 0; pfn < FRAMES_MAX && held.locked; pfn++)
        if (states[pfn] != FRAME_FREE)
            set_state(pfn, FRAME_FREE);
    guest_flush();
}

bool frames_heal(paddr_t addr)
{
    uint64_t pfn = pfn_from_paddr(addr).n;

    if (!frames_is_locked(pfn))
        return false;
    set_state(pfn, FRAME_FREE);
    guest_flush();
    return true;
}

bool frames_is_locked(uint64_t pfn)
{
    return pfn < FRAMES_MAX && states[pfn] != FRAME_FREE;
}

uint64_t frames_held(void)
{
    return held.locked;
}

uint64_t frames_in_blocks(void)
{
    return held.in_blocks;
}

/* What is wrong with the frame, or NULL. */
static const char *fault_of(uint64_t pfn)
{
    bool is_locked = states[pfn] != FRAME_FREE;

    if (npt_is_absent(pfn_to_paddr(pfn_of(pfn))) != is_locked)
        return "nested-entry";
    return is_locked && !is_intact(pfn) ? "pattern" : NULL;
}

static uint64_t audit_range(const struct ram_range *range)
{
    uint64_t pfn = (range->start + FRAME_SIZE - 1) >> FRAME_SHIFT, locked = 0;
    uint64_t end = (range->start + range->size_bytes) >> FRAME_SHIFT;

    for (; pfn < end; pfn++) {
        const char *what = fault_of(pfn);

        locked += states[pfn] != FRAME_FREE;
        if (what)
            audit_violation(what, pfn_to_paddr(pfn_of(pfn)));
    }
    return locked;
}

void frames_audit(void)
{
    unsigned count;
    const struct ram_range *ranges = ram_ranges(&count);
    uint64_t locked = 0;

    for (unsigned i = 0; i < count; i++)
        if (ranges[i].type == RAM_USABLE)
            locked += audit_range(&ranges[i]);
    if (locked != held.locked)
        audit_violation("count", locked);
}
