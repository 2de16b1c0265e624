// SPDX-License-Identifier: BSD-2-Clause
/* Free page hints (R-V-53..56): rounds, the latch, full rings, what is kept and for how long. */
#include "tests/host/hint_rig.h"

/* ---- rounds ---- */

static void a_round_offers_every_free_block(void **state)
{
    (void)state;
    start(0);
    ask(FIRST_ID);
    expect_words(2, (uint32_t[]){FIRST_ID, STOP});
    assert_int_equal(r.host.hint_blocks, OFFERED);
    assert_int_equal(r.host.hint_stale, 0);
    assert_int_equal(hinted_blocks(), OFFERED);
    assert_int_equal(r.guest.free, BLOCK_FRAMES);
    assert_int_equal(balloon_rig_status(&r).hint_bytes, OFFERED * BLOCK_SIZE);
    assert_int_equal(balloon_rig_status(&r).size_pages, 0); /* they are no part of it */
    balloon_rig_end(&r);
}

/* Twice: at once there is still as much as would be low. */
static void the_reserve_is_not_offered(void **state)
{
    (void)state;
    start(0);
    r.guest.reserve = 3 * BLOCK_FRAMES;
    ask(FIRST_ID);
    assert_int_equal(r.host.hint_blocks, OFFERED - 6);
    balloon_rig_end(&r);
}

static void what_was_touched_is_offered_first(void **state)
{
    (void)state;
    start(0);
    memset(&r.guest.touched[7 * BLOCK_FRAMES], 1, BLOCK_FRAMES);
    memset(&r.guest.touched[9 * BLOCK_FRAMES], 1, BLOCK_FRAMES);
    r.guest.reserve = 18 * BLOCK_FRAMES;
    ask(FIRST_ID);
    assert_int_equal(r.guest.owner[7 * BLOCK_FRAMES], FRAME_DRIVER);
    assert_int_equal(r.guest.owner[9 * BLOCK_FRAMES], FRAME_DRIVER);
    assert_int_equal(r.guest.owner[0], FRAME_DRIVER);
    assert_int_equal(hinted_blocks(), 3);
    ask(DONE); /* and it comes back as what it was */
    assert_true(r.guest.touched[7 * BLOCK_FRAMES]);
    assert_false(r.guest.touched[0]);
    balloon_rig_end(&r);
}

static void stop_keeps_and_done_gives_back(void **state)
{
    (void)state;
    start(0);
    ask(FIRST_ID);
    ask(STOP);
    assert_int_equal(hinted_blocks(), OFFERED);
    ask(DONE);
    assert_int_equal(hinted_blocks(), 0);
    assert_int_equal(r.guest.free, BLOCKS * BLOCK_FRAMES);
    expect_words(2, (uint32_t[]){FIRST_ID, STOP});
    balloon_rig_end(&r);
}

/* QEMU asks again after each look at its bitmap: what is kept need not be told again. */
static void the_next_round_offers_what_became_free(void **state)
{
    (void)state;
    start(0);
    guest_use(&r.guest, 5 * BLOCK_FRAMES);
    ask(FIRST_ID);
    assert_int_equal(r.host.hint_blocks, OFFERED - 5);
    guest_unuse(&r.guest, 5 * BLOCK_FRAMES);
    ask(FIRST_ID + 1);
    assert_int_equal(r.host.hint_blocks, OFFERED);
    expect_words(4, (uint32_t[]){FIRST_ID, STOP, FIRST_ID + 1, STOP});
    ask(FIRST_ID + 1); /* served already */
    assert_int_equal(balloon_rig_status(&r).hint_rounds, 2);
    balloon_rig_end(&r);
}

/* D-F-05 and a counter that wrapped: an id says nothing but that it is new. */
static void any_id_from_two_on_is_a_command(void **state)
{
    (void)state;
    start(0);
    ask(2);
    ask(UINT32_MAX);
    ask(0x80000000);
    expect_words(6, (uint32_t[]){2, STOP, UINT32_MAX, STOP, 0x80000000, STOP});
    balloon_rig_end(&r);
}

static void switched_off_each_command_gets_an_empty_round(void **state)
{
    (void)state;
    balloon_rig_init(&r, BALLOON_FEATURES | HINT, BLOCKS * BLOCK_FRAMES);
    r.opts.hint = false;
    assert_int_equal(balloon_rig_attach(&r), 0);
    ask(FIRST_ID);
    ask(FIRST_ID + 1);
    expect_words(4, (uint32_t[]){FIRST_ID, STOP, FIRST_ID + 1, STOP});
    assert_int_equal(r.host.hint_blocks, 0);
    balloon_rig_end(&r);
}

/* ---- the latch, R-V-53 ---- */

static void the_id_is_read_on_notification_only(void **state)
{
    const uint32_t id = 7;

    (void)state;
    start(0);
    memcpy(&r.v.model.config[8], &id, sizeof(id));
    balloon_rig_run(&r, 5 * NS_PER_S);
    assert_int_equal(r.host.hint_count, 0);
    balloon_rig_end(&r);
}

static void a_polled_driver_goes_by_the_isr_byte(void **state)
{
    (void)state;
    balloon_rig_init(&r, BALLOON_FEATURES | HINT, BLOCKS * BLOCK_FRAMES);
    r.opts.is_polled = true;
    r.irq_works = false;
    assert_int_equal(balloon_rig_attach(&r), 0);
    balloon_rig_settle(&r);
    balloon_rig_ask_hints(&r, FIRST_ID);
    balloon_rig_run(&r, 500 * NS_PER_MS);
    /* The register has read 0 since the start word. */
    assert_int_equal(r.host.hint_blocks, OFFERED);
    expect_words(2, (uint32_t[]){FIRST_ID, STOP});
    balloon_rig_end(&r);
}

/* Neither interrupts nor an ISR byte nor, as on a legacy device, a generation: the register alone. */
static void start_unnotified(void)
{
    balloon_rig_init(&r, BALLOON_FEATURES | HINT, BLOCKS * BLOCK_FRAMES);
    virtio_pci_model_add_msix(&r.v.pci, 2);
    r.opts.vectors = (struct virtio_vectors){.is_msix = true, .queues = 1};
    r.opts.is_polled = true;
    r.irq_works = false;
    assert_int_equal(balloon_rig_attach(&r), 0);
    r.vb->dev.features &= ~BIT64(VIRTIO_F_VERSION_1);
    balloon_rig_settle(&r);
}

static void without_any_notification_the_register_is_compared(void **state)
{
    static const uint32_t ids[] = {FIRST_ID, DONE, FIRST_ID + 1};

    (void)state;
    start_unnotified();
    for (unsigned i = 0; i < ARRAY_LEN(ids); i++) {
        r.host.hint_id = ids[i];
        memcpy(&r.v.model.config[8], &ids[i], 4);
        balloon_rig_run(&r, NS_PER_S);
        /* The 0 that follows the start word is no STOP. */
        assert_int_equal(hinted_blocks(), ids[i] == DONE ? 0 : OFFERED);
    }
    expect_words(4, (uint32_t[]){FIRST_ID, STOP, FIRST_ID + 1, STOP});
    balloon_rig_end(&r);
}

/* Where only the register tells, a STOP that comes before the round was begun takes the command back. */
static void a_command_may_be_taken_back(void **state)
{
    const uint32_t id = FIRST_ID + 1, stop = STOP;

    (void)state;
    start_unnotified();
    ask_slowly();
    memcpy(&r.v.model.config[8], &id, 4); /* while the ring is full of the first round */
    balloon_rig_run(&r, NS_PER_S);
    memcpy(&r.v.model.config[8], &stop, 4);
    balloon_rig_run(&r, NS_PER_S);
    for (unsigned i = 0; i < 10; i++) {
        balloon_rig_answer_hints(&r, 100);
        balloon_rig_run(&r, A_WHILE);
    }
    for (unsigned i = 0; i < r.host.hint_count; i++)
        assert_int_not_equal(r.host.hint_words[i], id);
    balloon_rig_end(&r);
}

/* Each block costs time: they go out and come back in several steps, and all of them do. */
static void slow_memory_is_offered_and_given_back_in_steps(void **state)
{
    (void)state;
    start(0);
    r.guest.call_ns = 30 * NS_PER_US;
    unsigned before = r.steps;
    ask(FIRST_ID);
    assert_int_equal(hinted_blocks(), OFFERED);
    assert_true(r.steps - before >= OFFERED * 30 / 200);
    before = r.steps;
    ask(DONE);
    assert_int_equal(hinted_blocks(), 0);
    assert_true(r.steps - before >= OFFERED * 30 / 200);
    balloon_rig_end(&r);
}

/* R-V-32: what was returned and not told yet may be among the free blocks, so hints wait for it. */
static void hints_wait_until_nothing_is_owed(void **state)
{
    (void)state;
    balloon_rig_init(&r, BALLOON_FEATURES | HINT, BLOCKS * BLOCK_FRAMES);
    r.opts.early_return = r.guest.may_owe = true;
    assert_int_equal(balloon_rig_attach(&r), 0);
    balloon_rig_target(&r, 20 * BLOCK_FRAMES);
    balloon_rig_settle(&r);
    r.host.is_slow = true;
    balloon_rig_target(&r, 0);
    balloon_rig_run(&r, NS_PER_MS);
    assert_true(balloon_rig_status(&r).owed_frames > 0);
    ask(FIRST_ID);
    assert_int_equal(r.host.hint_blocks, 0);
    r.host.is_slow = false;
    balloon_rig_answer(&r);
    balloon_rig_settle(&r);
    balloon_rig_check(&r);
    assert_int_equal(balloon_rig_status(&r).owed_frames, 0);
    assert_int_equal(r.host.hint_blocks, OFFERED);
    balloon_rig_end(&r);
}

static int (*take_as_ever)(void *ctx, unsigned order, struct run_want want, pfn_t *out,
                           enum run_state *state);

/* An allocator that is short of memory in the middle of an allocation asks whoever has some. */
static int take_and_ask(void *ctx, unsigned order, struct run_want want, pfn_t *out,
                        enum run_state *state)
{
    assert_int_equal(virtio_balloon_recall_hinted(r.vb, BLOCK_FRAMES), 0);
    assert_int_equal(virtio_balloon_oom(r.vb, BLOCK_FRAMES), 0);
    return take_as_ever(ctx, order, want, out, state);
}

static void asked_from_inside_its_own_allocation_it_gives_nothing(void **state)
{
    (void)state;
    start(OOM);
    take_as_ever = r.v.hal.hal.run_take;
    r.v.hal.hal.run_take = take_and_ask;
    ask(FIRST_ID);
    assert_int_equal(hinted_blocks(), OFFERED);
    r.v.hal.hal.run_take = take_as_ever;
    assert_int_equal(virtio_balloon_recall_hinted(r.vb, BLOCK_FRAMES), BLOCK_FRAMES);
    balloon_rig_end(&r);
}

/* A resize makes the driver read the register, which says 0 during a round: the round ends early. */
static void another_notification_ends_a_round(void **state)
{
    (void)state;
    start_small(8);
    ask_slowly();
    balloon_rig_target(&r, 10);
    balloon_rig_run(&r, A_WHILE);
    r.host.is_hint_slow = false;
    balloon_rig_answer_hints(&r, UINT32_MAX);
    balloon_rig_settle(&r);
    expect_words(2, (uint32_t[]){FIRST_ID, STOP});
    assert_int_equal(r.host.hint_blocks, 7);
    assert_int_equal(r.host.actual, 10);
    balloon_rig_end(&r);
}

/* ---- a ring that is full ---- */

static void a_full_ring_waits_and_keeps_an_entry_for_stop(void **state)
{
    (void)state;
    for (uint16_t size = 2; size <= 64; size *= 2) {
        start_small(size);
        r.host.is_hint_slow = true;
        ask(FIRST_ID);
        for (unsigned i = 0; i < 400 && r.host.hint_count < 2; i++) {
            balloon_rig_answer_hints(&r, 1);
            balloon_rig_run(&r, 2 * NS_PER_MS);
            balloon_rig_check(&r);
        }
        expect_words(2, (uint32_t[]){FIRST_ID, STOP});
        assert_int_equal(r.host.hint_blocks, OFFERED);
        assert_int_equal(hinted_blocks(), OFFERED);
        r.host.is_hint_slow = false;
        balloon_rig_end(&r);
    }
}

static void others_are_served_while_a_round_waits(void **state)
{
    (void)state;
    start_small(4);
    ask_slowly();
    unsigned answers = r.host.stats_answers;
    balloon_rig_ask_stats(&r);
    balloon_rig_run(&r, A_WHILE);
    assert_int_equal(r.host.stats_answers, answers + 1);
    r.host.is_hint_slow = false;
    balloon_rig_answer_hints(&r, UINT32_MAX);
    balloon_rig_end(&r);
}

/* Statistics tell of memory that can be had. */
static void hinted_memory_counts_as_available(void **state)
{
    (void)state;
    start(0);
    uint64_t available = balloon_rig_stat(&r, 6);
    ask(FIRST_ID);
    balloon_rig_ask_stats(&r);
    balloon_rig_run(&r, A_WHILE);
    assert_int_equal(r.guest.free, BLOCK_FRAMES);
    assert_int_equal(balloon_rig_stat(&r, 4), BLOCKS * BLOCK_SIZE);
    assert_int_equal(balloon_rig_stat(&r, 6), available);
    balloon_rig_end(&r);
}

/* ---- R-V-56: nothing before its buffer was used ---- */

static void offered_blocks_are_nobodys_until_they_are_used(void **state)
{
    (void)state;
    start(OOM);
    ask_slowly();
    assert_int_equal(hinted_blocks(), OFFERED);
    assert_int_equal(virtio_balloon_recall_hinted(r.vb, BLOCK_FRAMES), 0);
    assert_int_equal(virtio_balloon_oom(r.vb, BLOCK_FRAMES), 0);
    assert_int_equal(r.guest.free, BLOCK_FRAMES);
    balloon_rig_ask_hints(&r, DONE);
    balloon_rig_run(&r, A_WHILE);
    assert_int_equal(hinted_blocks(), OFFERED);
    balloon_rig_answer_hints(&r, 10);
    balloon_rig_run(&r, A_WHILE);
    balloon_rig_check(&r);
    assert_int_equal(hinted_blocks(), OFFERED - 10); /* DONE: they are not kept */
    balloon_rig_answer_hints(&r, UINT32_MAX);
    balloon_rig_run(&r, A_WHILE);
    assert_int_equal(hinted_blocks(), 0);
    balloon_rig_end(&r);
}

static void detaching_resets_before_they_come_back(void **state)
{
    (void)state;
    start(0);
    balloon_rig_target(&r, 700);
    balloon_rig_settle(&r);
    ask_slowly();
    virtio_balloon_detach(r.vb);
    balloon_rig_settle(&r);
    balloon_rig_check(&r);
    assert_int_equal(balloon_rig_status(&r).state, VIRTIO_BALLOON_OFF);
    assert_int_equal(hinted_blocks(), 0);
    assert_int_equal(r.guest.driver, 0);
    balloon_rig_end(&r);
}

/* ---- memory that is wanted back, R-V-55 ---- */

static void memory_pressure_takes_some_back(void **state)
{
    (void)state;
    start(0);
    ask(FIRST_ID);
    assert_int_equal(virtio_balloon_hinted_frames(r.vb), OFFERED * BLOCK_FRAMES);
    assert_int_equal(virtio_balloon_recall_hinted(r.vb, 1), BLOCK_FRAMES);
    assert_int_equal(virtio_balloon_recall_hinted(r.vb, 2 * BLOCK_FRAMES + 1),
                     3 * BLOCK_FRAMES);
    assert_int_equal(r.guest.free, 5 * BLOCK_FRAMES);
    balloon_rig_run(&r, NS_PER_S);
    assert_int_equal(r.guest.free,
                     5 * BLOCK_FRAMES); /* not offered again without a command */
    assert_int_equal(virtio_balloon_recall_hinted(r.vb, UINT32_MAX),
                     (OFFERED - 4) * BLOCK_FRAMES);
    assert_int_equal(virtio_balloon_recall_hinted(r.vb, 1), 0);
    assert_int_equal(balloon_rig_status(&r).hint_recalled, OFFERED * BLOCK_FRAMES);
    balloon_rig_end(&r);
}

static void the_balloon_grows_into_them(void **state)
{
    (void)state;
    start(0);
    ask(FIRST_ID);
    balloon_rig_target(&r, 30 * BLOCK_FRAMES + 5);
    balloon_rig_settle(&r);
    balloon_rig_check(&r);
    assert_int_equal(r.host.actual, 30 * BLOCK_FRAMES + 5);
    balloon_rig_end(&r);
}

static void out_of_memory_takes_them_before_the_balloon(void **state)
{
    (void)state;
    start(OOM);
    balloon_rig_target(&r, 10 * BLOCK_FRAMES);
    balloon_rig_settle(&r);
    ask(FIRST_ID);
    assert_int_equal(virtio_balloon_oom(r.vb, 5), BLOCK_FRAMES);
    assert_int_equal(r.host.actual, 10 * BLOCK_FRAMES);
    assert_true(virtio_balloon_oom(r.vb, 30 * BLOCK_FRAMES) >= 30 * BLOCK_FRAMES);
    assert_int_equal(r.host.actual, 8 * BLOCK_FRAMES);
    balloon_rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_round_offers_every_free_block),
        cmocka_unit_test(the_reserve_is_not_offered),
        cmocka_unit_test(what_was_touched_is_offered_first),
        cmocka_unit_test(stop_keeps_and_done_gives_back),
        cmocka_unit_test(the_next_round_offers_what_became_free),
        cmocka_unit_test(any_id_from_two_on_is_a_command),
        cmocka_unit_test(switched_off_each_command_gets_an_empty_round),
        cmocka_unit_test(the_id_is_read_on_notification_only),
        cmocka_unit_test(a_polled_driver_goes_by_the_isr_byte),
        cmocka_unit_test(without_any_notification_the_register_is_compared),
        cmocka_unit_test(a_command_may_be_taken_back),
        cmocka_unit_test(slow_memory_is_offered_and_given_back_in_steps),
        cmocka_unit_test(hints_wait_until_nothing_is_owed),
        cmocka_unit_test(asked_from_inside_its_own_allocation_it_gives_nothing),
        cmocka_unit_test(another_notification_ends_a_round),
        cmocka_unit_test(a_full_ring_waits_and_keeps_an_entry_for_stop),
        cmocka_unit_test(others_are_served_while_a_round_waits),
        cmocka_unit_test(hinted_memory_counts_as_available),
        cmocka_unit_test(offered_blocks_are_nobodys_until_they_are_used),
        cmocka_unit_test(detaching_resets_before_they_come_back),
        cmocka_unit_test(memory_pressure_takes_some_back),
        cmocka_unit_test(the_balloon_grows_into_them),
        cmocka_unit_test(out_of_memory_takes_them_before_the_balloon),
    };

    random_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
