// SPDX-License-Identifier: BSD-2-Clause
/* Free page hints with hosts that are silent, dead or lie, without memory, and by chance. */
#include "tests/host/hint_rig.h"

static void silence_breaks_the_device(void **state)
{
    (void)state;
    start(0);
    ask_slowly();
    balloon_rig_run(&r, 6 * NS_PER_S);
    assert_int_equal(balloon_rig_status(&r).silences, 1);
    assert_int_equal(balloon_rig_status(&r).broken, 1);
    assert_int_equal(hinted_blocks(), 0);
    assert_int_equal(r.guest.driver, 0);
    r.host.is_hint_slow = false;
    balloon_rig_settle(&r);
    ask(FIRST_ID + 1);
    assert_int_equal(hinted_blocks(), OFFERED);
    balloon_rig_end(&r);
}

/* What was used goes back; what a device that is not even reset may still discard does not. */
static void a_dead_device_keeps_what_it_did_not_answer_for(void **state)
{
    (void)state;
    start(0);
    ask_slowly();
    balloon_rig_answer_hints(&r, 10);
    balloon_rig_run(&r, A_WHILE);
    r.v.model.lies.reset_hangs = true;
    virtio_model_push(&r.v.model, 3, 999, 0);
    balloon_rig_run(&r, 10 * NS_PER_S);
    assert_int_equal(balloon_rig_status(&r).state, VIRTIO_BALLOON_DEAD);
    assert_int_equal(balloon_rig_status(&r).quarantined_frames,
                     (OFFERED - 10) * BLOCK_FRAMES);
    assert_int_equal(r.guest.free, 11 * BLOCK_FRAMES);
    virtio_balloon_destroy(r.vb);
    rig_end(&r.v);
}

static void lies_in_the_ring_bring_everything_back(void **state)
{
    static const uint32_t ids[] = {999, 0, 77};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(ids); i++) {
        start(0);
        ask(FIRST_ID);
        virtio_model_push(&r.v.model, 3, ids[i], 0); /* out of range, replayed */
        balloon_rig_ask_hints(&r, FIRST_ID + 1);
        balloon_rig_run(&r, A_WHILE);
        assert_int_equal(balloon_rig_status(&r).broken, 1);
        assert_int_equal(hinted_blocks(), 0);
        balloon_rig_run(&r, NS_PER_S);
        balloon_rig_end(&r);
    }
}

static void a_host_that_does_not_look_gets_nothing(void **state)
{
    (void)state;
    start(0);
    r.host.is_hint_slow = true;
    ask(FIRST_ID);
    balloon_rig_run(&r, 20 * NS_PER_S);
    assert_int_equal(hinted_blocks(), 0);
    assert_int_equal(balloon_rig_status(&r).broken, 0);
    r.host.is_hint_slow = false;
    balloon_rig_answer_hints(&r, 1);
    balloon_rig_run(&r, NS_PER_S);
    assert_int_equal(hinted_blocks(), OFFERED);
    balloon_rig_end(&r);
}

static void a_new_id_at_every_look_starves_nobody(void **state)
{
    (void)state;
    start(0);
    for (unsigned i = 0; i < 2000; i++) {
        virtio_model_set_config(&r.v.model, 8, 100 + i);
        balloon_rig_run(&r, 500 * NS_PER_US);
    }
    assert_true(balloon_rig_status(&r).hint_rounds <= 101);
    balloon_rig_target(&r, 100);
    balloon_rig_settle(&r);
    assert_int_equal(r.host.actual, 100);
    balloon_rig_end(&r);
}

/* The n-th allocation fails: a shorter round, nothing lost. */
static void failing_allocations_only_shorten_a_round(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 12; n++) {
        start(0);
        r.v.hal.fail_at = r.v.hal.allocs + n;
        ask(FIRST_ID);
        expect_words(2, (uint32_t[]){FIRST_ID, STOP});
        ask(DONE);
        r.v.hal.fail_at = 0;
        ask(FIRST_ID + 1);
        assert_int_equal(hinted_blocks(), OFFERED);
        balloon_rig_end(&r);
    }
    for (unsigned n = 1; n <= BLOCKS; n++) {
        start(0);
        r.guest.take_fail_at = r.guest.takes + n;
        ask(FIRST_ID);
        expect_words(2, (uint32_t[]){FIRST_ID, STOP});
        balloon_rig_end(&r);
    }
}

static void do_something(void)
{
    switch (rand() % 9) {
    case 0:
        balloon_rig_ask_hints(&r, (uint32_t)rand());
        break;
    case 1:
        balloon_rig_ask_hints(&r, (uint32_t)rand() % 3);
        break;
    case 2:
        balloon_rig_target(&r, (uint32_t)rand() % (BLOCKS * BLOCK_FRAMES + 100));
        break;
    case 3:
        guest_use(&r.guest, (uint64_t)rand() % 3000);
        break;
    case 4:
        guest_unuse(&r.guest, (uint64_t)rand() % 3000);
        virtio_balloon_memory_freed(r.vb);
        break;
    case 5:
        virtio_balloon_recall_hinted(r.vb, (uint64_t)rand() % 3000);
        break;
    case 6:
        virtio_balloon_oom(r.vb, (uint64_t)rand() % 1000);
        break;
    case 7:
        r.host.is_hint_slow = rand() % 2;
        break;
    default:
        balloon_rig_answer_hints(&r, (unsigned)rand() % 50);
        break;
    }
}

static void a_random_walk_loses_nothing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        balloon_rig_init(&r, BALLOON_FEATURES | HINT | (i % 2 ? OOM : 0),
                         BLOCKS * BLOCK_FRAMES);
        r.v.model.queues[3].max = r.v.model.queues[3].size =
            (uint16_t)(2u << (unsigned)rand() % 8);
        r.guest.reserve = 1000;
        assert_int_equal(balloon_rig_attach(&r), 0);
        for (unsigned n = 0; n < 300; n++) {
            do_something();
            balloon_rig_run(&r, (uint64_t)rand() % (20 * NS_PER_MS));
            balloon_rig_check(&r);
        }
        r.host.is_hint_slow = false;
        balloon_rig_answer_hints(&r, UINT32_MAX);
        balloon_rig_end(&r);
    }
}

/* Nothing of ours is with it but a word: looked for ever less often. */
static void a_word_that_nobody_takes_costs_nothing(void **state)
{
    (void)state;
    start(0);
    balloon_rig_run(&r, 10 * NS_PER_S);
    unsigned steps = r.steps;
    balloon_rig_run(&r, 1000 * NS_PER_S);
    unsigned idle = r.steps - steps;
    r.v.model.lies.silent = true;
    balloon_rig_ask_hints(&r, FIRST_ID);
    balloon_rig_run(&r, 10 * NS_PER_S);
    steps = r.steps;
    balloon_rig_run(&r, 1000 * NS_PER_S);
    assert_in_range(r.steps - steps, 0, idle + 20);
    r.v.model.lies.silent = false;
    balloon_rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_breaks_the_device),
        cmocka_unit_test(a_dead_device_keeps_what_it_did_not_answer_for),
        cmocka_unit_test(lies_in_the_ring_bring_everything_back),
        cmocka_unit_test(a_host_that_does_not_look_gets_nothing),
        cmocka_unit_test(a_new_id_at_every_look_starves_nobody),
        cmocka_unit_test(failing_allocations_only_shorten_a_round),
        cmocka_unit_test(a_random_walk_loses_nothing),
        cmocka_unit_test(a_word_that_nobody_takes_costs_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
