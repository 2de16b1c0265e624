// SPDX-License-Identifier: BSD-2-Clause
/*
 * mm/pmm*.c against a model that knows of each frame only whether it is held and what was said of it:
 * a million random operations over cut and whole blocks, from nearly empty to full. Checked all along:
 * nothing is handed out twice or outside RAM or limits, an error means that there is no memory, counts
 * agree, no untouched frame was ever touched, classes stay apart until memory runs out.
 *
 * TEST_SEED=n chooses the run, TEST_OPS=n its length.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/err.h"
#include "mm/pmm.h"
#include "tests/model/mmu.h"

#define FRAMES_END 0x6000u /* 96 MiB */

enum frame_state {
    ABSENT,
    UNHELD, /* free, or the allocator's own */
    HELD,
};

struct held {
    uint32_t pfn, frames;
    enum pmm_class class;
    bool is_run;
};

struct model {
    struct pmm *pmm;
    uint64_t rng;
    uint8_t state[FRAMES_END];
    bool is_touched[FRAMES_END];
    uint16_t class_held[FRAMES_END / BLOCK_FRAMES][2];
    struct held held[FRAMES_END];
    uint32_t held_count;
    uint64_t frames_usable, frames_held;
    uint64_t boot_metadata;
    uint64_t percent; /* of memory to hold: where the walk tends to */
};

static uint32_t rnd(struct model *m, uint32_t below)
{
    m->rng ^= m->rng << 13;
    m->rng ^= m->rng >> 7;
    m->rng ^= m->rng << 17;
    return (uint32_t)((m->rng >> 16) % below);
}

static struct pmm_stats stats_of(const struct model *m)
{
    struct pmm_stats stats;

    pmm_stats(m->pmm, &stats);
    return stats;
}

/* Frames that the pool took after boot. */
static uint64_t pool_frames(const struct model *m)
{
    return (stats_of(m).metadata_bytes - m->boot_metadata) / FRAME_SIZE;
}

static void check_counts(const struct model *m)
{
    struct pmm_stats stats = stats_of(m);

    assert_int_equal(stats.free_frames,
                     m->frames_usable - m->frames_held - pool_frames(m));
}

static bool is_unheld_below(const struct model *m, uint32_t first, uint32_t frames,
                            uint64_t limit)
{
    for (uint32_t pfn = first; pfn < first + frames; pfn++) {
        if (pfn >= FRAMES_END || pfn >= limit || m->state[pfn] != UNHELD)
            return false;
    }
    return true;
}

/* An error was right if of the places where the run could lie, `step` apart, no more are left than the
 * pool's own frames can spoil. */
static void check_error(const struct model *m, uint32_t frames, uint32_t step,
                        uint64_t limit)
{
    uint64_t places = 0;

    for (uint32_t pfn = 0; pfn < FRAMES_END; pfn += step)
        places += is_unheld_below(m, pfn, frames, limit);
    assert_true(places <= pool_frames(m));
}

static void hold(struct model *m, struct pmm_run run, uint32_t frames,
                 enum pmm_class class, bool is_run)
{
    uint32_t first = (uint32_t)run.pfn.n;

    for (uint32_t pfn = first; pfn < first + frames; pfn++) {
        assert_true(pfn < FRAMES_END && m->state[pfn] == UNHELD);
        assert_false(run.state == RUN_UNTOUCHED && m->is_touched[pfn]);
        m->state[pfn] = HELD;
        m->class_held[pfn / BLOCK_FRAMES][class]++;
        if (stats_of(m).class_mixes == 0)
            assert_int_equal(m->class_held[pfn / BLOCK_FRAMES][!class], 0);
    }
    m->frames_held += frames;
    m->held[m->held_count++] = (struct held){first, frames, class, is_run};
}

static void random_take(struct model *m)
{
    struct pmm_want want = {
        .order = rnd(m, 16) == 0 ? BLOCK_ORDER : 0,
        .class = rnd(m, 4) == 0 ? PMM_FIXED : PMM_MOVABLE,
        .pfn_limit = rnd(m, 64) == 0 ? 1 + rnd(m, FRAMES_END) : 0,
        .touched_only = rnd(m, 8) == 0,
        .keep_reserve = rnd(m, 8) == 0,
    };
    uint64_t limit = want.pfn_limit ? want.pfn_limit : UINT64_MAX;
    uint32_t frames = 1u << want.order;
    struct pmm_stats before = stats_of(m);
    struct pmm_run run;
    int err = pmm_take(m->pmm, want, &run);

    if (err == 0) {
        assert_true(run.pfn.n + frames <= limit && run.pfn.n % frames == 0);
        assert_false(want.touched_only && run.state != RUN_TOUCHED);
        assert_false(want.keep_reserve &&
                     before.free_frames < before.reserve_frames + frames);
        hold(m, run, frames, want.class, false);
        return;
    }
    assert_int_equal(err, -ENOMEM);
    if (want.keep_reserve && before.free_frames < before.reserve_frames + frames)
        return;
    if (want.touched_only)
        assert_int_equal(before.free_blocks_touched * (limit == UINT64_MAX), 0);
    else if (frames == 1 && limit == UINT64_MAX)
        assert_int_equal(before.free_frames, 0);
    else
        check_error(m, frames, frames, limit);
}

static void random_run(struct model *m)
{
    uint32_t frames = rnd(m, 3) ? 1 + rnd(m, 40) : 1 + rnd(m, 1600);
    uint32_t align = 1u << rnd(m, rnd(m, 2) ? 4 : 11);
    uint64_t limit = rnd(m, 8) == 0 ? 1 + rnd(m, FRAMES_END) : 0;
    struct pmm_run run = {.state = RUN_TOUCHED};
    int err = pmm_take_run(m->pmm, frames, align, limit, &run.pfn);

    if (err == 0) {
        assert_int_equal(run.pfn.n % align, 0);
        assert_true(limit == 0 || run.pfn.n + frames <= limit);
        hold(m, run, frames, PMM_FIXED, true);
        return;
    }
    /* Longer ones need neighbours that are whole by their block: not what this model knows. */
    assert_int_equal(err, -ENOMEM);
    if (frames < BLOCK_FRAMES && align <= BLOCK_FRAMES)
        check_error(m, frames, BLOCK_FRAMES, limit ? limit : UINT64_MAX);
}

static void let_go(struct model *m, uint32_t first, uint32_t frames, enum pmm_class class,
                   bool is_touched)
{
    for (uint32_t pfn = first; pfn < first + frames; pfn++) {
        assert_int_equal(m->state[pfn], HELD);
        m->state[pfn] = UNHELD;
        m->is_touched[pfn] = is_touched;
        m->class_held[pfn / BLOCK_FRAMES][class]--;
    }
    m->frames_held -= frames;
}

/* Blocks go back whole, or their frames one by one from now on. */
static void random_give(struct model *m)
{
    if (m->held_count == 0)
        return;
    uint32_t i = rnd(m, m->held_count);
    struct held it = m->held[i];
    enum run_state state = rnd(m, 3) ? RUN_TOUCHED : RUN_UNTOUCHED;

    m->held[i] = m->held[--m->held_count];
    if (it.is_run) {
        let_go(m, it.pfn, it.frames, it.class, true);
        pmm_give_run(m->pmm, pfn_of(it.pfn), it.frames);
    } else if (it.frames == BLOCK_FRAMES && rnd(m, 4) == 0) {
        for (uint32_t k = 0; k < BLOCK_FRAMES; k++)
            m->held[m->held_count++] = (struct held){it.pfn + k, 1, it.class, false};
    } else {
        let_go(m, it.pfn, it.frames, it.class, state == RUN_TOUCHED);
        pmm_give(m->pmm, pfn_of(it.pfn), it.frames == 1 ? 0 : BLOCK_ORDER, state);
    }
}

static void step(struct model *m, uint64_t i)
{
    uint64_t target = m->frames_usable * m->percent / 100;
    uint32_t takes = m->frames_held < target ? 6 : 3;

    if (rnd(m, 512) == 0)
        random_run(m);
    else if (rnd(m, 9) < takes)
        random_take(m);
    else
        random_give(m);
    if (i % 64 == 0)
        check_counts(m);
    if (i % 1000 == 0)
        assert_int_equal(pmm_refill(m->pmm) == 0 || stats_of(m).free_frames == 0, true);
    if (i % 4096 == 0)
        pmm_check(m->pmm);
}

static void give_all(struct model *m)
{
    struct pmm_stats stats;

    while (m->held_count > 0)
        random_give(m);
    assert_int_equal(pmm_refill(m->pmm), 0);
    check_counts(m);
    pmm_check(m->pmm);
    stats = stats_of(m);
    assert_int_equal(m->frames_held, 0);
    assert_int_equal(stats.partial_blocks[PMM_MOVABLE], 0);
    assert_true(stats.partial_blocks[PMM_FIXED] <= pool_frames(m));
    assert_true(pool_frames(m) <= 1);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 0) : otherwise;
}

static void begin(struct model *m)
{
    /* Cut blocks at every end, two ranges in one block, a block that is just one frame. */
    static struct region items[] = {{0x1000, 0x9f000},      {0x100000, 0x300000},
                                    {0x310000, 0x390000},   {0x440000, 0x2000000},
                                    {0x2500000, 0x2501000}, {0x2c00000, 0x5fdf000}};
    struct region_set ram = {.items = items, .count = ARRAY_LEN(items)};

    model_ram_reset();
    model_ram_add(0, (uint64_t)FRAMES_END * FRAME_SIZE);
    for (size_t r = 0; r < ram.count; r++) {
        for (uint64_t n = items[r].start >> FRAME_SHIFT; n < items[r].end >> FRAME_SHIFT;
             n++)
            m->state[n] = UNHELD;
    }
    assert_int_equal(pmm_init(&ram, 2 * MIB, &m->pmm), 0);
    m->boot_metadata = stats_of(m).metadata_bytes;
    uint64_t first = model_virt_to_phys(m->pmm) >> FRAME_SHIFT;
    for (uint64_t n = first; n < first + m->boot_metadata / FRAME_SIZE; n++)
        m->state[n] = ABSENT;
    for (uint64_t n = 0; n < FRAMES_END; n++)
        m->frames_usable += m->state[n] == UNHELD;
    assert_int_equal(m->frames_usable, stats_of(m).free_frames);
}

static void a_million_operations(void **state)
{
    static const uint64_t percents[] = {10, 50, 30, 70, 5, 95, 40, 100, 60, 100};
    struct model *m = calloc(1, sizeof(*m));
    uint64_t seed = setting("TEST_SEED", 20260101), ops = setting("TEST_OPS", 1000000);

    (void)state;
    printf("TEST_SEED=%llu TEST_OPS=%llu\n", (unsigned long long)seed,
           (unsigned long long)ops);
    m->rng = seed * 2 + 1;
    begin(m);
    for (uint64_t i = 0; i < ops; i++) {
        m->percent = percents[i * ARRAY_LEN(percents) / ops];
        step(m, i);
    }
    assert_true(stats_of(m).class_mixes > 0); /* it came to the end of memory, too */
    assert_true(stats_of(m).blocks_rejoined > 0);
    give_all(m);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
