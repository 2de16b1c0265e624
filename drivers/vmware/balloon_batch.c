// SPDX-License-Identifier: BSD-2-Clause
/*
 * One command for a chunk of pages: a single one, or a batch through the batch page. Of what the host
 * writes there the status bits count; which frame an entry is about we know ourselves.
 */
#include "drivers/vmware/balloon_internal.h"

#include "base/le.h"

static void write_entries(struct vmware_balloon *vb)
{
    le64 *entries = vb->batch.ptr;

    for (uint32_t i = 0; i < vb->chunk.count; i++)
        entries[i] = le64_of(vb->chunk.pages[i].first.n << VMWARE_ENTRY_PFN_SHIFT);
}

/* Each entry is read once. */
static void read_entries(struct vmware_balloon *vb)
{
    const le64 *entries = vb->batch.ptr;
    struct vmware_chunk *chunk = &vb->chunk;

    for (uint32_t i = 0; i < chunk->count; i++) {
        uint64_t entry = le64_get_once(&entries[i]);

        chunk->status[i] = entry & VMWARE_ENTRY_STATUS_MASK;
        if (entry >> VMWARE_ENTRY_PFN_SHIFT == chunk->pages[i].first.n)
            continue;
        vb->count.wrong_entries++;
        if (!vb->told_entry)
            log_to(&vb->hal->log, LOG_WARN,
                   "vmware-balloon: the host changes frame numbers in a batch");
        vb->told_entry = true;
    }
}

/* A command that was granted and is not known. Single ones: without it, which leaves the other way. */
static void note_single_invalid(struct vmware_balloon *vb, enum vmware_command cmd)
{
    vb->cycle.is_over = true;
    if (cmd == VMWARE_CMD_LOCK) {
        vb->no_lock = true;
        vmware_warn(vb, WARN_NO_LOCK,
                    "vmware-balloon: the host does not know LOCK: nothing goes into the "
                    "balloon in this session");
    } else {
        vb->no_unlock = true;
        vmware_warn(vb, WARN_NO_UNLOCK,
                    "vmware-balloon: the host does not know UNLOCK: nothing comes out of "
                    "the balloon in this session");
    }
}

/* Batches: another START, without them. */
static void note_batch_invalid(struct vmware_balloon *vb)
{
    bool is_huge = vb->chunk.size == HUGE;

    vb->cycle.is_over = true;
    vb->unwanted_caps |= VMWARE_CAP_BATCHED_2M;
    if (!is_huge)
        vb->unwanted_caps |= VMWARE_CAP_BATCHED;
    vb->is_reset_due = true;
    vmware_warn(
        vb, is_huge ? WARN_NO_BATCH_2M : WARN_NO_BATCH,
        "vmware-balloon: the host does not know batches of %s pages: a new session "
        "without them",
        is_huge ? "2 MiB" : "4 KiB");
}

uint32_t vmware_send_chunk(struct vmware_balloon *vb, enum vmware_command single,
                           const enum vmware_command batched[VMWARE_SIZES])
{
    struct vmware_chunk *chunk = &vb->chunk;
    bool is_batch = vmware_level(vb) != VMWARE_LEVEL_BASIC;
    uint64_t target;
    uint32_t status;

    if (is_batch) {
        write_entries(vb);
        status = vmware_send(vb, batched[chunk->size], pfn_from_paddr(vb->batch.addr).n,
                             chunk->count, &target);
    } else {
        status = vmware_send(vb, single, chunk->pages[0].first.n, 0, &target);
        chunk->status[0] = VMWARE_SUCCESS;
    }
    if (status == VMWARE_SUCCESS && is_batch)
        read_entries(vb);
    /* R-L-05; an old host, without capabilities, is not known to say the target here. */
    if (status == VMWARE_SUCCESS && vb->has_caps)
        vmware_adopt(vb, target);
    if (status == VMWARE_CMD_INVALID && is_batch)
        note_batch_invalid(vb);
    else if (status == VMWARE_CMD_INVALID)
        note_single_invalid(vb, single);
    if (status == VMWARE_PPN_INVALID && is_batch)
        vb->is_batch_bad = true;
    return status;
}
