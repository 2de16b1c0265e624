// SPDX-License-Identifier: BSD-2-Clause
/*
 * Free page hints, virtio 1.3, 5.5.6.5 (R-V-53..56): while a migration runs, the host asks which memory
 * it need not send. A round offers whole free blocks, one buffer each, between a start and a stop word; none
 * before the start word was used, so that a host that does not look at the queue gets none.
 * Offered blocks belong to the device until their buffer was used; then they are kept, because free memory
 * that is written again would be sent after all, until the host says DONE or somebody needs them.
 *
 * The queue raises no interrupts: it is looked at every millisecond while something is in it.
 */
#include "drivers/virtio/balloon_internal.h"

#include "base/assert.h"
#include "base/err.h"

#define LONG_WAIT_NS (100 * NS_PER_MS) /* longer than this, it may take its time */

void vb_hint_init(struct virtio_balloon *vb)
{
    for (unsigned i = 0; i < ARRAY_LEN(vb->hint.held); i++)
        page_set_init(&vb->hint.held[i], vb->hal);
}

static void free_blocks(struct virtio_balloon *vb)
{
    struct vb_hint *hint = &vb->hint;

    if (hint->blocks)
        vb->hal->mem_free(vb->hal->ctx, hint->blocks,
                          hint->block_count * sizeof(*hint->blocks));
    hint->blocks = hint->unused = NULL;
    hint->block_count = 0;
    hint->blocks_open = 0;
}

void vb_hint_fini(struct virtio_balloon *vb)
{
    free_blocks(vb);
    for (unsigned i = 0; i < ARRAY_LEN(vb->hint.held); i++)
        page_set_fini(&vb->hint.held[i]);
}

int vb_hint_start(struct virtio_balloon *vb)
{
    const struct vq *q = vb->vqs[VIRTIO_BALLOON_HINT];
    struct vb_hint *hint = &vb->hint;

    hint->id = hint->served_id = VB_HINT_STOP;
    hint->is_round = false;
    hint->words_open = 0;
    free_blocks(vb);
    if (!q)
        return 0;
    size_t count = vq_size(q);
    hint->blocks = vb->hal->mem_alloc(vb->hal->ctx, count * sizeof(*hint->blocks));
    if (!hint->blocks)
        return -ENOMEM;
    hint->block_count = count;
    for (size_t i = 0; i < count; i++) {
        hint->blocks[i].next = hint->unused;
        hint->unused = &hint->blocks[i];
    }
    return 0;
}

uint64_t virtio_balloon_hinted_frames(const struct virtio_balloon *vb)
{
    return vb->hint.held[RUN_TOUCHED].frames + vb->hint.held[RUN_UNTOUCHED].frames;
}

uint64_t vb_hint_open_frames(const struct virtio_balloon *vb)
{
    return (uint64_t)vb->hint.blocks_open * BLOCK_FRAMES;
}

void vb_hint_latch(struct virtio_balloon *vb, uint32_t id)
{
    vb->hint.id = id;
}

/* The host itself sets the register to 0 when it has our start word, which ends nothing. */
bool vb_hint_is_new(const struct virtio_balloon *vb)
{
    const struct virtio_transport *t = vb->dev.transport;
    const struct vb_hint *hint = &vb->hint;

    /* Only a legacy device leaves its driver without both. */
    if (!vb->vqs[VIRTIO_BALLOON_HINT] || virtio_has_feature(&vb->dev, VIRTIO_F_VERSION_1))
        return false;
    uint32_t id = t->config_read(t->ctx, VB_CONFIG_HINT_CMD_ID, 4);

    return id != hint->id && (id != VB_HINT_STOP || hint->id != hint->served_id);
}

/* ---- giving back ---- */

static void give(struct virtio_balloon *vb, pfn_t first, enum run_state state)
{
    /* What is behind it is as it was, or less where the host discarded it. */
    vb->hal->run_give(vb->hal->ctx, first, BLOCK_ORDER, state);
}

/* One of the kept blocks. False: there is none. */
static bool give_held(struct virtio_balloon *vb)
{
    for (unsigned state = 0; state < ARRAY_LEN(vb->hint.held); state++) {
        struct page_run run;

        if (!page_set_take(&vb->hint.held[state], BLOCK_FRAMES, &run))
            continue;
        assert(run.frames == BLOCK_FRAMES);
        give(vb, run.first, (enum run_state)state);
        return true;
    }
    return false;
}

uint64_t virtio_balloon_recall_hinted(struct virtio_balloon *vb, uint64_t frames)
{
    uint64_t given = 0;

    if (vb->hint.is_busy) /* asked from inside its own allocation */
        return 0;
    while (given < frames && give_held(vb))
        given += BLOCK_FRAMES;
    vb->count.hint_recalled += given;
    return given;
}

void vb_hint_make_room(struct virtio_balloon *vb)
{
    uint64_t failures = vb->core.count.take_failures;

    if (failures == vb->hint.take_failures)
        return;
    vb->hint.take_failures = failures;
    uint64_t missing =
        vb->core.target - min_u64(vb->core.target, balloon_size(&vb->core));
    if (virtio_balloon_recall_hinted(vb, missing)) {
        balloon_memory_freed(&vb->core);
        vb_wake_by(vb, vb->now_ns);
    }
}

void vb_hint_end(struct virtio_balloon *vb, bool is_dead)
{
    struct vb_hint *hint = &vb->hint;

    while (give_held(vb))
        ;
    if (is_dead)
        return;
    for (size_t i = 0; i < hint->block_count; i++)
        if (hint->blocks[i].is_open)
            give(vb, hint->blocks[i].first, hint->blocks[i].state);
    free_blocks(vb);
}

/* ---- the queue ---- */

static void reap_block(struct virtio_balloon *vb, struct vb_hint_block *block)
{
    struct vb_hint *hint = &vb->hint;

    block->is_open = false;
    block->next = hint->unused;
    hint->unused = block;
    hint->blocks_open--;
    if (hint->id == VB_HINT_DONE) {
        give(vb, block->first, block->state);
        return;
    }
    page_set_add(&hint->held[block->state],
                 (struct page_run){block->first, BLOCK_FRAMES});
}

/* What came back. False: the ring is broken. */
static bool reap(struct virtio_balloon *vb, struct vq *q)
{
    uint32_t written;
    void *token;
    int err;

    while ((err = vq_pop(q, &token, &written)) == 0) {
        if (token == &vb->shared->hint_start || token == &vb->shared->hint_stop)
            vb->hint.words_open--;
        else
            reap_block(vb, token);
        vb->hint.seen_ns = vb->now_ns;
    }
    if (err != -EAGAIN)
        vb_fail(vb, "its hint ring contradicts itself");
    return err == -EAGAIN;
}

/* The words are separate, and neither is written while it is in the ring. */
static bool add_word(struct virtio_balloon *vb, struct vq *q, le32 *word, uint32_t value)
{
    const struct vq_seg seg = {vb_shared_addr(vb, word), sizeof(*word)};

    *word = le32_of(value);
    vb->hint.words_open++;
    if (!vq_add(q, &seg, 1, 0, word))
        return true;
    vb_fail(vb, "its hint ring contradicts itself");
    return false;
}

/* A free block with its place in a set; what the host has behind it comes first. */
static bool take_block(struct virtio_balloon *vb, struct vb_hint_block *block)
{
    const struct balloon_hal *hal = vb->hal;
    struct run_want want = {
        .pfn_limit = vb->core.pfn_limit, .touched_only = true, .free_only = true};

    if (hal->run_take(hal->ctx, BLOCK_ORDER, want, &block->first, &block->state)) {
        want.touched_only = false;
        if (hal->run_take(hal->ctx, BLOCK_ORDER, want, &block->first, &block->state))
            return false;
    }
    if (!page_set_reserve(&vb->hint.held[block->state], block->first, BLOCK_ORDER))
        return true;
    give(vb, block->first, block->state);
    return false;
}

/* False: no block is left, or the device is broken. */
static bool offer_block(struct virtio_balloon *vb, struct vq *q)
{
    struct vb_hint_block *block = vb->hint.unused;

    assert(block); /* there are as many as entries */
    if (!take_block(vb, block))
        return false;
    const struct vq_seg seg = {pfn_to_paddr(block->first), BLOCK_SIZE};
    if (vq_add(q, &seg, 0, 1, block)) {
        give(vb, block->first, block->state);
        vb_fail(vb, "its hint ring contradicts itself");
        return false;
    }
    vb->hint.unused = block->next;
    block->is_open = true;
    vb->hint.blocks_open++;
    vb->count.hint_bytes += BLOCK_SIZE;
    return true;
}

/* Another id, STOP and DONE among them, ends the round. */
static bool may_offer(const struct virtio_balloon *vb)
{
    return vb->opts.hint && vb->hint.id == vb->hint.served_id;
}

/* How many blocks can be out of reach without anybody calling that a shortage of memory. */
static uint64_t spare_blocks(const struct virtio_balloon *vb)
{
    struct mem_stats mem;

    vb->hal->mem_stats(vb->hal->ctx, &mem);
    uint64_t kept = mem.reserve_bytes + BLOCK_SIZE;
    return mem.available_bytes > kept ? (mem.available_bytes - kept) / BLOCK_SIZE : 0;
}

/* Offer blocks as long as there are any; one entry stays free for the last word. */
static void go_on(struct virtio_balloon *vb, struct vq *q)
{
    uint64_t end = vb->now_ns + VB_STEP_OWN_NS;
    uint64_t spare = may_offer(vb) ? spare_blocks(vb) : 0;

    if (!vb->hint.blocks_open)
        vb->hint.seen_ns = vb->now_ns;
    /* R-V-32: the deflate comes first, what is owed may be among the free. */
    if (spare > 0 && balloon_owed(&vb->core)) {
        vb_wake_by(vb, vb->now_ns + VB_REQUEST_POLL_NS);
        return;
    }
    while (spare > 0 && vq_free_entries(q) > 1 && vb_now(vb) < end)
        spare = offer_block(vb, q) ? spare - 1 : 0;
    if (!vb_is_running(vb))
        return;
    if (spare == 0 && add_word(vb, q, &vb->shared->hint_stop, VB_HINT_STOP)) {
        vb->hint.is_round = false;
        log_to(&vb->hal->log, LOG_DEBUG,
               "virtio-balloon: hints for 0x%x end, %llu MiB so far",
               (unsigned)vb->hint.served_id,
               (unsigned long long)(vb->count.hint_bytes / MIB));
    }
    if (spare > 0 && vq_free_entries(q) > 1)
        vb_wake_by(vb, vb->now_ns);
    vq_kick(q);
}

static void begin(struct virtio_balloon *vb, struct vq *q)
{
    struct vb_hint *hint = &vb->hint;

    if (vb->now_ns < hint->begin_at_ns) {
        vb_wake_by(vb, hint->begin_at_ns);
        return;
    }
    if (!add_word(vb, q, &vb->shared->hint_start, hint->id))
        return;
    hint->seen_ns = vb->now_ns;
    hint->is_logged = false;
    hint->begin_at_ns = vb->now_ns + VB_ANSWER_NS;
    hint->served_id = hint->id;
    hint->is_round = true;
    vb->count.hint_rounds++;
    log_to(&vb->hal->log, LOG_DEBUG, "virtio-balloon: hints for 0x%x",
           (unsigned)hint->id);
    vq_kick(q);
}

/* DONE: what is kept goes back, in steps. */
static void give_some(struct virtio_balloon *vb)
{
    uint64_t end = vb->now_ns + VB_STEP_OWN_NS;

    while (give_held(vb))
        if (vb_now(vb) >= end) {
            vb_wake_by(vb, vb->now_ns);
            return;
        }
    for (unsigned i = 0; i < ARRAY_LEN(vb->hint.held); i++)
        if (!vb->hint.blocks_open)
            page_set_trim(&vb->hint.held[i]);
}

/* Something is with the device: look again. Memory is not left there for ever (R-H-10); a word may be, and is
 * looked for ever less often. */
static void await(struct virtio_balloon *vb)
{
    uint64_t silent_ns = vb->now_ns - vb->hint.seen_ns;

    if (vb->hint.blocks_open && silent_ns >= VB_SILENCE_BREAK_NS) {
        vb->count.silences++;
        vb_fail(vb, "it left hints unanswered for 5 s");
        return;
    }
    if (silent_ns >= VB_SILENCE_LOG_NS && !vb->hint.is_logged) {
        vb->hint.is_logged = true;
        log_to(&vb->hal->log, LOG_WARN, "virtio-balloon: hints are not answered for 1 s");
    }
    uint64_t wait_ns = silent_ns < LONG_WAIT_NS ? VB_REQUEST_POLL_NS : LONG_WAIT_NS;

    if (!vb->hint.blocks_open)
        wait_ns = max_u64(wait_ns, silent_ns / 2);
    vb_wake_by(vb, vb->now_ns + wait_ns);
}

void vb_hint_step(struct virtio_balloon *vb)
{
    struct vb_hint *hint = &vb->hint;
    struct vq *q = vb->vqs[VIRTIO_BALLOON_HINT];

    if (!q)
        return;
    hint->is_busy = true;
    if (reap(vb, q)) {
        if (hint->is_round && !hint->words_open)
            go_on(vb, q);
        else if (!hint->is_round && hint->id >= VB_HINT_FIRST &&
                 hint->id != hint->served_id && !hint->words_open &&
                 vq_free_entries(q) > 1)
            begin(vb, q);
        else if (hint->id == VB_HINT_DONE)
            give_some(vb);
    }
    hint->is_busy = false;
    if (vb_is_running(vb) && (hint->words_open || hint->blocks_open))
        await(vb);
}
