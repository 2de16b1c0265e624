// SPDX-License-Identifier: BSD-2-Clause
/*
 * The order of measures: an app asks for blocks until it is refused, on a machine where each measure would
 * serve one or two. Each is used up before the next begins, and none before its turn.
 */
#include "tests/host/appmem_rig.h"

#define RAM      (32 * MIB)
#define PAGES    624u /* of the app, */
#define CACHED   400u /* between pages of a cache; */
#define RELEASED 300u /* so many of the app's are free again */

enum measure {
    HINTED,
    PURGE,
    COMPACTION,
    BALLOON,
    REFUSAL,
    MEASURES,
};

struct machine {
    struct rig *rig;
    struct pmm_run hinted;
    bool is_hinted;
    uint64_t recalls;
    uint64_t whole_cache, pages, cache;
};

static uint64_t lent(void *ctx)
{
    const struct machine *m = ctx;

    return m->is_hinted ? BLOCK_FRAMES : 0;
}

static uint64_t recall(void *ctx, uint64_t frames)
{
    struct machine *m = ctx;

    (void)frames;
    if (!m->is_hinted)
        return 0;
    m->is_hinted = false;
    m->recalls++;
    pmm_give(m->rig->pmm, m->hinted.pfn, BLOCK_ORDER, RUN_TOUCHED);
    return BLOCK_FRAMES;
}

/* Pages of the app and of a cache in one another's blocks. */
static void mix(struct machine *m)
{
    m->pages = rig_map(m->rig, PAGES * FRAME_SIZE, APPMEM_FRAMES);
    m->cache = rig_map(m->rig, CACHED * FRAME_SIZE, APPMEM_PURGEABLE);
    for (uint64_t at = 0; at < PAGES * FRAME_SIZE; at += FRAME_SIZE) {
        rig_fill(m->rig, m->pages + at, FRAME_SIZE);
        if (at < CACHED * FRAME_SIZE)
            rig_fill(m->rig, m->cache + at, FRAME_SIZE);
    }
}

static struct machine begin(void)
{
    const struct pmm_want block = {.order = BLOCK_ORDER, .class = PMM_MOVABLE};
    struct machine m = {.rig = rig_begin(RAM, 0)};

    m.rig->may_deflate = true;
    assert_int_equal(rig_inflate(m.rig, 2 * BLOCK_FRAMES), 2 * BLOCK_FRAMES);
    assert_int_equal(pmm_take(m.rig->pmm, block, &m.hinted), 0);
    m.whole_cache = rig_map(m.rig, BLOCK_SIZE, APPMEM_PURGEABLE);
    rig_fill(m.rig, m.whole_cache, BLOCK_SIZE);
    mix(&m);
    assert_int_equal(appmem_set_volatile(&m.rig->mem, m.whole_cache), 0);
    assert_int_equal(appmem_set_volatile(&m.rig->mem, m.cache), 0);
    rig_leave(m.rig, 20);
    for (unsigned i = 0; i < RELEASED; i++)
        assert_int_equal(
            appmem_release(&m.rig->mem, m.pages + 2 * i * FRAME_SIZE, FRAME_SIZE), 0);
    m.is_hinted = true;
    return m;
}

struct counts {
    uint64_t of[MEASURES];
};

static struct counts counts_of(const struct machine *m)
{
    const struct rig *rig = m->rig;

    return (struct counts){{m->recalls, rig->pressure.purges, rig->mem.stats.moved,
                            rig->oom_calls, rig->mem.stats.refused}};
}

/* One block more; the last measure that was taken for it. */
static enum measure ask(struct machine *m)
{
    struct counts before = counts_of(m), after;
    enum measure last = HINTED;
    uint64_t start;
    int err = appmem_map(&m->rig->mem, BLOCK_SIZE, APPMEM_BLOCKS, &start);

    after = counts_of(m);
    for (unsigned i = 0; i < MEASURES; i++)
        if (after.of[i] != before.of[i])
            last = i;
    assert_int_equal(err, last == REFUSAL ? -ENOMEM : 0);
    rig_check(m->rig);
    return last;
}

static void each_measure_has_its_turn(void **state)
{
    struct machine m = begin();
    struct rig *rig = m.rig;
    const struct pmm_lender lender = {&m, lent, recall};

    (void)state;
    pmm_set_lender(rig->pmm, &lender);

    assert_int_equal(ask(&m), HINTED);
    assert_int_equal(m.recalls, 1);
    rig_expect_filled(rig, m.whole_cache, BLOCK_SIZE);

    assert_int_equal(ask(&m), PURGE); /* the oldest mark, and no more than is needed */
    assert_false(rig_is_there(rig, m.whole_cache));
    rig_expect_filled(rig, m.cache, CACHED * FRAME_SIZE);
    assert_int_equal(rig->mem.stats.moved, 0);

    assert_int_equal(ask(&m), COMPACTION); /* of what the other cache leaves */
    assert_int_equal(rig->pressure.purges, 2);
    assert_int_equal(rig->balloon.count, 2 * BLOCK_FRAMES);
    assert_int_equal(rig->oom_calls, 0);

    assert_int_equal(ask(&m), BALLOON);
    assert_true(rig->balloon.count < 2 * BLOCK_FRAMES);
    assert_int_equal(rig->mem.stats.refused, 0);

    for (unsigned more = 0; ask(&m) != REFUSAL; more++)
        assert_true(more < 2);
    assert_true(rig_free(rig) + rig->balloon.count < 2 * BLOCK_FRAMES);
    for (unsigned i = RELEASED * 2; i < PAGES; i++)
        rig_expect_filled(rig, m.pages + i * FRAME_SIZE, FRAME_SIZE);
    rig_finish(rig);
}

/* What frames need is the same order without compaction. */
static void frames_need_no_compaction(void **state)
{
    struct machine m = begin();
    struct rig *rig = m.rig;
    const struct pmm_lender lender = {&m, lent, recall};
    uint64_t sparse = rig_map(rig, RAM, APPMEM_SPARSE);
    enum measure last = HINTED;

    (void)state;
    pmm_set_lender(rig->pmm, &lender);
    for (uint64_t at = sparse; last != REFUSAL; at += FRAME_SIZE) {
        struct counts before = counts_of(&m);
        int err = appmem_fault(&rig->mem, at);
        struct counts after = counts_of(&m);

        for (enum measure i = HINTED; i < MEASURES; i++) {
            if (after.of[i] == before.of[i])
                continue;
            assert_true(i >= last);
            last = i;
        }
        assert_int_equal(err, last == REFUSAL ? -ENOMEM : 0);
    }
    assert_int_equal(rig->mem.stats.moved, 0);
    assert_int_equal(m.recalls, 1);
    assert_int_equal(rig->pressure.purges, 2);
    assert_int_equal(rig->balloon.count, 0);
    rig_finish(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_measure_has_its_turn),
        cmocka_unit_test(frames_need_no_compaction),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
