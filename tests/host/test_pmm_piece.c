// SPDX-License-Identifier: BSD-2-Clause
/* Free runs of blocks in pieces, lent for a report: which, when, each once, and no frame is lost. */
#include "tests/host/pmm_rig.h"

#include "tests/model/balloon_host.h"

#define BLOCKS 4u
#define FRAMES (BLOCKS * BLOCK_FRAMES)
#define FIRST  (5 * GIB >> FRAME_SHIFT) /* of blocks_only_used_low() */

static struct idle_blocks look(struct pmm *pmm)
{
    struct idle_blocks idle;

    pmm_idle_blocks(pmm, &idle);
    return idle;
}

/* One block, all of its frames taken and written to. */
static struct pmm *one_block(bool is_watched)
{
    struct pmm *pmm = blocks_only_used_low(1);

    if (is_watched)
        pmm_watch_pieces(pmm);
    for (unsigned i = 0; i < BLOCK_FRAMES; i++)
        assert_int_equal(take(pmm, FRAME).n, FIRST + i);
    look(pmm);
    return pmm;
}

static void free_frames(struct pmm *pmm, unsigned first, unsigned past)
{
    for (; first < past; first++)
        pmm_give(pmm, pfn_of(FIRST + first), 0, RUN_TOUCHED);
}

static struct pmm_piece expect_piece(struct pmm *pmm, unsigned order, uint64_t max,
                                     uint64_t first, uint64_t frames)
{
    struct pmm_piece piece = {{0}, 0};

    assert_int_equal(pmm_take_piece(pmm, order, max, &piece), 0);
    assert_int_equal(piece.first.n, FIRST + first);
    assert_int_equal(piece.frames, frames);
    pmm_check(pmm);
    return piece;
}

static void expect_none(struct pmm *pmm, unsigned order)
{
    struct pmm_piece piece = {{77}, 77};

    assert_int_equal(pmm_take_piece(pmm, order, UINT64_MAX, &piece), -ENOMEM);
    assert_int_equal(piece.first.n, 77);
}

static void nobody_marks_what_nobody_asks_for(void **state)
{
    struct pmm *pmm = one_block(false);

    (void)state;
    free_frames(pmm, 0, 100);
    assert_int_equal(look(pmm).pieces, 0);
    assert_int_equal(look(pmm).pieces_due, 0);
    expect_none(pmm, 0);
    pmm_check(pmm);
    /* Asked for later: what is free already counts. */
    pmm_watch_pieces(pmm);
    pmm_watch_pieces(pmm);
    assert_int_equal(look(pmm).pieces, 1);
    assert_int_equal(look(pmm).pieces_due, 1);
    expect_piece(pmm, 0, UINT64_MAX, 0, 100);
}

static void what_was_freed_is_due_after_a_look(void **state)
{
    struct pmm *pmm = one_block(true);

    (void)state;
    free_frames(pmm, 8, 24);
    expect_none(pmm, 0);
    struct idle_blocks idle = look(pmm);
    assert_int_equal(idle.pieces, 1);
    assert_int_equal(idle.pieces_due, 0);
    idle = look(pmm);
    assert_int_equal(idle.pieces, 1);
    assert_int_equal(idle.pieces_due, 1);
    assert_int_equal(look(pmm).pieces_due, 1); /* until it was taken */
    struct pmm_piece piece = expect_piece(pmm, 0, UINT64_MAX, 8, 16);
    assert_int_equal(stats_of(pmm).free_frames, 0);
    expect_none(pmm, 0);
    pmm_give_piece(pmm, piece, RUN_UNTOUCHED);
    pmm_check(pmm);
    assert_int_equal(stats_of(pmm).free_frames, 16);
    /* Once, and the allocator knows what the host has. */
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(look(pmm).pieces, 0);
        expect_none(pmm, 0);
    }
    struct pmm_run run;
    uint64_t cold = stats_of(pmm).cold_frames;
    assert_int_equal(pmm_take(pmm, FRAME, &run), 0);
    assert_int_equal(run.state, RUN_UNTOUCHED);
    assert_int_equal(stats_of(pmm).cold_frames, cold + 1);
    /* More is freed in it. */
    free_frames(pmm, 100, 101);
    look(pmm);
    look(pmm);
    expect_piece(pmm, 0, UINT64_MAX, 9, 15);
    expect_piece(pmm, 0, UINT64_MAX, 100, 1);
    expect_none(pmm, 0);
}

static void runs_are_aligned_and_as_long_as_they_get(void **state)
{
    struct pmm *pmm = one_block(true);

    (void)state;
    free_frames(pmm, 3, 5);     /* no aligned run of 4 */
    free_frames(pmm, 7, 29);    /* 8..27 */
    free_frames(pmm, 60, 70);   /* over a word's border: 60..67 */
    free_frames(pmm, 508, 512); /* to the very end */
    look(pmm);
    look(pmm);
    expect_piece(pmm, 2, UINT64_MAX, 8, 20);
    expect_piece(pmm, 2, UINT64_MAX, 60, 8);
    struct pmm_piece last = expect_piece(pmm, 2, UINT64_MAX, 508, 4);
    expect_none(pmm, 2);
    /* The rest is touched still, but that alone is no reason to come again. */
    pmm_give_piece(pmm, last, RUN_UNTOUCHED);
    assert_int_equal(look(pmm).pieces, 0);
    struct pmm_run run;
    assert_int_equal(pmm_take(pmm, FRAME, &run), 0);
    assert_int_equal(run.state, RUN_TOUCHED);
}

static void a_run_is_cut_at_the_most_that_is_wanted(void **state)
{
    struct pmm *pmm = one_block(true);

    (void)state;
    free_frames(pmm, 0, 40);
    look(pmm);
    look(pmm);
    struct pmm_piece piece = {{0}, 0};
    assert_int_equal(pmm_take_piece(pmm, 4, 15, &piece), -ENOMEM);
    assert_int_equal(look(pmm).pieces_due, 1); /* and it may be asked again */
    struct pmm_piece first = expect_piece(pmm, 4, 31, 0, 16);
    pmm_give_piece(pmm, first, RUN_UNTOUCHED); /* and is not met again */
    expect_piece(pmm, 4, 31, 16, 16);
    expect_none(pmm, 4);
}

static void what_comes_back_touched_is_due_again(void **state)
{
    struct pmm *pmm = one_block(true);

    (void)state;
    free_frames(pmm, 0, 40);
    look(pmm);
    look(pmm);
    pmm_give_piece(pmm, expect_piece(pmm, 0, UINT64_MAX, 0, 40), RUN_TOUCHED);
    look(pmm);
    look(pmm);
    expect_piece(pmm, 0, UINT64_MAX, 0, 40);
}

static void a_block_becomes_whole_by_what_was_lent(void **state)
{
    struct pmm *pmm = one_block(true);

    (void)state;
    free_frames(pmm, 0, 40);
    look(pmm);
    look(pmm);
    struct pmm_piece piece = expect_piece(pmm, 0, UINT64_MAX, 0, 40);
    free_frames(pmm, 40, BLOCK_FRAMES);
    assert_int_equal(stats_of(pmm).free_blocks_touched, 0);
    pmm_give_piece(pmm, piece, RUN_UNTOUCHED);
    pmm_check(pmm);
    assert_int_equal(stats_of(pmm).free_blocks_touched, 1); /* a part of it is */
    assert_int_equal(look(pmm).pieces, 0);
    expect_none(pmm, 0);
    /* Broken up again, the rest of it is memory to report. */
    take(pmm, FRAME);
    look(pmm);
    assert_int_equal(look(pmm).pieces_due, 1);
    expect_piece(pmm, 0, UINT64_MAX, 1, BLOCK_FRAMES - 1);
}

static bool skip_none(void *ctx, pfn_t first)
{
    (void)ctx;
    (void)first;
    return false;
}

static void victims_are_left_alone(void **state)
{
    struct pmm *pmm = blocks_only_used_low(2);

    (void)state;
    pmm_watch_pieces(pmm);
    for (unsigned i = 0; i < 2 * BLOCK_FRAMES; i++)
        take(pmm, FRAME);
    free_frames(pmm, 0, 400);
    free_frames(pmm, 600, 900);
    look(pmm);
    assert_int_equal(look(pmm).pieces_due, 2);
    assert_int_equal(pmm_victims_begin(pmm, 1, skip_none, NULL), 1);
    expect_piece(pmm, 0, UINT64_MAX, 600, 300);
    expect_none(pmm, 0);
    pmm_victims_end(pmm);
    assert_int_equal(look(pmm).pieces_due, 1);
    expect_piece(pmm, 0, UINT64_MAX, 0, 400);
}

/* ---- random: every frame has one owner ---- */

enum owner { FREE, TAKEN, LENT };

static struct {
    struct pmm *pmm;
    enum owner owner[FRAMES];
    bool is_cold[FRAMES]; /* the host has no backing */
    struct pmm_piece lent[64];
    unsigned lent_count, order;
    uint64_t free;
} walk;

static void take_some(unsigned count)
{
    struct pmm_run run;

    while (count-- > 0 && !pmm_take(walk.pmm, FRAME, &run)) {
        uint64_t i = run.pfn.n - FIRST;

        assert_int_equal(walk.owner[i], FREE);
        assert_true(run.state == RUN_TOUCHED || walk.is_cold[i]);
        walk.owner[i] = TAKEN;
        walk.is_cold[i] = false;
        walk.free--;
    }
}

static void give_some(unsigned count)
{
    for (unsigned tries = 0; tries < 4 * count; tries++) {
        unsigned i = (unsigned)rand() % FRAMES;

        if (walk.owner[i] != TAKEN)
            continue;
        pmm_give(walk.pmm, pfn_of(FIRST + i), 0, RUN_TOUCHED);
        walk.owner[i] = FREE;
        walk.free++;
    }
}

static void lend(void)
{
    struct pmm_piece piece;

    if (walk.lent_count == 64 ||
        pmm_take_piece(walk.pmm, walk.order, (unsigned)rand() % BLOCK_FRAMES, &piece))
        return;
    assert_true(piece.frames > 0 && piece.frames % (1u << walk.order) == 0);
    assert_int_equal(piece.first.n % (1u << walk.order), 0);
    for (uint64_t i = 0; i < piece.frames; i++) {
        assert_int_equal(walk.owner[piece.first.n - FIRST + i], FREE);
        walk.owner[piece.first.n - FIRST + i] = LENT;
    }
    walk.free -= piece.frames;
    walk.lent[walk.lent_count++] = piece;
}

static void bring_back(enum run_state state)
{
    if (!walk.lent_count)
        return;
    unsigned n = (unsigned)rand() % walk.lent_count;
    struct pmm_piece piece = walk.lent[n];

    walk.lent[n] = walk.lent[--walk.lent_count];
    for (uint64_t i = piece.first.n - FIRST; i < piece.first.n - FIRST + piece.frames;
         i++) {
        walk.owner[i] = FREE;
        walk.is_cold[i] = walk.is_cold[i] || state == RUN_UNTOUCHED;
    }
    walk.free += piece.frames;
    pmm_give_piece(walk.pmm, piece, state);
}

static void one_step(void)
{
    switch (rand() % 6) {
    case 0:
        take_some((unsigned)rand() % 600);
        break;
    case 1:
        give_some((unsigned)rand() % 300);
        break;
    case 2:
        look(walk.pmm);
        break;
    case 3:
        bring_back(rand() % 8 ? RUN_UNTOUCHED : RUN_TOUCHED);
        break;
    default:
        lend();
    }
    pmm_check(walk.pmm);
    assert_int_equal(stats_of(walk.pmm).free_frames, walk.free);
}

/* With nothing freed any more, all that can be lent is in the end, and then the asking has an end. */
static void settle(void)
{
    while (walk.lent_count)
        bring_back(RUN_UNTOUCHED);
    for (unsigned looks = 0; look(walk.pmm).pieces; looks++) {
        struct pmm_piece piece;

        assert_true(looks < 4);
        while (!pmm_take_piece(walk.pmm, walk.order, UINT64_MAX, &piece))
            pmm_give_piece(walk.pmm, piece, RUN_UNTOUCHED);
    }
}

static void random_walks_lose_no_frame(void **state)
{
    (void)state;
    random_seed();
    for (unsigned round = 0; round < 40; round++) {
        memset(&walk, 0, sizeof(walk));
        walk.pmm = blocks_only_used_low(BLOCKS);
        walk.free = FRAMES;
        walk.order = (unsigned)rand() % BLOCK_ORDER;
        for (unsigned i = 0; i < FRAMES; i++)
            walk.is_cold[i] = true;
        pmm_watch_pieces(walk.pmm);
        for (unsigned i = 0; i < 500; i++)
            one_step();
        settle();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_marks_what_nobody_asks_for),
        cmocka_unit_test(what_was_freed_is_due_after_a_look),
        cmocka_unit_test(runs_are_aligned_and_as_long_as_they_get),
        cmocka_unit_test(a_run_is_cut_at_the_most_that_is_wanted),
        cmocka_unit_test(what_comes_back_touched_is_due_again),
        cmocka_unit_test(a_block_becomes_whole_by_what_was_lent),
        cmocka_unit_test(victims_are_left_alone),
        cmocka_unit_test(random_walks_lose_no_frame),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
