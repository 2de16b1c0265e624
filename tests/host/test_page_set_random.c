// SPDX-License-Identifier: BSD-2-Clause
/* The balloon's page set in a random walk, against a plain array. */
#include "tests/host/page_set_rig.h"

#define WALK_FRAMES (16 * BLOCK_FRAMES)

struct walk {
    struct rig rig;
    bool in[WALK_FRAMES];
    uint64_t count;
};

static bool block_is_out(const struct walk *w, uint64_t block)
{
    for (uint64_t i = 0; i < BLOCK_FRAMES; i++)
        if (w->in[block * BLOCK_FRAMES + i])
            return false;
    return true;
}

static void walk_take(struct walk *w)
{
    uint32_t max = 1 + (uint32_t)rand() % BLOCK_FRAMES;
    pfn_t block = pfn_of((uint64_t)rand() % 16 * BLOCK_FRAMES);
    struct page_run run;

    if (rand() % 2 && page_set_take_of(&w->rig.set, block, max, &run)) {
        assert_int_equal(run.first.n / BLOCK_FRAMES, block.n / BLOCK_FRAMES);
    } else if (!page_set_take(&w->rig.set, max, &run)) {
        assert_int_equal(w->count, 0);
        return;
    }
    for (uint32_t i = 0; i < run.frames; i++) {
        assert_true(w->in[run.first.n + i]);
        w->in[run.first.n + i] = false;
    }
    w->count -= run.frames;
}

/* Whole blocks out and, some of them, in again by their kind. */
static void walk_move(struct walk *w)
{
    pfn_t from = pfn_of((uint64_t)rand() % WALK_FRAMES);
    struct page_blocks blocks;

    if (!page_set_find_blocks(&w->rig.set, PAGE_HELD, from, 1 + (uint64_t)rand() % 5,
                              &blocks))
        return;
    page_set_move(&w->rig.set, blocks, PAGE_HELD, PAGE_ABSENT);
    for (uint64_t i = 0; i < 16; i++) {
        uint64_t first = blocks.first.n + i * BLOCK_FRAMES;
        bool comes_back = rand() % 2;

        if (!(blocks.mask & BIT64(i)))
            continue;
        page_set_move(&w->rig.set, (struct page_blocks){pfn_of(first), 1}, PAGE_ABSENT,
                      comes_back ? PAGE_HELD : PAGE_NONE);
        memset(&w->in[first], comes_back, BLOCK_FRAMES);
        w->count -= comes_back ? 0 : BLOCK_FRAMES;
    }
}

static void walk_add(struct walk *w)
{
    uint64_t block = (uint64_t)rand() % 16, at = (uint64_t)rand() % WALK_FRAMES;

    if (rand() % 4 == 0 && block_is_out(w, block)) {
        uint64_t first = block * BLOCK_FRAMES;

        assert_int_equal(page_set_reserve(&w->rig.set, pfn_of(first), BLOCK_ORDER), 0);
        page_set_add(&w->rig.set, run_at(first, BLOCK_FRAMES));
        memset(&w->in[first], true, BLOCK_FRAMES);
        w->count += BLOCK_FRAMES;
    } else if (!w->in[at]) {
        assert_int_equal(page_set_reserve(&w->rig.set, pfn_of(at), 0), 0);
        page_set_add(&w->rig.set, run_at(at, 1));
        w->in[at] = true;
        w->count++;
    }
}

static void walk_check(struct walk *w)
{
    uint64_t seen = 0, frames;
    pfn_t first = pfn_of(0);

    assert_int_equal(w->rig.set.frames, w->count);
    for (uint64_t i = 0; i < WALK_FRAMES; i++)
        assert_int_equal(page_set_has(&w->rig.set, pfn_of(i)), w->in[i]);
    for (uint64_t i = 0; i + 300 <= WALK_FRAMES; i += 300)
        assert_int_equal(page_set_has_any(&w->rig.set, pfn_of(i), 300),
                         memchr(&w->in[i], true, 300) != NULL);
    while (page_set_next(&w->rig.set, first, &first, &frames)) {
        for (uint64_t i = 0; i < frames; i++)
            assert_true(w->in[first.n + i]);
        seen += frames;
        first = pfn_add(first, frames);
    }
    assert_int_equal(seen, w->count);
}

static void random_walk_agrees_with_an_array(void **state)
{
    static struct walk w;
    (void)state;
    random_seed();
    rig_start(&w.rig);
    for (unsigned n = 0; n < 20000; n++) {
        if ((n / 500) % 2 ? rand() % 3 == 0 : rand() % 3 != 0)
            walk_add(&w);
        else
            walk_take(&w);
        if (n % 50 == 0)
            walk_move(&w);
        if (n % 997 == 0)
            page_set_trim(&w.rig.set);
        if (n % 250 == 0)
            walk_check(&w);
    }
    walk_check(&w);
    rig_stop(&w.rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_walk_agrees_with_an_array),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
