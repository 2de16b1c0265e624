// SPDX-License-Identifier: BSD-2-Clause
/*
 * Pages on their way in. A page is taken from the OS, has its place in the page set before the host hears of
 * it, and is then either the balloon's or refused. Refused ones are kept until the cycle ends, or the OS
 * would offer them again at once.
 */
#include "drivers/vmware/balloon_internal.h"

#include "base/assert.h"
#include "base/bits.h"
#include "drivers/balloon/frames.h"

void vmware_give(struct vmware_balloon *vb, unsigned size, struct vmware_page page)
{
    vb->hal->run_give(vb->hal->ctx, page.first, vmware_order(size), page.state);
}

/* Memory that the host has backing for is what it wants; the rest only while there is no other of this size
 * (R-X-03). The sizes against each other: balloon_modern.c. */
static bool take_run(struct vmware_balloon *vb, unsigned size, struct run_want want,
                     struct vmware_page *out)
{
    bool *no_touched = &vb->cycle.no_touched[size];
    struct run_want touched = want;
    unsigned order = vmware_order(size);

    touched.touched_only = true;
    if (!*no_touched &&
        !frames_take(&vb->sets[size], order, touched, &out->first, &out->state))
        return true;
    *no_touched = true;
    return !want.touched_only &&
           !frames_take(&vb->sets[size], order, want, &out->first, &out->state);
}

/* The user should know why memory that is free does not go. */
static void tell_beyond(struct vmware_balloon *vb)
{
    if (!vb->told_beyond)
        log_to(&vb->hal->log, LOG_WARN,
               "vmware-balloon: frame numbers above 32 bits do not fit this host's "
               "commands, those frames stay");
    vb->told_beyond = true;
}

/* No frame was to be had. Would there be one with a larger number? */
static void look_beyond(struct vmware_balloon *vb, struct run_want want)
{
    const struct balloon_hal *hal = vb->hal;
    struct vmware_page page;

    want.pfn_limit = PFN_LIMIT_BATCHED;
    want.free_only = true;
    if (hal->run_take(hal->ctx, 0, want, &page.first, &page.state))
        return;
    if (page.first.n >= PFN_LIMIT_BASIC)
        tell_beyond(vb);
    vmware_give(vb, SMALL, page);
}

bool vmware_take(struct vmware_balloon *vb, unsigned size, struct run_want want,
                 struct vmware_page *out)
{
    bool is_basic = vmware_level(vb) == VMWARE_LEVEL_BASIC;
    struct vmware_tally *tally =
        want.free_only ? &vb->count.nosleep_alloc : &vb->count.cansleep_alloc;

    want.pfn_limit = is_basic ? PFN_LIMIT_BASIC : PFN_LIMIT_BATCHED;
    bool has_page = take_run(vb, size, want, out);

    if (!has_page && want.touched_only)
        return false; /* no failure: other memory will do */
    if (!has_page && is_basic && !vb->told_beyond)
        look_beyond(vb, want);
    tally->total++;
    tally->failed += !has_page;
    vb->count.alloc[size].total++;
    vb->count.alloc[size].failed += !has_page;
    return has_page;
}

static void keep_refused(struct vmware_balloon *vb, unsigned size,
                         struct vmware_page page)
{
    struct vmware_refused *refused = &vb->refused[size];

    assert(refused->count < ARRAY_LEN(refused->pages));
    refused->pages[refused->count++] = page;
}

/* What a host knows otherwise than we do. Too often: both begin anew (a START makes them agree). */
static void note_locked(struct vmware_balloon *vb)
{
    if (!vb->told_states)
        log_to(&vb->hal->log, LOG_WARN,
               "vmware-balloon: the host has locked a frame that is not in the balloon");
    vb->told_states = true;
    if (++vb->locked_twice <= STALE_MAX)
        return;
    vb->is_reset_due = vb->cycle.is_over = true;
    vmware_warn(
        vb, WARN_LOCKED,
        "vmware-balloon: the host has locked %u frames that are not in the balloon: "
        "beginning anew",
        vb->locked_twice);
}

/* One page that was not locked, by its status. R-W-18 counts and keeps, but for RESET and NOTNEEDED. */
static void refuse(struct vmware_balloon *vb, unsigned size, struct vmware_page page,
                   uint32_t status)
{
    vb->count.refused[size]++;
    vb->cycle.refused[size]++;
    if (status == VMWARE_RESET || status == VMWARE_PPN_NOTNEEDED) {
        vb->cycle.is_over = true;
        vmware_give(vb, size, page);
        return;
    }
    if (status == VMWARE_PPN_LOCKED)
        note_locked(vb);
    keep_refused(vb, size, page);
}

static void add(struct vmware_balloon *vb, unsigned size, struct page_run run)
{
    const struct balloon_hal *hal = vb->hal;

    page_set_add(&vb->sets[size], run);
    vb->cursors[SMALL] = pfn_of(UINT64_MAX);
    if (!vb->opts.shrink)
        hal->account(hal->ctx, run.frames);
}

/* The run of locked neighbours in one block that begins with entry `*i`, which becomes its last one. */
static struct page_run locked_run(const struct vmware_chunk *chunk, uint32_t *i)
{
    uint32_t frames = (uint32_t)vmware_frames(chunk->size);
    struct page_run run = {chunk->pages[*i].first, frames};

    for (; *i + 1 < chunk->count; ++*i, run.frames += frames) {
        pfn_t next = chunk->pages[*i + 1].first;

        if (chunk->status[*i + 1] != VMWARE_SUCCESS || next.n % BLOCK_FRAMES == 0 ||
            next.n != run.first.n + run.frames)
            break;
    }
    return run;
}

/* All of the chunk came to nothing. */
static void refuse_chunk(struct vmware_balloon *vb, uint32_t status)
{
    for (uint32_t i = 0; i < vb->chunk.count; i++)
        refuse(vb, vb->chunk.size, vb->chunk.pages[i], status);
}

/* Each entry for itself. A RESET in one of them means that the host has forgotten them all. */
static void sort_chunk(struct vmware_balloon *vb)
{
    const struct vmware_chunk *chunk = &vb->chunk;

    for (uint32_t i = 0; i < chunk->count; i++) {
        if (chunk->status[i] == VMWARE_RESET) {
            vmware_note_reset(vb);
            refuse_chunk(vb, VMWARE_RESET);
            return;
        }
    }
    for (uint32_t i = 0; i < chunk->count; i++) {
        if (chunk->status[i] == VMWARE_SUCCESS)
            add(vb, chunk->size, locked_run(chunk, &i));
        else
            refuse(vb, chunk->size, chunk->pages[i], chunk->status[i]);
    }
}

/* A host that answers LOCK like an empty port is gone, or began anew. */
static void note_silence(struct vmware_balloon *vb, uint32_t status)
{
    vb->silent_locks = status == VMWARE_FAILURE ? vb->silent_locks + 1 : 0;
    if (vb->silent_locks < SILENT_MAX)
        return;
    vb->silent_locks = 0;
    vb->is_reset_due = vb->cycle.is_over = true;
    vmware_warn(vb, WARN_SILENT,
                "vmware-balloon: no answer to %u LOCKs in a row: beginning anew",
                SILENT_MAX);
}

/* Page by page; a batch that is refused as a whole says nothing about them. */
static void tell_refusals(struct vmware_balloon *vb)
{
    unsigned size = vb->chunk.size;

    if (vb->refused[size].count >= VMWARE_REFUSED_MAX)
        vmware_warn(vb, WARN_REFUSALS,
                    "vmware-balloon: the host has refused %u pages of %s: no more in "
                    "this cycle",
                    vb->refused[size].count, size == HUGE ? "2 MiB" : "4 KiB");
}

/* The frame has no number in 32 bits, R-W-16: refused, without a word. */
static bool is_beyond(const struct vmware_balloon *vb)
{
    return vmware_level(vb) == VMWARE_LEVEL_BASIC &&
           vb->chunk.pages[0].first.n >= PFN_LIMIT_BASIC;
}

uint32_t vmware_lock(struct vmware_balloon *vb)
{
    static const enum vmware_command batched[VMWARE_SIZES] = {VMWARE_CMD_BATCHED_LOCK,
                                                              VMWARE_CMD_BATCHED_2M_LOCK};
    uint32_t status;

    if (is_beyond(vb)) {
        tell_beyond(vb);
        refuse_chunk(vb, VMWARE_PPN_INVALID);
        return VMWARE_PPN_INVALID;
    }
    status = vmware_send_chunk(vb, VMWARE_CMD_LOCK, batched);
    note_silence(vb, status);
    if (status == VMWARE_SUCCESS)
        sort_chunk(vb);
    else
        refuse_chunk(vb, status);
    if (status == VMWARE_SUCCESS || vb->chunk.count == 1)
        tell_refusals(vb);
    return status;
}

static void free_split(struct vmware_balloon *vb)
{
    struct vmware_cycle *cycle = &vb->cycle;

    for (; cycle->split_left; cycle->split_left--) {
        vmware_give(vb, SMALL, cycle->split);
        cycle->split.first = pfn_add(cycle->split.first, 1);
    }
}

void vmware_free_refused(struct vmware_balloon *vb)
{
    free_split(vb);
    for (unsigned size = 0; size < VMWARE_SIZES; size++) {
        struct vmware_refused *refused = &vb->refused[size];

        vb->count.refused_free[size] += refused->count;
        for (; refused->count; refused->count--)
            vmware_give(vb, size, refused->pages[refused->count - 1]);
    }
}

/* R-L-09. It is refused no more: its frames are taken as any others, one by one, when each has its place in the
 * set of small pages. */
bool vmware_split_refused(struct vmware_balloon *vb)
{
    struct vmware_refused *refused = &vb->refused[HUGE];

    if (!refused->count)
        return false;
    vb->cycle.split = refused->pages[--refused->count];
    vb->cycle.split_left = BLOCK_FRAMES;
    vb->count.split_groups++;
    vb->count.refused_free[HUGE]++;
    return true;
}
