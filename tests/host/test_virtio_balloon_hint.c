// SPDX-License-Identifier: BSD-2-Clause
/* Free page hints (R-V-53..56): rounds, what is kept and for how long, full rings, silent and lying hosts. */
#include "base/err.h"
#include "drivers/virtio/balloon_internal.h"
#include "tests/model/balloon_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HINT     BIT64(VIRTIO_BALLOON_F_FREE_PAGE_HINT)
#define OOM      BIT64(VIRTIO_BALLOON_F_DEFLATE_ON_OOM)
#define FIRST_ID 0x80000001u
#define STOP     0
#define DONE     1
#define BLOCKS   40 /* of the guest */
#define OFFERED \
    (BLOCKS - 1) /* one stays, so that nobody is short while they are out of reach */
#define A_WHILE (100 * NS_PER_MS)

static struct balloon_rig r;

static void start(uint64_t features)
{
    balloon_rig_init(&r, BALLOON_FEATURES | HINT | features, BLOCKS * BLOCK_FRAMES);
    assert_int_equal(balloon_rig_attach(&r), 0);
    balloon_rig_settle(&r);
}

static void ask(uint32_t id)
{
    balloon_rig_ask_hints(&r, id);
    balloon_rig_run(&r, A_WHILE);
    balloon_rig_check(&r);
}

/* The host has taken the start word, and nothing else so far. */
static void ask_slowly(void)
{
    r.host.is_hint_slow = true;
    ask(FIRST_ID);
    balloon_rig_answer_hints(&r, 1);
    balloon_rig_run(&r, A_WHILE);
    balloon_rig_check(&r);
}

static void expect_words(unsigned count, const uint32_t *words)
{
    assert_int_equal(r.host.hint_count, count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(r.host.hint_words[i], words[i]);
}

static uint64_t hinted_blocks(void)
{
    return balloon_rig_status(&r).hinted_frames / BLOCK_FRAMES;
}

/* The queue has `size` entries. */
static void start_small(uint16_t size)
{
    balloon_rig_init(&r, BALLOON_FEATURES | HINT, BLOCKS * BLOCK_FRAMES);
    r.v.model.queues[3].max = r.v.model.queues[3].size = size;
    assert_int_equal(balloon_rig_attach(&r), 0);
    balloon_rig_settle(&r);
}

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
static void without_any_notification_the_register_is_compared(void **state)
{
    static const uint32_t ids[] = {FIRST_ID, DONE, FIRST_ID + 1};

    (void)state;
    balloon_rig_init(&r, BALLOON_FEATURES | HINT, BLOCKS * BLOCK_FRAMES);
    virtio_pci_model_add_msix(&r.v.pci, 2);
    r.opts.vectors = (struct virtio_vectors){.is_msix = true, .queues = 1};
    r.opts.is_polled = true;
    r.irq_works = false;
    assert_int_equal(balloon_rig_attach(&r), 0);
    r.vb->dev.features &= ~BIT64(VIRTIO_F_VERSION_1);
    balloon_rig_settle(&r);
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

/* ---- hosts that misbehave ---- */

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

/* ---- all of it ---- */

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
        cmocka_unit_test(another_notification_ends_a_round),
        cmocka_unit_test(a_full_ring_waits_and_keeps_an_entry_for_stop),
        cmocka_unit_test(others_are_served_while_a_round_waits),
        cmocka_unit_test(hinted_memory_counts_as_available),
        cmocka_unit_test(offered_blocks_are_nobodys_until_they_are_used),
        cmocka_unit_test(detaching_resets_before_they_come_back),
        cmocka_unit_test(memory_pressure_takes_some_back),
        cmocka_unit_test(the_balloon_grows_into_them),
        cmocka_unit_test(out_of_memory_takes_them_before_the_balloon),
        cmocka_unit_test(silence_breaks_the_device),
        cmocka_unit_test(a_dead_device_keeps_what_it_did_not_answer_for),
        cmocka_unit_test(lies_in_the_ring_bring_everything_back),
        cmocka_unit_test(a_host_that_does_not_look_gets_nothing),
        cmocka_unit_test(a_new_id_at_every_look_starves_nobody),
        cmocka_unit_test(failing_allocations_only_shorten_a_round),
        cmocka_unit_test(a_random_walk_loses_nothing),
    };

    random_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
