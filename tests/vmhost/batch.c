// SPDX-License-Identifier: BSD-2-Clause
#include "tests/vmhost/batch.h"

#include "base/units.h"
#include "tests/vmhost/audit.h"
#include "tests/vmhost/frames.h"
#include "tests/vmhost/ram.h"

#define STATUS_MASK   UINT64_C(0x1f)
#define RESERVED_MASK UINT64_C(0xfe0)
#define ALTERED_PFN   (UINT64_C(1) << 40) /* flipped in an entry that the host damages */

static void run_entry(const struct balloon_exchange *x, uint64_t *entry, bool is_spoilt)
{
    bool is_lock = x->command == COMMAND_BATCH_LOCK || x->command == COMMAND_BLOCK_LOCK;
    bool is_block =
        x->command == COMMAND_BLOCK_LOCK || x->command == COMMAND_BLOCK_UNLOCK;
    uint32_t status = x->entry_status;

    if (*entry & RESERVED_MASK)
        audit_violation("batch-reserved", *entry);
    if (!is_spoilt)
        status = balloon_page(*entry >> FRAME_SHIFT, is_lock, is_block);
    *entry = (*entry & ~STATUS_MASK) | (status & STATUS_MASK);
}

void batch_run(struct balloon_exchange *x)
{
    uint64_t pfn = x->argument, count = x->second;

    x->status = STATUS_PPN_INVALID;
    if (count == 0 || count > BALLOON_BATCH_MAX) {
        audit_violation("batch-count", count);
        return;
    }
    if (!ram_is_guests(pfn) || frames_is_locked(pfn)) {
        audit_violation("batch-page", pfn << FRAME_SHIFT);
        return;
    }
    uint64_t *entries = (uint64_t *)(pfn << FRAME_SHIFT);
    for (uint32_t i = 0; i < count; i++) {
        bool is_chosen = i == x->entry;

        run_entry(x, &entries[i], x->spoils_all || (x->spoils_entry && is_chosen));
        if (x->alters_entry && is_chosen)
            entries[i] ^= ALTERED_PFN;
    }
    x->status = STATUS_SUCCESS;
    if ((x->spoils_entry || x->spoils_all) && x->entry_status == STATUS_RESET)
        balloon_reset(); /* who reads that frees its pages without UNLOCK */
}
