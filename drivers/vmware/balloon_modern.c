// SPDX-License-Identifier: BSD-2-Clause
/*
 * The modern policy: a cycle goes on until the target is met. It goes down a list of what to take and never back
 * up: memory that the host has backing for, large pages before small ones, then what it has none for, which
 * gives it nothing. What there is to do is asked anew before each command, because each answer may bring
 * another target.
 */
#include "drivers/vmware/balloon_internal.h"

#include "base/bits.h"

/* As the virtio balloon chooses (R-X-02, R-X-03). Caches go for the last only, R-L-03. */
static const struct {
    unsigned size;
    struct run_want want;
} choices[] = {
    {HUGE, {.touched_only = true, .free_only = true}},
    {SMALL, {.touched_only = true, .free_only = true}},
    {HUGE, {.free_only = true}},
    {SMALL, {.free_only = false}},
};

#define LAST_CHOICE (ARRAY_LEN(choices) - 1)

/* A target out of reach is tried for in every cycle; that often the guest's caches should not be emptied. */
#define CACHES_GAP_NS NS_PER_S

/* R-L-06. */
int64_t vmware_modern_change(const struct vmware_balloon *vb)
{
    int64_t change = (int64_t)vb->target - (int64_t)vmware_size(vb);

    if (vb->is_reset_due)
        return 0;
    if (change < 0 && -change < (int64_t)VMWARE_SLACK_FRAMES && vb->wish != 0)
        return 0;
    return change;
}

/* The last choice may drop caches, unless that was in vain not long ago; where there are rates, once free memory
 * is short. */
static struct run_want wanted(const struct vmware_balloon *vb)
{
    struct run_want want = choices[vb->cycle.choice].want;

    if (!want.free_only)
        want.free_only = vb->opts.rates ? !vb->cycle.can_sleep
                                        : vb->hal->now(vb->hal->ctx) < vb->caches_ns;
    return want;
}

static bool take_run(struct vmware_balloon *vb, struct vmware_page *out)
{
    if (vb->opts.rates)
        return vmware_rates_take(vb, vb->cycle.size, wanted(vb), out);
    return vmware_take(vb, vb->cycle.size, wanted(vb), out);
}

/* A page by the choice that the cycle has come to; at last of a refused group first, so that its good frames
 * are used (R-L-09). */
static bool take(struct vmware_balloon *vb, struct vmware_page *out)
{
    struct vmware_cycle *cycle = &vb->cycle;

    if (cycle->choice < LAST_CHOICE || (!cycle->split_left && !vmware_split_refused(vb)))
        return take_run(vb, out);
    if (page_set_reserve(&vb->sets[SMALL], cycle->split.first, 0))
        return false;
    vb->count.alloc[SMALL].total++;
    *out = cycle->split;
    cycle->split.first = pfn_add(cycle->split.first, 1);
    cycle->split_left--;
    return true;
}

/* Fill the chunk. False: there is no more of this choice. */
static bool fill(struct vmware_balloon *vb, uint64_t pages)
{
    struct vmware_chunk *chunk = &vb->chunk;

    chunk->size = vb->cycle.size;
    for (chunk->count = 0; chunk->count < pages; chunk->count++) {
        if (!take(vb, &chunk->pages[chunk->count]))
            return false;
    }
    return true;
}

/* R-L-07, D-L-03: once too many groups were refused, small pages are left. */
static void next_choice(struct vmware_balloon *vb, bool has_all)
{
    struct vmware_cycle *cycle = &vb->cycle;
    bool is_refused = cycle->refused[cycle->size] >= VMWARE_REFUSED_MAX;

    uint64_t now_ns = vb->hal->now(vb->hal->ctx);
    if (!has_all && cycle->choice == LAST_CHOICE && now_ns >= vb->caches_ns)
        vb->caches_ns = now_ns + CACHES_GAP_NS;
    if (is_refused && cycle->size == HUGE)
        cycle->choice = LAST_CHOICE;
    else if (!is_refused && !has_all && vb->opts.rates && cycle->choice == LAST_CHOICE)
        vmware_rates_short(vb);
    else if (is_refused || !has_all)
        cycle->choice++;
}

/* R-L-08. What is wrong with one page is none of the others' business. */
static bool has_failed(bool is_single, uint32_t status)
{
    return is_single ? !vmware_is_about_page(status) : status != VMWARE_SUCCESS;
}

/* False: there is nothing left to choose from, or what is left was refused too often. */
static bool choose(struct vmware_balloon *vb)
{
    struct vmware_cycle *cycle = &vb->cycle;
    bool has_groups = vmware_level(vb) == VMWARE_LEVEL_BATCHED_2M;

    if (cycle->choice <= LAST_CHOICE && choices[cycle->choice].size == HUGE &&
        !has_groups)
        cycle->choice++;
    if (cycle->choice > LAST_CHOICE)
        return false;
    cycle->size = choices[cycle->choice].size;
    return cycle->size == HUGE || cycle->refused[SMALL] < VMWARE_REFUSED_MAX;
}

/* Of the change, what the rate leaves to this cycle; 0: no more. */
static uint64_t allowed(const struct vmware_balloon *vb, int64_t change)
{
    const struct vmware_cycle *cycle = &vb->cycle;
    uint64_t frames = change < 0 ? (uint64_t)-change : (uint64_t)change;

    if (!vb->opts.rates)
        return frames;
    return cycle->turn < cycle->rate ? min_u64(frames, cycle->rate - cycle->turn) : 0;
}

/* One command. */
static void inflate_chunk(struct vmware_balloon *vb, uint64_t change)
{
    struct vmware_cycle *cycle = &vb->cycle;
    uint64_t frames = vmware_frames(cycle->size);
    uint64_t pages = min_u64((change + frames - 1) / frames, vmware_chunk_max(vb));
    bool is_single = vmware_level(vb) == VMWARE_LEVEL_BASIC;
    uint64_t before = vmware_size(vb);
    bool has_all = fill(vb, pages);

    cycle->has_error = false;
    if (vb->chunk.count && has_failed(is_single, vmware_lock(vb)))
        cycle->is_over = cycle->has_error = true;
    cycle->turn += vmware_size(vb) - before;
    if (!cycle->is_over)
        next_choice(vb, has_all);
}

void vmware_modern_inflate(struct vmware_balloon *vb)
{
    unsigned commands = vmware_chunk_max(vb) == 1 ? STEP_COMMANDS : 1;

    for (; commands > 0 && !vb->cycle.is_over; commands--) {
        int64_t change = vmware_modern_change(vb);

        if (change <= 0 || !allowed(vb, change))
            vb->cycle.is_over = true;
        else if (!choose(vb))
            vb->cycle.is_over = vb->cycle.has_error = true;
        else
            inflate_chunk(vb, allowed(vb, change));
    }
    if (vb->cycle.is_over && vb->opts.rates)
        vmware_rates_end_inflate(vb);
}

/* After small pages come groups; then the cycle has seen them all. */
static void next_size(struct vmware_balloon *vb)
{
    struct vmware_cycle *cycle = &vb->cycle;

    if (cycle->size == HUGE) {
        cycle->is_over = true;
        return;
    }
    cycle->size = HUGE;
    cycle->left = vb->sets[HUGE].frames / BLOCK_FRAMES;
}

static void deflate_chunk(struct vmware_balloon *vb, uint64_t change)
{
    struct vmware_cycle *cycle = &vb->cycle;
    uint64_t frames = vmware_frames(cycle->size);
    bool is_single = vmware_level(vb) == VMWARE_LEVEL_BASIC;
    uint32_t gone;

    vmware_pick(vb, cycle->size,
                min_u64(min_u64((change + frames - 1) / frames, cycle->left),
                        vmware_chunk_max(vb)));
    cycle->left -= vb->chunk.count;
    uint32_t status = vmware_unlock(vb, &gone);
    if (has_failed(is_single, status))
        cycle->is_over = true;
    cycle->has_error |= gone < vb->chunk.count;
    cycle->turn += gone * frames;
}

void vmware_modern_deflate(struct vmware_balloon *vb)
{
    unsigned commands = vmware_chunk_max(vb) == 1 ? STEP_COMMANDS : 1;

    for (; commands > 0 && !vb->cycle.is_over; commands--) {
        int64_t change = vmware_modern_change(vb);

        if (change >= 0 || !allowed(vb, change))
            vb->cycle.is_over = true;
        else if (vb->cycle.left == 0)
            next_size(vb);
        else
            deflate_chunk(vb, allowed(vb, change));
    }
    if (vb->cycle.is_over && vb->opts.rates)
        vmware_rates_end_deflate(vb);
}
