// SPDX-License-Identifier: BSD-2-Clause
/* A guest's frames behind struct balloon_hal: small enough to look at each. */
#include "tests/model/balloon_host.h"

#include "base/bits.h"
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* hal_model is first in no struct of ours, so its owner is found by this table of one. */
static struct guest_frames *guest_of_hal;

static void complain(struct guest_frames *g, const char *what)
{
    g->misuse++;
    g->complaint = what;
}

static bool is_run(const struct guest_frames *g, uint64_t at, uint64_t frames,
                   bool touched)
{
    for (uint64_t i = at; i < at + frames; i++)
        if (g->owner[i] != FRAME_FREE || (touched && !g->touched[i]))
            return false;
    return true;
}

static void take_run(struct guest_frames *g, uint64_t at, uint64_t frames)
{
    memset(&g->owner[at], FRAME_DRIVER, frames);
    g->free -= frames;
    g->driver += frames;
}

static uint64_t free_of_block(const struct guest_frames *g, uint64_t at)
{
    uint64_t count = 0;

    for (uint64_t i = at; i < at + BLOCK_FRAMES && i < g->count; i++)
        count += g->owner[i] == FRAME_FREE;
    return count;
}

/* Where the block in pieces begins that has the fewest free frames; `count`: there is none. */
static uint64_t fullest_block(const struct guest_frames *g)
{
    uint64_t best = g->count, least = BLOCK_FRAMES;

    for (uint64_t at = 0; at < g->count; at += BLOCK_FRAMES) {
        uint64_t free = free_of_block(g, at);

        if (free > 0 && free < least) {
            best = at;
            least = free;
        }
    }
    return best;
}

/* What the guest can do without makes room, as far as it is needed. */
static void drop_cache(struct guest_frames *g, uint64_t frames)
{
    uint64_t needed = g->reserve + frames;
    uint64_t count = g->free < needed ? min_u64(needed - g->free, g->cache) : 0;

    g->cache -= count;
    guest_unuse(g, count);
}

static void skip_taken(struct guest_frames *g)
{
    while (g->first_free < g->count && g->owner[g->first_free] != FRAME_FREE)
        g->first_free++;
}

static int run_take(void *ctx, unsigned order, struct run_want want, pfn_t *out,
                    enum run_state *state)
{
    struct guest_frames *g = guest_of_hal;
    uint64_t frames = UINT64_C(1) << order;

    ((struct hal_model *)ctx)->now_ns += g->call_ns;
    if (++g->takes == g->take_fail_at)
        return -ENOMEM;
    if (!want.free_only)
        drop_cache(g, frames);
    if (g->free < g->reserve + frames)
        return -ENOMEM;
    skip_taken(g);
    uint64_t from =
        want.pieces_only ? fullest_block(g) : align_down(g->first_free, frames);
    for (uint64_t at = from; at + frames <= g->count; at += frames) {
        if (g->base + at + frames > want.pfn_limit ||
            !is_run(g, at, frames, want.touched_only))
            continue;
        *state = g->touched[at] ? RUN_TOUCHED : RUN_UNTOUCHED;
        *out = pfn_of(g->base + at);
        take_run(g, at, frames);
        return 0;
    }
    return -ENOMEM;
}

bool guest_notice_reset(struct guest_frames *g)
{
    if (!g->resets || *g->resets == g->resets_seen)
        return false;
    g->resets_seen = *g->resets;
    memset(g->host_has, 0, sizeof(g->host_has));
    g->told = g->owed = 0;
    return true;
}

static void run_give(void *ctx, pfn_t first, unsigned order, enum run_state state)
{
    struct guest_frames *g = guest_of_hal;
    uint64_t frames = UINT64_C(1) << order;

    ((struct hal_model *)ctx)->now_ns += g->call_ns;
    guest_notice_reset(g);
    for (uint64_t at = first.n - g->base, n = frames; n > 0; at++, n--) {
        if (at >= g->count || g->owner[at] != FRAME_DRIVER) {
            complain(g, "given back what was not taken");
            g->returned_twice++;
            continue;
        }
        /* R-V-31: strict order. */
        if (g->host_has[at] && !g->may_owe)
            complain(g, "given back before the host acknowledged");
        g->owed += g->host_has[at];
        g->owner[at] = FRAME_FREE;
        g->first_free = min_u64(g->first_free, at);
        g->touched[at] = state == RUN_TOUCHED;
        g->free++;
        g->driver--;
    }
}

static void blocks_give(void *ctx, pfn_t first, uint64_t mask, enum run_state state)
{
    for (; mask != 0; mask &= mask - 1) {
        uint64_t block = (uint64_t)__builtin_ctzll(mask);

        run_give(ctx, pfn_add(first, block * BLOCK_FRAMES), BLOCK_ORDER, state);
    }
}

static uint64_t blocks_take_back(void *ctx, pfn_t first, uint64_t mask)
{
    struct guest_frames *g = guest_of_hal;
    uint64_t taken = 0;

    (void)ctx;
    for (; mask != 0; mask &= mask - 1) {
        uint64_t block = (uint64_t)__builtin_ctzll(mask);
        uint64_t at = first.n + block * BLOCK_FRAMES - g->base;

        if (++g->takes == g->take_fail_at || g->free < g->reserve + BLOCK_FRAMES ||
            !is_run(g, at, BLOCK_FRAMES, false))
            continue;
        bool is_as_given = true;
        for (uint64_t i = at; i < at + BLOCK_FRAMES; i++)
            is_as_given = is_as_given && !g->touched[i];
        if (!is_as_given)
            continue;
        for (uint64_t i = at; i < at + BLOCK_FRAMES; i++)
            g->owed -= g->host_has[i]; /* in the balloon as before */
        take_run(g, at, BLOCK_FRAMES);
        taken |= UINT64_C(1) << block;
    }
    return taken;
}

static uint64_t touched_blocks(const struct guest_frames *g)
{
    uint64_t count = 0;

    for (uint64_t at = 0; at + BLOCK_FRAMES <= g->count; at += BLOCK_FRAMES)
        count += is_run(g, at, BLOCK_FRAMES, true);
    return count;
}

/* After whatever may have made it less. */
static void note_idle(struct guest_frames *g)
{
    uint64_t count = touched_blocks(g);

    if (count < g->least_idle)
        g->least_idle = count;
}

static void look_for_pieces(struct guest_frames *g, struct idle_blocks *out)
{
    for (unsigned i = 0; i < g->count / BLOCK_FRAMES; i++) {
        out->pieces_due += g->pieces[i] == PIECES_DUE;
        out->pieces += g->pieces[i] != PIECES_NONE;
    }
    for (unsigned i = 0; i < g->count / BLOCK_FRAMES && !out->pieces_due; i++)
        if (g->pieces[i] == PIECES_NEW)
            g->pieces[i] = PIECES_DUE;
}

/* In this block: free, touched, of whole units. */
static bool find_piece(const struct guest_frames *g, uint64_t block, uint64_t unit,
                       uint64_t max, uint64_t *at, uint64_t *frames)
{
    uint64_t past = (block + 1) * BLOCK_FRAMES;

    for (*at = block * BLOCK_FRAMES; *at < past; *at += unit) {
        for (*frames = 0; *at + *frames < past && *frames + unit <= max &&
                          is_run(g, *at + *frames, unit, true);)
            *frames += unit;
        if (*frames)
            return true;
    }
    return false;
}

static int piece_take(void *ctx, unsigned order, uint64_t max, pfn_t *first,
                      uint64_t *frames)
{
    struct guest_frames *g = guest_of_hal;
    uint64_t unit = UINT64_C(1) << order, at;

    (void)ctx;
    if (++g->takes == g->take_fail_at || g->free < g->reserve + unit || max < unit)
        return -ENOMEM;
    if (max > g->free - g->reserve)
        max = g->free - g->reserve;
    for (uint64_t i = 0; i < g->count / BLOCK_FRAMES; i++) {
        if (g->pieces[i] != PIECES_DUE)
            continue;
        if (!is_run(g, i * BLOCK_FRAMES, BLOCK_FRAMES, false) &&
            find_piece(g, i, unit, max, &at, frames)) {
            *first = pfn_of(g->base + at);
            take_run(g, at, *frames);
            return 0;
        }
        g->pieces[i] = PIECES_NONE;
    }
    return -ENOMEM;
}

static void piece_give(void *ctx, pfn_t first, uint64_t frames, enum run_state state)
{
    struct guest_frames *g = guest_of_hal;

    for (uint64_t i = 0; i < frames; i++)
        run_give(ctx, pfn_add(first, i), 0, state);
    if (state == RUN_TOUCHED && g->watches_pieces)
        g->pieces[(first.n - g->base) / BLOCK_FRAMES] = PIECES_NEW;
}

static void idle_blocks(void *ctx, struct idle_blocks *out)
{
    struct guest_frames *g = guest_of_hal;

    (void)ctx;
    note_idle(g);
    *out = (struct idle_blocks){
        .now = touched_blocks(g), .least = g->least_idle, .cold_frames = g->cold};
    look_for_pieces(g, out);
    g->least_idle = out->now;
    g->idle_looks++;
}

static void account(void *ctx, int64_t delta_frames)
{
    (void)ctx;
    guest_of_hal->accounted += delta_frames;
}

static void mem_stats(void *ctx, struct mem_stats *out)
{
    const struct guest_frames *g = guest_of_hal;

    (void)ctx;
    *out = (struct mem_stats){
        .total_bytes = g->count << FRAME_SHIFT,
        .free_bytes = g->free << FRAME_SHIFT,
        .available_bytes = (g->cache + (g->free > g->reserve ? g->free - g->reserve : 0))
                           << FRAME_SHIFT,
        .reserve_bytes = g->reserve << FRAME_SHIFT,
        .cache_bytes = 0x7000 + (g->cache << FRAME_SHIFT),
        .minor_faults = 2,
        .major_faults = 3,
        .block_allocs = 8,
        .block_failures = 9,
        .oom_events = g->oom_events,
        .alloc_stalls = 11,
        .async_scan = 12,
        .direct_scan = 13,
        .async_reclaim = 14,
        .direct_reclaim = 15,
    };
}

void guest_frames_init(struct guest_frames *g, struct hal_model *hal, uint64_t base,
                       uint64_t count, uint64_t reserve)
{
    model_true(count <= GUEST_MAX_FRAMES);
    *g = (struct guest_frames){
        .base = base, .count = count, .free = count, .reserve = reserve};
    hal->hal.run_take = run_take;
    hal->hal.run_give = run_give;
    hal->hal.blocks_give = blocks_give;
    hal->hal.blocks_take_back = blocks_take_back;
    hal->hal.idle_blocks = idle_blocks;
    hal->hal.piece_take = piece_take;
    hal->hal.piece_give = piece_give;
    hal->hal.account = account;
    hal->hal.mem_stats = mem_stats;
    guest_of_hal = g;
}

pfn_t guest_block(const struct guest_frames *g, unsigned block)
{
    return pfn_of(g->base + block * BLOCK_FRAMES);
}

uint64_t guest_held_in(const struct guest_frames *g, unsigned block)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < BLOCK_FRAMES; i++)
        count += g->owner[block * BLOCK_FRAMES + i] == FRAME_DRIVER;
    return count;
}

uint64_t guest_use(struct guest_frames *g, uint64_t count)
{
    uint64_t got = 0;

    for (uint64_t i = 0; i < g->count && got < count; i++) {
        if (g->owner[i] != FRAME_FREE)
            continue;
        g->owner[i] = FRAME_USED;
        g->cold += !g->touched[i];
        g->touched[i] = true;
        g->free--;
        got++;
    }
    note_idle(g);
    return got;
}

static void unuse(struct guest_frames *g, uint64_t at)
{
    g->owner[at] = FRAME_FREE;
    g->first_free = min_u64(g->first_free, at);
    g->free++;
    if (g->watches_pieces && g->pieces[at / BLOCK_FRAMES] == PIECES_NONE)
        g->pieces[at / BLOCK_FRAMES] = PIECES_NEW;
}

void guest_unuse(struct guest_frames *g, uint64_t count)
{
    for (uint64_t i = 0; i < g->count && count > 0; i++) {
        if (g->owner[i] != FRAME_USED)
            continue;
        unuse(g, i);
        count--;
    }
}

void guest_unuse_runs(struct guest_frames *g, uint64_t run, uint64_t step)
{
    for (uint64_t i = 0; i < g->count; i++)
        if (g->owner[i] == FRAME_USED && i % step < run)
            unuse(g, i);
}

void guest_check(const struct guest_frames *g)
{
    uint64_t free = 0, driver = 0, told = 0, owed = 0;

    for (uint64_t i = 0; i < g->count; i++) {
        free += g->owner[i] == FRAME_FREE;
        driver += g->owner[i] == FRAME_DRIVER;
        told += g->host_has[i];
        owed += g->host_has[i] && g->owner[i] != FRAME_DRIVER;
    }
    model_equal(g->free, free);
    model_equal(g->driver, driver);
    model_equal(g->told, told);
    model_equal(g->owed, owed);
    model_true(g->may_owe || !owed);
    if (g->misuse)
        model_fail(g->complaint, __LINE__);
}

void random_seed(void)
{
    const char *text = getenv("TEST_SEED");
    unsigned seed = text ? (unsigned)strtoul(text, NULL, 0) : (unsigned)time(NULL);

    printf("TEST_SEED=%u\n", seed);
    fflush(stdout); /* a rule that does not hold aborts */
    srand(seed);
}

void model_fail(const char *what, int line)
{
    fprintf(stderr, "balloon model, line %d: %s\n", line, what);
    abort();
}
